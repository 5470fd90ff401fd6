"""What belongs to a scene and what has come: a slow and a fast picture of the background, compared in logarithms.

The slow layer is the scene as it has long been; the fast layer holds, place by place, what covers it and for how
long. Light that changes adds the same to the logarithms of a neighbourhood, so both layers are lit anew block by
block before they are compared: clouds, lamps and a camera's exposure do not count as things. Places that keep
changing (leaves, water) have a wide tolerance of their own. This file does not know what has come.

Source: the two rates are those of F. Porikli, Y. Ivanov, T. Haga, Robust Abandoned Object Detection Using Dual
Foregrounds, 2008, https://doi.org/10.1155/2008/197875; ages instead of a second mixture are szem's own.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8

__all__ = ["BackgroundModel", "Foreground"]

F = NDArray[np.float32]
B = NDArray[np.bool_]
_OFFSET = 12.0  # grey levels added before the logarithm: noise in the dark counts less
_LOG = np.log(np.arange(256, dtype=np.float32) + np.float32(_OFFSET))
_LIT_FRACTION = 1 - np.float32(_OFFSET) * np.exp(-_LOG)  # I / (I + offset): what of a change of light is seen
_DARK = np.exp(-2 * _LOG)  # how the square of the noise grows where it is dark
_BRIGHTEST = _LOG[248]  # a camera shows nothing brighter
_LEARN_S = 2.5  # the scene is the median of the pictures of so long
_LEARN_PICTURES = 11
_SLOW_S, _CANDIDATE_S = 25.0, 1.0  # how quickly the layers follow where they are seen
_SPREAD_S = 12.0
_SIGMAS = 4.0
_WIDEST = 0.5  # differences count for the tolerance up to this
_MINIMUM = 0.11  # difference of logarithms over all channels, root of the sum of squares, that always is none
_BLOCK = 20  # pixels: side of a block that is lit alike
_STEP = 4  # of a block's pixels each so many-th across and down is looked at
_LIT = 0.01  # smaller changes of light are none
_TOO_DARK = 0.4  # share of a change that is seen, below which a pixel tells little of it
_LIGHT_S = 40.0  # how slowly a new light becomes the old one
_SUDDEN = 0.12  # a change of light after which nothing is believed for a moment
_HOLD_S = 3.0  # a thing that is hidden for so long, at most, is still the same
_FRESH_S = 0.4  # younger candidates are replaced at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreground:
    """What one picture shows beside the background. All arrays are (h, w) of the small picture."""

    time_s: float
    moving: B  # neither the scene nor what has lain on it
    age_s: F  # for how long what covers the scene has been the same; 0 where the scene is seen
    shown: B  # what covers the scene is seen now, not itself hidden
    log: F  # (h, w, 3) logarithms of the picture, in the light of the slow layer
    slow: F  # (h, w, 3) of the scene
    fast: F  # (h, w, 3) of what covers it
    spread: F  # (h, w) by how much the place differs from itself
    light: float  # how much the light has changed with this picture, in logarithms
    is_learning: bool  # too early to say

    @property
    def motion(self) -> float:
        """Share of the picture that moves."""
        return float(self.moving.mean())


class BackgroundModel:
    """Learns one scene; call it with small pictures in order.

    >>> scene = BackgroundModel()
    >>> grey = np.full((60, 80, 3), 90, np.uint8)
    >>> seen = [scene(grey, time_s=t / 10) for t in range(30)]
    >>> bag = grey.copy()
    >>> bag[30:40, 30:40] = 20
    >>> ages = scene(bag, time_s=3.0), scene(bag, time_s=4.0)
    >>> bool(ages[0].moving[35, 35]), round(float(ages[1].age_s[35, 35]), 1), float(ages[1].age_s[5, 5])
    (True, 1.0, 0.0)
    """

    def __init__(self) -> None:
        self._slow: F | None = None
        self._start_s = self._time_s = 0.0
        self._sudden_s = -1e9
        self._noise = 0.0  # of the camera: mean square over the channels, in grey levels
        self._light: F | None = None  # (rows, columns, 3) of the last picture
        self._first: list[NDArray[np.float16]] = []  # while it learns

    def __call__(self, picture: Picture8, *, time_s: float) -> Foreground:
        """Take in a picture.

        Args:
            picture: (h, w, 3) uint8 RGB, about 320 pixels wide; always of one size.
            time_s: When; times that do not rise count as a moment later.
        """
        smoothed = np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)
        log = np.asarray(cv2.LUT(smoothed, _LOG), np.float32)
        if self._slow is None or self._slow.shape != log.shape:
            self._begin(log, time_s)
        assert self._slow is not None
        dt_s = float(np.clip(time_s - self._time_s, 1e-3, 2.0))
        self._time_s = time_s
        age_s = time_s - self._start_s
        light, log = (0.0, log) if age_s < _LEARN_S else self._in_old_light(log, smoothed, dt_s)
        if light > _SUDDEN:
            self._sudden_s = time_s
        square = _square(log - self._slow)
        dark = np.asarray(cv2.LUT(cv2.cvtColor(smoothed, cv2.COLOR_RGB2GRAY), _DARK), np.float32)
        limit = np.maximum(_SIGMAS**2 * np.maximum(self._spread, self._noise * dark), _MINIMUM**2)
        is_scene = square < limit
        is_same = _square(log - self._fast) < np.maximum(0.5 * limit, _MINIMUM**2)
        learning = age_s < _LEARN_S
        if not learning and self._first:
            self._first = []
        self._follow(log, square, is_scene, is_same, dt_s, learning=learning, age_s=age_s)
        shown = ~is_scene & is_same
        return Foreground(
            time_s=time_s,
            moving=~is_scene & (self._age < _FRESH_S),
            age_s=self._age.copy(),
            shown=shown,
            log=log,
            slow=self._slow,
            fast=self._fast,
            spread=self._spread,
            light=light,
            is_learning=learning,
        )

    @property
    def is_unsettled(self) -> bool:
        """Whether the light has just changed suddenly, so that nothing new is to be believed."""
        return self._time_s - self._sudden_s < 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the small picture."""
        assert self._slow is not None
        return self._slow.shape[0], self._slow.shape[1]

    def absorb(self, where: B) -> None:
        """What lies in a place belongs to the scene from now on.

        Args:
            where: (h, w) bool.
        """
        assert self._slow is not None
        where = where & (self._age > 0)
        self._slow[where] = self._fast[where]
        self._age[where] = 0
        self._hidden[where] = 0

    def forget(self) -> None:
        """Learn anew from the next picture on: the camera looks elsewhere."""
        self._slow = None

    # Steps ------------------------------------------------------------------------------------------------------

    def _begin(self, log: F, time_s: float) -> None:
        self._slow, self._fast = log.copy(), log.copy()
        self._spread = np.full(log.shape[:2], (_MINIMUM / _SIGMAS) ** 2, np.float32)
        self._age = np.zeros(log.shape[:2], np.float32)
        self._hidden = np.zeros(log.shape[:2], np.float32)
        self._first = []
        self._light = None
        self._start_s = self._time_s = time_s
        self._sudden_s = -1e9

    def _learn(self, log: F, age_s: float) -> None:
        """The scene is the median of the first pictures, so that what only passes through leaves no trace."""
        if len(self._first) < _LEARN_PICTURES and age_s >= len(self._first) * _LEARN_S / _LEARN_PICTURES:
            self._first.append(log.astype(np.float16))
            stack = np.stack(self._first).astype(np.float32)
            self._slow = np.median(stack, axis=0)
            squares = np.median([_square(one - self._slow) for one in stack], axis=0)
            self._noise = float(np.median(2 * squares * np.exp(2 * self._slow.mean(-1))))
            self._spread = np.clip(2 * squares, (_MINIMUM / _SIGMAS) ** 2, _WIDEST**2).astype(np.float32)
            self._fast = self._slow.copy()

    def _in_old_light(self, log: F, smoothed: Picture8, dt_s: float) -> tuple[float, F]:
        """By how much the light has just changed, and the picture as it would be in the light of the slow layer.

        The light is reckoned anew from each picture, never added up: an error does not outlive its picture.
        """
        assert self._slow is not None
        lit = np.asarray(cv2.LUT(smoothed, _LIT_FRACTION), np.float32)
        light = light_between(log, self._slow, lit, self._age > _FRESH_S)
        change = 0.0 if self._light is None else float(np.abs(light - self._light).mean())
        self._light = light
        high, wide = log.shape[:2]
        smooth = np.asarray(cv2.resize(light, (wide, high), interpolation=cv2.INTER_LINEAR), np.float32)
        factor = cv2.resize(np.exp(-light), (wide, high), interpolation=cv2.INTER_LINEAR)
        old = np.log(smoothed.astype(np.float32) * factor + np.float32(_OFFSET))
        # What is too bright for the camera, now or then, is as bright as the other says.
        burnt = ((log >= _BRIGHTEST) & (old < self._slow)) | ((self._slow >= _BRIGHTEST) & (old > self._slow))
        old = np.where(burnt, self._slow, old).astype(np.float32)
        # Slowly, the new light becomes the old one.
        part = smooth * (lit * np.float32(1 - np.exp(-dt_s / _LIGHT_S)))
        self._slow += part
        self._fast += part
        return change, old + part

    def _follow(
        self, log: F, square: F, is_scene: B, is_same: B, dt_s: float, *, learning: bool, age_s: float
    ) -> None:
        assert self._slow is not None
        if learning:
            self._learn(log, age_s)
            return
        self._slow += _thrice(is_scene, 1 - np.exp(-dt_s / _SLOW_S)) * (log - self._slow)
        # A place that keeps differing gets a wide tolerance; one that does not, loses it as slowly.
        step = is_scene * np.float32(1 - np.exp(-dt_s / _SPREAD_S))
        self._spread += step * (np.minimum(square, _WIDEST**2) - self._spread)
        same = ~is_scene & is_same
        other = ~is_scene & ~is_same
        # Where the scene shows through, what covered it moves, or has gone: its age shrinks quickly.
        self._age += same * np.float32(dt_s) - is_scene * np.float32(4 * dt_s)
        np.maximum(self._age, 0, out=self._age)
        self._hidden += other * np.float32(dt_s)
        self._hidden *= ~same
        replaced = other & ((self._age < _FRESH_S) | (self._hidden > np.minimum(self._age, _HOLD_S)))
        self._age *= ~replaced
        self._hidden *= ~replaced
        fraction = same * np.float32(1 - np.exp(-dt_s / _CANDIDATE_S)) + replaced
        self._fast += _thrice(fraction, 1.0) * (log - self._fast)


def light_between(now: F, then: F, lit: F, covered: B) -> F:
    """What has to be added to the logarithms of light of one picture for it to have the light of another.

    Args:
        now: (h, w, 3) logarithms.
        then: (h, w, 3) of the same scene before.
        lit: (h, w, 3) by how much the logarithms with their offset grow with those of the light; 0..1.
        covered: (h, w) places that are known to differ; they do not count.
    Returns:
        (rows, columns, 3) for blocks of pixels.
    """
    height, width = covered.shape
    rows, columns = max(height // _BLOCK, 1), max(width // _BLOCK, 1)

    def blocks_of(values: NDArray[Any]) -> NDArray[Any]:
        part = values[: height // rows * rows : _STEP, : width // columns * columns : _STEP]
        high, wide = part.shape[0] // rows, part.shape[1] // columns
        part = part[: rows * high, : columns * wide].reshape(rows, high, columns, wide, -1)
        return part.swapaxes(1, 2).reshape(rows, columns, high * wide, -1)

    ours, theirs = blocks_of(now), blocks_of(then)
    blocks = np.log(np.maximum(np.exp(ours) - _OFFSET, 1) / np.maximum(np.exp(theirs) - _OFFSET, 1))
    reports = ~blocks_of(covered)[..., 0] & (blocks_of(lit).min(-1) > _TOO_DARK) & (ours.max(-1) < _BRIGHTEST)
    middle = np.median(blocks, axis=2)  # (rows, columns, 3)
    whole = np.median(middle.reshape(-1, 3), axis=0)
    grey = blocks.mean(-1)
    own = middle.mean(-1)
    scatter = np.median(np.abs(grey - own[..., None]), axis=-1)
    tint = np.abs(middle - own[..., None] - (whole - whole.mean())).max(-1)
    trust = np.exp(-((scatter / 0.08) ** 2) - (tint / 0.06) ** 2) * reports.mean(-1) ** 2
    if float(trust.sum()) > 0.05 * rows * columns:
        flat = np.sort(own.ravel())
        order = np.argsort(own.ravel())
        sums = np.cumsum(trust.ravel()[order])
        whole = whole - whole.mean() + flat[int(np.searchsorted(sums, sums[-1] / 2))]
    # A block's light is what most of its neighbourhood agrees on: a thing that fills a few blocks is not light.
    local = _weighted_median(own - whole.mean(), trust)
    light: F = (local[..., None] + whole).astype(np.float32)
    light[np.abs(light).max(-1) < _LIT] = 0
    return light


def _weighted_median(values: NDArray[Any], weights: NDArray[Any], reach: int = 2) -> NDArray[Any]:
    """(rows, columns) of each place's neighbourhood; 0 where nothing around has weight."""
    side = 2 * reach + 1
    padded = np.pad(values, reach, mode="reflect", reflect_type="odd")  # a slope goes on beyond the edge
    near = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    heavy = np.lib.stride_tricks.sliding_window_view(np.pad(weights, reach, mode="reflect"), (side, side))
    rows, columns = values.shape
    near, heavy = near.reshape(rows, columns, -1), heavy.reshape(rows, columns, -1)
    order = np.argsort(near, axis=-1)
    sums = np.cumsum(np.take_along_axis(heavy, order, -1), axis=-1)
    place = (sums < sums[..., -1:] / 2).sum(-1).clip(0, side * side - 1)
    middle = np.take_along_axis(np.take_along_axis(near, order, -1), place[..., None], -1)[..., 0]
    return np.where(sums[..., -1] > 0.05 * side * side, middle, 0)


def _thrice(values: NDArray[Any], factor: float) -> F:
    """(h, w, 3) the same for each channel."""
    one = values.astype(np.float32) * np.float32(factor)
    out: F = np.asarray(cv2.merge([one, one, one]), np.float32)
    return out


def _square(difference: F) -> F:
    """(h, w) sum of squares over the channels."""
    out: F = np.asarray(cv2.transform(difference * difference, np.ones((1, 3), np.float32)), np.float32)
    return out
