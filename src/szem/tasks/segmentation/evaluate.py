"""Scores of `segment` and `outline` models, taken through the shipped path: the task, on the exported file.

This file does not know how a model was trained.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.outlines import OutlinedObject, read_outlined
from szem.data.pixels import IGNORED, read_classes, read_pixel_set
from szem.errors import CardError, UnknownNameError
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.segmentation.instance_masks import outline_with
from szem.tasks.segmentation.mean_iou import class_ious, confusion, mean_iou, pixel_accuracy
from szem.tasks.segmentation.segment import segment_with

__all__ = ["evaluate_outline", "evaluate_segment", "mask_iou", "outline_one"]


def evaluate_segment(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Mean intersection over union, pixel accuracy and each class's own, at the pictures' size.

    Where the model's thresholds leave pixels unknown: the fraction that is named, and the accuracy there.

    Args:
        model: A `segment` model.
        folder: Pictures with labels for every pixel (see `data.pixels`), whose classes are the model's.
        split: Of its `index.csv`; `all` takes every row.
    Raises:
        CardError: the classes are others.
    """
    classes = read_classes(folder)
    if classes != model.labels:
        raise CardError(
            f"{folder}: its classes are {', '.join(classes[:4])}…, the model's {', '.join(model.labels[:4])}…; "
            "give the data of this model"
        )
    pixels = read_pixel_set(folder, split=None if split == "all" else split, classes=len(classes))
    session = Session(model)
    table = np.zeros((len(classes), len(classes)), np.int64)
    counted = named = right = 0
    for picture, label in zip(pixels.pictures, pixels.labels, strict=True):
        # Every pixel is named for the usual scores, so that they compare with other networks'.
        table += confusion(label, segment_with(session, picture, threshold=0).class_map, classes=len(classes))
        own = segment_with(session, picture).class_map
        is_named = (label != IGNORED) & (own < len(classes))
        counted += int((label != IGNORED).sum())
        named += int(is_named.sum())
        right += int((own == label)[is_named].sum())
    n = len(pixels)
    rows = [Measurement("mIoU", mean_iou(table), n), Measurement("pixel accuracy", pixel_accuracy(table), n)]
    if named < counted:
        rows += [
            Measurement("pixels named", named / counted, n),
            Measurement("pixel accuracy of the named", right / max(named, 1), n),
        ]
    ious = class_ious(table)
    return rows + [Measurement(f"IoU {c}", float(v), n) for c, v in zip(classes, ious, strict=True) if np.isfinite(v)]


def evaluate_outline(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Mean intersection over union of outlines from true boxes, over all objects and by data set.

    Args:
        model: An `outline` model.
        folder: Holds voc_masks/, coco/ and pedestrians/.
        split: train, val, or all for both.
    Raises:
        UnknownNameError: another split.
    """
    if split not in ("train", "val", "all"):
        raise UnknownNameError(f"no split called {split!r}; outlines have train, val, all")
    items = [
        item for part in ("train", "val") if split in (part, "all") for item in read_outlined(folder, split=part)[0]
    ]
    session = Session(model)
    ious = [mask_iou(outline_one(session, item), item.mask) for item in items]
    rows = [Measurement("mean IoU", float(np.mean(ious)), len(items))]
    for source in sorted({item.source for item in items}):
        own = [iou for iou, item in zip(ious, items, strict=True) if item.source == source]
        rows.append(Measurement(f"mean IoU {source}", float(np.mean(own)), len(own)))
    return rows


def outline_one(session: Session, item: OutlinedObject) -> NDArray[np.bool_]:
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
