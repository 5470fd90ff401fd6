"""`detect` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.contracts import OpenModel
from szem.tasks.detection.detect import Detector
from szem.tasks.option import option

__all__ = ["DetectRequest", "answer_detect"]

_MAX_CLASSES = 1_000


@dataclass(frozen=True, kw_only=True)
class DetectRequest:
    """Which boxes are wanted.

    `model`: one of those for detect, the shipped one when left out. `threshold`: the lowest score; when left out,
    what the model's card says of each class. `classes`: only these, separated by commas; all when left out.
    """

    model: str = option("", most=200)
    threshold: float | None = option(None, minimum=0, maximum=1)
    classes: str = option("", most=20_000)


def answer_detect(picture: Picture8, request: DetectRequest, open_model: OpenModel) -> dict[str, Any]:
    """Boxes as `Boxes.to_dict` gives them.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnknownNameError: no such model or class.
        UnsupportedError: no model is installed.
    """
    names = [name.strip() for name in request.classes.split(",") if name.strip()]
    if len(names) > _MAX_CLASSES:
        raise RangeError(f"classes: at most {_MAX_CLASSES} names, got {len(names)}")
    session = open_model(request.model or None, task="detect")
    found = Detector(session, threshold=request.threshold)([picture])[0]
    return (found.keep(classes=names) if names else found).to_dict()
