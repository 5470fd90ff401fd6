"""What catches the eye: a small map of a picture, made without a network; a network's own map may be added."""

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, check_picture
from szem.errors import ShapeError
from szem.media.oklab import rgb_to_oklab

__all__ = ["MAP_SIDE", "salience_map"]

MAP_SIDE = 64  # longer side of the map
_COLOR = np.array([1.0, 2.0, 2.0], np.float32)  # hue tells things apart better than light, which shadows change
_ATTENTION = 1.5  # weight of a network's map beside the three measured here (chosen on VOC masks, train)


def salience_map(picture: Picture8, *, attention: Array | None = None) -> NDArray[np.float32]:
    """Say how much each part of a picture catches the eye.

    Three measures are added: how rich in edges a place is, how far its colour is from the colours along the borders,
    and how sharp a barrier separates it from the border (minimum barrier distance). The middle counts more than the
    rim.

    Args:
        picture: (H, W, 3) uint8 RGB.
        attention: (h, w) of any size, 0 and up: a network's map of where its answer comes from.
    Returns:
        (h, w) float32 in 0..1, the longer side `MAP_SIDE`; all zero when nothing stands out.
    Raises:
        ShapeError: attention is not (h, w).
    Source: Zhang et al., Minimum barrier salient object detection at 80 FPS, ICCV 2015.

    >>> plain = np.full((40, 80, 3), 90, np.uint8)
    >>> plain[10:20, 50:60] = (220, 30, 30)
    >>> y, x = np.unravel_index(salience_map(plain).argmax(), (32, 64))
    >>> 8 <= y < 16, 40 <= x < 48
    (np.True_, np.True_)
    """
    if attention is not None and (attention.ndim != 2 or 0 in attention.shape):
        raise ShapeError(f"attention must be (h, w), got {attention.shape}")
    lab = rgb_to_oklab(_small(check_picture(picture))) * _COLOR  # (h, w, 3)
    height, width = lab.shape[:2]
    total = _edges(lab) + _unlike_border(lab) + _stretch(_smooth(_barriers(lab), 0.02))
    y = (np.arange(height, dtype=np.float32) + 0.5) / height - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
    total *= np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.35**2))
    if attention is not None:
        total += _ATTENTION * _stretch(cv2.resize(attention.astype(np.float32), (width, height)))
    return _stretch(total)


def _small(picture: Picture8) -> Picture8:
    height, width = picture.shape[:2]
    scale = MAP_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _smooth(values: Array, part: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), MAP_SIDE * part), np.float32)


def _stretch(values: Array) -> NDArray[np.float32]:
    """Bring the range from the 1st to the 99th percentile to 0..1; a flat map becomes all zero."""
    low, high = np.percentile(values, (1, 99))
    if high - low < 1e-3:
        low, high = float(values.min()), float(values.max())  # a small thing on a plain ground
    if high - low < 1e-3:
        return np.zeros(values.shape, np.float32)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def _edges(lab: Array) -> NDArray[np.float32]:
    """Richness in edges; the strongest are cut off, or one hard edge would drown all else."""
    strength = sum(
        cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
        for plane in (np.ascontiguousarray(lab[..., c]) for c in range(3))
    )
    return _stretch(_smooth(np.minimum(strength, max(float(np.percentile(strength, 95)), 0.05)), 0.04))


def _unlike_border(lab: Array) -> NDArray[np.float32]:
    """Distance of each colour to those along the four sides, the side it is least like left out."""
    height, width = lab.shape[:2]
    deep = max(1, round(0.06 * max(height, width)))
    apart = []
    for strip in (lab[:deep], lab[-deep:], lab[:, :deep], lab[:, -deep:]):
        colors = strip.reshape(-1, 3)
        away = lab - colors.mean(axis=0)
        spread = colors.T @ colors / len(colors) - np.outer(colors.mean(axis=0), colors.mean(axis=0))
        inverse = np.linalg.inv(spread.astype(np.float64) + np.eye(3) * 1e-3)
        apart.append(np.sqrt(np.maximum(np.einsum("ijk,kl,ijl->ij", away, inverse, away), 0)))
    sides = np.stack(apart)
    sides /= np.maximum(sides.max(axis=(1, 2), keepdims=True), 1.0)
    return _stretch(_smooth((sides.sum(axis=0) - sides.max(axis=0)).astype(np.float32), 0.02))


def _barriers(lab: Array) -> NDArray[np.float32]:
    """(h, w): the least rise and fall on a way to the border, by one sweep in each of four directions."""
    apart = np.full(lab.shape, np.inf, np.float32)
    apart[0] = apart[-1] = apart[:, 0] = apart[:, -1] = 0
    highest, lowest = lab.copy(), lab.copy()  # along the best way found so far
    for axis in (0, 1):
        views = [np.moveaxis(values, axis, 0) for values in (lab, apart, highest, lowest)]
        count = lab.shape[axis]
        for order in (range(1, count), range(count - 2, -1, -1)):
            for at in order:
                _step(*views, to=at, source=at - 1 if order.step > 0 else at + 1)
    return np.asarray(apart.sum(axis=2), np.float32)


def _step(lab: Array, apart: Array, highest: Array, lowest: Array, *, to: int, source: int) -> None:
    """Let one row (or column) be reached from its neighbour where that is the better way."""
    high, low = np.maximum(highest[source], lab[to]), np.minimum(lowest[source], lab[to])
    better = high - low < apart[to]
    np.copyto(apart[to], high - low, where=better)
    np.copyto(highest[to], high, where=better)
    np.copyto(lowest[to], low, where=better)
