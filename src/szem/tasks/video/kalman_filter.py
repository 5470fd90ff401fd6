"""Where boxes are and how fast they move, estimated from noisy boxes: a Kalman filter for many boxes at once.

Centre and sides are four numbers that each move at a nearly constant speed, apart from one another, so that the
filter is a few lines of plain arithmetic on (N, 4) arrays instead of matrices. Times are in seconds: frames may be
dropped or come unevenly. This file does not know which box belongs to which thing.

Source: R. E. Kalman, A New Approach to Linear Filtering and Prediction Problems, 1960; noise in shares of a box's
size as in N. Wojke et al., Simple Online and Realtime Tracking with a Deep Association Metric, 2017,
https://arxiv.org/abs/1703.07402
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KalmanFilter"]

F = NDArray[np.float64]

_BOX_NOISE = 0.05  # standard deviation of a found box's centre and sides, as a share of its size
_FIRST_SPEED = 1.5  # of a thing that was seen once, in sizes a second
_PUSH = np.array([0.8, 0.8, 0.25, 0.25])  # how much speeds change: sizes a second, within a second; sides change less
_STILL_AFTER_S = 0.5  # a thing out of sight loses this share (1 - 1/e) of the growth of its sides


@dataclass
class KalmanFilter:
    """The state of N boxes: centre x, centre y, width and height in pixels, their speeds, and how sure they are.

    Args:
        place: (N, 4) pixels.
        speed: (N, 4) pixels a second.
        p00: (N, 4) variance of the place.
        p01: (N, 4) covariance of place and speed.
        p11: (N, 4) variance of the speed.
    """

    place: F
    speed: F
    p00: F
    p01: F
    p11: F

    @classmethod
    def start(cls, boxes_xyxy: F) -> "KalmanFilter":
        """Boxes that are seen for the first time: (N, 4) xyxy."""
        place = _to_centre(boxes_xyxy)
        size = _size(place)
        return cls(
            place,
            np.zeros_like(place),
            (2 * _BOX_NOISE * size) ** 2 * np.ones_like(place),
            np.zeros_like(place),
            (_FIRST_SPEED * size) ** 2 * np.array([1, 1, 0.1, 0.1]),
        )

    @property
    def boxes_xyxy(self) -> F:
        """(N, 4): the present estimate."""
        half = np.maximum(self.place[:, 2:], 1) / 2
        return np.hstack([self.place[:, :2] - half, self.place[:, :2] + half])

    def predict(self, dt_s: float, unseen: NDArray[np.bool_]) -> None:
        """Move on by some time.

        Args:
            dt_s: Seconds since the last call.
            unseen: (N,) which were not seen last time; how fast those grow or shrink is then soon forgotten.
        """
        self.speed[unseen, 2:] *= np.exp(-dt_s / _STILL_AFTER_S)
        push = (_PUSH * _size(self.place)) ** 2
        self.place += self.speed * dt_s
        self.place[:, 2:] = np.maximum(self.place[:, 2:], 1)
        self.p00 += 2 * dt_s * self.p01 + dt_s**2 * self.p11 + push * dt_s**3 / 3
        self.p01 += dt_s * self.p11 + push * dt_s**2 / 2
        self.p11 += push * dt_s

    def correct(self, rows: NDArray[np.int64], boxes_xyxy: F, scores: F) -> None:
        """Take in what was seen.

        Args:
            rows: (n,) which boxes.
            boxes_xyxy: (n, 4) where they were found.
            scores: (n,) how sure that was; a doubtful box moves the estimate less.
        """
        found = _to_centre(boxes_xyxy)
        noise = (_BOX_NOISE * (1.5 - scores[:, None]) * _size(found)) ** 2
        p00, p01 = self.p00[rows], self.p01[rows]
        total = p00 + noise
        gain0, gain1 = p00 / total, p01 / total
        error = found - self.place[rows]
        self.place[rows] += gain0 * error
        self.speed[rows] += gain1 * error
        self.p11[rows] -= gain1 * p01
        self.p01[rows] = (1 - gain0) * p01
        self.p00[rows] = (1 - gain0) * p00

    def take(self, rows: NDArray[np.bool_]) -> "KalmanFilter":
        """Some of the boxes."""
        return KalmanFilter(*(values[rows] for values in self._parts()))

    def join(self, other: "KalmanFilter") -> "KalmanFilter":
        """These boxes and then others."""
        return KalmanFilter(*(np.vstack(pair) for pair in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self) -> tuple[F, ...]:
        return self.place, self.speed, self.p00, self.p01, self.p11


def _to_centre(boxes_xyxy: F) -> F:
    boxes = np.asarray(boxes_xyxy, np.float64)
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def _size(place: F) -> F:
    """(N, 1): the geometric mean of the sides."""
    return np.sqrt(np.maximum(place[:, 2:3], 1) * np.maximum(place[:, 3:4], 1))
