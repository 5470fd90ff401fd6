"""Scores of labels per pixel."""

import numpy as np
from numpy.typing import NDArray

from szem.data.pixels import IGNORED

__all__ = ["class_ious", "confusion", "mean_iou", "pixel_accuracy"]


def confusion(truth: NDArray[np.uint8], given: NDArray[np.uint8], *, classes: int) -> NDArray[np.int64]:
    """Count pixels by true class (rows) and given class (columns); `IGNORED` does not count.

    >>> confusion(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8), classes=2).tolist()
    [[1, 0], [1, 0]]
    """
    counted = truth != IGNORED
    pairs = truth[counted].astype(np.int64) * classes + given[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_ious(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union per class; NaN for one that is neither there nor given.

    >>> class_ious(np.array([[2, 0], [1, 1]])).round(3).tolist()
    [0.667, 0.5]
    """
    both = np.diag(table).astype(np.float64)
    either = table.sum(0) + table.sum(1) - both
    out = np.full(len(both), np.nan)
    np.divide(both, either, out=out, where=either > 0)
    return out


def mean_iou(table: NDArray[np.int64]) -> float:
    """Mean of the classes' intersection over union, over the classes that are there or given."""
    return float(np.nanmean(class_ious(table)))


def pixel_accuracy(table: NDArray[np.int64]) -> float:
    """Fraction of the pixels that got their class."""
    return float(np.trace(table) / max(table.sum(), 1))
