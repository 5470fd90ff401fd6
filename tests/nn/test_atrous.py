"""The atrous pyramid: what it sees, what it keeps, what it refuses."""

import pytest
import torch

from szem.errors import RangeError
from szem.nn.atrous import AtrousPyramid
from szem.nn.conv import ConvNorm


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("side", [(1, 1), (5, 8), (17, 3)])  # also maps smaller than the rates
def test_shape_is_kept_for_every_side(separable: bool, side: tuple[int, int]) -> None:
    net = AtrousPyramid(6, 4, rates=(2, 5), separable=separable).eval()
    assert net(torch.randn(2, 6, *side)).shape == (2, 4, *side)


def test_an_atrous_branch_sees_taps_a_rate_apart_and_nothing_between() -> None:
    branch = ConvNorm(1, 1, kernel=3, dilation=3).eval()
    x = torch.zeros(1, 1, 13, 13, requires_grad=True)
    branch.activation = torch.nn.Identity()
    branch(x)[0, 0, 6, 6].backward()
    assert x.grad is not None
    seen = {(int(r), int(c)) for r, c in x.grad[0, 0].nonzero()}
    assert seen == {(r, c) for r in (3, 6, 9) for c in (3, 6, 9)}


def test_the_mean_branch_lets_every_pixel_see_the_whole_picture() -> None:
    net = AtrousPyramid(3, 4, rates=(1,)).eval()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, 0.01, 0.1)
    x = torch.rand(1, 3, 15, 15, requires_grad=True)
    net(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    assert float(x.grad[0, :, 14, 14].abs().sum()) > 0


@pytest.mark.parametrize("rates", [(), (0, 2)])
def test_wrong_rates_are_refused(rates: tuple[int, ...]) -> None:
    with pytest.raises(RangeError, match="atrous rates must be whole numbers from 1 up"):
        AtrousPyramid(3, 4, rates=rates)
