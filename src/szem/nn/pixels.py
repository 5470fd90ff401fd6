"""Networks that take pictures as they are: uint8 pixels in, the normalisation inside.

A model exported so needs no arithmetic before it, and once quantised it reads the pixels themselves as its first
numbers. This file does not know about files or tasks.
"""

import torch
from torch import Tensor, nn

__all__ = ["FromPixels"]


class FromPixels(nn.Module):
    """Wrap a network so that it takes (N, H, W, 3) uint8 and normalises: `(value - mean) / scale`.

    >>> FromPixels(nn.Identity(), mean=127, scale=128)(torch.full((1, 4, 5, 3), 255, dtype=torch.uint8)).shape
    torch.Size([1, 3, 4, 5])
    """

    def __init__(self, net: nn.Module, *, mean: float, scale: float) -> None:
        super().__init__()
        self.net, self.mean, self.scale = net, mean, scale

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        """(N, H, W, 3) uint8 to whatever the network gives for (N, 3, H, W) float32."""
        x = pictures.permute(0, 3, 1, 2).to(torch.float32)
        out: Tensor | tuple[Tensor, ...] = self.net((x - self.mean) / self.scale)
        return out
