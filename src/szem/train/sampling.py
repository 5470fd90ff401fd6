"""From a sample's number to a picture and its chance: the same in every process, before and after an interruption."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["pick", "spread_over"]

_T = TypeVar("_T")


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


def spread_over(items: Sequence[_T], *, most: int = 96) -> list[_T]:
    """At most so many of the items, evenly from first to last.

    >>> spread_over(range(10), most=3)
    [1, 5, 8]
    """
    if len(items) <= most:
        return list(items)
    return [items[int((i + 0.5) * len(items) / most)] for i in range(most)]
