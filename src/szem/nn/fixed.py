"""Depthwise convolutions whose kernels do not learn, with a backward pass that is a convolution forwards.

On processors the gradient of a depthwise convolution's input takes many times longer than the convolution itself,
most of all in bfloat16 (oneDNN has no fast path for it). But it is a depthwise convolution too, with the kernels
turned around, and that one is fast. What is learnt around fixed kernels is what the 1×1 convolutions make of them.
This file does not know about whole networks.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.frozen import FrozenConvNorm

__all__ = ["FixedDepthwise", "fix_depthwise"]


class FixedDepthwise(nn.Module):
    """A depthwise `FrozenConvNorm` whose kernels and scales stay as they are; its shift still learns.

    It holds the parts of the block it replaces under the same names, so a state dict fits both.

    >>> from szem.nn.conv import ConvNorm
    >>> block = FrozenConvNorm(ConvNorm(4, 4, kernel=5, stride_px=2, groups=4).eval())
    >>> x = torch.randn(1, 4, 6, 8)
    >>> torch.allclose(FixedDepthwise(block)(x), block(x), atol=1e-5)
    True
    """

    def __init__(self, block: FrozenConvNorm) -> None:
        super().__init__()
        self.conv, self.norm, self.activation = block.conv, block.norm, block.activation
        self.kernel, self.stride_px, self.dilation = block.kernel, block.stride_px, block.dilation
        self._padding = block._padding
        self.conv.weight.requires_grad_(False)
        self.norm.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, ceil(H / s), ceil(W / s))."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = self.conv.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        if (top, left) != (bottom, right):
            weight = F.pad(weight, (right - left, 0, bottom - top, 0))  # as in FrozenConvNorm
            top, left = bottom, right
        if torch.is_autocast_enabled(x.device.type):
            kind = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(kind), weight.to(kind), bias.to(kind)
        out: Tensor = _Depthwise.apply(x, weight.detach(), bias, self.stride_px, (top, left), self.dilation)
        return self.activation(out)


def fix_depthwise(module: nn.Module) -> None:
    """Replace every depthwise `FrozenConvNorm` inside a module, in place; the state dict keeps its names."""
    for name, child in module.named_children():
        if isinstance(child, FrozenConvNorm):
            if child.conv.groups == child.conv.in_channels == child.conv.out_channels:
                setattr(module, name, FixedDepthwise(child))
        else:
            fix_depthwise(child)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: tuple[int, int], dilation: int
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.dilation, ctx.sides = stride, padding, dilation, x.shape[2:]
        return F.conv2d(x, weight, bias, stride, padding, dilation, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = given
        (weight,) = ctx.saved_tensors
        stride, dilation = ctx.stride, ctx.dilation
        to_input = None
        if ctx.needs_input_grad[0]:
            reach = [(side - 1) * dilation for side in weight.shape[2:]]
            wide = grad
            if stride > 1:  # the places between those the stride took have no gradient
                rows, columns = ((n - 1) * stride + 1 for n in grad.shape[2:])
                wide = grad.new_zeros(*grad.shape[:2], rows, columns).contiguous(memory_format=torch.channels_last)
                wide[:, :, ::stride, ::stride] = grad
            before = [r - p for r, p in zip(reach, ctx.padding, strict=True)]
            # what is missing to the sides of the input on the right and below
            after = [side + r - n - b for side, r, n, b in zip(ctx.sides, reach, wide.shape[2:], before, strict=True)]
            if before != after:
                wide = F.pad(wide, (before[1], after[1], before[0], after[0]))
                before = [0, 0]
            turned = weight.flip(2, 3).to(grad.dtype)
            to_input = F.conv2d(wide, turned, None, 1, before, dilation, weight.shape[0])
        return to_input, None, grad.sum((0, 2, 3)), None, None, None
