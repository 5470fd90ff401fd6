"""Scores of `detect` models, taken through the shipped path: the task, on the exported file.

This file does not know how a model was trained.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.boxed_folder import only_split, read_boxed, rename_classes, without_held_out
from szem.data.boxes import BoxedPicture, BoxSet
from szem.data.broken import Broken
from szem.errors import CardError, TrainError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.boxes import Boxes
from szem.results.class_aliases import CLASS_ALIASES
from szem.results.score import Confusion, Measurement, Reliability
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.average_precision import SIZE_AREAS, average_precision
from szem.tasks.detection.detect import Detector
from szem.tasks.detection.precision_intervals import ap50_intervals, box_ious, is_of_size
from szem.tasks.eval_run import EvalRun

__all__ = ["calibration_error", "evaluate_detect", "find_all", "rate_boxes", "reliability", "shared_classes"]

_LOWEST = 0.005  # the whole curve of precision over recall is looked at
_BINS = 10
_MOST_CLASSES = 40  # of a confusion matrix


def evaluate_detect(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Average precision over all classes, by size and by class, and how far scores are from the truth.

    Args:
        model: A `detect` model.
        folder: Pictures with boxes (see `data.boxed_folder`). Only classes that both the data and the model have are
            compared (names of PASCAL VOC and COCO stand for each other); how many, the measurement `classes` says.
        split: As marked in the data; `all` takes every picture; `held-back:6` every sixth that may be trained on, as
            the recipe holds them back.
    Raises:
        CardError: no class is in both.
        UnknownNameError: no such split.
    """
    run = run or EvalRun()
    everything = read_boxed(folder)
    run.broken += everything.broken
    renamed = {name: run.name_of(name) for name in everything.classes}
    known = shared_classes(list(renamed.values()), model.labels)
    shared = {name: known[new] for name, new in renamed.items() if new in known}
    if not shared:
        raise CardError(
            f"{folder}: none of its classes ({', '.join(everything.classes[:4])}…) is one of the model's "
            f"({', '.join(model.labels[:4])}…); give the data of this model, or say with --classes a=b that its a is "
            "the model's b"
        )
    missing = [name for name in everything.classes if name not in shared]
    if missing:
        run.broken.append(Broken(", ".join(missing[:20]), "not classes of the model; their boxes are left out"))
    boxes = _part(everything, split)
    chosen = list(rename_classes(boxes, model.labels, shared).pictures)
    # Average precision is the area under the whole curve, so scores count that nobody would be shown.
    detector = Detector(Session(model), threshold=_LOWEST)

    def measure(picture: BoxedPicture) -> dict[str, Any]:
        found = detector([read_picture(picture.path)])[0].keep(classes=tuple(shared.values()))
        rows = {"boxes": found.boxes_xyxy.tolist(), "scores": found.scores.tolist()}
        return rows | {"indices": found.indices.tolist()}

    done = run.each(chosen, measure, key=lambda picture: picture.path, doing="pictures")
    pictures = [picture for picture, _ in done]
    found = [_to_boxes(record, picture, model) for picture, record in done]
    precision = average_precision(found, pictures, model.labels)
    labels = sorted({model.labels.index(name) for name in shared.values()})
    whole, each = ap50_intervals(found, pictures, labels)
    n = len(pictures)
    rows = [
        Measurement("AP50", precision.ap50, n, *whole),
        Measurement("AP50 VOC2007", precision.ap50_voc2007, n),
        Measurement("AP", precision.ap, n),
        Measurement("classes", len(labels), n),
    ]
    for size, value in precision.by_size.items():
        areas = SIZE_AREAS[size]
        interval, _ = ap50_intervals(found, pictures, labels, areas=areas)
        objects = sum(int((is_of_size(p.boxes_xyxy, areas) & ~p.is_hard).sum()) for p in pictures)
        rows.append(Measurement(f"AP50 {size}", value, objects, *interval))
    scores, right = rate_boxes(found, pictures, thresholds=np.full(len(model.labels), 0.1))
    if len(scores):
        run.reliability = Reliability(scores, right)
        rows.append(Measurement("calibration error", calibration_error(scores, right), len(scores)))
    # What is taken for what is counted at the card's own thresholds: that is what users see.
    run.confusion = _confusion(found, pictures, Detector(Session(model)).thresholds, model.labels)
    counts = np.bincount(
        np.concatenate([p.labels[~p.is_hard] for p in pictures] or [np.zeros(0, np.int64)]),
        minlength=len(model.labels),
    )
    for name, value in precision.by_class.items():
        label = model.labels.index(name)
        rows.append(Measurement(f"AP50 {name}", value, int(counts[label]), *each.get(label, (None, None))))
    return rows


def _part(boxes: BoxSet, split: str) -> BoxSet:
    """The pictures of a split; of `held-back:6` every sixth one that may be trained on.

    Raises:
        UnknownNameError: no such split.
    """
    way, _, every = split.partition(":")
    try:
        if way == "held-back" and every.isdecimal() and int(every):
            boxes = without_held_out(boxes)
            step = int(every)
            return replace(boxes, pictures=boxes.pictures[step - 1 :: step])
        return only_split(boxes, "" if split == "all" else split)
    except TrainError as error:
        raise UnknownNameError(str(error)) from error


def _to_boxes(record: dict[str, Any], picture: BoxedPicture, model: Model) -> Boxes:
    return Boxes(
        boxes_xyxy=np.array(record["boxes"], np.float32).reshape(-1, 4),
        scores=np.array(record["scores"], np.float32),
        indices=np.array(record["indices"], np.int64),
        classes=model.labels,
        width=picture.width_px,
        height=picture.height_px,
        model=model.name,
    )


def _confusion(
    found: Sequence[Boxes], truth: Sequence[BoxedPicture], thresholds: NDArray[np.floating], classes: Sequence[str]
) -> Confusion | None:
    """What each object was taken for at the model's thresholds, and what was shown where nothing is."""
    pairs: list[tuple[int, int]] = []
    nothing = len(classes)
    for boxes, picture in zip(found, truth, strict=True):
        shown = np.flatnonzero(boxes.scores >= np.asarray(thresholds)[boxes.indices])
        ious = box_ious(boxes.boxes_xyxy[shown], picture.boxes_xyxy)
        taken = np.zeros(len(picture.labels), bool)
        for row, index in zip(ious, boxes.indices[shown], strict=True):
            same = np.where(taken, 0, row) + 1e-3 * (picture.labels == index)  # its own class first, at equal overlap
            place = int(same.argmax()) if len(same) else -1
            if place >= 0 and row[place] >= 0.5 and not taken[place]:
                taken[place] = True
                if not picture.is_hard[place]:
                    pairs.append((int(picture.labels[place]), int(index)))
            elif row.max(initial=0) < 0.5:
                pairs.append((nothing, int(index)))
        pairs += [(int(n), nothing) for n in picture.labels[~taken & ~picture.is_hard]]
    present = sorted({label for pair in pairs for label in pair})
    if not present or len(present) > _MOST_CLASSES:
        return None
    names = tuple([*classes, "nothing"][label] for label in present)
    counts = np.zeros((len(present), len(present)), np.int64)
    for true, label in pairs:
        counts[present.index(true), present.index(label)] += 1
    return Confusion(names, names, counts)


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
    """Boxes by score: mean score, fraction that is right, and how many, for each tenth that has any."""
    return Reliability(scores, right).bins(bins)


def calibration_error(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """How far scores are from the fraction that is right, on average over the boxes; see `Reliability`."""
    return Reliability(scores, right).calibration_error()


def _ious(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4,) and (N, 4) to (N,)."""
    return box_ious(box[None], others)[0]
