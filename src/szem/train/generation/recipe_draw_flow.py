"""Where codes of pictures lie, given a sentence: the second half of stage I by way of codes.

Command:  szem train draw-flow --data shared/data --out runs/flow --set codes=runs/codes --budget 20m --workers 1
          szem train draw-flow … --set begin_with=runs/flow      (or shipped; goes on where a stage ended)
          szem train draw-flow … --set loop.steps=200000 --set loop.batch=4096 --set width=1024  (a GPU)
Duration: a minute to place the sentences, then as long as the budget says; no picture is looked at
Seed:     0
Expected: the scores in docs/generate.md, taken from the exported model

The run of recipe draw-codes may still be going: its encoder is settled after a part of it. What is exported takes the
decoder that the run has then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.errors import TrainError
from szem.models.code_generator import CodeFlow, CodeGenerator
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.base import EXAMPLES, held_out_scores, write_grid
from szem.train.generation.export import draw_release
from szem.train.generation.recipe_draw_codes import CodeNetworks, DrawCodesRecipe, DrawCodesSettings
from szem.train.generation.recipe_draw_match import to_signed
from szem.train.recipe import Batch, Loop, override
from szem.train.release import Release
from szem.train.runs_settings import read_settings, to_assignments
from szem.train.sampling import pick
from szem.train.shipped_weights import load_shipped

__all__ = ["DrawFlowRecipe", "DrawFlowSettings", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class DrawFlowSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=60_000, batch=512, lr=1e-3, warmup=0.03, weight_decay=0.02, clip_norm=1.0, ema=0.999, scores=5
        )
    )
    data: Path = Path("data")  # holds flowers/ and birds/
    codes: Path = Path("runs/codes")  # the run of recipe draw-codes, begun or done
    samples: Path = Path("runs/flow-samples")  # where the grids of samples are written
    begin_with: str = ""  # folder of an earlier run on the same codes whose weights are taken on, or "shipped"
    width: int = 384  # of the layers
    depth: int = 5  # how many blocks
    unconditional: float = 0.15  # fraction of the samples without their sentence
    sentences: int = 16  # of each picture
    steps: int = 12  # of the way from chance to a code, in the model
    guidance: float = 3.0  # how much further than trained a sentence pulls, in the model


class DrawFlowRecipe:
    """Half of each batch are flowers, half are birds; what is learned from are codes and places, nothing else."""

    held_split = "val"

    def __init__(self, settings: DrawFlowSettings) -> None:
        self.settings = settings
        stored = {k: v for k, v in read_settings(settings.codes).items() if k not in ("loop", "data", "begin_with")}
        begun = override(DrawCodesSettings(loop=settings.loop, data=settings.data), to_assignments(stored))
        self.coded = DrawCodesRecipe(begun)
        self.broken = self.coded.broken

    def open_coding(self) -> CodeNetworks:
        """Encoder and decoder of the run of recipe draw-codes as it is now.

        Raises:
            TrainError: its encoder still learns.
        """
        run = self.settings.codes
        stored = load_checkpoint(run / CHECKPOINT)
        if not (stored["is_done"] or _is_adversarial(stored)):
            raise TrainError(
                f"{run}: its encoder still learns; wait until its discriminator has come (judged), or it is done"
            )
        network = self.coded.build_network()
        assert isinstance(network, CodeNetworks)
        # the encoder does not move any more, its average still does
        settled = {k: v for k, v in stored["network"].items() if k.startswith("encoder.")}
        network.load_state_dict(stored["average"] | settled)
        return network.eval()

    def build_network(self) -> nn.Module:
        """A flow, new or from an earlier run; mean and scale of the codes are part of it."""
        flow, begin = self._new_flow(), self.settings.begin_with
        if begin == "shipped":
            load_shipped(flow, "sketch", within="flow")
        elif begin:
            flow.load_state_dict(load_checkpoint(Path(begin) / CHECKPOINT)["average"])
        means, scales = self.codes
        flow.mean.copy_(means.mean((0, 1)))
        flow.scale.copy_((means.var((0, 1)) + scales.square().mean((0, 1))).sqrt())
        return flow

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """All learns."""
        return [(1.0, list(network.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Codes (B, code) with their chance in them, and places of a sentence each (B, space)."""
        (means, scales), places = self.codes, self.places
        codes, spaces = [], []
        own = self.coded.own
        for number in samples:
            mine = own[number % len(own)]
            place, rng = pick(number // len(own), of=len(mine), seed=self.settings.loop.seed)
            index, view = int(mine[place]), int(rng.integers(2))
            noise_generator = torch.from_numpy(rng.standard_normal(means.shape[-1], np.float32))
            codes.append(means[index, view] + scales[index, view] * noise_generator)
            spaces.append(places[index, int(rng.integers(places.shape[1]))])
        return {"codes": torch.stack(codes), "space": torch.stack(spaces).float()}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """How far the velocities are from those that lead straight from chance to the codes."""
        assert isinstance(network, CodeFlow)
        codes = (batch["codes"] - network.mean) / network.scale
        noise_generator = torch.randn_like(codes)
        moment = torch.sigmoid(torch.randn(len(codes), device=codes.device))
        stored = torch.rand(len(codes), device=codes.device) >= self.settings.unconditional
        x = noise_generator + moment[:, None] * (codes - noise_generator)
        return F.mse_loss(network(x, moment, batch["space"], stored).float(), codes - noise_generator)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Of what the decoder draws of the codes: as of recipe draw; writes a grid."""
        assert isinstance(network, CodeFlow)
        s = self.settings
        net = CodeGenerator(network.to("cpu"), self.open_coding().decoder, steps=s.steps, guidance=s.guidance).eval()
        space = self.coded.space_of(EXAMPLES)
        rows = [net(space, torch.randn(len(space), net.noise, generator=_noise_generator(n)))[0] for n in range(8)]
        write_grid(rows, s.samples)
        return held_out_scores(self.coded, lambda space, noise: net(space, noise)[0], net.noise)

    def open_generator(self, run: Path) -> CodeGenerator:
        """The averaged flow of a run of this recipe with the decoder of its codes."""
        flow = self._new_flow()
        flow.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
        return self._generator(flow)

    def _generator(self, flow: CodeFlow) -> CodeGenerator:
        s = self.settings
        return CodeGenerator(flow, self.open_coding().decoder, steps=s.steps, guidance=s.guidance)

    def release(self, network: nn.Module) -> Release:
        """The model without stage II; recipe draw-refine writes the whole."""
        assert isinstance(network, CodeFlow)
        return draw_release(self.coded, self._generator(network), None, encoder=self.open_coding().encoder)

    @cached_property
    def codes(self) -> tuple[Tensor, Tensor]:
        """Means and scales (N, 2, code) of the pictures' codes, whole and mirrored."""
        encoder, data = self.open_coding().encoder, self.coded.data
        means, scales = [], []
        with torch.no_grad():
            for start, stop in _parts(len(data), 256):
                small = F.avg_pool2d(to_signed(torch.from_numpy(data.pictures[start:stop])), 2)
                grids = torch.from_numpy(np.asarray(self.coded.grids[start:stop], np.float32))
                both = [encoder(grids[:, view], x) for view, x in enumerate((small, small.flip(-1)))]
                means.append(torch.stack([mean for mean, _ in both], dim=1))
                scales.append(torch.stack([log_scale.exp() for _, log_scale in both], dim=1))
        return torch.cat(means), torch.cat(scales)

    @cached_property
    def places(self) -> Tensor:
        """(N, sentences, space) float16, of some sentences of each picture."""
        rng = np.random.default_rng(self.settings.loop.seed)
        data, count = self.coded.data, self.settings.sentences
        with torch.no_grad():
            return torch.cat(
                [
                    self.coded.space_of([data.sentence(i, rng) for i in range(start, stop) for _ in range(count)])
                    .reshape(stop - start, count, -1)
                    .half()
                    for start, stop in _parts(len(data), 64)
                ]
            )

    def _new_flow(self) -> CodeFlow:
        s = self.settings
        space = self.coded.text_image_encoder.sentence.out.out_features
        return CodeFlow(space=space, code=self.coded.settings.code, width=s.width, depth=s.depth)


def build_recipe(settings: DrawFlowSettings) -> DrawFlowRecipe:
    """The recipe of these settings."""
    return DrawFlowRecipe(settings)


def _is_adversarial(stored: dict[str, Any]) -> bool:
    """Whether the discriminator of a checkpoint has learned: then it is not its own average."""
    name = "discriminator.heads.0.said.parametrizations.weight.original"
    return not torch.allclose(stored["network"][name], stored["average"][name], rtol=1e-5, atol=1e-6)


def _noise_generator(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + number)


def _parts(count: int, most: int) -> list[tuple[int, int]]:
    return [(start, min(start + most, count)) for start in range(0, count, most)]
