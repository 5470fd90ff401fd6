"""Sentences and pictures of flowers and birds in one space, both ways: what the recipe `draw` draws from.

Command:  szem train draw-match --data shared/data --out runs/draw-match
          szem train draw-match --data shared/data --out runs/draw-judge --set features=classifier --set loop.seed=1
Duration: see docs/generate.md
Seed:     0; 1 for the one that measures
Expected: the R-precision in docs/generate.md

The second command trains the one that only measures: on other features, with other chance. What draws never meets it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.arrays import Picture8
from szem.data.words import FIRST_WORD, PAD, UNKNOWN, Vocabulary
from szem.errors import UnknownNameError
from szem.files import write_file
from szem.kept import is_whole, seal_folder
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.models.lite_features import GRID_CHANNELS, LiteFeatures, grid_of
from szem.models.text_image_encoder import TextImageEncoder, matching_loss
from szem.tasks.classification.features import ClassifierFeatures
from szem.tasks.generation.frechet import r_precision
from szem.train.generation.data import GenerationData
from szem.train.recipe import Batch, Loop
from szem.train.sampling import pick

__all__ = ["LONGEST", "DrawMatchRecipe", "DrawMatchSettings", "build_recipe", "encode_sentences"]

LONGEST = 32  # words of a sentence
_FEATURES = {"lite0": GRID_CHANNELS, "classifier": 472}  # name -> channels
_TOGETHER = 64  # pictures looked at together
_GRIDS = ("grids.npy",)


@dataclass(frozen=True, kw_only=True)
class DrawMatchSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=3500, batch=128, lr=8e-4, warmup=0.05, weight_decay=0.1, clip_norm=2.0, ema=0.995, scores=6
        )
    )
    data: Path = Path("data")  # holds flowers/ and birds/
    seen: Path = Path("runs/seen.json")  # where what was seen on the pictures is kept
    maps: Path = Path("runs/draw-maps")  # where the features of the pictures are kept
    features: str = "lite0"  # lite0, in torch at 128 px; classifier, the shipped ONNX file at 224 px
    width: int = 256  # of the common space
    dropout: float = 0.3
    forget: float = 0.08  # fraction of the words that are hidden while training
    most: int = 0  # pictures of each thing, 0 for all: for tests


class DrawMatchRecipe:
    """Contrast between the sentence of a picture and those of others."""

    def __init__(self, settings: DrawMatchSettings) -> None:
        self.settings = settings
        if settings.features not in _FEATURES:
            raise UnknownNameError(f"no features called {settings.features!r}; there are {', '.join(_FEATURES)}")
        s = settings
        self.data = GenerationData(s.data, s.seen, split="train", most=s.most)
        self.held_out = GenerationData(s.data, s.seen, split="val", most=s.most)
        self.words: Vocabulary = self.data.vocabulary()
        self.maps = keep_grids(self.data, s.features, s.maps, "train")
        self.held_out_maps = keep_grids(self.held_out, s.features, s.maps, "val")
        self.broken = (*self.data.broken, *self.held_out.broken)

    def build_network(self) -> nn.Module:
        """Both sides."""
        s = self.settings
        return build_text_image_encoder(len(self.words), features=s.features, width=s.width, dropout=s.dropout)

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """All learns."""
        return [(1.0, list(network.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Maps (B, S, C) float32 and one sentence each (B, T), with hidden words."""
        maps, rows = [], []
        for number in samples:
            index, rng = pick(number, of=len(self.data), seed=self.settings.loop.seed)
            maps.append(self.maps[index, int(rng.integers(2))])
            row = np.array(self.words.encode(self.data.sentence(index, rng))[:LONGEST] or [UNKNOWN], np.int64)
            row[(rng.random(len(row)) < self.settings.forget) & (row >= FIRST_WORD)] = UNKNOWN
            rows.append(row)
        return {"maps": torch.from_numpy(np.stack(maps).astype(np.float32)), "tokens": torch.from_numpy(padded(rows))}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Both directions."""
        owner = torch.arange(len(batch["maps"]), device=batch["maps"].device)
        return matching_loss(network(batch["maps"], batch["tokens"]).float(), owner)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """R-precision among 100 of the held-out photographs, for each thing."""
        assert isinstance(network, TextImageEncoder)
        rng = np.random.default_rng(7)
        tokens = encode_sentences(self.words, [self.held_out.sentence(i, rng) for i in range(len(self.held_out))])
        sentences = network.sentence(torch.from_numpy(tokens)).float().numpy()
        maps = torch.from_numpy(self.held_out_maps[:, 0].astype(np.float32))
        pictures = torch.cat([network.picture(part) for part in torch.split(maps, 256)]).float().numpy()
        out: dict[str, float] = {}
        for subject in ("flower", "bird"):
            own = np.flatnonzero([one.subject == subject for one in self.held_out.items])
            if len(own) > 1:
                among = min(100, len(own))
                out[f"R-precision@{among}, {subject}s"] = r_precision(pictures[own], sentences[own], among=among)
        return out


def keep_grids(data: GenerationData, features: str, folder: Path, split: str) -> NDArray[np.float16]:
    """Features of the pictures, whole and mirrored: (N, 2, S, C); computed once and kept in a folder."""
    place = folder / f"{features}-{split}"
    about = {"features": features, "pictures": [f"{one.subject}/{one.path.name}" for one in data.items]}
    if is_whole(place, _GRIDS, about):
        kept: NDArray[np.float16] = np.load(place / _GRIDS[0], mmap_mode="r")
        return kept
    look = _LOOKS[features]()
    parts = []
    for start in range(0, len(data), _TOGETHER):
        part = data.pictures[start : start + _TOGETHER]
        both = [look(list(views)) for views in (part, part[:, :, ::-1])]
        parts.append(np.stack(both, axis=1).astype(np.float16))
    whole = np.concatenate(parts)
    with write_file(place / _GRIDS[0]) as part_file, part_file.open("wb") as opened:
        np.save(opened, whole)
    seal_folder(place, _GRIDS, about)
    return whole


def build_text_image_encoder(words: int, *, features: str, width: int, dropout: float) -> TextImageEncoder:
    """Both sides for one kind of features."""
    return TextImageEncoder(
        words, channels=_FEATURES[features], width=width, dropout=dropout, looks=4, near=5, longest=LONGEST
    )


def encode_sentences(words: Vocabulary, sentences: Sequence[str]) -> NDArray[np.int64]:
    """(N, T), padded."""
    return padded([np.array(words.encode(text)[:LONGEST] or [UNKNOWN], np.int64) for text in sentences])


def padded(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Rows of different lengths as one array."""
    out = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out


def build_recipe(settings: DrawMatchSettings) -> DrawMatchRecipe:
    """The recipe of these settings."""
    return DrawMatchRecipe(settings)


class _Lite0:
    """Features as the discriminator of drawings sees them."""

    def __init__(self) -> None:
        self.net = LiteFeatures(build_efficientnet_lite("lite0", pretrained=True).eval()).eval()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, pictures: Sequence[Picture8]) -> NDArray[np.float32]:
        x = to_signed(torch.from_numpy(np.ascontiguousarray(np.stack(pictures))))
        out: NDArray[np.float32] = grid_of(self.net(x)).numpy()
        return out


class _Shipped:
    def __init__(self) -> None:
        self.look = ClassifierFeatures(workers=max(1, torch.get_num_threads()))

    def __call__(self, pictures: Sequence[Picture8]) -> NDArray[np.float32]:
        return np.asarray(self.look([np.ascontiguousarray(p) for p in pictures])[2], np.float32)


def to_signed(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 in -1..1, channels last in memory."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


_LOOKS: dict[str, Callable[[], Callable[[Sequence[Picture8]], NDArray[np.float32]]]] = {
    "lite0": _Lite0,
    "classifier": _Shipped,
}
