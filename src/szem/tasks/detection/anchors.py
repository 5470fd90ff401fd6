"""The anchor boxes of the shipped detector, and how a network's numbers move them.

The sizes are those of TensorFlow's `ssd_mobilenet_v3_large_coco` at its input of 320×320 pixels, and stay the same
number of pixels for other inputs: objects of one size in pixels look alike to a network, whatever lies around them.
Source: W. Liu et al., SSD, 2016, arXiv:1512.02325, section 2.2.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALES", "anchor_boxes", "anchor_strides", "move_anchors"]

_BASE_PX = 320.0
_FIRST_STRIDE_PX, _LEVELS = 16, 6
_SIZES = tuple(0.2 + 0.15 * n for n in range(_LEVELS))  # of the levels' square anchors, as fractions of the base
_RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)  # width by height

SCALES = (10.0, 10.0, 5.0, 5.0)
"""What the network's four numbers (y, x, height, width) are divided by."""


@lru_cache(maxsize=64)
def anchor_boxes(height_px: int, width_px: int) -> NDArray[np.float32]:
    """The anchors of all levels one after the other, row by row, those of a place side by side.

    Args:
        height_px: Of the network's input.
        width_px: Of the network's input.
    Returns:
        (P, 4) float32: y and x of the middle, height, width; in pixels of the input.

    >>> len(anchor_boxes(320, 320)), anchor_boxes(320, 320)[0].tolist()
    (2034, [8.0, 8.0, 32.0, 32.0])
    """
    levels = []
    rows, columns = -(-height_px // _FIRST_STRIDE_PX), -(-width_px // _FIRST_STRIDE_PX)
    for level in range(_LEVELS):
        y, x = np.mgrid[:rows, :columns]
        middles = np.stack([(y + 0.5) * height_px / rows, (x + 0.5) * width_px / columns], -1).reshape(-1, 1, 2)
        sides = _BASE_PX * np.array(_shapes(level))[None]
        shape = (len(middles), sides.shape[1], 2)
        both = np.concatenate([np.broadcast_to(middles, shape), np.broadcast_to(sides, shape)], -1)
        levels.append(both.reshape(-1, 4))
        rows, columns = -(-rows // 2), -(-columns // 2)
    return np.concatenate(levels).astype(np.float32)


@lru_cache(maxsize=64)
def anchor_strides(height_px: int, width_px: int) -> NDArray[np.float32]:
    """(P,) the distance in pixels between neighbouring places of each anchor's level, in the order of `anchor_boxes`.

    >>> anchor_strides(320, 320)[[0, 1199, 1200, 2033]].tolist()
    [16.0, 16.0, 32.0, 320.0]
    """
    strides = []
    rows, columns = -(-height_px // _FIRST_STRIDE_PX), -(-width_px // _FIRST_STRIDE_PX)
    for level in range(_LEVELS):
        stride = max(height_px / rows, width_px / columns)
        strides.append(np.full(rows * columns * len(_shapes(level)), stride, np.float32))
        rows, columns = -(-rows // 2), -(-columns // 2)
    return np.concatenate(strides)


def _shapes(level: int) -> list[tuple[float, float]]:
    """Height and width of each anchor of a place, as fractions of the base."""
    size = _SIZES[level]
    if level == 0:
        return [(0.1, 0.1), (size / 2**0.5, size * 2**0.5), (size * 2**0.5, size / 2**0.5)]
    between = (size * (_SIZES[level + 1] if level + 1 < _LEVELS else 1.0)) ** 0.5
    return [*((size / ratio**0.5, size * ratio**0.5) for ratio in _RATIOS), (between, between)]


def move_anchors(anchors: NDArray[np.float32], encodings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The boxes that a network's numbers make of anchors.

    Args:
        anchors: (N, 4) as `anchor_boxes` gives them.
        encodings: (N, 4) as the network gives them.
    Returns:
        (N, 4) float32 x0, y0, x1, y1 in pixels of the input.

    >>> move_anchors(np.float32([[8, 8, 32, 16]]), np.zeros((1, 4), np.float32)).tolist()
    [[0.0, -8.0, 16.0, 24.0]]
    """
    shift = encodings / np.array(SCALES, np.float32)
    middle = anchors[:, :2] + shift[:, :2] * anchors[:, 2:]
    half = np.exp(np.minimum(shift[:, 2:], 4.0)) * anchors[:, 2:] / 2
    boxes: NDArray[np.float32] = np.concatenate([middle - half, middle + half], 1)[:, [1, 0, 3, 2]]
    return boxes.astype(np.float32, copy=False)
