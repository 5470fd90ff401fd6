"""Stage I: a sentence's place and chance to a picture of 64×64.

Source: H. Zhang et al., StackGAN, 2017, arXiv:1612.03242, section 3.2 (conditioning augmentation, two stages); the
skip-layer excitation is that of B. Liu et al., FastGAN, 2021, arXiv:2101.04775, section 3.1. This file does not know
words or losses.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CodeDecoder", "ConditionedNorm", "Conditioner", "StageOneGenerator"]


class Conditioner(nn.Module):
    """Conditioning augmentation: a sentence is not one point but a small cloud.

    Args:
        space: Length of a sentence's place.
        width: Length of the condition.

    >>> condition, mean, log_scale = Conditioner(space=6, width=4)(torch.zeros(2, 6), torch.zeros(2, 4))
    >>> tuple(condition.shape)
    (2, 4)
    """

    def __init__(self, *, space: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(space, 2 * width)
        self.out = nn.Linear(2 * width, 2 * width)

    def forward(self, space: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Condition, mean and logarithm of the scale, each (B, width); no noise gives the mean."""
        # places have length 1, so their numbers are small
        x = F.leaky_relu(self.inner(space * space.shape[-1] ** 0.5), 0.2)
        mean, log_scale = self.out(x).chunk(2, dim=-1)
        log_scale = log_scale.clamp(-6, 1) - 1
        return mean + noise * log_scale.exp(), mean, log_scale


class ConditionedNorm(nn.Module):
    """Batch normalisation whose scale and shift depend on the condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False, momentum=0.05)
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, C, H, W) and (B, D)."""
        scale, shift = self.affine(condition)[:, :, None, None].chunk(2, dim=1)
        return self.norm(x) * (1 + scale) + shift


class _Layer(nn.Module):
    """Convolution, conditioned normalisation, activation; gates would cost three times as much on a processor."""

    def __init__(self, before: int, after: int, condition: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        nn.init.orthogonal_(self.conv.weight)
        self.norm = ConditionedNorm(after, condition)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(x), condition), 0.2)


class _Grow(nn.Module):
    """Twice as wide and high; a second layer where it costs little."""

    def __init__(self, before: int, after: int, condition: int, *, twice: bool) -> None:
        super().__init__()
        self.first = _Layer(before, after, condition)
        self.second = _Layer(after, after, condition) if twice else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = self.first(F.interpolate(x, scale_factor=2, mode="nearest"), condition)
        return x if self.second is None else x + self.second(x, condition)


class _Excite(nn.Module):
    """A coarse map says how much of each channel of a fine one is wanted."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.inner = nn.Linear(coarse * 16, fine)
        self.out = nn.Linear(fine, fine)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        gate = torch.sigmoid(self.out(F.silu(self.inner(F.adaptive_avg_pool2d(coarse, 4).flatten(1)))))
        return fine * (gate[:, :, None, None] * 2)


class CodeDecoder(nn.Module):
    """A vector to a picture of 64×64; the vector also scales and shifts what every layer has normalised.

    Args:
        code: Length of the vector.
        channels: At 4, 8, 16, 32 and 64 pixels.

    >>> tuple(CodeDecoder(code=6, channels=(8, 8, 8, 8, 8)).eval()(torch.zeros(2, 6)).shape)
    (2, 3, 64, 64)
    """

    def __init__(self, *, code: int = 256, channels: Sequence[int] = (256, 192, 128, 96, 48)) -> None:
        super().__init__()
        self.first = nn.Linear(code, channels[0] * 16)
        self.start = _Layer(channels[0], channels[0], code)
        pairs = list(pairwise(channels))
        self.grow = nn.ModuleList(_Grow(a, b, code, twice=n < 2) for n, (a, b) in enumerate(pairs))
        self.excite = nn.ModuleList([_Excite(channels[0], channels[3]), _Excite(channels[1], channels[4])])
        self.out = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """(B, code) to (B, 3, 64, 64) in -1..1."""
        x = self.first(code).unflatten(1, (-1, 4, 4))
        x4 = self.start(x, code)
        x8 = self.grow[0](x4, code)
        x16 = self.grow[1](x8, code)
        x32 = self.excite[0](x4, self.grow[2](x16, code))
        x64 = self.excite[1](x8, self.grow[3](x32, code))
        return torch.tanh(self.out(x64))


class StageOneGenerator(nn.Module):
    """The network of stage I: the sentence's cloud and chance beside it, drawn.

    Args:
        space: Length of a sentence's place.
        condition: Length of the condition, and of the chance beside it.
        channels: As of the decoder.
        gain: Multiplies the chance: more than in training, drawings of one sentence differ more.

    >>> net = StageOneGenerator(space=6, condition=4, channels=(8, 8, 8, 8, 8)).eval()
    >>> tuple(net(torch.zeros(2, 6), torch.zeros(2, 8))[0].shape)
    (2, 3, 64, 64)
    """

    def __init__(
        self,
        *,
        space: int = 256,
        condition: int = 128,
        channels: Sequence[int] = (256, 192, 128, 96, 48),
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.gain = gain
        self.noise = 2 * condition  # numbers of chance that a picture takes
        self.conditioner = Conditioner(space=space, width=condition)
        self.decoder = CodeDecoder(code=2 * condition, channels=channels)

    def forward(self, space: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Draw.

        Args:
            space: (B, space), of length 1.
            noise: (B, 2 * condition), normal.
        Returns:
            (B, 3, 64, 64) in -1..1, and mean and logarithm of the scale of the condition.
        """
        around, noise_generator = noise.chunk(2, dim=-1)
        condition, mean, log_scale = self.conditioner(space, around)
        return self.decoder(torch.cat((condition, self.gain * noise_generator), dim=-1)), mean, log_scale
