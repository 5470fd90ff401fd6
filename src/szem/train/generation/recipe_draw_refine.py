"""From sketch to picture: stage II of StackGAN, 128×128, on a generator that stays as it is.

Command:  szem train draw-refine --data shared/data --out runs/refine --set begin=runs/flow --budget 20m --workers 1
          szem train draw-refine … --set begin=runs/draw                        (StackGAN's own stage I)
          szem train draw-refine … --set begin_with=runs/refine                 (goes on where a stage ended)
          szem train draw-refine … --set begin_with=shipped                     (goes on from the shipped refiner)
          szem train draw-refine … --set loop.steps=120000 --set loop.batch=64 --set channels="[96,160,288]" (a GPU)
Duration: two cores: stages of at most 100 minutes; see docs/generate.md for what was reached
Seed:     0
Expected: the scores in docs/generate.md, taken from the exported model

Half of each batch are photographs made small and refined again, whose truth is known; half are sketches, which only
the discriminator can tell how to refine. The model that is exported holds both stages and the words.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import TrainError
from szem.models.code_generator import CodeGenerator, PictureEncoder
from szem.models.discriminator import Discriminator
from szem.models.generator import StageOneGenerator
from szem.models.refiner import Refiner
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.base import EXAMPLES, held_out_scores, to_place, write_grid
from szem.train.generation.export import draw_release
from szem.train.generation.losses import discriminator_loss, fit_loss, generator_loss
from szem.train.generation.recipe_draw import DrawRecipe, DrawSettings
from szem.train.generation.recipe_draw_codes import DrawCodesRecipe
from szem.train.generation.recipe_draw_flow import DrawFlowRecipe, DrawFlowSettings
from szem.train.generation.recipe_draw_match import to_signed
from szem.train.recipe import Batch, Loop, override
from szem.train.release import Release
from szem.train.runs_settings import read_recipe_name, read_settings, to_assignments
from szem.train.shipped_weights import load_shipped

__all__ = ["RefineRecipe", "RefineSettings", "RefinerNetworks", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class RefineSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=20_000, batch=32, lr=4e-4, warmup=0.02, weight_decay=0.0, clip_norm=0.0, ema=0.998, scores=8
        )
    )
    data: Path = Path("data")  # holds flowers/ and birds/
    begin: Path = Path("runs/flow")  # the run of recipe draw-flow or draw whose sketches are refined
    evaluation_run: str = ""  # folder of the run of recipe draw-match that only measures, to be part of the model
    gain: float = 2.0  # of the chance, here and in the model, where recipe draw made the generator
    samples: Path = Path("runs/refine-samples")  # where the grids of samples are written
    begin_with: str = ""  # folder of an earlier run whose weights are taken on, or "shipped"
    channels: tuple[int, ...] = (48, 80, 144)  # of the refiner at 64, 32 and 16 pixels
    depth: int = 2  # residual blocks at 16 pixels
    discriminator: int = 48  # channels of the discriminator's mixed maps
    truth: float = 8.0  # how much it counts that small photographs become what they were
    seen_truth: float = 1.0  # … as the frozen network sees it
    fit: float = 0.2  # how much it counts that the picture is matched to its sentence
    keep: float = 4.0  # how much it counts that a picture made small is its sketch


class RefinerNetworks(nn.Module):
    """What refines and what judges, trained at the same time; the generator is there and stays."""

    def __init__(
        self, generator: StageOneGenerator | CodeGenerator, refiner: Refiner, discriminator: Discriminator
    ) -> None:
        super().__init__()
        self.generator, self.refiner, self.discriminator = generator, refiner, discriminator
        for parameter in generator.parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "RefinerNetworks":
        """As always, but for the generator."""
        super().train(mode)
        self.generator.eval()
        return self


class RefineRecipe:
    """On the data, the words and the generator of a run of recipe draw or draw-flow."""

    held_split = "val"
    betas = (0.0, 0.99)

    def __init__(self, settings: RefineSettings) -> None:
        self.settings = settings
        self.drawn, self.generator, self.encoder = _open_begun(settings)
        self.data, self.held_out = self.drawn.data, self.drawn.held_out
        self.lite, self.text_image_encoder, self.words = (
            self.drawn.lite,
            self.drawn.text_image_encoder,
            self.drawn.words,
        )
        self.broken = self.drawn.broken

    def build_network(self) -> nn.Module:
        """The generator of the run, a new refiner and a new judge, or those of an earlier run."""
        s = self.settings
        generator = copy.deepcopy(self.generator)
        space = self.text_image_encoder.sentence.out.out_features
        refiner = Refiner(space=space, channels=s.channels, depth=s.depth)
        network = RefinerNetworks(generator, refiner, Discriminator(space=space, width=s.discriminator))
        if s.begin_with == "shipped":
            load_shipped(refiner, "refine")
        elif s.begin_with:
            stored = load_checkpoint(Path(s.begin_with) / CHECKPOINT)["average"]
            network.load_state_dict({k: v for k, v in stored.items() if not k.startswith("generator.")}, strict=False)
        return network

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """Refiner and judge."""
        assert isinstance(network, RefinerNetworks)
        discriminating = [p for p in network.discriminator.parameters() if p.requires_grad]
        return [(1.0, list(network.refiner.parameters())), (1.0, discriminating)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """As of recipe draw."""
        return self.drawn.batch(samples, progress)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The first half of the batch is photographs refined again; to the other half, sketches are drawn."""
        assert isinstance(network, RefinerNetworks)
        s, discriminator = self.settings, network.discriminator
        to_place(self.text_image_encoder, self.lite, batch["pictures"].device)
        half = max(1, len(batch["tokens"]) // 2)
        photographs = to_signed(batch["pictures"])
        with torch.no_grad():
            space = self.text_image_encoder.sentence(batch["tokens"]).float()
            noise = torch.randn(len(space) - half, network.generator.noise, device=space.device)
            sketches = network.generator(space[half:], noise)[0].float()
            small = F.avg_pool2d(photographs[:half], 2)
            truth = self.lite(photographs)
        refined = network.refiner(torch.cat((small, sketches)), space).float()
        maps = self.lite(refined)
        again = (refined[:half] - photographs[:half]).abs().mean()
        seen = sum((a[:half].float() - b[:half].float()).abs().mean() / b[:half].float().abs().mean() for a, b in
                   zip(maps[:3], truth[:3], strict=True)) / 3  # fmt: skip
        kept = (F.avg_pool2d(refined[half:], 2) - sketches).abs().mean()
        drawn = [m[half:] for m in maps]
        mixed, real = discriminator.project(drawn), discriminator.project([m[half:] for m in truth])
        discriminating = discriminator_loss(discriminator, real, mixed, space[half:], space[half:])
        drawing = generator_loss(discriminator, mixed, space[half:]) + s.fit * fit_loss(
            self.text_image_encoder, drawn, space[half:]
        )
        total: Tensor = discriminating + drawing + s.truth * again + s.seen_truth * seen + s.keep * kept
        return total

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """As of recipe draw; the grid has sketch and picture in turn."""
        assert isinstance(network, RefinerNetworks)
        space = self.drawn.space_of(EXAMPLES)
        rows = []
        for n in range(5):
            noise = torch.randn(len(space), network.generator.noise, generator=torch.Generator().manual_seed(100 + n))
            sketch = network.generator(space, noise)[0]
            rows += [F.interpolate(sketch, scale_factor=2, mode="nearest"), network.refiner(sketch, space)]
        write_grid(rows, self.settings.samples)

        def draw(space: Tensor, noise: Tensor) -> Tensor:
            return network.refiner(network.generator(space, noise)[0], space)

        return held_out_scores(self.drawn, draw, network.generator.noise, whole=True)

    def release(self, network: nn.Module) -> Release:
        """Words, both stages, and what measures."""
        assert isinstance(network, RefinerNetworks)
        evaluation_run = Path(self.settings.evaluation_run) if self.settings.evaluation_run else None
        return draw_release(
            self.drawn, network.generator, network.refiner, encoder=self.encoder, evaluation_run=evaluation_run
        )


def build_recipe(settings: RefineSettings) -> RefineRecipe:
    """The recipe of these settings."""
    return RefineRecipe(settings)


def _open_begun(
    settings: RefineSettings,
) -> tuple[DrawRecipe | DrawCodesRecipe, StageOneGenerator | CodeGenerator, PictureEncoder | None]:
    """Data and words of the run this one begins from, what draws its sketches, and what gave them codes."""
    run = settings.begin
    name = read_recipe_name(run)
    stored = {k: v for k, v in read_settings(run).items() if k not in ("loop", "data", "begin_with")}
    if name == "draw-flow":
        flow = DrawFlowRecipe(override(DrawFlowSettings(data=settings.data), to_assignments(stored)))
        return flow.coded, flow.open_generator(run), flow.open_coding().encoder
    if name != "draw":
        raise TrainError(f"{run}: was made by recipe {name}; sketches come from draw-flow or draw")
    drawn = DrawRecipe(override(DrawSettings(loop=settings.loop, data=settings.data), to_assignments(stored)))
    generator = drawn.open_generator(run)
    generator.gain = settings.gain
    return drawn, generator, None
