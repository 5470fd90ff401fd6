"""nn/fixed.py: the quick gradient is the true one."""

import pytest

torch = pytest.importorskip("torch")

from szem.nn.conv import ConvNorm  # noqa: E402
from szem.nn.fixed import FixedDepthwise, fix_depthwise  # noqa: E402
from szem.nn.frozen import FrozenConvNorm, freeze_norms  # noqa: E402
from szem.nn.separable import MBConv  # noqa: E402

pytestmark = pytest.mark.train


def block(kernel: int, stride: int, dilation: int, seed: int = 0) -> FrozenConvNorm:
    torch.manual_seed(seed)
    plain = ConvNorm(6, 6, kernel=kernel, stride_px=stride, dilation=dilation, groups=6, activation="none")
    plain.norm.running_mean.normal_()
    plain.norm.running_var.uniform_(0.5, 2)
    return FrozenConvNorm(plain.eval())


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2)])
@pytest.mark.parametrize("sides", [(8, 12), (9, 7), (6, 5)])
def test_values_and_gradients_are_those_of_the_frozen_block(
    kernel: int, stride: int, dilation: int, sides: tuple[int, int]
) -> None:
    slow, quick = block(kernel, stride, dilation), FixedDepthwise(block(kernel, stride, dilation))
    x = torch.randn(2, 6, *sides, generator=torch.Generator().manual_seed(1))
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    given = torch.randn(slow(x).shape, generator=torch.Generator().manual_seed(2))
    (slow(theirs) * given).sum().backward()
    (quick(ours) * given).sum().backward()
    torch.testing.assert_close(quick(x), slow(x))
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(quick.norm.bias.grad, slow.norm.bias.grad)
    assert quick.conv.weight.grad is None


def test_only_depthwise_blocks_are_fixed_and_names_stay() -> None:
    plain = MBConv(8, 8, expand=2).eval()
    names = list(plain.state_dict())
    x = torch.randn(1, 8, 6, 6)
    before = plain(x)
    freeze_norms(plain)
    fix_depthwise(plain)
    assert isinstance(plain.depthwise, FixedDepthwise)
    assert isinstance(plain.expand, FrozenConvNorm)
    assert list(plain.state_dict()) == names
    torch.testing.assert_close(plain(x), before, atol=1e-5, rtol=1e-4)


def test_it_computes_in_bfloat16_where_asked() -> None:
    quick = FixedDepthwise(block(3, 2, 1))
    x = torch.randn(2, 6, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = quick(x)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert x.grad is not None
