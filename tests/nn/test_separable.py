"""nn/separable.py: depthwise and inverted residual blocks."""

import pytest

torch = pytest.importorskip("torch")

from szem.errors import RangeError  # noqa: E402
from szem.nn.separable import DropPath, MBConv, SeparableConv  # noqa: E402

pytestmark = pytest.mark.train


def test_a_separable_convolution_costs_less_than_a_full_one() -> None:
    def weights(module: torch.nn.Module) -> int:
        return sum(p.numel() for name, p in module.named_parameters() if name.endswith("conv.weight"))

    assert weights(SeparableConv(32, 64)) == 9 * 32 + 32 * 64


def test_an_mbconv_adds_its_input_only_where_the_shape_is_kept() -> None:
    assert MBConv(8, 8, expand=6).is_residual
    assert not MBConv(8, 8, expand=6, stride_px=2).is_residual
    assert not MBConv(8, 12, expand=6).is_residual
    assert not MBConv(8, 8, expand=6, residual=False).is_residual


def test_a_residual_block_with_zero_weights_is_the_identity() -> None:
    block = MBConv(4, 4, expand=1).eval()
    torch.nn.init.zeros_(block.project.conv.weight)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block(x), x)


def test_drop_path_keeps_the_mean_and_does_nothing_outside_training() -> None:
    torch.manual_seed(3)
    drop = DropPath(0.25)
    x = torch.ones(4000, 1)
    assert drop.train()(x).mean().item() == pytest.approx(1.0, abs=0.05)
    assert drop(x).unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_refuses_a_rate_of_one() -> None:
    with pytest.raises(RangeError, match=r"\[0, 1\)"):
        DropPath(1.0)
