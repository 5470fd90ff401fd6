"""Scores of `segment` and `outline` models, taken through the shipped path: the task, on the exported file.

This file does not know how a model was trained.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.errors import TrainError
from szem.runtime.cards import Score
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.outline import outline_with
from szem.tasks.segment import segment_with
from szem.train.data.outlines import Outlined, read_outlined
from szem.train.data.pixels import IGNORED, read_classes, read_pixel_set
from szem.train.scores import class_ious, confusion, mean_iou, pixel_accuracy

__all__ = ["eval_outline", "eval_segment", "mask_iou", "outline_one"]


def eval_segment(model: Model, data: Path, *, split: str = "val", command: str) -> tuple[Score, ...]:
    """Mean intersection over union, pixel accuracy and each class's own, at the pictures' size.

    Args:
        model: A `segment` model.
        data: A folder of pictures with labels for every pixel, whose classes are the model's.
        split: Of its `index.csv`.
        command: For the scores.
    Raises:
        TrainError: the classes are others.
    """
    classes = read_classes(data)
    if classes != model.labels:
        raise TrainError(
            f"{data}: its classes are {', '.join(classes[:4])}…, the model's {', '.join(model.labels[:4])}…; "
            "give the data of this model"
        )
    pixels = read_pixel_set(data, split=split, classes=len(classes))
    session = Session(model)
    table = np.zeros((len(classes), len(classes)), np.int64)
    for picture, label in zip(pixels.pictures, pixels.labels, strict=True):
        table += confusion(label, segment_with(session, picture).class_map, classes=len(classes))
    make = _Scores(data.name, split, len(pixels), command)
    rows = [make("mIoU", mean_iou(table)), make("pixel accuracy", pixel_accuracy(table))]
    ious = class_ious(table)
    return (*rows, *(make(f"IoU {c}", float(v)) for c, v in zip(classes, ious, strict=True) if np.isfinite(v)))


def eval_outline(model: Model, data: Path, *, split: str = "val", command: str) -> tuple[Score, ...]:
    """Mean intersection over union of outlines from true boxes, over all objects and by data set.

    Args:
        model: An `outline` model.
        data: Holds voc_masks/, coco/ and pedestrians/.
        split: train or val.
        command: For the scores.
    """
    items, _ = read_outlined(data, split=split)
    session = Session(model)
    ious = {}
    for index, item in enumerate(items):
        ious[index] = mask_iou(outline_one(session, item), item.mask)
    rows = [_Scores("voc_masks, coco, pedestrians", split, len(items), command)("mean IoU", _mean(ious.values()))]
    for source in sorted({item.source for item in items}):
        own = [ious[i] for i, item in enumerate(items) if item.source == source]
        rows.append(_Scores(source, split, len(own), command)("mean IoU", _mean(own)))
    return tuple(rows)


def outline_one(session: Session, item: Outlined) -> NDArray[np.bool_]:
    """The model's mask for one object: (H, W)."""
    mask: NDArray[np.bool_] = outline_with(session, item.picture, item.box_xyxy[None]).masks[0]
    return mask


def mask_iou(given: NDArray[np.bool_], truth: NDArray[np.uint8]) -> float:
    """Intersection over union with a mask of 1, 0 and `IGNORED`.

    >>> mask_iou(np.array([[True, True, True]]), np.array([[1, 0, 255]], np.uint8))
    0.5
    """
    counted = truth != IGNORED
    true = (truth == 1) & counted
    either = ((given & counted) | true).sum()
    return float((given & true).sum() / either) if either else 1.0


@dataclass(frozen=True)
class _Scores:
    dataset: str
    split: str
    n: int
    command: str

    def __call__(self, metric: str, value: float) -> Score:
        return Score(
            dataset=self.dataset,
            split=self.split,
            metric=metric,
            value=round(value, 4),
            n=self.n,
            command=self.command,
        )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
