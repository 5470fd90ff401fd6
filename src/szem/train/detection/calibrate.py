"""What a detector's scores are worth, and from which score on its boxes are shown.

Both are found through the shipped path on pictures that were held back from training, and put on the model's card.
"""

import math
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
from szem.tasks.detection.duplicates import Overlaps
from szem.tasks.detection.evaluate import find_all, rate_boxes

__all__ = ["calibrate_detector", "class_thresholds", "fit_calibration", "precise_threshold"]

_LOWEST = 0.03  # raw scores below are too many and too empty to learn from
_GRID = np.round(np.arange(0.10, 0.91, 0.01), 2)  # thresholds tried
_PRECISION = 0.8  # of the boxes that are shown by default
_DOUBT = 0.05  # a class has its own threshold only where it would be so unlikely with the precision asked for


def calibrate_detector(folder: Path, pictures: Sequence[BoxedPicture], *, overlaps: Overlaps | None = None) -> Card:
    """Fit the calibration, choose the threshold, and write both on the card.

    The threshold is where four of five boxes are right (`precise_threshold`), the same for every class, but higher
    for classes that are right less often (`class_thresholds`).

    Args:
        folder: Of the model.
        overlaps: What makes a duplicate, for the card; by default what it says already.
        pictures: Never trained on, nor those a score is reported on; their labels are places in the model's. Where
            they are too few, the scores stay as they are and the card says so.
    """
    card = read_card(folder).model_copy(update={"calibration": None, "thresholds": {}})
    if overlaps is not None:
        card = card.model_copy(update={"constants": {**card.constants, **overlaps.to_constants()}})
    found = find_all(Session(Model(card, folder)), list(pictures))
    lowest = np.full(len(card.labels or ()), _LOWEST)
    scores, right = rate_boxes(found, list(pictures), thresholds=lowest)
    try:
        calibration = fit_calibration(scores, right)
    except TrainError as error:
        card = card.model_copy(update={"limits": (*card.limits, f"Its scores are not calibrated: {error}.")})
        write_card(folder, card)
        return card
    calibrated = [
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
    threshold = precise_threshold(calibrated, pictures, classes=len(lowest))
    by_class = class_thresholds(calibrated, pictures, threshold=threshold, classes=len(lowest))
    thresholds = dict(zip(card.labels or (), by_class, strict=True))
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
        probability = 1 / (1 + np.exp(-(columns @ weights)))
        slope = columns.T @ (probability - right) + 1e-3 * weights
        curve = (columns * (probability * (1 - probability))[:, None]).T @ columns + 1e-3 * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def precise_threshold(
    found: Sequence[Boxes], truth: Sequence[BoxedPicture], *, classes: int, precision: float = _PRECISION
) -> float:
    """The lowest score from which on so many of the boxes are right, over all classes together.

    Where no score reaches it, the one with the highest precision among those that show a tenth of the right boxes.

    Args:
        found: One a picture, with confidences.
        truth: The pictures.
        classes: How many there are.
        precision: Fraction of the shown boxes that are right.
    """
    scores, right = rate_boxes(list(found), list(truth), thresholds=np.full(classes, float(_GRID[0])))
    above = scores[:, None] >= _GRID
    given, hits = above.sum(0), (above & right[:, None]).sum(0)
    precisions = hits / np.maximum(given, 1)
    good = np.flatnonzero((precisions >= precision) & (given > 0))
    if len(good):
        return float(_GRID[good[0]])
    return float(_GRID[np.where(hits >= 0.1 * right.sum(), precisions, -1).argmax()])


def class_thresholds(
    found: Sequence[Boxes],
    truth: Sequence[BoxedPicture],
    *,
    threshold: float,
    classes: int,
    precision: float = _PRECISION,
) -> tuple[float, ...]:
    """A threshold for each class: the common one, or a higher one from which on so many of its boxes are right.

    Args:
        found: One a picture, with confidences.
        truth: The pictures.
        threshold: The common one; also that of classes whose boxes above it may well be right as often as asked for
            (binomial test, 5 %): four wrong ones of sixteen are no evidence.
        classes: How many there are.
        precision: Fraction of the shown boxes that are right; where no score reaches it, the score with the most.

    Where a set has no labels of some classes, leave their boxes out of `found`.
    """
    grid = _GRID[threshold <= _GRID]
    out = []
    for index in range(classes):
        lowest = np.full(classes, np.inf)
        lowest[index] = threshold
        scores, right = rate_boxes(list(found), list(truth), thresholds=lowest)
        if _at_most(int(right.sum()), len(right), precision) >= _DOUBT:
            out.append(threshold)
            continue
        above = scores[:, None] >= grid
        given, hits = above.sum(0), (above & right[:, None]).sum(0)
        precisions = np.where(hits > 0, hits / np.maximum(given, 1), -1.0)
        good = np.flatnonzero(precisions >= precision)
        out.append(float(grid[good[0] if len(good) else precisions.argmax()]))
    return tuple(out)


def _at_most(hits: int, given: int, probability: float) -> float:
    """The probability of so few hits or fewer."""
    return sum(
        math.comb(given, n) * probability**n * (1 - probability) ** (given - n) for n in range(min(hits, given) + 1)
    )
