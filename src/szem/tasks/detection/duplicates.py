"""Boxes that say again what a better box has said: of the same class, across classes, or nested in each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlaps", "drop_duplicates"]

_FIELDS = ("same", "across", "nested", "grown", "min_score")


@dataclass(frozen=True)
class Overlaps:
    """From which overlap on the worse of two boxes is a duplicate; 1 for never."""

    same: float = 0.5  # of two boxes of one class: intersection over union
    across: float = 1.0  # of two boxes of different classes, likewise
    nested: float = 1.0  # of two boxes of one class: fraction of the smaller one that lies in the other …
    grown: float = 0.0  # … if the smaller one has at least this fraction of the other's area
    min_score: float = (
        0.0  # score, before calibration, below which a box is only compared with those of its own class
    )

    @classmethod
    def of_card(cls, constants: Mapping[str, float], *, same: float | None = None) -> "Overlaps":
        """What a card's `constants` say (`overlap.same`, `overlap.across` …)."""
        given = {field: constants[f"overlap.{field}"] for field in _FIELDS if f"overlap.{field}" in constants}
        return cls(**(given if same is None else given | {"same": same}))

    def to_constants(self) -> dict[str, float]:
        """As a card's `constants`."""
        return {f"overlap.{field}": float(getattr(self, field)) for field in _FIELDS}


def drop_duplicates(
    boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], indices: NDArray[np.int64], overlaps: Overlaps
) -> NDArray[np.int64]:
    """Places of the boxes that are no duplicates of better ones, best first (greedy non-maximum suppression).

    Args:
        boxes_xyxy: (N, 4).
        scores: (N,).
        indices: (N,) classes.
        overlaps: What makes a duplicate.

    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]])
    >>> drop_duplicates(boxes, np.float32([0.5, 0.9, 0.7]), np.array([0, 1, 0]), Overlaps(across=0.8)).tolist()
    [1, 2]
    """
    boxes_xywh = boxes_xyxy.copy()
    boxes_xywh[:, 2:] -= boxes_xywh[:, :2]
    # of one class: OpenCV is fast, and leaves few for the slower rules below
    first = cv2.dnn.NMSBoxesBatched(boxes_xywh, scores, indices.astype(np.int32), 0.0, overlaps.same)  # type: ignore[arg-type]
    kept = np.asarray(first, np.int64).reshape(-1)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    if overlaps.across >= 1 and overlaps.nested >= 1:
        return kept
    boxes, classes = boxes_xyxy[kept], indices[kept]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    sides = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    both = sides.clip(0).prod(2)
    less, more = np.minimum(area[:, None], area), np.maximum(area[:, None], area)
    is_same = classes[:, None] == classes
    is_double = ~is_same & (both > overlaps.across * np.maximum(area[:, None] + area - both, 1e-6))
    is_double |= is_same & (both > overlaps.nested * np.maximum(less, 1e-6)) & (less >= overlaps.grown * more)
    is_double &= scores[kept] >= overlaps.min_score  # the second guesses of a place, which are shown to nobody, stay
    alive = np.ones(len(kept), bool)
    for place in range(len(kept)):
        if alive[place]:
            alive[place + 1 :] &= ~is_double[place, place + 1 :]
    return kept[alive]
