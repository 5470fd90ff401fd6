"""Arrays as people hold them, to the two forms szem works on: a picture for networks, an image for kernels.

What is certain is converted (depths, grey, transparency); what would be a guess is refused with the call that decides
it (the order of colours or axes, a range). This file does not know files or Pillow.
"""

from typing import Any

import numpy as np

from szem.arrays.layouts import Array, Picture8
from szem.errors import DTypeError, RangeError, ShapeError

__all__ = ["array_to_image", "array_to_picture"]

_TO_UNIT = "(picture - picture.min()) / np.ptp(picture)"
_SLACK = 1e-3  # interpolation and resizing of floats in 0..1 leave it by so much


def array_to_picture(value: Any) -> Picture8:
    """A picture from an array: (H, W, 3) uint8 RGB.

    Args:
        value: (H, W) grey, (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA, laid over white; uint8 0..255, uint16
            0..65535, bool, or float 0..1.
    Raises:
        ShapeError: other axes, or an empty one.
        DTypeError: another type.
        RangeError: floats outside 0..1, NaN or infinity.

    >>> array_to_picture(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    >>> array_to_picture(np.full((1, 1, 4), 65535, np.uint16)).tolist()
    [[[255, 255, 255]]]
    """
    array = _as_numbers(value, "picture")
    _check_picture_shape(array.shape)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return np.ascontiguousarray(array)  # not even copied, unless its rows lie apart or turned in memory
    bytes_ = _to_bytes(array)
    if bytes_.ndim == 2:
        bytes_ = bytes_[..., None]
    if bytes_.shape[2] == 4:
        return _over_white(bytes_)
    return np.repeat(bytes_, 3, axis=2) if bytes_.shape[2] == 1 else bytes_


def array_to_image(value: Any) -> Array:
    """An image for the kernels from numbers of any type: (H, W) or (H, W, C), uint8 or float32.

    Args:
        value: An array or nested lists of bool, whole or real numbers. uint8 and float32 stay as they are, all others
            become float32 with the same values.
    Raises:
        ShapeError: not two or three axes, an empty one, or rows of different lengths.
        DTypeError: no real numbers.

    >>> array_to_image([[1, 2], [3, 4]]).dtype
    dtype('float32')
    """
    array = _as_numbers(value, "image")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ShapeError(f"image must be (H, W) or (H, W, C) with no empty axis, got {array.shape}")
    return array if array.dtype in (np.uint8, np.float32) else array.astype(np.float32)


def _as_numbers(value: Any, what: str) -> Array:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DTypeError(f"{what} must have a value at every pixel, got a masked array; fill it: {what}.filled(0)")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of different lengths, a tensor on another device
        raise ShapeError(f"{what} cannot be read as one array ({error}); give rows of one length") from error
    if array.dtype.kind not in "buif":
        raise DTypeError(
            f"{what} must hold real numbers, got {_named(value, array)}; "
            + (f"use np.abs({what})" if array.dtype.kind == "c" else "read files with szem.read_picture(path)")
        )
    # files of other machines hold the other order of bytes, which no library below reads
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _named(value: Any, array: Array) -> str:
    kind = type(value).__name__
    return f"an array of {array.dtype}" if isinstance(value, np.ndarray) else kind


def _check_picture_shape(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise ShapeError(f"picture must have pixels, got an empty array {shape}")
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        remedy = "channels come last here: np.moveaxis(picture, 0, -1)"
    elif len(shape) == 3 and shape[2] == 2:
        remedy = "of grey and transparency take the grey: picture[..., 0]"
    elif len(shape) == 3:
        remedy = "choose three channels: picture[..., [0, 1, 2]]"
    elif len(shape) == 4:
        remedy = "give the pictures of a batch one by one: for picture in batch"
    else:
        remedy = "give rows and columns of pixels"
    raise ShapeError(f"picture must be (H, W), (H, W, 3) or (H, W, 4), got {shape}; {remedy}")


def _to_bytes(array: Array) -> Array:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if array.dtype.kind != "f":
        lowest, highest = int(array.min()), int(array.max())
        remedy = "picture.astype(np.uint8)" if 0 <= lowest <= highest <= 255 else _TO_UNIT
        raise DTypeError(
            f"picture must be uint8, uint16, bool or float, got {array.dtype} from {lowest} to {highest}; "
            f"use {remedy}"
        )
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RangeError("picture must be finite, got NaN or infinity; replace them: np.nan_to_num(picture)")
    if low < -_SLACK or high > 1 + _SLACK:
        is_byte_range = low >= -_SLACK and high <= 255 * (1 + _SLACK)
        remedy = "picture / 255" if is_byte_range else _TO_UNIT
        raise RangeError(f"a float picture must lie in 0..1, got {low:.6g} to {high:.6g}; scale it: {remedy}")
    return np.rint(array.clip(0, 1) * 255).astype(np.uint8)


def _over_white(rgba: Array) -> Picture8:
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
