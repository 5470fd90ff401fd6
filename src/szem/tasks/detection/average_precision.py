"""Average precision of boxes, by pycocotools.

Boxes marked as difficult are neither asked for nor punished, as in PASCAL VOC.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.data.boxes import BoxedPicture
from szem.errors import MissingExtraError, RangeError
from szem.results.boxes import Boxes

__all__ = ["SIZE_AREAS", "Precision", "average_precision"]

# pycocotools refuses an empty list: a box of no size, outside, that is right nowhere
_NOTHING = np.array([[1, -9, -9, 0, 0, 0, 1]], np.float64)
_SIZES = ("all", "small", "medium", "large")  # pycocotools' areas: below 32², below 96², the rest
SIZE_AREAS = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas of objects by size, in pixels, both ends included, as COCO has them."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Average precision over recall, with boxes that must overlap by half (AP50) or by 0.5, 0.55 … 0.95 (AP)."""

    ap50: float
    ap: float
    ap50_voc2007: float  # AP50 by VOC 2007's rule: the mean of the precisions at recalls 0, 0.1 … 1
    by_class: dict[str, float]  # AP50 of each class that occurs
    by_size: dict[str, float]  # AP50 of small, medium and large objects that occur, in pixels of the pictures
    boxes: int  # true boxes that count


def average_precision(
    found: Sequence[Boxes], truth: Sequence[BoxedPicture], classes: Sequence[str], *, most: int = 100
) -> Precision:
    """Compare what was found with what is there.

    Args:
        found: One a picture; with low thresholds, as the whole curve is looked at.
        truth: The pictures, in the same order.
        classes: Their names; indices of both are places in it.
        most: How many boxes a picture count, the best ones.
    Raises:
        MissingExtraError: pycocotools is not installed.
        RangeError: not as many pictures on both sides.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError('measuring boxes needs pycocotools; pip install ".[train]" in its folder') from error
    if len(found) != len(truth):
        raise RangeError(f"as many results as pictures are needed, got {len(found)} for {len(truth)}")

    class Rated(COCOeval):  # type: ignore[misc]
        """Difficult boxes are passed over; a crowd box of COCO would swallow whatever lies inside it."""

        def _prepare(self) -> None:
            super()._prepare()
            for boxes in self._gts.values():
                for box in boxes:
                    box["ignore"] = box["difficult"]

    with contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        asked = COCO()
        asked.dataset = _asked(truth, classes)
        asked.createIndex()
        rows = _given(found)
        given = asked.loadRes(rows if len(rows) else _NOTHING)
        rated = Rated(asked, given, "bbox")
        rated.params.maxDets = [1, 10, most]
        rated.evaluate()
        rated.accumulate()
    curves = rated.eval["precision"][..., -1]  # (overlaps, 101 recalls, classes, sizes); −1 where nothing is asked
    half = curves[0]
    by_class = {name: _mean(half[:, k, 0]) for k, name in enumerate(classes) if (half[:, k, 0] > -1).any()}
    return Precision(
        ap50=_mean(half[..., 0]),
        ap=_mean(curves[..., 0]),
        ap50_voc2007=_mean(half[::10, :, 0]),
        by_class=by_class,
        by_size={
            name: _mean(half[..., place])
            for place, name in enumerate(_SIZES)
            if place and (half[..., place] > -1).any()
        },
        boxes=sum(int((~picture.is_hard).sum()) for picture in truth),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Over what is asked; 0 where nothing is."""
    asked = values[values > -1]
    return float(asked.mean()) if asked.size else 0.0


def _asked(truth: Sequence[BoxedPicture], classes: Sequence[str]) -> dict[str, object]:
    annotations: list[dict[str, object]] = []
    for image, picture in enumerate(truth, start=1):
        for box, label, is_hard in zip(picture.boxes_xyxy, picture.labels, picture.is_hard, strict=True):
            x0, y0, x1, y1 = (float(v) for v in box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                    "difficult": int(is_hard),
                }
            )
    return {
        "info": {},
        "images": [{"id": n, "width": p.width_px, "height": p.height_px} for n, p in enumerate(truth, start=1)],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(classes, start=1)],
    }


def _given(found: Sequence[Boxes]) -> NDArray[np.float64]:
    """(N, 7): picture, x, y, width, height, score, class."""
    rows = [
        np.concatenate(
            [
                np.full((len(boxes), 1), image),
                boxes.boxes_xyxy[:, :2],
                boxes.boxes_xyxy[:, 2:] - boxes.boxes_xyxy[:, :2],
                boxes.scores[:, None],
                boxes.indices[:, None] + 1,
            ],
            axis=1,
        )
        for image, boxes in enumerate(found, start=1)
    ]
    return np.concatenate(rows).astype(np.float64)
