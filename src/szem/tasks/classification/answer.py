"""`classify` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.classification.classify import Classifier
from szem.tasks.contracts import OpenModel

__all__ = ["ClassifyRequest", "answer_classify"]

_MAX_TOP = 1_000


@dataclass(frozen=True, kw_only=True)
class ClassifyRequest:
    """Which labels are wanted.

    `top`: labels at most (5). `maps`: also where each score comes from. `model`: one of those for classify, the
    shipped one when left out.
    """

    top: int = 5
    maps: bool = False
    model: str = ""


def answer_classify(picture: Picture8, request: ClassifyRequest, open_model: OpenModel) -> dict[str, Any]:
    """Labels as `Labels.to_dict` gives them.

    Raises:
        RangeError: `top` is out of range.
        UnknownNameError, UnsupportedError: no such model, or one without maps.
    """
    if not 1 <= request.top <= _MAX_TOP:
        raise RangeError(f"top must be 1 to {_MAX_TOP}, got {request.top}")
    classifier = Classifier(open_model(request.model or None, task="classify"), workers=1)
    return classifier([picture], top=request.top, maps=request.maps)[0].to_dict()
