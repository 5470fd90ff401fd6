"""What a detector's scores are worth, and from which score on its boxes are shown.

Both are found through the shipped path on pictures that were held back from training, and put on the model's card.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.boxes import BoxedPicture
from szem.errors import TrainError
from szem.results.boxes import Boxes
from szem.runtime.cards import Calibration, Card, read_card, write_card
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.detection.evaluate import find_all, rate_boxes

__all__ = ["best_thresholds", "calibrate_detector", "fit_calibration"]

_LOWEST = 0.03  # raw scores below are too many and too empty to learn from
_GRID = np.round(np.arange(0.10, 0.81, 0.02), 2)  # thresholds tried
_SHARED = 25.0  # a class's own boxes are joined by so many of all classes


def calibrate_detector(folder: Path, pictures: Sequence[BoxedPicture]) -> Card:
    """Fit calibration and thresholds and write them on the card.

    Args:
        folder: Of the model.
        pictures: Never trained on, nor those a score is reported on; their labels are places in the model's. Where
            they are too few, the scores stay as they are and the card says so.
    """
    card = read_card(folder).model_copy(update={"calibration": None, "thresholds": {}})
    found = find_all(Session(Model(card, folder)), list(pictures))
    lowest = np.full(len(card.labels or ()), _LOWEST)
    scores, right = rate_boxes(found, list(pictures), thresholds=lowest)
    try:
        calibration = fit_calibration(scores, right)
    except TrainError as error:
        card = card.model_copy(update={"limits": (*card.limits, f"Its scores are not calibrated: {error}.")})
        write_card(folder, card)
        return card
    chances = [
        Boxes(
            boxes_xyxy=boxes.boxes_xyxy,
            scores=calibration.apply(boxes.scores),
            indices=boxes.indices,
            classes=boxes.classes,
            width=boxes.width,
            height=boxes.height,
            model=boxes.model,
        )
        for boxes in found
    ]
    values = best_thresholds(chances, pictures, classes=len(lowest))
    thresholds = dict(zip(card.labels or (), (float(v) for v in values), strict=True))
    card = card.model_copy(update={"calibration": calibration, "thresholds": thresholds})
    write_card(folder, card)
    return card


def fit_calibration(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> Calibration:
    """Beta calibration by maximum likelihood.

    Args:
        scores: (N,) raw, 0..1.
        right: (N,) whether each box was right.
    Raises:
        TrainError: fewer than 20 boxes, or all right, or none.
    """
    if len(scores) < 20 or right.all() or not right.any():
        raise TrainError(
            f"calibration needs 20 boxes at least, right and wrong ones, got {len(scores)} with {int(right.sum())} "
            "right; hold more pictures back or train longer"
        )
    s = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    columns = np.stack([np.log(s), -np.log1p(-s), np.ones_like(s)], 1)
    weights = _logistic(columns, right)
    if min(weights[:2]) <= 0:  # the order of scores must stay: Platt's way, a = b
        slope, offset = _logistic(np.stack([columns[:, 0] + columns[:, 1], columns[:, 2]], 1), right)
        weights = np.array([max(slope, 1e-3), max(slope, 1e-3), offset])
    a, b, c = (float(v) for v in weights)
    return Calibration(a=round(a, 5), b=round(b, 5), c=round(c, 5))


def _logistic(columns: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a logistic regression, by Newton's steps with a little damping."""
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-(columns @ weights)))
        slope = columns.T @ (chance - right) + 1e-3 * weights
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns + 1e-3 * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def best_thresholds(found: Sequence[Boxes], truth: Sequence[BoxedPicture], *, classes: int) -> NDArray[np.float64]:
    """The score of each class from which on precision and recall together (F1) are best; (C,).

    A class with few boxes leans on all classes: its counts are joined by those of `_SHARED` boxes of the whole.
    """
    asked = np.zeros(classes)
    for picture in truth:
        asked += np.bincount(picture.labels[~picture.is_hard], minlength=classes)
    hits, given = np.zeros((classes, len(_GRID))), np.zeros((classes, len(_GRID)))
    for label in range(classes):
        only = np.full(classes, 2.0)  # no score reaches 2: the other classes are left out
        only[label] = float(_GRID[0])
        scores, right = rate_boxes(list(found), list(truth), thresholds=only)
        above = scores[:, None] >= _GRID
        hits[label], given[label] = (above & right[:, None]).sum(0), above.sum(0)
    share = _SHARED / max(asked.sum(), 1)
    hits, given, asked = hits + share * hits.sum(0), given + share * given.sum(0), asked + share * asked.sum()
    f1 = 2 * hits / np.maximum(given + asked[:, None], 1e-9)
    return _GRID[f1.argmax(1)]
