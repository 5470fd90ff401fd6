"""From a sample's number to a picture and its chance: the same in every process, before and after an interruption."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["pick"]


@lru_cache(maxsize=4)
def _order(epoch: int, of: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, 1, epoch)).permutation(of)


def pick(number: int, *, of: int, seed: int) -> tuple[int, np.random.Generator]:
    """Which of `of` things the sample is, each once an epoch in a new order, and the generator for its changes.

    >>> sorted(pick(n, of=3, seed=7)[0] for n in range(3, 6))
    [0, 1, 2]
    """
    epoch, place = divmod(number, of)
    return int(_order(epoch, of, seed)[place]), np.random.default_rng((seed, 2, number))
