"""A sketch of 64×64 for a sentence: stage I of StackGAN, judged on the features of a frozen network.

Command:  szem train draw --data shared/data --out runs/draw --set match=runs/draw-match --budget 50m --workers 1
          szem train draw … --set begin_with=runs/draw                          (goes on where a stage ended)
          szem train draw … --set begin_with=shipped                            (the decoder is the shipped one)
          szem train draw … --set loop.steps=250000 --set loop.batch=64 --set channels="[512,384,256,128,64]" (a GPU)
Duration: two cores: stages of at most 100 minutes; see docs/generate.md for what was reached
Seed:     0
Expected: the scores in docs/generate.md, taken from the exported model

Each score writes a grid of samples, always of the same sentences and chance, beside the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.discriminator import Discriminator
from szem.models.generator import StageOneGenerator
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.base import (
    EXAMPLES,
    GenerationRecipe,
    GenerationSettings,
    held_out_scores,
    to_place,
    write_grid,
)
from szem.train.generation.codes import find_codes
from szem.train.generation.export import draw_release
from szem.train.generation.losses import copy_loss, discriminator_loss, fit_loss, generator_loss, variety_loss
from szem.train.generation.recipe_draw_match import encode_sentences, keep_grids, to_signed
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick
from szem.train.shipped_weights import load_shipped

__all__ = ["AdversarialPair", "DrawRecipe", "DrawSettings", "build_recipe"]

_JITTER = 0.15  # chance added to a code


@dataclass(frozen=True, kw_only=True)
class DrawSettings(GenerationSettings):
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=60_000, batch=32, lr=4e-4, warmup=0.01, weight_decay=0.0, clip_norm=0.0, ema=0.999, scores=16
        )
    )
    samples: Path = Path("runs/draw-samples")  # where the grids of samples are written
    condition: int = 128  # numbers of the condition, and of the chance beside it
    discriminator_lr: float = 1.0  # factor of the discriminator's learning rate
    fit: float = 0.4  # how much it counts that the drawing is matched to its sentence
    copy: float = 4.0  # how much it counts that with a photograph's own code the drawing is like it
    vary: float = 0.5  # how much it counts that two drawings of one sentence differ
    apart: float = 0.6  # how far they should be, as a fraction of how far two photographs are
    cloud: float = 0.3  # how much it counts that the cloud round a sentence is a normal one


class AdversarialPair(nn.Module):
    """What draws and what judges, trained at the same time."""

    def __init__(self, generator: StageOneGenerator, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator


class DrawRecipe(GenerationRecipe):
    """Both play against each other; each step moves both."""

    betas = (0.0, 0.99)  # a judge that moves all the time is not to be averaged over

    def __init__(self, settings: DrawSettings) -> None:
        self.settings = settings
        super().__init__(settings)
        self.codes = self._find_codes()

    def build_network(self) -> nn.Module:
        """generator and judge, new or from an earlier run."""
        s = self.settings
        space = self.text_image_encoder.sentence.out.out_features
        generator = StageOneGenerator(space=space, condition=s.condition, channels=s.channels)
        drawer = AdversarialPair(generator, Discriminator(space=space, width=s.discriminator))
        if s.begin_with == "shipped":
            load_shipped(drawer.generator.decoder, "sketch", within="decoder")
        elif s.begin_with:
            drawer.load_state_dict(load_checkpoint(Path(s.begin_with) / CHECKPOINT)["average"])
        return drawer

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The discriminator may learn at another rate."""
        assert isinstance(network, AdversarialPair)
        discriminating = [p for p in network.discriminator.parameters() if p.requires_grad]
        return [(1.0, list(network.generator.parameters())), (self.settings.discriminator_lr, discriminating)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Photographs (B, 128, 128, 3) uint8, mirrored by chance, and a sentence each (B, T)."""
        pictures, sentences, codes = [], [], []
        for number in samples:
            index, rng = pick(number, of=len(self.data), seed=self.settings.loop.seed)
            picture, mirrored = self.data.pictures[index], int(rng.integers(2))
            pictures.append(picture[:, ::-1] if mirrored else picture)
            codes.append(self.codes[index, mirrored])
            sentences.append(self.data.sentence(index, rng))
        tokens = encode_sentences(self.words, sentences)
        return {
            "pictures": torch.from_numpy(np.stack(pictures)),
            "tokens": torch.from_numpy(tokens),
            "codes": torch.from_numpy(np.stack(codes)),
        }

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of both; what one wants does not reach the other's weights."""
        assert isinstance(network, AdversarialPair)
        s, discriminator = self.settings, network.discriminator
        to_place(self.text_image_encoder, self.lite, batch["pictures"].device)
        with torch.no_grad():
            space = self.text_image_encoder.sentence(batch["tokens"]).float()
            photographs = F.avg_pool2d(to_signed(batch["pictures"]), 2)
            seen = self.lite(photographs)
            real = discriminator.project(seen)
        # each sentence of the first half is drawn twice: with its photograph's code, and with chance in its place
        half = (len(space) + 1) // 2
        asked = torch.cat([space[:half]] * 2)[: len(space)]
        noise = torch.randn(len(space), network.generator.noise, device=space.device)
        noise[:half, -s.condition :] = batch["codes"][:half] + _JITTER * noise[:half, -s.condition :]
        drawn, mean, log_scale = network.generator(asked, noise)
        maps = self.lite(drawn)
        mixed = discriminator.project(maps)
        discriminating = discriminator_loss(discriminator, real, mixed, space, asked)
        fit = fit_loss(self.text_image_encoder, maps, asked)
        vary = variety_loss([drawn, *maps[2:]], [photographs, *seen[2:]], apart=s.apart)
        copy = copy_loss([x[:half] for x in (drawn, *maps[1:])], [photographs, *seen[1:]])
        cloud = (mean.square() + (2 * log_scale).exp() - 2 * log_scale - 1).mean() / 2
        drawing = generator_loss(discriminator, mixed, asked) + s.fit * fit + s.copy * copy
        return discriminating + drawing + s.vary * vary + s.cloud * cloud

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Fréchet distance and R-precision as training sees them, on held-out sentences; writes a grid."""
        assert isinstance(network, AdversarialPair)
        space = self.space_of(EXAMPLES)
        rows = [
            network.generator(space, torch.randn(len(space), network.generator.noise, generator=g))[0]
            for g in _noise_generators(8)
        ]
        write_grid(rows, self.settings.samples)
        return held_out_scores(self, lambda space, noise: network.generator(space, noise)[0], network.generator.noise)

    def open_generator(self, run: Path) -> StageOneGenerator:
        """The averaged generator of a run of this recipe."""
        drawer = self.build_network()
        assert isinstance(drawer, AdversarialPair)
        drawer.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
        return drawer.generator

    def _find_codes(self) -> NDArray[np.float32]:
        """(N, 2, condition): codes of the photographs, whole and mirrored."""
        grids = keep_grids(self.data, "lite0", self.settings.maps, "train")  # (N, 2, 64, C)
        count, views, places, channels = grids.shape
        coarse = np.asarray(grids).reshape(count, views, 4, 2, 4, 2, channels).mean(axis=(3, 5), dtype=np.float32)
        assert places == 64
        rng = np.random.default_rng(11)
        stored = np.concatenate(
            [
                self.space_of([self.data.sentence(i, rng) for i in range(start, min(start + 512, count))]).numpy()
                for start in range(0, count, 512)
            ]
        )
        flat = coarse.reshape(count, views, 16 * channels)
        width = self.settings.condition
        return find_codes(flat, stored, width=width, seed=self.settings.loop.seed)

    def release(self, network: nn.Module) -> Release:
        """The model without stage II; recipe draw-refine writes the whole."""
        assert isinstance(network, AdversarialPair)
        return draw_release(self, network.generator, None)


def build_recipe(settings: DrawSettings) -> DrawRecipe:
    """The recipe of these settings."""
    return DrawRecipe(settings)


def _noise_generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 + n) for n in range(count)]
