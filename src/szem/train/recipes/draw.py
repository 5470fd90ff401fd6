"""A sketch of 64×64 for a sentence: stage I of StackGAN, judged on the features of a frozen network.

Command:  szem train draw --data shared/data --out runs/draw --set match=runs/draw-match --budget 50m --threads 1
          szem train draw … --set begin_with=runs/draw                          (goes on where a stage ended)
          szem train draw … --set begin_with=shipped                            (goes on from the shipped sketcher)
          szem train draw … --set loop.steps=250000 --set loop.batch=64 --set channels="[512,384,256,128,64]" (a GPU)
Duration: two cores: stages of at most 100 minutes; see docs/generate.md for what was reached
Seed:     0
Expected: the scores in docs/generate.md, taken from the exported model

Each score writes a grid of samples, always of the same sentences and chance, beside the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.data.words import Vocabulary
from szem.media.pictures import write_picture
from szem.models.drawing_judge import DrawingJudge, hinge_drawn, hinge_judge
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.models.lite_features import LiteFeatures, grid_of
from szem.models.matcher import Matcher
from szem.models.sketcher import Sketcher
from szem.runtime.cards import Card, Made
from szem.tasks.drawing_scores import frechet_distance, r_precision
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.codes import find_codes
from szem.train.drawn_data import DrawnData
from szem.train.recipe import Batch, Loop
from szem.train.recipes.draw_match import build_matcher, encode_sentences, keep_grids, to_signed
from szem.train.runs_settings import read_settings
from szem.train.sampling import pick
from szem.train.shipped_weights import load_shipped

__all__ = ["EXAMPLES", "DrawRecipe", "DrawSettings", "Drawer", "build_recipe", "frozen_matcher"]

EXAMPLES = (
    "this flower has white petals with a yellow tip and a yellow pistil",
    "this flower has pink petals and a yellow center",
    "this flower has long thin yellow petals and a brown center",
    "this flower is purple with ruffled petals",
    "a red rose with layered petals",
    "this bird is black with green and has a very short beak",
    "this bird is yellow with black wings",
    "a small blue bird with a short pointed beak",
)
_JITTER = 0.15  # chance added to a code


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=60_000, batch=32, lr=4e-4, warmup=0.01, weight_decay=0.0, clip_norm=0.0, ema=0.999, scores=16
        )
    )
    data: Path = Path("data")  # holds flowers/ and birds/
    seen: Path = Path("runs/seen.json")  # where what was seen on the pictures is kept
    match: Path = Path("runs/draw-match")  # the run of recipe draw-match whose sentences are drawn
    maps: Path = Path("runs/draw-maps")  # where the features of the pictures are kept
    samples: Path = Path("runs/draw-samples")  # where the grids of samples are written
    begin_with: str = ""  # folder of an earlier run whose weights are taken on, or "shipped"
    channels: tuple[int, ...] = (256, 192, 128, 96, 48)  # of the sketcher at 4, 8, 16, 32, 64 pixels
    condition: int = 128  # numbers of the condition, and of the chance beside it
    judge: int = 48  # channels of the judge's mixed maps
    judge_lr: float = 1.0  # factor of the judge's learning rate
    fit: float = 0.4  # how much it counts that the drawing is matched to its sentence
    copy: float = 4.0  # how much it counts that with a photograph's own code the drawing is like it
    vary: float = 0.5  # how much it counts that two drawings of one sentence differ
    apart: float = 0.6  # how far they should be, as a share of how far two photographs are
    cloud: float = 0.3  # how much it counts that the cloud round a sentence is a normal one
    most: int = 0  # pictures of each thing, 0 for all: for tests


class Drawer(nn.Module):
    """What draws and what judges, trained at the same time."""

    def __init__(self, sketcher: Sketcher, judge: DrawingJudge) -> None:
        super().__init__()
        self.sketcher, self.judge = sketcher, judge


class DrawRecipe:
    """Both play against each other; each step moves both."""

    held_split = "val"
    betas = (0.0, 0.99)  # a judge that moves all the time is not to be averaged over

    def __init__(self, settings: DrawSettings) -> None:
        self.settings = settings
        s = settings
        self.data = DrawnData(s.data, s.seen, split="train", most=s.most)
        self.held = DrawnData(s.data, s.seen, split="val", most=s.most)
        self.words, self.matcher = frozen_matcher(s.match, self.data)
        self.lite = frozen_lite()
        self.codes = self._find_codes()
        self.broken = (*self.data.broken, *self.held.broken)

    def build_network(self) -> nn.Module:
        """Sketcher and judge, new or from an earlier run."""
        s = self.settings
        space = self.matcher.sentence.out.out_features
        sketcher = Sketcher(space=space, condition=s.condition, channels=s.channels)
        drawer = Drawer(sketcher, DrawingJudge(space=space, width=s.judge))
        if s.begin_with == "shipped":
            load_shipped(drawer.sketcher, "sketch")
        elif s.begin_with:
            drawer.load_state_dict(load_checkpoint(Path(s.begin_with) / CHECKPOINT)["average"])
        return drawer

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The judge may learn at another rate."""
        assert isinstance(network, Drawer)
        judging = [p for p in network.judge.parameters() if p.requires_grad]
        return [(1.0, list(network.sketcher.parameters())), (self.settings.judge_lr, judging)]

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
        assert isinstance(network, Drawer)
        s, judge = self.settings, network.judge
        to_place(self.matcher, self.lite, batch["pictures"].device)
        with torch.no_grad():
            space = self.matcher.sentence(batch["tokens"]).float()
            photographs = F.avg_pool2d(to_signed(batch["pictures"]), 2)
            seen = self.lite(photographs)
            real = judge.project(seen)
        # each sentence of the first half is drawn twice: with its photograph's code, and with chance in its place
        half = (len(space) + 1) // 2
        asked = torch.cat([space[:half]] * 2)[: len(space)]
        noise = torch.randn(len(space), network.sketcher.noise, device=space.device)
        noise[:half, -s.condition :] = batch["codes"][:half] + _JITTER * noise[:half, -s.condition :]
        drawn, mean, log_scale = network.sketcher(asked, noise)
        maps = self.lite(drawn)
        mixed = judge.project(maps)
        judging = judge_loss(judge, real, mixed, space, asked)
        fit = fit_loss(self.matcher, maps, asked)
        vary = variety_loss([drawn, *maps[2:]], [photographs, *seen[2:]], apart=s.apart)
        copy = copy_loss([drawn, *maps[1:]], [photographs, *seen[1:]], half)
        cloud = (mean.square() + (2 * log_scale).exp() - 2 * log_scale - 1).mean() / 2
        drawing = drawing_loss(judge, mixed, asked) + s.fit * fit + s.copy * copy
        return judging + drawing + s.vary * vary + s.cloud * cloud

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Fréchet distance and R-precision as training sees them, on held-back sentences; writes a grid."""
        assert isinstance(network, Drawer)
        space = self.space_of(EXAMPLES)
        rows = [
            network.sketcher(space, torch.randn(len(space), network.sketcher.noise, generator=g))[0]
            for g in _chances(8)
        ]
        write_grid(rows, self.settings.samples)
        return held_scores(self, lambda space, noise: network.sketcher(space, noise)[0], network.sketcher.noise)

    def space_of(self, sentences: Sequence[str]) -> Tensor:
        """Places of sentences, (N, D)."""
        self.matcher.to("cpu")
        out: Tensor = self.matcher.sentence(torch.from_numpy(encode_sentences(self.words, sentences)))
        return out.float()

    def _find_codes(self) -> NDArray[np.float32]:
        """(N, 2, condition): codes of the photographs, whole and mirrored."""
        grids = keep_grids(self.data, "lite0", self.settings.maps, "train")  # (N, 2, 64, C)
        count, views, places, channels = grids.shape
        coarse = np.asarray(grids).reshape(count, views, 4, 2, 4, 2, channels).mean(axis=(3, 5), dtype=np.float32)
        assert places == 64
        rng = np.random.default_rng(11)
        told = np.concatenate(
            [
                self.space_of([self.data.sentence(i, rng) for i in range(start, min(start + 512, count))]).numpy()
                for start in range(0, count, 512)
            ]
        )
        flat = coarse.reshape(count, views, 16 * channels)
        width = self.settings.condition
        return find_codes(flat, told, width=width, seed=self.settings.loop.seed)

    def write_model(self, run: Path, folder: Path, *, made: Made, precision: str) -> Card:
        """The model without stage II; recipe draw-refine writes the whole."""
        from szem.train.draw_model import write_draw_model

        drawer = self.build_network()
        assert isinstance(drawer, Drawer)
        drawer.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
        return write_draw_model(self, drawer.sketcher, None, folder, made=made, precision=precision)


def build_recipe(settings: DrawSettings) -> DrawRecipe:
    """The recipe of these settings."""
    return DrawRecipe(settings)


def frozen_matcher(run: Path, data: DrawnData) -> tuple[Vocabulary, Matcher]:
    """Words and matcher of a run of recipe draw-match; it does not learn."""
    words = data.vocabulary()
    s = read_settings(run)
    matcher = build_matcher(len(words), features=s["features"], width=s["width"], dropout=s["dropout"])
    matcher.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
    for parameter in matcher.parameters():
        parameter.requires_grad_(False)
    return words, matcher.eval()


def frozen_lite() -> LiteFeatures:
    """EfficientNet-Lite0 as judge and matcher see through it."""
    lite = LiteFeatures(build_efficientnet_lite("lite0", pretrained=True).eval())
    lite.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lite.train()  # the quick gradients of its depthwise layers; its normalisation is frozen


def judge_loss(judge: DrawingJudge, real: list[Tensor], mixed: list[Tensor], space: Tensor, asked: Tensor) -> Tensor:
    """What the judge wants of photographs and drawings, each with its sentences; drawings do not feel it."""
    true, false = judge.judge(real, space), judge.judge([m.detach() for m in mixed], asked)
    wrong = judge.judge(real, space.roll(1, dims=0))[1]
    return hinge_judge(_float(true), wrong.float(), _float(false))


def drawing_loss(judge: DrawingJudge, mixed: list[Tensor], space: Tensor) -> Tensor:
    """What the drawing wants of the judge; the judge does not feel it."""
    learning = [p for p in judge.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    answer = judge.judge(mixed, space)
    for parameter in learning:
        parameter.requires_grad_(True)
    return hinge_drawn(_float(answer))


def fit_loss(matcher: Matcher, maps: list[Tensor], space: Tensor) -> Tensor:
    """How badly drawings and their sentences find one another in the batch; a sentence may come several times."""
    fit = matcher.sharp.exp().clamp(max=100) * matcher.picture(grid_of(maps)).float() @ space.T
    own = ((space[:, None] - space).square().sum(-1) < 1e-3).float()
    own = own / own.sum(1, keepdim=True)
    return (F.cross_entropy(fit, own) + F.cross_entropy(fit.T, own)) / 2


def copy_loss(drawn: list[Tensor], photographs: list[Tensor], count: int) -> Tensor:
    """How far the first so many drawings are from photographs, as pictures made small and as maps, each in shares."""
    apart = []
    for one, real in zip(drawn, photographs, strict=True):
        small, truth = (F.adaptive_avg_pool2d(x[:count].float(), min(32, x.shape[-1])) for x in (one, real))
        apart.append((small - truth).abs().mean() / truth.abs().mean().clamp_min(1e-6))
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


def held_scores(
    recipe: DrawRecipe,
    draw: Callable[[Tensor, Tensor], Tensor],
    noise: int,
    *,
    most: int = 256,
    seed: int = 5,
    whole: bool = False,
) -> dict[str, float]:
    """Scores on the held-back photographs' sentences, on the features that training uses: to watch, not to report."""
    rng = np.random.default_rng(seed)
    held = recipe.held
    chosen = np.linspace(0, len(held) - 1, min(most, len(held))).astype(int)
    space = recipe.space_of([held.sentence(int(i), rng) for i in chosen])
    chance = torch.Generator().manual_seed(seed)
    lite, matcher = recipe.lite.to("cpu"), recipe.matcher
    places, features, real = [], [], []
    for part, picked in zip(torch.split(space, 64), torch.split(torch.from_numpy(chosen), 64), strict=True):
        maps = lite(draw(part, torch.randn(len(part), noise, generator=chance)))
        places.append(matcher.picture(grid_of(maps)).float())
        features.append(maps[-1].float().mean((2, 3)))
        photographs = to_signed(torch.from_numpy(held.pictures[picked.numpy()]))
        real.append(lite(photographs if whole else F.avg_pool2d(photographs, 2))[-1].float().mean((2, 3)))
    among = min(100, len(space))
    return {
        "Fréchet distance": frechet_distance(torch.cat(features).numpy(), torch.cat(real).numpy()),
        f"R-precision@{among}": r_precision(torch.cat(places).numpy(), space.numpy(), among=among),
    }


def write_grid(rows: Sequence[Tensor], folder: Path) -> None:
    """Samples, each of `rows` (N, 3, H, W) a column, as the folder's next picture."""
    columns = [torch.cat(list(row), dim=1) for row in rows]
    grid = torch.cat(columns, dim=2).permute(1, 2, 0)
    number = len(list(folder.glob("*.png"))) if folder.is_dir() else 0
    pixels = ((grid.float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    write_picture(folder / f"{number:03d}.png", np.ascontiguousarray(pixels))


def to_place(matcher: Matcher, lite: LiteFeatures, device: torch.device) -> None:
    """Move what is frozen to where the network learns; it stays there."""
    if next(lite.parameters()).device != device:
        lite.to(device)
    if next(matcher.parameters()).device != device:
        matcher.to(device)


def _chances(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 + n) for n in range(count)]


def _float(answer: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return answer[0].float(), answer[1].float()
