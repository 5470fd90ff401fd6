"""What all recipes that draw share: pictures, the words' places, the eyes of their judge, scores and grids to watch.

The scores here are taken on what is held out, as training sees it: to watch, not to report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from szem.data.words import Vocabulary
from szem.media.pictures import write_picture
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.models.lite_features import LiteFeatures, grid_of
from szem.models.text_image_encoder import TextImageEncoder
from szem.tasks.generation.frechet import frechet_distance, r_precision
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.generation.data import GenerationData
from szem.train.generation.recipe_draw_match import build_text_image_encoder, encode_sentences, to_signed
from szem.train.runs_settings import read_settings

__all__ = [
    "EXAMPLES",
    "GenerationRecipe",
    "GenerationSettings",
    "frozen_text_image_encoder",
    "held_out_scores",
    "to_place",
    "write_grid",
]

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


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """What can be changed from the command line in every one of them."""

    data: Path = Path("data")  # holds flowers/ and birds/
    seen: Path = Path("runs/seen.json")  # where what was seen on the pictures is kept
    match: Path = Path("runs/draw-match")  # the run of recipe draw-match whose sentences are drawn
    maps: Path = Path("runs/draw-maps")  # where the features of the pictures are kept
    begin_with: str = ""  # folder of an earlier run whose weights are taken on, or "shipped"
    channels: tuple[int, ...] = (256, 192, 128, 96, 48)  # of the decoder at 4, 8, 16, 32, 64 pixels
    discriminator: int = 48  # channels of the discriminator's mixed maps
    most: int = 0  # pictures of each thing, 0 for all: for tests


class GenerationRecipe:
    """Pictures of both splits, the words of a run of recipe draw-match, and the frozen network that looks."""

    held_split = "val"

    def __init__(self, settings: GenerationSettings) -> None:
        s = settings
        self.data = GenerationData(s.data, s.seen, split="train", most=s.most)
        self.held_out = GenerationData(s.data, s.seen, split="val", most=s.most)
        self.words, self.text_image_encoder = frozen_text_image_encoder(s.match, self.data)
        self.lite = frozen_lite()
        self.broken = (*self.data.broken, *self.held_out.broken)

    def space_of(self, sentences: Sequence[str]) -> Tensor:
        """Places of sentences, (N, D)."""
        self.text_image_encoder.to("cpu")
        out: Tensor = self.text_image_encoder.sentence(torch.from_numpy(encode_sentences(self.words, sentences)))
        return out.float()


def frozen_text_image_encoder(run: Path, data: GenerationData) -> tuple[Vocabulary, TextImageEncoder]:
    """Words and text-image encoder of a run of recipe draw-match; it does not learn."""
    words = data.vocabulary()
    s = read_settings(run)
    text_image_encoder = build_text_image_encoder(
        len(words), features=s["features"], width=s["width"], dropout=s["dropout"]
    )
    text_image_encoder.load_state_dict(load_checkpoint(run / CHECKPOINT)["average"])
    for parameter in text_image_encoder.parameters():
        parameter.requires_grad_(False)
    return words, text_image_encoder.eval()


def frozen_lite() -> LiteFeatures:
    """EfficientNet-Lite0 as judge and text-image encoder see through it."""
    lite = LiteFeatures(build_efficientnet_lite("lite0", pretrained=True).eval())
    lite.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lite.train()  # the quick gradients of its depthwise layers; its normalisation is frozen


def to_place(text_image_encoder: TextImageEncoder, lite: LiteFeatures, device: torch.device) -> None:
    """Move what is frozen to where the network learns; it stays there."""
    if next(lite.parameters()).device != device:
        lite.to(device)
    if next(text_image_encoder.parameters()).device != device:
        text_image_encoder.to(device)


def held_out_scores(
    recipe: GenerationRecipe,
    draw: Callable[[Tensor, Tensor], Tensor],
    noise: int,
    *,
    most: int = 256,
    seed: int = 5,
    whole: bool = False,
) -> dict[str, float]:
    """Scores on the held-out photographs' sentences, on the features that training uses: to watch, not to report."""
    rng = np.random.default_rng(seed)
    held_out = recipe.held_out
    chosen = np.linspace(0, len(held_out) - 1, min(most, len(held_out))).astype(int)
    space = recipe.space_of([held_out.sentence(int(i), rng) for i in chosen])
    noise_generator = torch.Generator().manual_seed(seed)
    lite, text_image_encoder = recipe.lite.to("cpu"), recipe.text_image_encoder
    places, features, real = [], [], []
    for part, picked in zip(torch.split(space, 64), torch.split(torch.from_numpy(chosen), 64), strict=True):
        maps = lite(draw(part, torch.randn(len(part), noise, generator=noise_generator)))
        places.append(text_image_encoder.picture(grid_of(maps)).float())
        features.append(maps[-1].float().mean((2, 3)))
        photographs = to_signed(torch.from_numpy(held_out.pictures[picked.numpy()]))
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
