"""Blocks that look at videos frame by frame: neighbouring frames laid together, and residual stages.

Source of the stages: K. He et al., Deep Residual Learning, 2016, arXiv:1512.03385; averaging on the way around: T. He
et al., Bag of Tricks, 2019, arXiv:1812.01187, section 4. This file does not know what is looked for.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import ShapeError

__all__ = ["FrameStage", "surroundings"]


def surroundings(frames: Tensor, span: int) -> Tensor:
    """Each frame with those around it; outside the video the first and the last frame stand still.

    A convolution over the result is one over time and space of a video of one channel, at the speed of a flat one.

    Args:
        frames: (B, T, H, W).
        span: How many frames; odd.
    Returns:
        (B, T, span, H, W).
    Raises:
        ShapeError: `span` is even.

    >>> surroundings(torch.arange(3.0).reshape(1, 3, 1, 1), 3)[0, :, :, 0, 0].tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 2.0]]
    """
    if span % 2 == 0:
        raise ShapeError(f"span must be odd, got {span}")
    side, length = span // 2, frames.shape[1]
    padded = torch.cat(
        (frames[:, :1].expand(-1, side, -1, -1), frames, frames[:, -1:].expand(-1, side, -1, -1)), dim=1
    )
    return torch.stack([padded[:, i : i + length] for i in range(span)], dim=2)


class FrameStage(nn.Module):
    """Two convolutions with a way around them; halves the sides.

    Args:
        channels: Of what comes in.
        wide: Of what goes out.

    >>> tuple(FrameStage(3, 5).eval()(torch.zeros(1, 3, 8, 12)).shape)
    (1, 5, 4, 6)
    """

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wide, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.around = nn.Conv2d(channels, wide, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(wide) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, wide, H / 2, W / 2), both sides even."""
        inner = F.relu(self.norms[0](self.first(x)))
        around = self.norms[2](self.around(F.avg_pool2d(x, 2)))
        return F.relu(self.norms[1](self.second(inner)) + around)
