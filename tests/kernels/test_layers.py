"""Sizes, receptive fields and costs, beside what real arrays and published tables say."""

import itertools

import numpy as np
import pytest

from szem.errors import RangeError
from szem.kernels import BORDERS, Kernel, Layer, convolve, layer_cost, output_size, receptive_field


def test_output_size_is_the_size_that_comes_out() -> None:
    for (h, w), (kh, kw), stride, dilation, border in itertools.product(
        [(9, 12), (20, 13)], [(1, 1), (3, 3), (2, 5)], (1, 2, 3), (1, 2), BORDERS
    ):
        options = {"stride_px": stride, "dilation": dilation, "border": border}
        found = convolve(np.zeros((h, w), np.uint8), Kernel(np.ones((kh, kw))), **options).shape  # type: ignore[arg-type]
        assert found == output_size((h, w), (kh, kw), **options), options  # type: ignore[arg-type]


def test_stride_two_keeps_a_quarter() -> None:
    h, w = output_size((512, 512), (3, 3), stride_px=2)
    assert h * w * 4 == 512 * 512


def seen_by(layers: list[Layer], place: int, size: int = 400) -> np.ndarray:
    """Which pixels change one output of a stack of box filters, found by trying."""
    signal = np.eye(size)
    for layer in layers:
        span = (layer.kernel - 1) * layer.dilation + 1
        pad = (span - 1) // 2 if layer.padding_px is None else layer.padding_px
        padded = np.pad(signal, ((pad, span), (0, 0)))
        outputs = np.arange(0, signal.shape[0], layer.stride_px)
        taps = np.arange(layer.kernel) * layer.dilation
        signal = padded[outputs[:, None] + taps].mean(axis=1)
    return signal[place]


@pytest.mark.parametrize(
    "layers",
    [
        [Layer(3)] * 5,
        [Layer(7, stride_px=2), Layer(3, stride_px=2), Layer(3), Layer(3, dilation=4)],
        [Layer(3, dilation=2), Layer(3, dilation=2)],  # leaves every second pixel unseen
        [Layer(2, stride_px=2), Layer(5), Layer(2, stride_px=2)],
    ],
)
def test_receptive_field_is_what_trying_finds(layers: list[Layer]) -> None:
    field = receptive_field(layers)
    place = 20
    worth = seen_by(layers, place)
    seen = np.flatnonzero(worth)
    assert seen[-1] - seen[0] + 1 == field.size
    np.testing.assert_allclose(worth[seen[0] : seen[-1] + 1], field.worth, atol=1e-12)
    assert (seen[0] + seen[-1]) / 2 == field.offset + place * field.stride_px


def test_atrous_layers_of_one_rate_leave_gaps_and_mixed_rates_do_not() -> None:
    assert receptive_field([Layer(3, dilation=2), Layer(3, dilation=2)]).gaps == 4
    assert receptive_field([Layer(3), Layer(3, dilation=2), Layer(3, dilation=3)]).gaps == 0


def test_the_worth_of_the_pixels_is_one_in_all_and_largest_in_the_middle() -> None:
    field = receptive_field([Layer(3)] * 4)
    assert field.worth.sum() == pytest.approx(1)
    assert field.worth.argmax() == field.size // 2


def test_costs_are_those_of_googlenets_first_layer() -> None:
    cost = layer_cost((224, 224), in_channels=3, out_channels=64, kernel=7, stride_px=2, bias=False)
    assert cost.parameters == 9408  # 7 · 7 · 3 · 64
    assert cost.multiplications == 118_013_952  # "34M" in the paper counts after padding is left out
    assert cost.dense_parameters == 224 * 224 * 3 * 112 * 112 * 64


def test_depthwise_layers_cost_a_fraction_of_a_channel() -> None:
    full = layer_cost((32, 32), in_channels=16, out_channels=16, bias=False)
    assert (
        layer_cost((32, 32), in_channels=16, out_channels=16, groups=16, bias=False).parameters * 16
        == full.parameters
    )


@pytest.mark.parametrize("wrong", [{"stride_px": 0}, {"dilation": 0}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(RangeError, match="at least 1"):
        output_size((4, 4), (3, 3), **wrong)
    with pytest.raises(RangeError, match="groups"):
        layer_cost((4, 4), in_channels=3, out_channels=4, groups=2)


@pytest.mark.parametrize(
    "layers",
    [
        [Layer(3, dilation=2**31)],
        [Layer(2**31)],
        [Layer(3, stride_px=10**6), Layer(3, stride_px=10**6), Layer(3)],
        [Layer(1)] * 1001,
    ],
)
def test_a_receptive_field_that_is_too_large_is_refused_before_it_is_allocated(layers: list[Layer]) -> None:
    with pytest.raises(RangeError, match="at most"):
        receptive_field(layers)
