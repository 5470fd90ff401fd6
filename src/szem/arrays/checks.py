"""Checks at the door: each returns the array it was given, or raises with what is wrong and what to do.

Checked once where data enters; trusted inside.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays.layouts import Array, Picture8
from szem.errors import DTypeError, RangeError, ShapeError

__all__ = ["check_boxes_xyxy", "check_image", "check_picture", "check_sound"]


def _as_array(value: Any, what: str) -> Array:
    if not isinstance(value, np.ndarray):
        raise DTypeError(
            f"{what} must be a numpy array, got {type(value).__name__}; read files with szem.read_picture(path)"
        )
    return value


def check_picture(picture: Any) -> Picture8:
    """Check that a value is a picture: (H, W, 3) uint8 RGB with at least one pixel.

    Raises:
        DTypeError: not an array, or not uint8.
        ShapeError: not (H, W, 3), or a side is 0.

    >>> check_picture(np.zeros((2, 3, 3), np.uint8)).shape
    (2, 3, 3)
    """
    array = _as_array(picture, "picture")
    if array.ndim != 3 or array.shape[2] != 3 or array.shape[0] == 0 or array.shape[1] == 0:
        raise ShapeError(
            f"picture must be (H, W, 3) with H, W > 0, got {array.shape}; "
            "repeat a grey image with np.repeat(grey[..., None], 3, axis=2)"
        )
    if array.dtype != np.uint8:
        raise DTypeError(
            f"picture must be uint8 0..255, got {array.dtype}; scale and round it first: "
            "(x * 255).round().astype(np.uint8)"
        )
    return array


def check_image(image: Any) -> Array:
    """Check that a value is an image for the kernels: grey (H, W) or colour (H, W, C), uint8 or float32.

    Raises:
        DTypeError: not an array, or neither uint8 nor float32.
        ShapeError: not two or three axes, or an axis is 0.
    """
    array = _as_array(image, "image")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ShapeError(f"image must be (H, W) or (H, W, C) with no empty axis, got {array.shape}")
    if array.dtype not in (np.uint8, np.float32):
        raise DTypeError(f"image must be uint8 or float32, got {array.dtype}; convert it with .astype(np.float32)")
    return array


def check_boxes_xyxy(boxes: Any) -> NDArray[np.float32]:
    """Check that a value is (N, 4) float32 boxes with x0 <= x1 and y0 <= y1, finite.

    Raises:
        ShapeError: not (N, 4).
        RangeError: a number is not finite, or a corner is out of order.
    """
    array = np.asarray(boxes, dtype=np.float32)
    if array.size == 0:
        return np.zeros((0, 4), np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(f"boxes must be (N, 4) as x0, y0, x1, y1, got {array.shape}")
    if not np.isfinite(array).all():
        raise RangeError("boxes must be finite numbers, got NaN or infinity")
    if (array[:, 2:] < array[:, :2]).any():
        raise RangeError("boxes must have x0 <= x1 and y0 <= y1; swap the corners (is it x, y, w, h?)")
    return array


def check_sound(sound: Any, *, rate_hz: int) -> NDArray[np.float32]:
    """Check that a value is mono sound: (T,) float32, finite, at a positive rate.

    Raises:
        ShapeError: not one axis.
        DTypeError: not float32.
        RangeError: not finite, or the rate is not positive.
    """
    array = _as_array(sound, "sound")
    if array.ndim != 1:
        raise ShapeError(f"sound must be mono (T,), got {array.shape}; average the channels first")
    if array.dtype != np.float32:
        raise DTypeError(f"sound must be float32 in -1..1, got {array.dtype}; divide int16 by 32768")
    if rate_hz <= 0:
        raise RangeError(f"rate_hz must be positive, got {rate_hz}")
    if not np.isfinite(array).all():
        raise RangeError("sound must be finite, got NaN or infinity")
    return array
