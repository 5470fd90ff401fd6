"""A light feature pyramid: what deep maps know is carried down to fine ones, what fine ones see goes up again.

All convolutions are taken apart (depthwise, then pointwise), and maps are joined by addition. This file does not know
about whole networks.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import ShapeError
from szem.nn.conv import ConvNorm
from szem.nn.separable import SeparableConv

__all__ = ["Pyramid"]


class Pyramid(nn.Module):
    """Maps of several strides, each half as fine as the one before, joined down and up again to one width.

    Source: T.-Y. Lin et al., Feature Pyramid Networks, 2017, arXiv:1612.03144, section 3; the way up again: S. Liu et
    al., Path Aggregation Network, 2018, arXiv:1803.01534, section 3.1.

    Args:
        in_channels: Of the maps, finest first.
        width: Channels of what comes out.
        kernel: Side of the depthwise kernels.

    >>> import torch
    >>> maps = [torch.zeros(1, 8, 12, 16), torch.zeros(1, 16, 6, 8), torch.zeros(1, 32, 3, 4)]
    >>> [tuple(m.shape) for m in Pyramid([8, 16, 32], 24)(maps)]
    [(1, 24, 12, 16), (1, 24, 6, 8), (1, 24, 3, 4)]
    """

    def __init__(self, in_channels: Sequence[int], width: int, *, kernel: int = 3) -> None:
        super().__init__()

        def join(stride_px: int = 1) -> SeparableConv:
            return SeparableConv(width, width, kernel=kernel, stride_px=stride_px, norm_momentum=0.1)

        steps = len(in_channels) - 1
        self.sides = nn.ModuleList(
            ConvNorm(channels, width, kernel=1, activation="none", norm_momentum=0.1) for channels in in_channels
        )
        self.down = nn.ModuleList(join() for _ in range(steps))
        self.shrink = nn.ModuleList(join(2) for _ in range(steps))
        self.up = nn.ModuleList(join() for _ in range(steps))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """(B, C_i, H_i, W_i) each to (B, width, H_i, W_i), finest first.

        Raises:
            ShapeError: not as many maps as the pyramid has levels.
        """
        if len(maps) != len(self.sides):
            raise ShapeError(f"the pyramid has {len(self.sides)} levels, got {len(maps)} maps")
        levels = [side(x) for side, x in zip(self.sides, maps, strict=True)]
        for place in range(len(levels) - 2, -1, -1):
            above = F.interpolate(levels[place + 1], size=levels[place].shape[2:], mode="nearest")
            levels[place] = self.down[place](levels[place] + above)
        for place in range(1, len(levels)):
            below = self.shrink[place - 1](levels[place - 1])
            levels[place] = self.up[place - 1](levels[place] + below)
        return levels
