"""Boxes on the wire: what is where, for `/v1/szem/detect` and for OBJECT_LOCALIZATION. Knows nothing of HTTP."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.results.boxes import Boxes
from szem.serve.engine import Engine
from szem.serve.messages import Image
from szem.tasks.detection.detect import Detector

__all__ = ["DetectRequest", "detect_picture", "find_boxes"]

_MOST_CLASSES = 1_000


@dataclass(frozen=True, kw_only=True)
class DetectRequest:
    """A picture, and which boxes are wanted.

    `model`: one of those for detect, the shipped one when left out. `threshold`: the lowest score, −1 for what the
    model's card says of each class. `classes`: only these, with commas between; all when left out.
    """

    image: Image | None = None
    model: str = ""
    threshold: float = -1.0
    classes: str = ""


async def detect_picture(engine: Engine, picture: Picture8, request: DetectRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/detect`.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnknownNameError: no such model or class.
        UnsupportedError: no model is installed.
    """
    names = [name.strip() for name in request.classes.split(",") if name.strip()]
    if len(names) > _MOST_CLASSES:
        raise RangeError(f"classes: at most {_MOST_CLASSES} names, got {len(names)}")
    threshold = None if request.threshold == -1 else request.threshold
    found = await find_boxes(engine, picture, model=request.model, threshold=threshold)
    return (found.keep(classes=names) if names else found).to_dict()


async def find_boxes(engine: Engine, picture: Picture8, *, model: str = "", threshold: float | None = None) -> Boxes:
    """Boxes of a picture, best first.

    Raises:
        RangeError: the threshold is not in 0..1.
        UnknownNameError: no such model for it.
        UnsupportedError: none is installed.
    """
    session = await engine.session("detect", model)
    return await engine.run(lambda: Detector(session, thresholds=threshold)([picture])[0])
