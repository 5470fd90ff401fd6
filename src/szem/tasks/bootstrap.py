"""How far a measured number might lie from what more data of the same kind would give: intervals by bootstrap.

Source: B. Efron, Bootstrap methods: another look at the jackknife, 1979. The interval is that of the percentiles.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.results.score import Measurement

__all__ = ["bootstrap", "mean_of"]

_TIMES = 400


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], n: int, *, times: int = _TIMES, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a statistic of `n` items.

    Args:
        statistic: Of the items at these places, some of them several times; NaN where it is not defined.
        n: How many items there are.

    >>> low, high = bootstrap(lambda at: float(np.arange(100)[at].mean()), 100)
    >>> 40 < low < 49.5 < high < 60
    True
    """
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(times)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def mean_of(metric: str, values: Sequence[float] | NDArray[np.generic], *, n: int | None = None) -> Measurement:
    """The mean of one value an item, with its interval; one item alone has none.

    Raises:
        ValueError: no values.
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        raise ValueError(f"{metric}: no items")
    if len(array) == 1:
        return Measurement(metric, float(array[0]), 1 if n is None else n)
    low, high = bootstrap(lambda at: float(array[at].mean()), len(array))
    return Measurement(metric, float(array.mean()), len(array) if n is None else n, low, high)
