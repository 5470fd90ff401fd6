"""`classify` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.tasks.classification.classify import Classifier
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option

__all__ = ["ClassifyRequest", "answer_classify"]

_MAX_TOP = 1_000


@dataclass(frozen=True, kw_only=True)
class ClassifyRequest:
    """Which labels are wanted.

    `top`: labels at most (5). `maps`: also where each score comes from. `model`: one of those for classify, the
    shipped one when left out.
    """

    top: int = option(5, minimum=1, maximum=_MAX_TOP)
    maps: bool = False
    model: str = option("", most=200)


def answer_classify(picture: Picture8, request: ClassifyRequest, open_model: OpenModel) -> dict[str, Any]:
    """Labels as `Labels.to_dict` gives them.

    Raises:
        RangeError: `top` is out of range.
        UnknownNameError, UnsupportedError: no such model, or one without maps.
    """
    check_options(request)
    classifier = Classifier(open_model(request.model or None, task="classify"), workers=1)
    return classifier([picture], top=request.top, maps=request.maps)[0].to_dict()
