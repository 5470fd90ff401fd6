"""Scores of `detect` models, taken through the shipped path: the task, on the exported file.

This file does not know how a model was trained.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.boxed_folder import only_split, read_boxed, rename_classes
from szem.data.boxes import BoxedPicture
from szem.errors import CardError, TrainError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.boxes import Boxes
from szem.results.class_aliases import CLASS_ALIASES
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.average_precision import average_precision
from szem.tasks.detection.detect import Detector

__all__ = ["calibration_error", "evaluate_detect", "find_all", "rate_boxes", "reliability", "shared_classes"]

_LOWEST = 0.005  # the whole curve of precision over recall is looked at
_BINS = 10


def evaluate_detect(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Average precision over all classes, by size and by class, and how far scores are from the truth.

    Args:
        model: A `detect` model.
        folder: Pictures with boxes (see `data.boxed_folder`). Only classes that both the data and the model have are
            compared (names of PASCAL VOC and COCO stand for each other); how many, the measurement `classes` says.
        split: As marked in the data; `all` takes every picture.
    Raises:
        CardError: no class is in both.
        UnknownNameError: no such split.
    """
    everything = read_boxed(folder)
    shared = shared_classes(everything.classes, model.labels)
    if not shared:
        raise CardError(
            f"{folder}: none of its classes ({', '.join(everything.classes[:4])}…) is one of the model's "
            f"({', '.join(model.labels[:4])}…); give the data of this model"
        )
    try:
        boxes = only_split(everything, "" if split == "all" else split)
    except TrainError as error:
        raise UnknownNameError(str(error)) from error
    pictures = list(rename_classes(boxes, model.labels, shared).pictures)
    found = [boxes.keep(classes=tuple(shared.values())) for boxes in find_all(Session(model), pictures)]
    precision = average_precision(found, pictures, model.labels)
    n = len(pictures)
    rows = [
        Measurement("AP50", precision.ap50, n),
        Measurement("AP50 VOC2007", precision.ap50_voc2007, n),
        Measurement("AP", precision.ap, n),
        Measurement("classes", len(shared), n),
    ]
    rows += [Measurement(f"AP50 {size}", value, n) for size, value in precision.by_size.items()]
    scores, right = rate_boxes(found, pictures, thresholds=np.full(len(model.labels), 0.1))
    if len(scores):
        rows.append(Measurement("calibration error", calibration_error(scores, right), len(scores)))
    return rows + [Measurement(f"AP50 {name}", value, n) for name, value in precision.by_class.items()]


def shared_classes(data: Sequence[str], model: Sequence[str]) -> dict[str, str]:
    """The classes of some data that a model has: the data's name -> the model's.

    >>> shared_classes(["sofa", "cat", "lamp"], ["cat", "couch"])
    {'sofa': 'couch', 'cat': 'cat'}
    """
    both = {**CLASS_ALIASES, **{other: name for name, other in CLASS_ALIASES.items()}}
    named = {name: name if name in model else both.get(name, name) for name in data}
    return {name: other for name, other in named.items() if other in model}


def find_all(session: Session, pictures: list[BoxedPicture]) -> list[Boxes]:
    """What a model finds in each picture, down to very low scores."""
    detector = Detector(session, threshold=_LOWEST)
    return [detector([read_picture(picture.path)])[0] for picture in pictures]


def rate_boxes(
    found: list[Boxes], truth: list[BoxedPicture], *, thresholds: NDArray[np.float64], overlap: float = 0.5
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores of the boxes that reach their class's threshold, and whether each is right.

    A box is right if it overlaps a true one of its class by half that no better box has taken. Boxes on difficult
    objects are left out.

    Args:
        found: One a picture, each best first.
        truth: The pictures.
        thresholds: (C,).
        overlap: Least intersection over union.
    """
    scores: list[float] = []
    right: list[bool] = []
    for boxes, picture in zip(found, truth, strict=True):
        taken = np.zeros(len(picture.labels), bool)
        for box, score, label in zip(boxes.boxes_xyxy, boxes.scores, boxes.indices, strict=True):
            if score < thresholds[label]:
                continue
            ious = _ious(box, picture.boxes_xyxy) * (picture.labels == label)
            free = np.where(taken | picture.is_hard, 0, ious)
            if free.max(initial=0) >= overlap:
                taken[free.argmax()] = True
                right.append(True)
            elif (ious * picture.is_hard).max(initial=0) >= overlap:
                continue
            else:
                right.append(False)
            scores.append(float(score))
    return np.array(scores, np.float32), np.array(right, bool)


def reliability(
    scores: NDArray[np.float32], right: NDArray[np.bool_], *, bins: int = _BINS
) -> list[tuple[float, float, int]]:
    """Boxes by score: mean score, share that is right, and how many, for each tenth that has any."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    rows = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            rows.append((float(scores[inside].mean()), float(right[inside].mean()), int(inside.sum())))
    return rows


def calibration_error(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """How far scores are from the share that is right, on average over the boxes (by tenths of the score).

    Source: C. Guo et al., On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599, equation 3.
    """
    rows = reliability(scores, right)
    return sum(abs(mean - precision) * count for mean, precision, count in rows) / max(1, len(scores))


def _ious(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4,) and (N, 4) to (N,)."""
    sides = (np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])).clip(0)
    both = sides.prod(1)
    area = (box[2:] - box[:2]).prod()
    out: NDArray[np.float32] = both / np.maximum(area + (others[:, 2:] - others[:, :2]).prod(1) - both, 1e-6)
    return out
