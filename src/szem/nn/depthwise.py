"""A depthwise convolution whose gradients are fast on processors.

torch hands convolutions to oneDNN, which has fast code for the weights' gradient of a depthwise 3×3 kernel, but for
5×5, or taps apart, falls back to plain loops: in bfloat16 the gradient of one layer of EfficientNet-Lite took 30 ms
where the layer itself took 0.2. Here a picture that is read at rate r is taken apart into the r·r pictures of its
pixels r apart, in each of which the taps are neighbours; a larger kernel's gradient is put together from 3×3 pieces,
each that of a shifted picture; and the input's gradient of a strided layer, slow in bfloat16 only, is taken in
float32. The forward pass is torch's, the gradients are the same up to rounding. This file does not know about
normalisation or networks.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["depthwise_conv", "is_slow_depthwise"]

_PIECE = 3  # side of the kernels that have fast code


def is_slow_depthwise(x: Tensor, weight: Tensor, *, groups: int, stride_px: int, dilation: int) -> bool:
    """Whether torch's own gradient of this convolution is the slow one, and there is a faster one here."""
    is_depthwise = groups == weight.shape[0] == x.shape[1] and weight.shape[1] == 1
    is_slow = max(weight.shape[2:]) > _PIECE or dilation > 1
    is_known = stride_px == 1 or dilation == 1
    return is_depthwise and is_slow and is_known and x.device.type == "cpu" and torch.is_grad_enabled()


def depthwise_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, stride_px: int, padding_px: tuple[int, int], dilation: int
) -> Tensor:
    """As `F.conv2d` with as many groups as channels.

    Args:
        x: (B, C, H, W).
        weight: (C, 1, kh, kw).
        bias: (C,) or None.
        stride_px: Distance between the output pixels.
        padding_px: Zeros above and below, left and right.
        dilation: Distance between the kernel's taps.
    Returns:
        (B, C, H', W').
    """
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
    out: Tensor = _Depthwise.apply(x, weight, bias, stride_px, padding_px, dilation)  # type: ignore[no-untyped-call]
    return out


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride_px: int,
        padding_px: tuple[int, int],
        dilation: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.options = (stride_px, padding_px, dilation)
        return F.conv2d(x, weight, bias, stride_px, padding_px, dilation, x.shape[1])

    @staticmethod
    @once_differentiable  # type: ignore[misc, unused-ignore]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        stride_px, (top, left), dilation = ctx.options
        rows, columns = x.shape[2:]
        # as without padding and dilation: zeros around the picture, then its pixels `dilation` apart together
        below, right = (
            _up_to((grad.shape[axis] - 1) * stride_px + 1 + (weight.shape[axis] - 1) * dilation, dilation)
            - x.shape[axis]
            - before
            for axis, before in ((2, top), (3, left))
        )
        wide = _split_phases(F.pad(x, (left, right, top, below)), dilation)
        more = [_up_to(side, dilation) - side for side in grad.shape[2:]]
        grad_split = _split_phases(F.pad(grad, (0, more[1], 0, more[0])) if any(more) else grad, dilation)
        grad_x = None
        if wants_x:
            kind = grad.dtype if stride_px == 1 else torch.float32
            found = _backward(grad_split.to(kind), wide.to(kind), weight.to(kind), stride_px, 0).to(x.dtype)
            grad_x = _join_phases(found, dilation)[:, :, top : top + rows, left : left + columns]
        grad_weight = _weight_gradient(grad_split, wide, weight, stride_px) if wants_weight else None
        return grad_x, grad_weight, grad.sum((0, 2, 3)) if wants_bias else None, None, None, None


def _up_to(side_px: int, multiple: int) -> int:
    return -(-side_px // multiple) * multiple


def _split_phases(x: Tensor, dilation: int) -> Tensor:
    """(B, C, H, W), sides that `dilation` d divides, to (B·d·d, C, H / d, W / d), channels last in memory."""
    if dilation > 1:
        batch, channels, rows, columns = x.shape
        x = x.reshape(batch, channels, rows // dilation, dilation, columns // dilation, dilation)
        x = x.permute(0, 3, 5, 2, 4, 1).reshape(-1, rows // dilation, columns // dilation, channels)
        return x.permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


def _join_phases(x: Tensor, dilation: int) -> Tensor:
    """What `_split_phases` took apart."""
    if dilation > 1:
        _, channels, rows, columns = x.shape
        x = x.reshape(-1, dilation, dilation, channels, rows, columns).permute(0, 4, 1, 5, 2, 3)
        x = x.reshape(-1, rows * dilation, columns * dilation, channels).permute(0, 3, 1, 2)
    return x


def _weight_gradient(grad: Tensor, wide: Tensor, weight: Tensor, stride_px: int) -> Tensor:
    """The gradient of taps 3a…3a+2, 3b…3b+2 is that of a 3×3 kernel on the picture shifted by 3a, 3b pixels."""
    kernel_y, kernel_x = weight.shape[2:]
    high, broad = ((side - 1) * stride_px + _PIECE for side in grad.shape[2:])
    below = _up_to(kernel_y, _PIECE) - _PIECE + high - wide.shape[2]
    right = _up_to(kernel_x, _PIECE) - _PIECE + broad - wide.shape[3]
    wide = F.pad(wide, (0, right, 0, below))  # negative where the last pixels are not read
    shape = weight.new_empty(weight.shape[0], 1, _PIECE, _PIECE)
    found = []
    for top in range(0, kernel_y, _PIECE):
        row = []
        for left in range(0, kernel_x, _PIECE):
            part = wide[:, :, top : top + high, left : left + broad].contiguous(memory_format=torch.channels_last)
            row.append(_backward(grad, part, shape, stride_px, 1))
        found.append(torch.cat(row, 3))
    return torch.cat(found, 2)[:, :, :kernel_y, :kernel_x]


def _backward(grad: Tensor, x: Tensor, weight: Tensor, stride_px: int, which: int) -> Tensor:
    """torch's own gradient of a depthwise convolution without padding: by the input (0) or the weight (1)."""
    out: Tensor = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        [stride_px] * 2,
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        weight.shape[0],
        [which == 0, which == 1, False],
    )[which]
    return out
