"""How far an object must be from an edge to be on one side of it: further than its own box trembles.

A detector's boxes tremble by some percent of their size, differently for each object: a small, blurred or half-hidden
one more than a large one. Each object's jitter is measured from its recent signed distances to the edge, as what is
left of them once motion with constant acceleration is taken out. This file does not know lines or zones.

Source: two thresholds with a gap between them as in O. H. Schmitt, A Thermionic Trigger, 1938; the gap from the
measured noise, with a prior for short histories.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["EdgeHistory", "jitter_margin"]

F = NDArray[np.float64]

_WINDOW_S = 2.0
_MOST_SAMPLES = 64
_DEVIATIONS = 4.0  # of thousands of samples of a box that stands still, none is so far out
_PRIOR, _PRIOR_SAMPLES = 0.01, 3.0  # jitter of a box, as a fraction of its size, before it has been measured
_SMALLEST, _LARGEST = 0.02, 0.4  # of its size: bounds of the margin


def jitter_margin(times_s: F, distances: F, size: float) -> float:
    """How far from an edge an object must be to be clear of it.

    Args:
        times_s: (n,) of its last samples, rising.
        distances: (n,) to the edge, signed, in the same unit as `size`.
        size: Of the object.

    >>> walking = np.arange(20.0)
    >>> round(jitter_margin(walking / 25, 4 * walking, 60.0), 2)  # constant speed: no jitter is measured
    1.2
    >>> trembling = np.where(np.arange(20) % 2, 3.0, -3.0)
    >>> 11 < jitter_margin(walking / 25, trembling, 60.0) < 14
    True
    """
    n = len(distances)
    squares, freedom = 0.0, 0
    if n > 4:
        x = times_s - times_s[0]
        if x[-1] <= 0:  # no clock: samples count as evenly spaced
            x = np.arange(n, dtype=np.float64)
        x = x / x[-1] * 2 - 1
        design = np.stack([np.ones(n), x, x * x], axis=1)
        weights, *_ = np.linalg.lstsq(design, distances, rcond=None)
        squares, freedom = float(np.square(distances - design @ weights).sum()), n - 3
    variance = (_PRIOR_SAMPLES * (_PRIOR * size) ** 2 + squares) / (_PRIOR_SAMPLES + freedom)
    return float(np.clip(_DEVIATIONS * np.sqrt(variance), _SMALLEST * size, _LARGEST * size))


@dataclass
class EdgeHistory:
    """The last distances of many objects to one edge."""

    _samples: dict[int, deque[tuple[float, float]]] = field(default_factory=dict)  # object -> times and distances

    def margin(self, number: int, *, time_s: float, distance: float, size: float) -> float:
        """Take in one object's distance; how far it must be from the edge to be clear of it.

        Args:
            number: Which object.
            time_s: Of the frame.
            distance: To the edge, signed.
            size: Of the object, in the same unit.
        """
        samples = self._samples.setdefault(number, deque(maxlen=_MOST_SAMPLES))
        samples.append((time_s, distance))
        while time_s - samples[0][0] > _WINDOW_S:
            samples.popleft()
        if abs(distance) > _LARGEST * size:  # clear of it whatever was measured
            return _LARGEST * size
        times, distances = np.array(samples, np.float64).T
        return jitter_margin(times, distances, size)

    def forget(self, number: int) -> None:
        """An object is gone."""
        self._samples.pop(number, None)

    def __len__(self) -> int:
        return len(self._samples)
