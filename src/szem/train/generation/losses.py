"""What a network that draws and its judge want of each other and of the drawings. This file does not know data."""

import torch
from torch import Tensor
from torch.nn import functional as F

from szem.models.discriminator import Discriminator, hinge_discriminator, hinge_generator
from szem.models.lite_features import grid_of
from szem.models.text_image_encoder import TextImageEncoder

__all__ = ["copy_loss", "discriminator_loss", "fit_loss", "generator_loss", "variety_loss"]


def discriminator_loss(
    discriminator: Discriminator, real: list[Tensor], mixed: list[Tensor], space: Tensor, asked: Tensor
) -> Tensor:
    """What the discriminator wants of photographs and drawings, each with its sentences; drawings do not feel it."""
    true, false = discriminator.score(real, space), discriminator.score([m.detach() for m in mixed], asked)
    wrong = discriminator.score(real, space.roll(1, dims=0))[1]
    return hinge_discriminator(_float(true), wrong.float(), _float(false))


def generator_loss(discriminator: Discriminator, mixed: list[Tensor], space: Tensor) -> Tensor:
    """What the drawing wants of the discriminator; the discriminator does not feel it."""
    learning = [p for p in discriminator.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    answer = discriminator.score(mixed, space)
    for parameter in learning:
        parameter.requires_grad_(True)
    return hinge_generator(_float(answer))


def fit_loss(text_image_encoder: TextImageEncoder, maps: list[Tensor], space: Tensor) -> Tensor:
    """How badly drawings and their sentences find one another in the batch; a sentence may come several times."""
    fit = text_image_encoder.sharp.exp().clamp(max=100) * text_image_encoder.picture(grid_of(maps)).float() @ space.T
    own = ((space[:, None] - space).square().sum(-1) < 1e-3).float()
    own = own / own.sum(1, keepdim=True)
    return (F.cross_entropy(fit, own) + F.cross_entropy(fit.T, own)) / 2


def copy_loss(drawn: list[Tensor], photographs: list[Tensor]) -> Tensor:
    """How far drawings are from photographs, as pictures and as maps, each as a fraction of the photographs' size."""
    apart = []
    for one, real in zip(drawn, photographs, strict=True):
        some, truth = one.float(), real[: len(one)].float()
        apart.append((some - truth).abs().mean() / truth.abs().mean().clamp_min(1e-6))
    return torch.stack(apart).mean()


def variety_loss(drawn: list[Tensor], photographs: list[Tensor], *, apart: float) -> Tensor:
    """How much nearer than they should be two drawings of one sentence are: 0 when far enough, 1 when the same.

    Args:
        drawn: Pictures and maps, each (2 n, C, H, W) or one less; the second half for the sentences of the first.
        photographs: The same of photographs, any two of which tell how far pictures are apart.
        apart: Of that distance, which share is enough.
    Source: after Q. Mao et al., Mode Seeking Generative Adversarial Networks, 2019, arXiv:1903.05628, with an end.
    """
    near = []
    for one, real in zip(drawn, photographs, strict=True):
        small, truth = (F.adaptive_avg_pool2d(x.float(), min(16, x.shape[-1])) for x in (one, real))
        pairs = len(small) // 2
        found = (small[:pairs] - small[len(small) - pairs :]).abs().mean((1, 2, 3))
        wanted = apart * (truth - truth.roll(1, dims=0)).abs().mean().clamp_min(1e-6)
        near.append(F.relu(1 - found / wanted).mean())
    return torch.stack(near).mean()


def _float(answer: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return answer[0].float(), answer[1].float()
