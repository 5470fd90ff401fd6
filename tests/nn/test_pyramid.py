"""The feature pyramid: sides, how far information travels, what it refuses."""

import pytest
import torch

from szem.errors import ShapeError
from szem.nn.pyramid import Pyramid


@pytest.mark.parametrize("side", [(8, 12), (9, 13), (4, 4)])  # also sides that halving rounds up
def test_every_level_keeps_its_sides(side: tuple[int, int]) -> None:
    sides = [side, tuple(-(-s // 2) for s in side), tuple(-(-s // 4) for s in side)]
    maps = [torch.randn(2, channels, *s) for channels, s in zip((3, 5, 7), sides, strict=True)]
    out = Pyramid((3, 5, 7), 6).eval()(maps)
    assert [tuple(m.shape) for m in out] == [(2, 6, *s) for s in sides]


def lively(net: Pyramid) -> Pyramid:
    """Weights without zeros that cancel, and no cut-off at six: gradients show what is read."""
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, 0.01, 0.05)
    return net.eval()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_level_learns_from_every_other(level: int) -> None:
    maps = [torch.rand(1, 2, 16 // s, 16 // s, requires_grad=True) for s in (1, 2, 4)]
    out = lively(Pyramid((2, 2, 2), 4))(maps)
    out[level].sum().backward()
    assert all(m.grad is not None and float(m.grad.abs().sum()) > 0 for m in maps)


def test_one_level_is_a_pyramid_too_and_a_wrong_number_is_refused() -> None:
    assert Pyramid((4,), 8)([torch.zeros(1, 4, 5, 6)])[0].shape == (1, 8, 5, 6)
    with pytest.raises(ShapeError, match="2 levels, got 1"):
        Pyramid((4, 4), 8)([torch.zeros(1, 4, 5, 6)])
