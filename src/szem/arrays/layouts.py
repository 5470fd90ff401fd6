"""Names for array types and the few conversions between layouts and ranges."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Picture8", "picture_to_unit", "pictures_to_nchw"]

Array = NDArray[Any]
"""Any numpy array; the docstring says shape and dtype."""
Picture8 = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""


def picture_to_unit(picture: Array) -> NDArray[np.float32]:
    """Turn uint8 0..255 into float32 0..1; float32 passes unchanged.

    >>> float(picture_to_unit(np.full((1, 1), 255, np.uint8))[0, 0])
    1.0
    """
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    return picture.astype(np.float32, copy=False)


def pictures_to_nchw(pictures: Sequence[Picture8], *, mean: float, scale: float) -> NDArray[np.float32]:
    """Stack pictures of one size into a network's input: `(value - mean) / scale`.

    Args:
        pictures: N pictures, each (H, W, 3) uint8, all of one size.
        mean: Subtracted from each value (0..255 scale).
        scale: Divides what is left.
    Returns:
        (N, 3, H, W) float32, C-contiguous.

    >>> pictures_to_nchw([np.zeros((2, 4, 3), np.uint8)], mean=127, scale=128).shape
    (1, 3, 2, 4)
    """
    batch = np.stack(pictures).transpose(0, 3, 1, 2)  # (N, 3, H, W)
    out = np.ascontiguousarray(batch, dtype=np.float32)
    out -= np.float32(mean)
    out *= np.float32(1.0 / scale)
    return out
