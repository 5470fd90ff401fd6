"""Pooling: one number for each window of numbers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import RangeError, ShapeError
from szem.media.pictures import PictureLike, as_image

__all__ = ["average_pool", "max_pool"]


def max_pool(picture: PictureLike, window_px: int = 2, *, stride_px: int | None = None) -> Array:
    """Keep the largest number of each window, channel by channel.

    Args:
        picture: As for `convolve`.
        window_px: Side of the square window.
        stride_px: From one window to the next; by default the window's side: windows touch, and do not overlap.
    Returns:
        (floor((H - window) / stride) + 1, likewise W), dtype of the picture. Windows that reach over the edge are
        left out.
    Raises:
        RangeError: window or stride below 1.
        ShapeError: the window is larger than the picture.

    >>> max_pool(np.array([[1, 2, 5], [3, 4, 6]], np.uint8)).tolist()
    [[4]]
    """
    image = as_image(picture)
    return _pool(image, window_px, stride_px, np.maximum)


def average_pool(picture: PictureLike, window_px: int = 2, *, stride_px: int | None = None) -> NDArray[np.float32]:
    """Average the numbers of each window, channel by channel.

    Args, windows and errors as `max_pool`.

    Returns:
        float32, of the same shape as `max_pool` gives.

    >>> average_pool(np.array([[1, 2, 5], [3, 4, 6]], np.uint8)).tolist()
    [[2.5]]
    """
    image = as_image(picture).astype(np.float32)
    total = _pool(image, window_px, stride_px, np.add)
    total /= np.float32(window_px * window_px)
    return total


def _pool(image: Array, window: int, stride: int | None, combine: Callable[..., Array]) -> Array:
    step = window if stride is None else stride
    for name, value in (("window_px", window), ("stride_px", step)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise RangeError(f"{name} must be a whole number of at least 1, got {value!r}")
    H, W = image.shape[:2]
    if window > H or window > W:
        raise ShapeError(
            f"the window must fit into the picture, got {window}×{window} on {H}×{W}; take a smaller one"
        )
    rows, columns = (H - window) // step + 1, (W - window) // step + 1
    # The window is taken apart into a column and a row: 2 · window operations a pixel instead of window².
    tall = image[: (rows - 1) * step + 1 : step].copy()  # (rows, W, …)
    for offset in range(1, window):
        combine(tall, image[offset : offset + (rows - 1) * step + 1 : step], out=tall)
    wide = tall[:, : (columns - 1) * step + 1 : step].copy()  # (rows, columns, …)
    for offset in range(1, window):
        combine(wide, tall[:, offset : offset + (columns - 1) * step + 1 : step], out=wide)
    return wide
