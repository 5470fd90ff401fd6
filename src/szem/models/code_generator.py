"""Stage I by way of codes: a sentence's place and chance to a picture's code, and the code to 64×64.

A picture's code is what an encoder keeps of it. How codes lie, given a sentence, is learned as a flow: a field of
velocities that carries normal chance to them. So what is drawn comes from where codes of pictures are.
Source: Y. Lipman et al., Flow Matching for Generative Modeling, 2023, arXiv:2210.02747; a place of text to a place of
pictures first, as in A. Ramesh et al., Hierarchical Text-Conditional Image Generation with CLIP Latents, 2022,
arXiv:2204.06125; J. Ho, T. Salimans, Classifier-Free Diffusion Guidance, 2022, arXiv:2207.12598. This file does not
know words or losses of pictures.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.generator import CodeDecoder

__all__ = ["CodeFlow", "CodeGenerator", "PictureEncoder"]

_FAR = 4.0  # no code's mean is further from nought
_TIMES = 32  # sines and cosines of a moment


class _WholeNorm(nn.Module):
    """Normalise each picture as a whole, then scale and shift its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, 1) * self.scale + self.shift


class PictureEncoder(nn.Module):
    """A picture's code from what a frozen network sees of it, and from the picture made small.

    Args:
        channels: Of the grid of features.
        code: Length of a code.

    >>> net = PictureEncoder(channels=6, code=4, width=12)
    >>> mean, log_scale = net(torch.zeros(2, 64, 6), torch.zeros(2, 3, 64, 64))
    >>> tuple(mean.shape), tuple(log_scale.shape)
    ((2, 4), (2, 4))
    """

    def __init__(self, *, channels: int, code: int, width: int = 192) -> None:
        super().__init__()
        self.seen = nn.Conv1d(channels, width - width // 3, 1)
        self.pixels = nn.Sequential(
            nn.Conv2d(3, width // 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width // 4, width // 3, 4, 2, 1)
        )
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, 1, 1),
            _WholeNorm(width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 4, 2, 1),
            _WholeNorm(width),
            nn.LeakyReLU(0.2),
        )
        self.out = nn.Linear(width * 16, 2 * code)

    def forward(self, grids: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the scale of the codes.

        Args:
            grids: (B, 64, C), as `grid_of` gives them.
            pictures: (B, 3, 64, 64) in -1..1.
        Returns:
            Two of (B, code).
        """
        seen = self.seen(grids.transpose(1, 2)).unflatten(2, (8, 8))
        x = torch.cat((seen, self.pixels(F.avg_pool2d(pictures, 2))), dim=1)
        mean, log_scale = self.out(self.body(x).flatten(1)).chunk(2, dim=-1)
        # bounded, since a code far out teaches nothing and tears the generator with it
        return _FAR * torch.tanh(mean / _FAR), (log_scale - 1).clamp(-5, 1)


class _Block(nn.Module):
    """Two layers whose normalised input is scaled and shifted by what is known."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.known = nn.Linear(width, 2 * width)
        self.inner = nn.Linear(width, 2 * width)
        self.out = nn.Linear(2 * width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        scale, shift = self.known(known).chunk(2, dim=-1)
        out: Tensor = x + self.out(F.silu(self.inner(self.norm(x) * (1 + scale) + shift)))
        return out


class CodeFlow(nn.Module):
    """Which way a point on its way from chance to a code goes, given a sentence's place.

    Args:
        space: Length of a sentence's place.
        code: Length of a code.
        width: Of the layers.
        depth: How many blocks.

    >>> flow = CodeFlow(space=6, code=4, width=8, depth=1)
    >>> tuple(flow(torch.zeros(2, 4), torch.zeros(2), torch.zeros(2, 6)).shape)
    (2, 4)
    >>> tuple(flow.sample(torch.zeros(2, 6), torch.zeros(2, 4), steps=3, guidance=2.0).shape)
    (2, 4)
    """

    def __init__(self, *, space: int = 256, code: int = 256, width: int = 384, depth: int = 5) -> None:
        super().__init__()
        self.code = code
        self.place = nn.Linear(space, width)
        self.moment = nn.Linear(2 * _TIMES, width)
        self.nothing = nn.Parameter(torch.zeros(width))  # in place of a sentence
        self.first = nn.Linear(code, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, code)
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("scale", torch.ones(code))
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, x: Tensor, moment: Tensor, space: Tensor, stored: Tensor | None = None) -> Tensor:
        """Velocities (B, code).

        Args:
            x: (B, code), codes of mean 0 and size 1 on their way.
            moment: (B,), 0 where all is chance, 1 where the codes are.
            space: (B, space), of length 1.
            stored: (B,) bool, False where the sentence is not given; all are if left out.
        """
        place = self._place(space)
        if stored is not None:
            place = torch.where(stored[:, None], place, self.nothing)
        return self._velocity(x, moment, place)

    def sample(self, space: Tensor, noise: Tensor, *, steps: int, guidance: float) -> Tensor:
        """Codes (B, code) as the encoder gives them, from places (B, space) and normal chance (B, code).

        Args:
            steps: How many steps the way has.
            guidance: How much further than trained the sentence pulls; 1 is as trained.
        """
        x, place = noise, self._place(space)
        for step in range(steps):
            # more steps near the chance, where the way bends most
            here, there = ((fraction / steps) ** 1.3 for fraction in (step, step + 1))
            moment = torch.full_like(x[:, 0], here)
            led, free = self._velocity(x, moment, place), self._velocity(x, moment, self.nothing)
            x = x + (there - here) * (free + guidance * (led - free))
        return x * self.scale + self.mean

    def _place(self, space: Tensor) -> Tensor:
        out: Tensor = self.place(space * space.shape[-1] ** 0.5)
        return out

    def _velocity(self, x: Tensor, moment: Tensor, place: Tensor) -> Tensor:
        speeds = torch.exp(torch.arange(_TIMES, device=x.device) * (math.log(200) / (_TIMES - 1)))
        angles = moment[:, None] * speeds
        known = F.silu(place + self.moment(torch.cat((angles.sin(), angles.cos()), dim=-1)))
        x = self.first(x)
        for block in self.blocks:
            x = block(x, known)
        out: Tensor = self.out(self.norm(x))
        return out


class CodeGenerator(nn.Module):
    """Place and chance to a code, and the code to a picture.

    >>> flow = CodeFlow(space=6, code=8, width=8, depth=1)
    >>> net = CodeGenerator(flow, CodeDecoder(code=8, channels=(8, 8, 8, 8, 8))).eval()
    >>> tuple(net(torch.zeros(2, 6), torch.zeros(2, 8))[0].shape)
    (2, 3, 64, 64)
    """

    def __init__(self, flow: CodeFlow, decoder: CodeDecoder, *, steps: int = 12, guidance: float = 3.0) -> None:
        super().__init__()
        self.flow, self.decoder = flow, decoder
        self.steps, self.guidance = steps, guidance
        self.noise = flow.code

    def forward(self, space: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 64, 64) in -1..1, and the codes (B, code)."""
        codes = self.flow.sample(space, noise, steps=self.steps, guidance=self.guidance)
        return self.decoder(codes), codes
