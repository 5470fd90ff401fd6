"""Inception: kernels of several widths side by side, so that the next layer may choose.

This file does not know about whole networks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from szem.nn.conv import ConvNorm

__all__ = ["Inception", "Widths"]


@dataclass(frozen=True)
class Widths:
    """Channels of the branches, in the order of the paper's table 1."""

    one: int  # 1×1
    three_reduce: int  # 1×1 before 3×3
    three: int
    five_reduce: int  # 1×1 before 5×5
    five: int
    pool: int  # 1×1 after the 3×3 maximum

    @property
    def out(self) -> int:
        """Channels of all branches together."""
        return self.one + self.three + self.five + self.pool


class Inception(nn.Module):
    """1×1, 3×3, 5×5 and maximum pooling in parallel, joined along the channels; 1×1 convolutions narrow before.

    Source: C. Szegedy et al., Going Deeper with Convolutions, 2014, arXiv:1409.4842, figure 2 (b). Batch
    normalisation after every convolution is from the successor, arXiv:1502.03167.

    >>> Inception(192, Widths(64, 96, 128, 16, 32, 32))(torch.zeros(2, 192, 7, 9)).shape
    torch.Size([2, 256, 7, 9])
    """

    def __init__(self, in_channels: int, widths: Widths) -> None:
        super().__init__()
        w = widths
        self.one = _conv(in_channels, w.one, 1)
        self.three = nn.Sequential(_conv(in_channels, w.three_reduce, 1), _conv(w.three_reduce, w.three, 3))
        self.five = nn.Sequential(_conv(in_channels, w.five_reduce, 1), _conv(w.five_reduce, w.five, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(in_channels, w.pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, `widths.out`, H, W)."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


def _conv(in_channels: int, out_channels: int, kernel: int) -> ConvNorm:
    return ConvNorm(in_channels, out_channels, kernel=kernel, activation="relu", norm_momentum=0.1)
