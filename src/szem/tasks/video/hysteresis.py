"""On which side of an edge an object is: far enough from it, for long enough, that jitter of its box is no crossing.

A detector's boxes jitter by some percent of their size, differently for each object: a small, blurred or half-hidden
one more than a large one. Each object's jitter is measured from its recent signed distances to the edge, as what is
left of them once motion with constant acceleration is taken out. Jitter may begin at the very edge, where somebody
who has walked steadily stands still: so a change of sides must also last. This file does not know lines or zones.

Source: two thresholds with a gap between them as in O. H. Schmitt, A Thermionic Trigger, 1938; the gap from the
measured noise, with a prior for short histories.
"""

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["EdgeHistory", "jitter_margin"]

F = NDArray[np.float64]

_WINDOW_S = 2.0
_MOST_SAMPLES = 64
_RECENT_SAMPLES = 8  # judged also by themselves: who walks steadily may begin to tremble when it stands
_DEVIATIONS = 4.0  # of thousands of samples of a box that stands still, none is so far out
_PRIOR, _PRIOR_SAMPLES = 0.01, 3.0  # jitter of a box, as a fraction of its size, before it has been measured
_SMALLEST, _LARGEST = 0.04, 0.4  # of its size: bounds of the margin
_DWELL_S = 0.3  # an object that has changed sides has been clear of the edge for so long
_FAR = 0.3  # of its size: or it is so far on the other side
_SPEED_S = 0.5  # of an object that is lost behind an edge: measured over so long
_SETTLE_S = 1.0  # after which it is not judged any more


def jitter_margin(times_s: F, distances: F, size: float) -> float:
    """How far from an edge an object must be to be clear of it.

    Args:
        times_s: (n,) of its last samples, rising.
        distances: (n,) to the edge, signed, in the same unit as `size`.
        size: Of the object.

    >>> walking = np.arange(20.0)
    >>> round(jitter_margin(walking / 25, 4 * walking, 60.0), 2)  # constant speed: no jitter is measured
    2.4
    >>> trembling = np.where(np.arange(20) % 2, 3.0, -3.0)
    >>> 11 < jitter_margin(walking / 25, trembling, 60.0) < 14
    True
    """
    variance = max(_variance(times_s[-n:], distances[-n:], size) for n in (len(distances), _RECENT_SAMPLES))
    return float(np.clip(_DEVIATIONS * np.sqrt(variance), _SMALLEST * size, _LARGEST * size))


def _variance(times_s: F, distances: F, size: float) -> float:
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
    return (_PRIOR_SAMPLES * (_PRIOR * size) ** 2 + squares) / (_PRIOR_SAMPLES + freedom)


@dataclass
class _ObjectHistory:
    """One object before one edge."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_SAMPLES))  # time, distance
    side: int = 0  # confirmed: -1 or 1; 0 as long as it has not been clear of the edge
    over_since_s: float | None = None  # since when it has been clear of the edge on the other side
    margin: float = 0.0  # at its last sample


@dataclass
class EdgeHistory:
    """On which side of one edge each of many objects is.

    Args:
        assumes_first: An object is at first on the side where it was seen first, however close to the edge that was;
            otherwise on none until it is clear of the edge.
    """

    assumes_first: bool = False
    _objects: dict[int, _ObjectHistory] = field(default_factory=dict)

    def side(self, number: int, *, time_s: float, distance: float, size: float) -> int:
        """Take in one object's distance to the edge.

        An object changes sides once it has been clear of the edge for 0.3 s, or is 0.3 of its size away from it.

        Args:
            number: Which object.
            time_s: Of the frame.
            distance: To the edge, signed.
            size: Of the object, in the same unit.
        Returns:
            1 or -1, the sign of its side; 0: it is too close to the edge, or its change of sides is not confirmed.

        >>> history = EdgeHistory()
        >>> [history.side(7, time_s=k / 10, distance=d, size=50.0) for k, d in enumerate((9, 4, -3, -9, -12, -14))]
        [1, 1, 0, 0, 0, -1]
        """
        if number not in self._objects:
            first = 1 if distance >= 0 else -1
            self._objects[number] = _ObjectHistory(side=first if self.assumes_first else 0)
        state = self._objects[number]
        samples = state.samples
        samples.append((time_s, distance))
        while time_s - samples[0][0] > _WINDOW_S:
            samples.popleft()
        margin = _LARGEST * size
        if abs(distance) <= margin:  # otherwise it is clear of the edge whatever the jitter
            times_s, distances = np.array(samples, np.float64).T
            margin = jitter_margin(times_s, distances, size)
        state.margin = margin
        here = 0 if abs(distance) <= margin else (1 if distance > 0 else -1)
        if here in (0, state.side) or state.side == 0:
            state.over_since_s = None
            state.side = here or state.side
            return here
        if state.over_since_s is None:
            state.over_since_s = time_s
        is_far = abs(distance) > _FAR * size
        if not is_far and time_s - state.over_since_s < _DWELL_S:
            return 0
        state.side, state.over_since_s = here, None
        return here

    def settle(self, seen: Container[int], *, time_s: float) -> list[tuple[int, int]]:
        """Confirm changes of sides of objects that were lost behind the edge while they moved away from it.

        Args:
            seen: Objects of this frame.
            time_s: Of the frame.
        Returns:
            Object and side; each is given once.
        """
        found = []
        for number, state in self._objects.items():
            last_s, distance = state.samples[-1]
            if number in seen or not _DWELL_S <= time_s - last_s <= _SETTLE_S:
                continue
            side = 1 if distance > 0 else -1
            recent = [(t, d) for t, d in state.samples if last_s - t <= _SPEED_S]
            if state.side != -side or len(recent) < 3 or recent[0][0] == last_s:
                continue
            times_s, distances = np.array(recent, np.float64).T
            speed = float(np.polyfit(times_s - last_s, distances, 1)[0])
            if side * speed * _DWELL_S > state.margin:
                state.side, state.over_since_s = side, None
                found.append((number, side))
        return found

    def forget(self, number: int) -> None:
        """An object is gone."""
        self._objects.pop(number, None)

    def __len__(self) -> int:
        return len(self._objects)
