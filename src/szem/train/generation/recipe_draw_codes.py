"""Codes of pictures and the decoder that draws from them: the first half of stage I by way of codes.

Command:  szem train draw-codes --data shared/data --out runs/codes --set match=runs/draw-match --budget 75m
          szem train draw-codes … --set begin_with=runs/codes      (or runs/draw; goes on where a stage ended)
          szem train draw-codes … --set begin_with=shipped --set adversarial_from=0  (the discriminator begins anew)
          szem train draw-codes … --set loop.steps=250000 --set loop.batch=64        (a GPU; also wider channels)
Duration: two cores: stages of at most 100 minutes; see docs/generate.md for what was reached
Seed:     0
Expected: the scores in docs/generate.md, taken from the exported model

First pictures are encoded and drawn again, which gives soft drawings. After `adversarial_from` of the training the
encoder is frozen and the discriminator of recipe `draw` comes: it distinguishes drawings of codes, and of what lies
between two codes, from photographs. From then on recipe `draw-flow` can learn where codes lie, while the decoder goes
on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.code_generator import PictureEncoder
from szem.models.discriminator import Discriminator
from szem.models.generator import CodeDecoder
from szem.models.lite_features import GRID_CHANNELS
from szem.tasks.generation.frechet import frechet_distance
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.base import GenerationRecipe, GenerationSettings, to_place, write_grid
from szem.train.generation.losses import copy_loss, discriminator_loss, fit_loss, generator_loss
from szem.train.generation.recipe_draw_match import encode_sentences, keep_grids, to_signed
from szem.train.recipe import Batch, Loop
from szem.train.runs_settings import read_recipe_name
from szem.train.sampling import pick, spread_over
from szem.train.shipped_weights import load_shipped

__all__ = ["CodeNetworks", "DrawCodesRecipe", "DrawCodesSettings", "build_recipe"]

_SHOWN = 8  # photographs in a grid of samples


@dataclass(frozen=True, kw_only=True)
class DrawCodesSettings(GenerationSettings):
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=60_000, batch=24, lr=8e-4, warmup=0.01, weight_decay=0.0, clip_norm=5.0, ema=0.997, scores=16
        )
    )
    samples: Path = Path("runs/codes-samples")  # where the grids of samples are written
    code: int = 256  # length of a code
    discriminator_lr: float = 0.5  # factor of the discriminator's learning rate
    mixed: float = 0.25  # fraction of the drawings whose code lies between those of two pictures
    fit: float = 0.1  # how much it counts that the drawing is matched to its sentence
    copy: float = 4.0  # how much it counts that a picture drawn from its code is like it
    # Before this fraction of the training there is no discriminator; after it, the encoder learns no more.
    adversarial_from: float = 0.3
    trick: float = 0.4  # how much it counts that the discriminator takes drawings for photographs
    normal: float = 0.01  # how much it counts that codes are spread as normal chance is


class CodeNetworks(nn.Module):
    """What encodes, what draws and what judges, trained at the same time."""

    def __init__(self, encoder: PictureEncoder, decoder: CodeDecoder, discriminator: Discriminator) -> None:
        super().__init__()
        self.encoder, self.decoder, self.discriminator = encoder, decoder, discriminator


class DrawCodesRecipe(GenerationRecipe):
    """Half of each batch are flowers, half are birds."""

    betas = (0.0, 0.99)

    def __init__(self, settings: DrawCodesSettings) -> None:
        self.settings = settings
        s = settings
        super().__init__(settings)
        self.grids = keep_grids(self.data, "lite0", s.maps, "train")
        self.held_out_grids = keep_grids(self.held_out, "lite0", s.maps, "val")
        subjects = [one.subject for one in self.data.items]
        self.own = [np.flatnonzero(np.array(subjects) == subject) for subject in sorted(set(subjects))]

    def build_network(self) -> nn.Module:
        """All three, new or from an earlier run."""
        s = self.settings
        space = self.text_image_encoder.sentence.out.out_features
        network = CodeNetworks(
            PictureEncoder(channels=GRID_CHANNELS, code=s.code),
            CodeDecoder(code=s.code, channels=s.channels),
            Discriminator(space=space, width=s.discriminator),
        )
        if s.begin_with == "shipped":
            load_shipped(network.decoder, "sketch", within="decoder")
            load_shipped(network.encoder, "encode")
        elif s.begin_with:
            load_begun(network, Path(s.begin_with))
        return network

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The discriminator may learn at another rate."""
        assert isinstance(network, CodeNetworks)
        drawing = [*network.encoder.parameters(), *network.decoder.parameters()]
        discriminating = [p for p in network.discriminator.parameters() if p.requires_grad]
        return [(1.0, drawing), (self.settings.discriminator_lr, discriminating)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """Photographs (B, 128, 128, 3) uint8, mirrored by chance, their features and a sentence each (B, T)."""
        pictures, grids, sentences = [], [], []
        for number in samples:
            own = self.own[number % len(self.own)]
            place, rng = pick(number // len(self.own), of=len(own), seed=self.settings.loop.seed)
            index, mirrored = int(own[place]), int(rng.integers(2))
            picture = self.data.pictures[index]
            pictures.append(picture[:, ::-1] if mirrored else picture)
            grids.append(self.grids[index, mirrored])
            sentences.append(self.data.sentence(index, rng))
        return {
            "pictures": torch.from_numpy(np.stack(pictures)),
            "grids": torch.from_numpy(np.stack(grids).astype(np.float32)),
            "tokens": torch.from_numpy(encode_sentences(self.words, sentences)),
            "is_adversarial": torch.tensor([progress >= self.settings.adversarial_from]),
        }

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of all three; what one wants does not reach the discriminator's weights, nor the other way."""
        assert isinstance(network, CodeNetworks)
        s, discriminator = self.settings, network.discriminator
        to_place(self.text_image_encoder, self.lite, batch["pictures"].device)
        with torch.no_grad():
            space = self.text_image_encoder.sentence(batch["tokens"]).float()
            photographs = F.avg_pool2d(to_signed(batch["pictures"]), 2)
            seen = self.lite(photographs)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not bool(batch["is_adversarial"])):
            mean, log_scale = network.encoder(batch["grids"], photographs)
            mean, log_scale = mean.float(), log_scale.float()
            codes = mean + log_scale.exp() * torch.randn_like(mean)
        between = round(s.mixed * len(codes))
        copies = len(codes) - between
        normal = (mean.square() + (2 * log_scale).exp() - 2 * log_scale - 1).mean() / 2
        if not bool(batch["is_adversarial"]):
            drawn = network.decoder(codes)
            return s.copy * self._copy(drawn, self.lite(drawn), photographs, seen) + s.normal * normal
        # the neighbour of the same thing, that many places further
        step = len(self.own)
        fraction = torch.rand(between, 1, device=codes.device)
        size = (fraction.square() + (1 - fraction).square()).sqrt()
        mixed = [fraction * x[copies:] + (1 - fraction) * x.roll(-step, dims=0)[copies:] for x in (codes, space)]
        asked = torch.cat((space[:copies], F.normalize(mixed[1], dim=-1)))
        drawn = network.decoder(torch.cat((codes[:copies], mixed[0] / size)))
        maps = self.lite(drawn)
        real, projected = discriminator.project(seen), discriminator.project(maps)
        discriminating = discriminator_loss(discriminator, real, projected, space, asked)
        copy = self._copy(drawn[:copies], [m[:copies] for m in maps], photographs, seen)
        drawing = s.trick * generator_loss(discriminator, projected, asked) + s.fit * fit_loss(
            self.text_image_encoder, maps, asked
        )
        return discriminating + drawing + s.copy * copy + s.normal * normal

    def _copy(self, drawn: Tensor, maps: list[Tensor], photographs: Tensor, seen: list[Tensor]) -> Tensor:
        """How far drawings are from the first photographs: in pixels, in large, and as the frozen network sees."""
        pixels = copy_loss([drawn, F.avg_pool2d(drawn, 8)], [photographs, F.avg_pool2d(photographs, 8)])
        return 2 * pixels + copy_loss(maps, seen)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """How far held-out photographs drawn from their codes are from them; writes a grid of some."""
        assert isinstance(network, CodeNetworks)
        chosen = torch.tensor([i for subject in ("flower", "bird") for i in self._some(subject, 64)])
        photographs = F.avg_pool2d(to_signed(torch.from_numpy(self.held_out.pictures[chosen.numpy()])), 2)
        grids = torch.from_numpy(self.held_out_grids[chosen.numpy(), 0].astype(np.float32))
        drawn, scales, sizes = [], [], []
        for part, seen in zip(torch.split(photographs, 32), torch.split(grids, 32), strict=True):
            mean, log_scale = network.encoder(seen, part)
            scales.append(log_scale.exp().mean())
            sizes.append(mean.square().mean())
            drawn.append(network.decoder(mean))
        out = torch.cat(drawn)
        lite = self.lite.to("cpu")
        shown = list(range(0, len(out), max(1, len(out) // (2 * _SHOWN))))
        write_grid([x[shown[n::2]] for n in range(2) for x in (photographs, out)], self.settings.samples)
        features = [torch.cat([lite(p)[-1].mean((2, 3)) for p in torch.split(x, 32)]) for x in (out, photographs)]
        return {
            "Fréchet distance": frechet_distance(features[0].numpy(), features[1].numpy()),
            "difference": float((out - photographs).abs().mean()),
            "scale": float(torch.stack(scales).mean()),
            "size": float(torch.stack(sizes).mean()),
        }

    def _some(self, subject: str, count: int) -> list[int]:
        return spread_over([i for i, one in enumerate(self.held_out.items) if one.subject == subject], most=count)


def load_begun(network: CodeNetworks, run: Path) -> None:
    """Take on the averaged weights of a run of this recipe, or decoder and judge of one of recipe draw."""
    stored = load_checkpoint(run / CHECKPOINT)["average"]
    if read_recipe_name(run) == "draw":
        stored = {name.removeprefix("generator."): value for name, value in stored.items()}
        network.load_state_dict({k: v for k, v in stored.items() if not k.startswith("conditioner.")}, strict=False)
    else:
        network.load_state_dict(stored)


def build_recipe(settings: DrawCodesSettings) -> DrawCodesRecipe:
    """The recipe of these settings."""
    return DrawCodesRecipe(settings)
