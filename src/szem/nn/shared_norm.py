"""Batch normalisation over the parts of a batch that several processes hold: the statistics are those of the whole.

torch's own (`nn.SyncBatchNorm`) needs GPUs; this one exchanges two numbers a channel over whatever the processes are
joined by, and the exchange has a gradient. This file does not know about training or networks.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from szem.nn.frozen import FrozenConvNorm

__all__ = ["SharedBatchNorm", "convert_norms"]


class SharedBatchNorm(nn.Module):
    """An `nn.BatchNorm2d` whose statistics while training are those of all processes' samples together.

    It holds the parts of the layer it replaces under the same names, so a state dict fits both. Alone it is that
    layer.

    >>> norm, x = nn.BatchNorm2d(3), torch.randn(2, 3, 4, 4)
    >>> torch.allclose(SharedBatchNorm(nn.BatchNorm2d(3))(x), norm(x), atol=1e-5)
    True
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        self.weight, self.bias, self.eps, self.momentum = norm.weight, norm.bias, norm.eps, norm.momentum
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)
        self.register_buffer("num_batches_tracked", norm.num_batches_tracked)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = self._statistics(x.float())
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mean * scale
        return x * scale[:, None, None].to(x.dtype) + shift[:, None, None].to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel over all processes: (C,) each; the running ones follow."""
        here = x.new_full((1,), x.numel() / x.shape[1])
        totals: Tensor = _Sum.apply(torch.cat([x.sum((0, 2, 3)), here]))  # type: ignore[no-untyped-call]
        count = totals[-1].detach()
        mean = totals[:-1] / count
        squares: Tensor = _Sum.apply((x - mean[:, None, None]).square().sum((0, 2, 3)))  # type: ignore[no-untyped-call]
        var = squares / count
        with torch.no_grad():
            momentum = 1 / float(self.num_batches_tracked + 1) if self.momentum is None else self.momentum
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(squares / (count - 1).clamp_min(1), momentum)
        return mean, var


class _Sum(torch.autograd.Function):
    """The sum over all processes; what flows back is summed too, as each one's loss depends on everyone's part."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG004
        return _summed(grad)


def _summed(x: Tensor) -> Tensor:
    total = x.clone()
    if dist.is_initialized():
        dist.all_reduce(total)
    return total


def convert_norms(module: nn.Module) -> None:
    """Replace every `nn.BatchNorm2d` inside a module by its shared form, in place; frozen ones stay."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, SharedBatchNorm(child))
        elif not isinstance(child, FrozenConvNorm):
            convert_norms(child)
