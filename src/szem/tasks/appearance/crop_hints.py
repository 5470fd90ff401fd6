"""Crop hints: for each shape asked for, the window that keeps most of what catches the eye."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import RangeError
from szem.media.pictures import PictureLike, as_picture
from szem.results.crops import Crop, Crops
from szem.tasks.appearance.saliency import salience_map

__all__ = ["DEFAULT_RATIOS", "crop_hints"]

DEFAULT_RATIOS: tuple[float | None, ...] = (1.0, 16 / 9, 9 / 16, None)
_AS_GOOD = 0.004  # share of the salience that makes no difference
# How often a crop that keeps a share of the salience keeps 9/10 of what people marked: a logistic curve fitted to
# 2,400 crops of 400 pictures of the VOC masks, train.
_SLOPE, _OFFSET = 9.84, -8.14
_SLIVER, _SLIVER_WORTH = 0.05, 0.02  # of the side, of the salience
_FREE_MARGIN = 2  # cells of the map
_FREE_KEEPS = 0.97  # a free crop is cut until this share is left
_FREE_FLOOR = 0.2  # of the map: less than this is ground, not figure


def crop_hints(
    picture: PictureLike,
    *,
    aspect_ratios: Sequence[float | None] = DEFAULT_RATIOS,
    attention: Array | None = None,
) -> Crops:
    """Say where a picture may be cut.

    For an aspect ratio the crop is the largest window of that shape, put where it keeps the largest share of the
    salience; where several keep the same, the one that centres it. Without a ratio (None) the crop is cut from all
    sides as far as hardly anything of note is lost.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        aspect_ratios: Width / height of each crop wanted, 0.01 to 100; None for a free one.
        attention: A network's map, as in `salience_map`.
    Returns:
        One crop for each ratio, in the same order.
    Raises:
        RangeError: a ratio is not a number in 0.01..100.

    >>> plain = np.full((60, 120, 3), 90, np.uint8)
    >>> plain[10:50, 75:110] = (220, 30, 30)
    >>> x0, y0, x1, y1 = crop_hints(plain, aspect_ratios=[1]).crops[0].box_xyxy
    >>> (x1 - x0, y1 - y0), x0 <= 75, x1 >= 110
    ((60, 60), True, True)
    """
    picture = as_picture(picture)
    height, width = picture.shape[:2]
    for ratio in aspect_ratios:
        if ratio is not None and not 0.01 <= ratio <= 100:
            raise RangeError(f"an aspect ratio is width / height in 0.01..100, got {ratio}; 16:9 is {16 / 9:.3f}")
    salience = salience_map(picture, attention=attention)
    crops = []
    for ratio in aspect_ratios:
        box = _free(salience, width, height) if ratio is None else _largest(salience, ratio, width, height)
        kept = _kept(salience, box, width, height)
        whole = box == (0, 0, width, height)
        confidence = 1.0 if whole else 1 / (1 + math.exp(-(_SLOPE * kept + _OFFSET)))
        crops.append(
            Crop(box_xyxy=box, aspect_ratio=ratio, confidence=confidence, importance_fraction=1.0 if whole else kept)
        )
    return Crops(tuple(crops))


def _largest(salience: Array, ratio: float, width: int, height: int) -> tuple[int, int, int, int]:
    """The largest window of a shape slides along one axis only: put it where it keeps most."""
    if width > ratio * height:
        long = max(1, min(width, round(height * ratio)))
        start = _best_start(salience.sum(axis=0), width, long)
        return start, 0, start + long, height
    long = max(1, min(height, round(width / ratio)))
    start = _best_start(salience.sum(axis=1), height, long)
    return 0, start, width, start + long


def _best_start(profile: Array, side: int, long: int) -> int:
    """Where a stretch of `long` pixels out of `side` keeps most of a profile; the middle of all that are as good."""
    total = _running(profile, side)
    kept = total[long:] - total[: side - long + 1]
    good = np.flatnonzero(kept >= kept.max() - _AS_GOOD)
    best = int(kept.argmax())
    left = right = int(np.searchsorted(good, best))
    while left > 0 and good[left - 1] == good[left] - 1:
        left -= 1
    while right < len(good) - 1 and good[right + 1] == good[right] + 1:
        right += 1
    start = int(good[left] + good[right]) // 2
    near = math.ceil(_SLIVER * side)
    for edge in (0, len(kept) - 1):  # what a crop leaves at the rim should be worth leaving
        if abs(start - edge) <= near and kept[edge] >= kept.max() - _SLIVER_WORTH:
            return edge
    return start


def _running(profile: Array, side: int) -> NDArray[np.float64]:
    """(side + 1,): the share of a profile that lies before each pixel; an empty profile counts as an even one."""
    sums = np.concatenate([[0.0], np.cumsum(profile.astype(np.float64) + 1e-9)])
    at = np.linspace(0, len(profile), side + 1)
    return np.asarray(np.interp(at, np.arange(len(profile) + 1), sums / sums[-1]), np.float64)


def _kept(salience: Array, box: tuple[int, int, int, int], width: int, height: int) -> float:
    """The share of the salience inside a box."""
    x0, y0, x1, y1 = box
    rows, cols = salience.shape
    sums = np.pad((salience.astype(np.float64) + 1e-9).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    along_y = np.array(
        [np.interp(y * rows / height, np.arange(rows + 1), column) for y in (y0, y1) for column in sums.T]
    )
    top, bottom = along_y.reshape(2, cols + 1)
    ends = np.interp(np.array([x0, x1]) * cols / width, np.arange(cols + 1), bottom - top)
    return float(np.clip((ends[1] - ends[0]) / sums[-1, -1], 0, 1))


def _free(salience: Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Cut rows and columns off the four sides, the emptiest first, while enough is left; then give some margin."""
    figure = np.maximum(salience - _FREE_FLOOR, 0).astype(np.float64)
    left = float(figure.sum())
    if left <= 0:
        return 0, 0, width, height
    spare = left * (1 - _FREE_KEEPS)
    rows, cols = figure.shape
    y0, y1, x0, x1 = 0, rows, 0, cols
    while y1 - y0 > 1 and x1 - x0 > 1:
        window = figure[y0:y1, x0:x1]
        ways = {"top": window[0], "bottom": window[-1], "left": window[:, 0], "right": window[:, -1]}
        side = min(ways, key=lambda way: float(ways[way].mean()))
        spare -= float(ways[side].sum())
        if spare < 0:
            break
        y0, y1 = y0 + (side == "top"), y1 - (side == "bottom")
        x0, x1 = x0 + (side == "left"), x1 - (side == "right")
    y0, x0 = max(0, y0 - _FREE_MARGIN), max(0, x0 - _FREE_MARGIN)
    y1, x1 = min(rows, y1 + _FREE_MARGIN), min(cols, x1 + _FREE_MARGIN)
    return (
        math.floor(x0 * width / cols),
        math.floor(y0 * height / rows),
        math.ceil(x1 * width / cols),
        math.ceil(y1 * height / rows),
    )
