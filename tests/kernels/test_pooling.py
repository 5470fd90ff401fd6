"""Pooling, beside windows looked at one by one."""

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.kernels import average_pool, max_pool


@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [None, 1, 2, 4])
@pytest.mark.parametrize("shape", [(11, 8), (9, 13, 3)])
def test_pools_are_those_of_each_window(window: int, stride: int | None, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(image, (window, window), axis=(0, 1))
    kept = windows[:: stride or window, :: stride or window]
    assert (max_pool(image, window, stride_px=stride) == kept.max(axis=(-2, -1))).all()
    np.testing.assert_allclose(average_pool(image, window, stride_px=stride), kept.mean(axis=(-2, -1)), rtol=1e-6)


def test_max_pool_keeps_the_type_and_average_pool_gives_floats() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert max_pool(image).dtype == np.uint8
    assert average_pool(image).dtype == np.float32
    assert (image == np.arange(16).reshape(4, 4)).all()


def test_max_pool_of_negative_numbers_is_not_zero() -> None:
    assert max_pool(np.full((2, 2), -3, np.float32)).item() == -3


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="fit"):
        max_pool(np.zeros((3, 3), np.uint8), 4)
    with pytest.raises(RangeError, match="at least 1"):
        average_pool(np.zeros((3, 3), np.uint8), 0)
