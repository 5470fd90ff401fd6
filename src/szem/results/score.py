"""Measured numbers, and what lies behind them: who was taken for whom, and what a score was worth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Value

__all__ = ["Confusion", "Measurement", "Reliability"]


@dataclass(frozen=True)
class Measurement:
    """One number and how many items it was measured on."""

    metric: str
    value: float
    n: int
    low: float | None = None  # of the 95 % interval over the items, by bootstrap; None where it is not taken
    high: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Confusion(Value):
    """How often each class was taken for which."""

    names: tuple[str, ...]  # of the rows: what is true
    found: tuple[str, ...]  # of the columns: what the model said
    counts: NDArray[np.int64]  # (rows, columns)


@dataclass(frozen=True, eq=False, repr=False)
class Reliability(Value):
    """Scores, and whether what they stood for was right."""

    scores: NDArray[np.float32]  # (N,)
    right: NDArray[np.bool_]  # (N,)

    def bins(self, count: int = 10) -> list[tuple[float, float, int]]:
        """Mean score, fraction that is right, and how many, for each part of 0..1 that has any.

        >>> Reliability(np.array([0.1, 0.9, 0.9]), np.array([False, True, False])).bins(2)
        [(0.1, 0.0, 1), (0.9, 0.5, 2)]
        """
        place = np.minimum((self.scores * count).astype(int), count - 1)
        rows = []
        for number in range(count):
            inside = place == number
            if inside.any():
                mean, right = float(self.scores[inside].mean()), float(self.right[inside].mean())
                rows.append((mean, right, int(inside.sum())))
        return rows

    def calibration_error(self) -> float:
        """Mean distance of scores from the fraction that is right, by tenths of the score; 0 where there is nothing.

        Source: C. Guo et al., On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599, equation 3.
        """
        rows = self.bins()
        return sum(abs(mean - right) * n for mean, right, n in rows) / max(1, len(self.scores))
