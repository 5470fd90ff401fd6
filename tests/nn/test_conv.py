"""nn/conv.py: the SAME rule, the block, its errors."""

import pytest

torch = pytest.importorskip("torch")

from szem.errors import UnknownNameError  # noqa: E402
from szem.nn.conv import ACTIVATIONS, ConvNorm, build_activation, same_padding_px  # noqa: E402

pytestmark = pytest.mark.train

SAME = [
    # side, kernel, stride, dilation, expected
    (224, 3, 2, 1, (0, 1)),  # even side: the odd zero goes after
    (225, 3, 2, 1, (1, 1)),  # odd side: symmetric
    (224, 5, 2, 1, (1, 2)),
    (7, 1, 1, 1, (0, 0)),
    (9, 3, 1, 4, (4, 4)),  # atrous
    (2, 1, 2, 1, (0, 0)),  # never negative
]


@pytest.mark.parametrize(("side", "kernel", "stride", "dilation", "expected"), SAME)
def test_same_padding_follows_the_rule(
    side: int, kernel: int, stride: int, dilation: int, expected: tuple[int, int]
) -> None:
    assert same_padding_px(side, kernel=kernel, stride_px=stride, dilation=dilation) == expected


@pytest.mark.parametrize("side", [1, 2, 7, 8, 15, 16])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 6)])
def test_output_is_the_side_divided_by_the_stride_rounded_up(
    side: int, kernel: int, stride: int, dilation: int
) -> None:
    block = ConvNorm(2, 3, kernel=kernel, stride_px=stride, dilation=dilation).eval()
    assert block(torch.zeros(1, 2, side, side + 1)).shape[2:] == (-(-side // stride), -(-(side + 1) // stride))


def test_a_strided_block_gives_the_hand_worked_sums() -> None:
    block = ConvNorm(1, 1, kernel=3, stride_px=2, activation="none", norm_eps=0.0).eval()
    torch.nn.init.ones_(block.conv.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    # windows start at 0 and 2; the last one reads one row and column of zeros
    assert block(x)[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]


def test_relu6_stops_at_six() -> None:
    assert build_activation("relu6")(torch.tensor([-1.0, 3.0, 7.0])).tolist() == [0.0, 3.0, 6.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_keeps_the_shape(name: str) -> None:
    assert build_activation(name)(torch.zeros(2, 3, 4, 5)).shape == (2, 3, 4, 5)


def test_an_unknown_activation_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="relu6"):
        build_activation("swoosh")
