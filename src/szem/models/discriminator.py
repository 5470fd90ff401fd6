"""The opponent of a network that draws: is it a photograph, and is it one of what the sentence says?

It looks at the maps of a frozen network, mixed at random across channels and strides so that none is overlooked, with
one small judge a stride. Each answers for the picture alone and for picture and sentence together.
Source: A. Sauer et al., Projected GANs Converge Faster, 2021, arXiv:2111.01007, section 3; the product with the
condition: T. Miyato, M. Koyama, cGANs with Projection Discriminator, 2018, arXiv:1802.05637; spectral normalisation:
T. Miyato et al., 2018, arXiv:1802.05957.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from szem.models.lite_features import CHANNELS

__all__ = ["Discriminator", "hinge_discriminator", "hinge_generator"]


class Discriminator(nn.Module):
    """Judges at four strides.

    Args:
        space: Length of a sentence's place.
        width: Channels of the mixed maps.

    >>> maps = [torch.zeros(2, c, 32 >> n, 32 >> n) for n, c in enumerate(CHANNELS)]
    >>> discriminator = Discriminator(space=6, width=8)
    >>> [tuple(part.shape) for part in discriminator(maps, torch.zeros(2, 6))]
    [(2, 4, 16), (2, 4)]
    """

    def __init__(self, *, space: int = 256, width: int = 64) -> None:
        super().__init__()
        wide = [width, width, 2 * width, 2 * width]
        self.mix = nn.ModuleList(_fixed(nn.Conv2d(c, w, 1)) for c, w in zip(CHANNELS, wide, strict=True))
        self.cross = nn.ModuleList(_fixed(nn.Conv2d(wide[n + 1], wide[n], 1)) for n in range(len(wide) - 1))
        self.heads = nn.ModuleList(_Head(w, space=space, halvings=3 - n) for n, w in enumerate(wide))

    def project(self, maps: list[Tensor]) -> list[Tensor]:
        """Mix channels, then strides from coarse to fine, with weights that never change."""
        mixed = [mix(one) for mix, one in zip(self.mix, maps, strict=True)]
        for n in reversed(range(len(mixed) - 1)):
            coarse = F.interpolate(self.cross[n](mixed[n + 1]), scale_factor=2, mode="nearest")
            mixed[n] = (mixed[n] + coarse) * 0.7
        return mixed

    def forward(self, maps: list[Tensor], space: Tensor) -> tuple[Tensor, Tensor]:
        """Of the picture (B, 4, places), of picture and sentence (B, 4): higher is truer."""
        return self.score(self.project(maps), space)

    def score(self, mixed: list[Tensor], space: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, for maps that were mixed already."""
        said = [head(one, space) for head, one in zip(self.heads, mixed, strict=True)]
        return torch.stack([s[0] for s in said], dim=1), torch.stack([s[1] for s in said], dim=1)


class _Head(nn.Module):
    """Halve down to 4×4, then answer."""

    def __init__(self, channels: int, *, space: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inner = 96
        for _ in range(halvings):
            layers += [spectral_norm(nn.Conv2d(channels, inner, 4, 2, 1)), nn.LeakyReLU(0.2)]
            channels = inner
        if not halvings:
            layers += [spectral_norm(nn.Conv2d(channels, inner, 3, 1, 1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.alone = spectral_norm(nn.Conv2d(inner, 1, 1))
        self.spread = spectral_norm(nn.Linear(inner + 16, 1))
        self.seen = spectral_norm(nn.Linear(inner * 16, 128))
        self.said = spectral_norm(nn.Linear(space, 128))

    def forward(self, x: Tensor, space: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        alone: Tensor = self.alone(x).flatten(1) + self.spread(_spread(x))
        seen = self.seen(x.flatten(1))
        said = self.said(space * space.shape[-1] ** 0.5)
        return alone, (seen * said).sum(-1) / 128**0.5


def _spread(x: Tensor) -> Tensor:
    """How much a batch (B, C, 4, 4) differs in itself, by channel and by place: (C + 16,).

    Drawings that are all alike are reported by it, though each by itself looks well.

    Source: T. Karras et al., Progressive Growing of GANs, 2018, arXiv:1710.10196, section 3.
    """
    apart = ((x.float() - x.float().mean(0)).square().mean(0) + 1e-6).sqrt()  # (C, 4, 4)
    return torch.cat((apart.mean((1, 2)), apart.mean(0).flatten()))


def hinge_discriminator(real: tuple[Tensor, Tensor], wrong: Tensor, drawn: tuple[Tensor, Tensor]) -> Tensor:
    """The discriminator's loss: photographs with their sentences are true; with others', and drawings, are not.

    Args:
        real: Answers for photographs and their sentences.
        wrong: Answers for photographs and others' sentences, the second part.
        drawn: Answers for drawings and the sentences they were drawn for.
    Source: S. Reed et al., Generative Adversarial Text to Image Synthesis, 2016, arXiv:1605.05396, algorithm 1, here
        with the hinge loss.
    """
    alone = F.relu(1 - real[0]).mean() + F.relu(1 + drawn[0]).mean()
    fitting = F.relu(1 - real[1]).mean() + (F.relu(1 + wrong).mean() + F.relu(1 + drawn[1]).mean()) / 2
    return alone + fitting


def hinge_generator(drawn: tuple[Tensor, Tensor]) -> Tensor:
    """The loss of what draws."""
    return -drawn[0].mean() - drawn[1].mean()


def _fixed(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    for parameter in conv.parameters():
        parameter.requires_grad_(False)
    return conv
