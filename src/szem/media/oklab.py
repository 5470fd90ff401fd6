"""sRGB to OKLab: a colour space in which equal distances look about equally different.

Source: Björn Ottosson, A perceptual color space for image processing, 2020, https://bottosson.github.io/posts/oklab/
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array

__all__ = ["rgb_to_oklab"]

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)


def rgb_to_oklab(rgb: Array) -> NDArray[np.float32]:
    """Convert colours.

    Args:
        rgb: (..., 3) uint8, sRGB.
    Returns:
        (..., 3) float32: lightness 0..1, then green to red and blue to yellow, each about -0.4..0.4.

    >>> rgb_to_oklab(np.array([255, 255, 255], np.uint8)).round(3).tolist()
    [1.0, 0.0, 0.0]
    """
    cones = _linear_light()[rgb] @ _TO_CONES.T
    lab: NDArray[np.float32] = np.cbrt(cones) @ _TO_LAB.T
    return lab


@lru_cache(maxsize=1)
def _linear_light() -> NDArray[np.float32]:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
