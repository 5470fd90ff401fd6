"""Whether two files hold the same picture: hashes of how pictures look, which compression hardly changes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8

__all__ = ["look_hash", "nearest_hash"]

_SIDE = 16


def look_hash(picture: Picture8) -> NDArray[np.uint8]:
    """32 bytes: for each of 16×16 places, whether the picture gets brighter to the right.

    Source: N. Krawetz, Kind of Like That (dHash), 2013.

    Args:
        picture: (H, W, 3) uint8.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def nearest_hash(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> int:
    """In how many of 256 bits a hash differs from the nearest of others: (32,) and (N, 32).

    >>> a = np.zeros(32, np.uint8)
    >>> nearest_hash(a, np.stack([a + 255, a + 1]))
    32
    """
    return int(np.bitwise_count(one ^ others).sum(1, dtype=np.int64).min())
