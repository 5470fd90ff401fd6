"""Scores of `segment` and `outline` models, taken through the shipped path: the task, on the exported file.

This file does not know how a model was trained.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.outlines import OutlinedObject, read_any_outlined
from szem.data.pixels import IGNORED, read_classes, read_pixel_set
from szem.errors import CardError
from szem.results.score import Confusion, Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import bootstrap, mean_of
from szem.tasks.eval_run import EvalRun
from szem.tasks.segmentation.agreement import open_agreement
from szem.tasks.segmentation.instance_masks import outline_with
from szem.tasks.segmentation.mean_iou import class_ious, confusion, mean_iou, pixel_accuracy
from szem.tasks.segmentation.segment import segment_with

__all__ = ["evaluate_outline", "evaluate_segment", "mask_iou", "outline_one"]


def evaluate_segment(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Mean intersection over union, pixel accuracy and each class's own, at the pictures' size.

    Where the model's thresholds leave pixels unknown: the fraction that is named, and the accuracy there.

    Args:
        model: A `segment` model.
        folder: Pictures with labels for every pixel (see `data.pixels`), whose classes are the model's.
        split: Of its `index.csv`; `all` takes every row.
    Raises:
        CardError: the classes are others.
    """
    run = run or EvalRun()
    classes = tuple(run.name_of(name) for name in read_classes(folder))
    if classes != model.labels:
        raise CardError(
            f"{folder}: its classes are {', '.join(classes[:4])}…, the model's {', '.join(model.labels[:4])}…; "
            "give the data of this model"
        )
    pixels = read_pixel_set(folder, split=None if split == "all" else split, classes=len(classes))
    session = Session(model)
    agreement = open_agreement(session)
    run.broken += pixels.broken

    def measure(place: int) -> dict[str, Any]:
        picture, label = pixels.pictures[place], pixels.labels[place]
        # Every pixel is named for the usual scores, so that they compare with other networks'.
        given = segment_with(session, picture, threshold=0, agreement=agreement).class_map
        own = segment_with(session, picture, agreement=agreement).class_map
        is_named = (label != IGNORED) & (own < len(classes))
        return {
            "table": confusion(label, given, classes=len(classes)).tolist(),
            "counted": int((label != IGNORED).sum()),
            "named": int(is_named.sum()),
            "right": int((own == label)[is_named].sum()),
        }

    places = range(len(pixels))
    done = run.each(places, measure, key=lambda place: folder / "images" / pixels.names[place], doing="pictures")
    tables = np.array([record["table"] for _, record in done], np.int64)  # (pictures, classes, classes)
    table = tables.sum(0)
    n = len(pixels)
    rows = [
        Measurement("mIoU", mean_iou(table), n, *bootstrap(lambda at: mean_iou(tables[at].sum(0)), n)),
        Measurement(
            "pixel accuracy", pixel_accuracy(table), n, *bootstrap(lambda at: pixel_accuracy(tables[at].sum(0)), n)
        ),
    ]
    counted, named, right = (sum(record[key] for _, record in done) for key in ("counted", "named", "right"))
    if named < counted:
        rows += [
            Measurement("pixels named", named / counted, n),
            Measurement("pixel accuracy of the named", right / max(named, 1), n),
        ]
    run.confusion = Confusion(classes, classes, table)
    for place, (name, value) in enumerate(zip(classes, class_ious(table), strict=True)):
        if np.isfinite(value):
            there = int((tables[:, place].sum(-1) > 0).sum())  # pictures that have the class
            rows.append(Measurement(f"IoU {name}", float(value), there, *_iou_interval(tables, place)))
    return rows


def _iou_interval(tables: NDArray[np.int64], place: int) -> tuple[float, float]:
    """Of one class's intersection over union: (pictures, classes, classes) counts of pixels."""
    return bootstrap(lambda at: float(class_ious(tables[at].sum(0))[place]), len(tables))


def evaluate_outline(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Mean intersection over union of outlines from true boxes, over all objects and by data set.

    Args:
        model: An `outline` model.
        folder: Holds voc_masks/, coco/ and pedestrians/; or pictures with polygons or masks, in any form that
            `read_boxed` takes.
        split: train or val, or one that the data marks; all for every one.
    Raises:
        UnknownNameError: another split.
        TrainError: nothing has an outline.
    """
    run = run or EvalRun()
    items, broken = read_any_outlined(folder, split=split)
    run.broken += broken
    session = Session(model)
    done = run.each(
        range(len(items)),
        lambda place: mask_iou(outline_one(session, items[place]), items[place].mask),
        key=lambda place: (str(folder), items[place].name, place),
        doing="objects",
    )
    ious = np.array([iou for _, iou in done])
    rows = [mean_of("mean IoU", ious)]
    sources = np.array([item.source for item in items])
    for source in sorted(set(sources)) if len(set(sources)) > 1 else []:
        rows.append(mean_of(f"mean IoU {source}", ious[sources == source]))
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
