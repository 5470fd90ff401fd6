"""Frozen normalisation is batch normalisation in evaluation mode, in one pass."""

import pytest
import torch
from torch import nn

from szem.nn.conv import ConvNorm
from szem.nn.frozen import FrozenConvNorm, freeze_norms

CASES = [  # kernel, stride, dilation, side
    (1, 1, 1, 6),
    (3, 1, 2, 9),
    (3, 2, 1, 8),  # an odd zero more below and right
    (3, 2, 1, 9),
    (5, 2, 1, 8),
    (7, 2, 1, 10),
]


def lived_in(block: ConvNorm) -> ConvNorm:
    """Statistics as after a training, not 0 and 1."""
    torch.manual_seed(0)
    norm = block.norm
    for tensor, low, high in ((norm.running_mean, -1, 1), (norm.running_var, 0.5, 2)):
        assert tensor is not None
        tensor.uniform_(low, high)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.uniform_(norm.bias, -1, 1)
    return block


@pytest.mark.parametrize(("kernel", "stride", "dilation", "side"), CASES)
def test_outputs_and_gradients_equal_batch_norm_in_evaluation(
    kernel: int, stride: int, dilation: int, side: int
) -> None:
    block = lived_in(ConvNorm(4, 4, kernel=kernel, stride_px=stride, dilation=dilation, groups=2)).eval()
    x = torch.randn(2, 4, side, side + 1, generator=torch.Generator().manual_seed(1))
    given = block(x)
    given.square().sum().backward()
    wanted = {name: p.grad.clone() for name, p in block.named_parameters() if p.grad is not None}
    block.zero_grad()
    frozen = FrozenConvNorm(block).train()
    out = frozen(x)
    torch.testing.assert_close(out, given, atol=1e-5, rtol=1e-4)
    out.square().sum().backward()
    for name, parameter in frozen.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], atol=1e-3, rtol=1e-3)


def test_statistics_do_not_move_while_training() -> None:
    frozen = FrozenConvNorm(lived_in(ConvNorm(2, 2))).train()
    assert frozen.norm.running_mean is not None
    before = frozen.norm.running_mean.clone()
    frozen(torch.randn(2, 2, 5, 5))
    torch.testing.assert_close(frozen.norm.running_mean, before)


def test_freezing_keeps_the_names_of_the_state() -> None:
    net = nn.Sequential(ConvNorm(2, 3), nn.Sequential(ConvNorm(3, 2), nn.ReLU()))
    names = list(net.state_dict())
    freeze_norms(net)
    assert list(net.state_dict()) == names
    assert not any(isinstance(m, ConvNorm) for m in net.modules())
