"""Numbers with a sign as colours: blue below zero, white at zero, orange above; colour-blind eyes see it too."""

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8

__all__ = ["full_scale", "signed_colors"]

_BELOW = np.array([0, 92, 175], np.float32)
_ABOVE = np.array([214, 96, 0], np.float32)
_ZERO = np.array([250, 250, 250], np.float32)


def signed_colors(values: Array, *, scale: float | None = None) -> Picture8:
    """Paint numbers: blue below zero, white at zero, orange above; the deeper the larger.

    Args:
        values: (H, W) real.
        scale: The number painted at full strength; by default the largest absolute one.
    Returns:
        (H, W, 3) uint8 RGB.
    """
    numbers = values.astype(np.float32)
    fraction = np.clip(numbers / full_scale(numbers, scale), -1, 1)[..., None]
    painted = _ZERO + np.abs(fraction) * (np.where(fraction < 0, _BELOW, _ABOVE) - _ZERO)
    return np.rint(painted).astype(np.uint8)


def full_scale(values: NDArray[np.float32], scale: float | None) -> np.float32:
    """The number that becomes full strength: the one given, else the largest absolute one; 1 where that is 0."""
    largest = float(np.abs(values).max()) if scale is None else abs(scale)
    return np.float32(largest if largest > 0 else 1.0)
