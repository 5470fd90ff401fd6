"""From signed float results to pictures a person can look at: nothing is lost silently, the view says what it does.

`convolve` keeps negative numbers and numbers above 255. A view chooses what of them is shown.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import ShapeError, UnknownNameError

__all__ = ["VIEWS", "signed_colors", "view"]

# Blue below zero, white at zero, orange above: told apart by colour-blind eyes too.
_BELOW = np.array([0, 92, 175], np.float32)
_ABOVE = np.array([214, 96, 0], np.float32)
_ZERO = np.array([250, 250, 250], np.float32)


def view(result: Array, *, how: str = "clip", scale: float | None = None) -> Picture8:
    """Turn a result of `convolve` into a picture.

    Args:
        result: (H, W), (H, W, 1) or (H, W, 3), any real type.
        how: "clip" keeps 0..255 and cuts off the rest; "absolute" shows the size and drops the sign; "signed" paints
            blue below zero and orange above (colour is averaged to grey first); "stretch" maps the smallest number to
            black and the largest to white. "absolute" and "signed" are scaled so that the largest just fits.
        scale: For "absolute" and "signed": the number that becomes full strength, instead of the largest.
    Returns:
        (H, W, 3) uint8 RGB.
    Raises:
        UnknownNameError: no such view.
        ShapeError: not an image of one or three channels.

    >>> view(np.array([[-300.0, 0.0, 300.0]])).tolist()
    [[[0, 0, 0], [0, 0, 0], [255, 255, 255]]]
    >>> view(np.array([[-10.0, 0.0, 20.0]]), how="absolute")[..., 0].tolist()
    [[128, 0, 255]]
    """
    make = VIEWS.get(how)
    if make is None:
        raise UnknownNameError(f"no view called {how!r}; there are {', '.join(VIEWS)}")
    array = np.asarray(result)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise ShapeError(f"result must be (H, W), (H, W, 1) or (H, W, 3), got {np.shape(result)}")
    picture = make(np.nan_to_num(array.astype(np.float32)), scale)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def signed_colors(values: Array, *, scale: float | None = None) -> Picture8:
    """Paint numbers: blue below zero, white at zero, orange above; the deeper the larger.

    Args:
        values: (H, W) real.
        scale: The number painted at full strength; by default the largest absolute one.
    Returns:
        (H, W, 3) uint8 RGB.
    """
    numbers = values.astype(np.float32)
    share = np.clip(numbers / _full(numbers, scale), -1, 1)[..., None]
    painted = _ZERO + np.abs(share) * (np.where(share < 0, _BELOW, _ABOVE) - _ZERO)
    return np.rint(painted).astype(np.uint8)


def _full(values: NDArray[np.float32], scale: float | None) -> np.float32:
    largest = float(np.abs(values).max()) if scale is None else abs(scale)
    return np.float32(largest if largest > 0 else 1.0)


def _clip(values: NDArray[np.float32], scale: float | None) -> Picture8:  # noqa: ARG001
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _absolute(values: NDArray[np.float32], scale: float | None) -> Picture8:
    return np.rint(np.clip(np.abs(values) * (255 / _full(values, scale)), 0, 255)).astype(np.uint8)


def _signed(values: NDArray[np.float32], scale: float | None) -> Picture8:
    return signed_colors(values.mean(axis=2), scale=scale)


def _stretch(values: NDArray[np.float32], scale: float | None) -> Picture8:  # noqa: ARG001
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255.0 / (high - low if high > low else 1.0))).astype(np.uint8)


VIEWS: dict[str, Callable[[NDArray[np.float32], float | None], Picture8]] = {
    "clip": _clip,
    "absolute": _absolute,
    "signed": _signed,
    "stretch": _stretch,
}
