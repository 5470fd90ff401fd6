"""Fine-tuning with frozen normalisation: the statistics become part of the convolution's weights.

On small batches the running statistics of a trained network are better than new ones, and a convolution that carries
them needs one pass over memory where convolution and normalisation need two. The gradients are those of a batch
normalisation in evaluation mode. This file does not know about whole networks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.conv import ConvNorm, convolve_padded, same_padding_px

__all__ = ["FrozenConvNorm", "freeze_norms"]


class FrozenConvNorm(nn.Module):
    """A `ConvNorm` whose statistics stay as they are; its weights, scale and shift still learn.

    It holds the parts of the block it replaces under the same names, so a state dict fits both.

    >>> block = ConvNorm(3, 4).eval()
    >>> x = torch.randn(1, 3, 6, 6)
    >>> torch.allclose(FrozenConvNorm(block)(x), block(x), atol=1e-5)
    True
    """

    def __init__(self, block: ConvNorm) -> None:
        super().__init__()
        self.conv, self.norm, self.activation = block.conv, block.norm, block.activation
        self.kernel, self.stride_px, self.dilation = block.kernel, block.stride_px, block.dilation

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / s), ceil(W / s))."""
        norm, conv = self.norm, self.conv
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = conv.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        if (top, left) != (bottom, right):
            # An odd zero more below or right: give the kernel a row and column of zeros before it instead, which
            # costs less than a padded copy of the maps.
            weight = F.pad(weight, (right - left, 0, bottom - top, 0))
            top, left = bottom, right
        weight = weight.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.activation(convolve_padded(x, weight, bias, conv, (top, left), fast=self.training))
        return out

    def _padding(self, side_px: int) -> tuple[int, int]:
        return same_padding_px(side_px, kernel=self.kernel, stride_px=self.stride_px, dilation=self.dilation)


def freeze_norms(module: nn.Module) -> None:
    """Replace every `ConvNorm` inside a module by its frozen form, in place; the state dict keeps its names."""
    for name, child in module.named_children():
        if isinstance(child, ConvNorm):
            setattr(module, name, FrozenConvNorm(child))
        else:
            freeze_norms(child)
