"""The quick gradients of depthwise convolutions are torch's own."""

import pytest
import torch
from torch.nn import functional as F

from szem.nn.depthwise import depthwise_conv, is_slow_depthwise


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "sides"),
    [
        ((5, 5), 1, 1, (9, 12)),  # as in EfficientNet-Lite
        ((5, 5), 2, 1, (9, 12)),  # a strided one, odd and even sides
        ((6, 6), 2, 1, (8, 8)),  # an even kernel, as frozen blocks pad theirs
        ((5, 6), 2, 1, (7, 8)),  # padded along one axis only
        ((3, 3), 1, 2, (9, 7)),  # an atrous pyramid; the rate does not divide the sides
        ((5, 5), 1, 3, (11, 5)),  # taps that reach beyond the picture
        ((7, 7), 1, 1, (8, 9)),  # three pieces a side
    ],
)
def test_gradients_are_those_of_torch(kernel, stride, dilation, sides):
    random = torch.Generator().manual_seed(1)
    x = torch.randn(2, 4, *sides, generator=random, requires_grad=True)
    weight = torch.randn(4, 1, *kernel, generator=random, requires_grad=True)
    bias = torch.randn(4, generator=random, requires_grad=True)
    padding = tuple((side - 1) * dilation // 2 for side in kernel)
    ours = depthwise_conv(x, weight, bias, stride_px=stride, padding_px=padding, dilation=dilation)
    theirs = F.conv2d(x, weight, bias, stride, padding, dilation, 4)
    torch.testing.assert_close(ours, theirs)
    grad = torch.randn(theirs.shape, generator=random)
    found, expected = (torch.autograd.grad(y, (x, weight, bias), grad) for y in (ours, theirs))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_in_bfloat16_the_gradient_is_close():
    random = torch.Generator().manual_seed(2)
    x = torch.randn(2, 16, 10, 10, generator=random)
    weight = torch.randn(16, 1, 5, 5, generator=random, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        ours = depthwise_conv(x, weight, None, stride_px=1, padding_px=(2, 2), dilation=1)
    assert ours.dtype is torch.bfloat16
    theirs = F.conv2d(x, weight, None, 1, 2, 1, 16)
    found, expected = (torch.autograd.grad(y.float().square().sum(), weight)[0] for y in (ours, theirs))
    assert (found - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize(
    ("shape", "options", "is_slow"),
    [
        ((8, 1, 5, 5), {"groups": 8, "stride_px": 2, "dilation": 1}, True),
        ((8, 1, 3, 3), {"groups": 8, "stride_px": 1, "dilation": 4}, True),
        ((8, 1, 3, 3), {"groups": 8, "stride_px": 1, "dilation": 1}, False),  # torch is quick
        ((8, 8, 5, 5), {"groups": 1, "stride_px": 1, "dilation": 1}, False),  # not depthwise
        ((8, 1, 5, 5), {"groups": 8, "stride_px": 2, "dilation": 2}, False),  # not known here
    ],
)
def test_only_slow_ones_are_taken(shape, options, is_slow):
    assert is_slow_depthwise(torch.zeros(1, 8, 9, 9), torch.zeros(shape), **options) is is_slow
    with torch.no_grad():
        assert not is_slow_depthwise(torch.zeros(1, 8, 9, 9), torch.zeros(shape), **options)
