"""Kernels as things: what can be asked of them, made of them, and read from text."""

import numpy as np
import pytest

from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.kernels import COMPASS, KERNELS, Kernel, convolve, parse_kernel

SETOSA = {  # the values of the page everybody knows, written down from peers' descriptions
    "setosa-sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "setosa-blur": [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]],
    "setosa-emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "setosa-outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "setosa-top-sobel": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "setosa-left-sobel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
}


@pytest.mark.parametrize("name", list(KERNELS))
def test_every_named_kernel_can_be_made_read_back_and_drawn(name: str) -> None:
    kernel = parse_kernel(name)
    assert parse_kernel(kernel.to_text()).weights == pytest.approx(kernel.weights, abs=1e-12)
    kh, kw = kernel.shape
    assert kernel.to_picture(cell_px=8).shape == (kh * 8, kw * 8, 3)
    assert str(kernel).startswith(kernel.name)


@pytest.mark.parametrize("name", list(SETOSA))
def test_the_kernels_of_setosa_have_its_values(name: str) -> None:
    assert parse_kernel(name).weights.tolist() == SETOSA[name]


@pytest.mark.parametrize("name", ["box:5", "gaussian:1.4", "motion:9:30", "sharpen", "unsharp", "identity"])
def test_kernels_that_keep_brightness_sum_to_one(name: str) -> None:
    assert parse_kernel(name).sum == pytest.approx(1, abs=1e-6)


def test_the_identity_is_one_among_eight_zeros() -> None:
    assert parse_kernel("identity").weights.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("family", ["sobel", "prewitt", "scharr"])
def test_compass_kernels_turn_by_an_eighth_and_opposites_are_negatives(family: str) -> None:
    turned = [parse_kernel(f"{family}-{direction}").weights for direction in COMPASS]
    assert len(turned) == 8
    for weights, opposite in zip(turned[:4], turned[4:], strict=True):
        assert (weights == -opposite).all()
    for weights in turned:
        assert weights.sum() == 0


def test_gaussian_is_separable_and_random_kernels_are_not() -> None:
    assert parse_kernel("gaussian:2").rank() == 1
    assert Kernel(np.random.default_rng(0).normal(size=(5, 7))).rank() == 5
    assert Kernel(np.zeros((3, 3))).rank() == 0


def test_gabor_answers_to_stripes_along_its_direction() -> None:
    across = np.sin(np.arange(64) * 2 * np.pi / 8)[None].repeat(64, axis=0).astype(np.float32)
    strength = {angle: float(np.abs(convolve(across, f"gabor:{angle}")).mean()) for angle in (0, 90)}
    assert max(strength.values()) > 5 * min(strength.values())


def test_parts_of_a_kernel_add_up_to_it() -> None:
    kernel = Kernel(np.random.default_rng(2).normal(size=(6, 4)))
    total = sum(np.outer(column, row) for column, row in kernel.separate())
    np.testing.assert_allclose(total, kernel.weights, atol=1e-12)


def test_one_composed_kernel_does_the_work_of_two_in_a_row() -> None:
    rng = np.random.default_rng(3)
    first, then = Kernel(rng.normal(size=(3, 2))), Kernel(rng.normal(size=(2, 5)))
    image = rng.random((20, 22)).astype(np.float32)
    both = convolve(convolve(image, first, border="valid"), then, border="valid")
    np.testing.assert_allclose(convolve(image, first.compose(then), border="valid"), both, atol=1e-4)


def test_normalize_makes_the_sum_one_and_refuses_edge_kernels() -> None:
    assert Kernel([[1, 2], [3, 4]]).normalize().sum == pytest.approx(1)
    with pytest.raises(RangeError, match="sums to 0"):
        parse_kernel("sobel-x").normalize()


def test_flipping_twice_changes_nothing() -> None:
    kernel = Kernel(np.arange(6, dtype=float).reshape(2, 3))
    assert kernel.flip().flip() == kernel
    assert kernel.flip().weights.tolist() == [[5, 4, 3], [2, 1, 0]]


def test_weights_are_copied_and_cannot_be_changed() -> None:
    weights = np.ones((3, 3))
    kernel = Kernel(weights)
    weights[0, 0] = 7
    assert kernel.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        kernel.weights[0, 0] = 7


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("1, 2\n3, 4", [[1, 2], [3, 4]]),  # commas and new lines
        ("1 2 1 / 4", [[0.25, 0.5, 0.25]]),  # a divisor for all
        ("1/4 1/2 1/4", [[0.25, 0.5, 0.25]]),  # fractions
        ("1e-1 -.5", [[0.1, -0.5]]),
    ],
)
def test_weights_are_read_from_text(text: str, weights: list[list[float]]) -> None:
    assert parse_kernel(text).weights.tolist() == weights


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("soble-x", UnknownNameError, "sobel-x"),
        ("gaussian:wide", RangeError, "number"),
        ("1 2; 3", ShapeError, "length"),
        ("1 nan", UnknownNameError, "no kernel called"),
        ("1 / 0", RangeError, "0"),
        ("", UnknownNameError, "no kernel called"),
    ],
)
def test_wrong_text_is_reported(text: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        parse_kernel(text)


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        (np.zeros((0, 3)), ShapeError),
        (np.zeros(3), ShapeError),
        (np.array([[np.nan]]), RangeError),
        (np.array([[1j]]), DTypeError),
        (np.array([["a"]]), DTypeError),
        ([[1, 2], [3]], ShapeError),
    ],
)
def test_weights_that_make_no_kernel_are_refused(weights: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="kernel"):
        Kernel(weights)  # type: ignore[arg-type]


def test_kernels_too_large_to_write_out_are_refused_before_they_are_allocated() -> None:
    with pytest.raises(ShapeError, match="4095"):
        Kernel([[1, 2, 3]]).dilate(2**31)
    with pytest.raises(ShapeError, match="4095"):
        Kernel(np.ones((1, 4000))).compose(Kernel(np.ones((1, 200))))
    with pytest.raises(RangeError, match="pixels"):
        Kernel([[1, 2, 3]]).to_picture(cell_px=10**6)


def test_large_kernels_are_composed_as_small_ones_are() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(70, 66)), rng.normal(size=(65, 71))
    image = rng.normal(size=(140, 140)).astype(np.float32)
    both = convolve(convolve(image, left, border="wrap"), right, border="wrap")
    at_once = convolve(image, Kernel(left).compose(Kernel(right)), border="wrap")
    np.testing.assert_allclose(at_once, both, atol=0.05)
