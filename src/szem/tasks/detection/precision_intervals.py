"""Intervals of average precision by bootstrap over pictures.

pycocotools gives the numbers themselves; it is too slow to be asked hundreds of times. Here boxes and objects are
paired once, and each resampling only counts the pictures anew. This file does not know where boxes come from.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from szem.data.boxes import BoxedPicture
from szem.results.boxes import Boxes

__all__ = ["ap50_intervals", "box_ious", "is_of_size", "pair_boxes"]

_RECALLS = np.linspace(0, 1, 101)
_TIMES = 200


def box_ious(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersections over unions: (N, 4) and (M, 4) to (N, M)."""
    sides = (
        np.minimum(one[:, None, 2:], others[None, :, 2:]) - np.maximum(one[:, None, :2], others[None, :, :2])
    ).clip(0)
    both = sides.prod(-1)
    area = (one[:, 2:] - one[:, :2]).prod(1)[:, None] + (others[:, 2:] - others[:, :2]).prod(1)[None]
    out: NDArray[np.float32] = both / np.maximum(area - both, 1e-6)
    return out


def pair_boxes(
    boxes: Boxes, truth: BoxedPicture, label: int, *, areas: tuple[float, float] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Scores of a class's boxes, best first, whether each is right, and how many objects there are that count.

    A box is right if it overlaps an object by half that no better box has taken; one on a difficult object does not
    count either way.

    Args:
        boxes: What was found.
        truth: What is there.
        label: The class.
        areas: Only objects of these areas count, in pixels, and boxes of these areas where they are on no object.
    """
    ours = np.flatnonzero(boxes.indices == label)
    ours = ours[np.argsort(-boxes.scores[ours], kind="stable")]
    theirs = truth.labels == label
    ious = box_ious(boxes.boxes_xyxy[ours], truth.boxes_xyxy[theirs])
    hard = truth.is_hard[theirs]
    is_other = np.zeros(len(ours), bool)  # a box of another size, which is wrong only for that size
    if areas is not None:
        hard = hard | ~is_of_size(truth.boxes_xyxy[theirs], areas)
        is_other = ~is_of_size(boxes.boxes_xyxy[ours], areas)
    taken = np.zeros(len(hard), bool)
    scores, right = [], []
    for score, row, other in zip(boxes.scores[ours], ious, is_other, strict=True):
        free = np.where(taken | hard, 0, row)
        if free.max(initial=0) >= 0.5:
            taken[free.argmax()] = True
            right.append(True)
        elif other or (row * hard).max(initial=0) >= 0.5:
            continue
        else:
            right.append(False)
        scores.append(score)
    return np.array(scores, np.float32), np.array(right, bool), int((~hard).sum())


def is_of_size(boxes_xyxy: NDArray[np.float32], areas: tuple[float, float]) -> NDArray[np.bool_]:
    """(N,) whether the area of each box lies in a range, both ends included."""
    area = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(-1)
    inside: NDArray[np.bool_] = (area >= areas[0]) & (area <= areas[1])
    return inside


def ap50_intervals(
    found: Sequence[Boxes],
    truth: Sequence[BoxedPicture],
    labels: Sequence[int],
    *,
    areas: tuple[float, float] | None = None,
    seed: int = 0,
) -> tuple[tuple[float, float], dict[int, tuple[float, float]]]:
    """The 95 % interval of AP50 over all classes, and of each class that has objects.

    Args:
        found: One a picture.
        truth: The pictures, in the same order.
        labels: Classes, as places in the boxes' classes.
        areas: As of `pair_boxes`.
    """
    rng = np.random.default_rng(seed)
    weights = np.stack(
        [np.bincount(rng.integers(0, len(truth), len(truth)), minlength=len(truth)) for _ in range(_TIMES)]
    )
    curves = {}
    for label in labels:
        pairs = [pair_boxes(boxes, picture, label, areas=areas) for boxes, picture in zip(found, truth, strict=True)]
        objects = np.array([count for _, _, count in pairs])
        if not objects.sum():
            continue
        scores = np.concatenate([scores for scores, _, _ in pairs])
        order = np.argsort(-scores, kind="stable")
        place = np.repeat(np.arange(len(pairs)), [len(scores) for scores, _, _ in pairs])[order]
        right = np.concatenate([right for _, right, _ in pairs])[order]
        curves[label] = np.array([_precision(row[place], right, int(row @ objects)) for row in weights])
    if not curves:
        return (float("nan"), float("nan")), {}
    every = np.stack(list(curves.values()))
    defined = np.isfinite(every)
    means = np.where(defined, every, 0).sum(0) / np.maximum(defined.sum(0), 1)
    return _interval(means), {label: _interval(values) for label, values in curves.items()}


def _precision(weights: NDArray[np.int64], right: NDArray[np.bool_], objects: int) -> float:
    """Average precision at 101 recalls, as COCO takes it; NaN where there is nothing to find."""
    if not objects:
        return float("nan")
    hits, shown = np.cumsum(weights * right), np.cumsum(weights)
    precision = np.maximum.accumulate((hits / np.maximum(shown, 1))[::-1])[::-1]
    place = np.searchsorted(hits / objects, _RECALLS - 1e-9)
    return float(np.append(precision, 0.0)[place].mean())


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [2.5, 97.5]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)
