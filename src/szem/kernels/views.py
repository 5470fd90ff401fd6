"""From signed float results to pictures a person can look at: nothing is lost silently, the view says what it does.

`convolve` keeps negative numbers and numbers above 255. A view chooses what of them is shown.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import ShapeError, UnknownNameError
from szem.kernels.signed_colors import full_scale, signed_colors
from szem.kernels.text import KernelInput, as_kernel

__all__ = ["VIEWS", "default_view", "view"]


def default_view(kernel: KernelInput) -> str:
    """The view that suits a kernel: by size where its weights sum to 0, as those of edges do, else clipped.

    Python, the command line and HTTP show a result so unless a view is named.

    >>> default_view("sobel-x"), default_view("sharpen")
    ('absolute', 'clip')
    """
    weights = as_kernel(kernel).weights
    return "absolute" if abs(float(weights.sum(dtype=np.float64))) < 1e-9 else "clip"


def view(result: Array, *, how: str = "", kernel: KernelInput | None = None, scale: float | None = None) -> Picture8:
    """Turn a result of `convolve` into a picture.

    Args:
        result: (H, W), (H, W, 1) or (H, W, 3), any real type.
        how: "clip" keeps 0..255 and cuts off the rest; "absolute" shows the size and drops the sign; "signed" paints
            blue below zero and orange above (colour is averaged to grey first); "stretch" maps the smallest number to
            black and the largest to white. "absolute" and "signed" are scaled so that the largest just fits. If left
            out, `default_view(kernel)` where a kernel is given, else "clip".
        kernel: The kernel of which this is the result.
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
    how = how or ("clip" if kernel is None else default_view(kernel))
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


def _clip(values: NDArray[np.float32], scale: float | None) -> Picture8:  # noqa: ARG001
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _absolute(values: NDArray[np.float32], scale: float | None) -> Picture8:
    return np.rint(np.clip(np.abs(values) * (255 / full_scale(values, scale)), 0, 255)).astype(np.uint8)


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
