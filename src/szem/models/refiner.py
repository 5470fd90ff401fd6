"""Stage II: a sketch of 64×64 and its sentence to a picture of 128×128.

Down to 16×16, where the sentence enters, and up again, as in StackGAN's second stage; what comes out is added
to the enlarged sketch. Source: H. Zhang et al., StackGAN, 2017, arXiv:1612.03242, section 3.3; skips across the
bends: O. Ronneberger et al., U-Net, 2015, arXiv:1505.04597; enlarging by channels: W. Shi et al., 2016,
arXiv:1609.05158.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.generator import ConditionedNorm

__all__ = ["Refiner"]


class _Residual(nn.Module):
    """Two convolutions with a conditioned normalisation, added to what came in."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = ConditionedNorm(channels, condition)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.norm(self.first(x), condition), 0.2))


class Refiner(nn.Module):
    """The network of stage II.

    Args:
        space: Length of a sentence's place.
        condition: Length of what is kept of it.
        channels: At 64, 32 and 16 pixels.
        depth: Residual blocks at 16 pixels.

    >>> net = Refiner(space=6, condition=4, channels=(8, 8, 8), depth=1).eval()
    >>> tuple(net(torch.zeros(2, 3, 64, 64), torch.zeros(2, 6)).shape)
    (2, 3, 128, 128)
    """

    def __init__(
        self, *, space: int = 256, condition: int = 64, channels: Sequence[int] = (48, 80, 144), depth: int = 2
    ) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.condition = nn.Linear(space, condition)
        self.enter = nn.Conv2d(3, fine, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(fine, middle, 4, 2, 1), nn.Conv2d(middle, coarse, 4, 2, 1)])
        self.inner = nn.ModuleList(_Residual(coarse, condition) for _ in range(depth))
        self.up = nn.ModuleList([nn.Conv2d(coarse, middle, 3, padding=1), nn.Conv2d(middle, fine, 3, padding=1)])
        self.blend = _Residual(fine, condition)
        self.widen = nn.Conv2d(fine, 4 * 16, 3, padding=1)
        self.polish = nn.Conv2d(16, 16, 3, padding=1)
        self.out = nn.Conv2d(16, 3, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, sketch: Tensor, space: Tensor) -> Tensor:
        """(B, 3, 64, 64) in -1..1 and (B, space) to (B, 3, 128, 128) in -1..1."""
        condition = F.leaky_relu(self.condition(space * space.shape[-1] ** 0.5), 0.2)
        x64 = F.leaky_relu(self.enter(sketch), 0.2)
        x32 = F.leaky_relu(self.down[0](x64), 0.2)
        x = F.leaky_relu(self.down[1](x32), 0.2)
        for block in self.inner:
            x = block(x, condition)
        x = x32 + F.leaky_relu(self.up[0](F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = x64 + F.leaky_relu(self.up[1](F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = self.blend(x, condition)
        x = F.leaky_relu(F.pixel_shuffle(self.widen(x), 2), 0.2)
        x = x + F.leaky_relu(self.polish(x), 0.2)
        large = F.interpolate(sketch, scale_factor=2, mode="bilinear", align_corners=False)
        return (large + torch.tanh(self.out(x))).clamp(-1, 1)
