"""Atrous convolution, many rates side by side: a wide view without losing pixels.

A 3×3 kernel at rate r reads pixels r apart: it sees (2r + 1)² pixels for nine multiplications. This file does not
know about whole networks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from szem.errors import RangeError
from szem.nn.conv import ConvNorm
from szem.nn.separable import SeparableConv

__all__ = ["AtrousPyramid"]


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid: 1×1, one atrous 3×3 per rate, and the picture's mean, joined by a 1×1 convolution.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels of every branch and of the output.
        rates: Distance between the taps of each atrous branch, in pixels of the map.
        separable: Each atrous branch filters depthwise first (DeepLabv3+); otherwise dense (DeepLabv3).
        dropout: Fraction of the joined maps dropped while training.
    Raises:
        RangeError: no rates, or one below 1.
    Source: L.-C. Chen et al., Rethinking Atrous Convolution, 2017, arXiv:1706.05587, section 3.3; separable:
        Encoder-Decoder with Atrous Separable Convolution, 2018, arXiv:1802.02611, section 3.1.

    >>> AtrousPyramid(8, 4, rates=(2, 4)).eval()(torch.zeros(1, 8, 5, 7)).shape
    torch.Size([1, 4, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        rates: Sequence[int] = (6, 12, 18),
        separable: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not rates or min(rates) < 1:
            raise RangeError(f"atrous rates must be whole numbers from 1 up, got {tuple(rates)}")
        make = SeparableConv if separable else ConvNorm
        self.point = ConvNorm(in_channels, out_channels, kernel=1, norm_momentum=0.1)
        self.atrous = nn.ModuleList(
            make(in_channels, out_channels, kernel=3, dilation=rate, norm_momentum=0.1) for rate in rates
        )
        # one value per picture and channel has no spread inside a picture: a bias, no normalisation
        self.mean = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.ReLU6())
        self.join = ConvNorm(out_channels * (len(rates) + 2), out_channels, kernel=1, norm_momentum=0.1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H, W)."""
        mean = self.mean(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        maps = [self.point(x), *(branch(x) for branch in self.atrous), mean]
        out: Tensor = self.dropout(self.join(torch.cat(maps, 1)))
        return out
