"""Pictures and sentences in one space, on the maps of a trained captioner's encoder.

Command:  szem train search --data shared/data/flickr8k --out runs/search --set begin=runs/caption
Duration: see docs/caption.md
Seed:     0
Expected: the recall in docs/caption.md, taken from the exported model on pictures never trained or tuned on
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.data.words import FIRST_WORD, PAD, UNKNOWN
from szem.models.captioner import CaptionNetwork
from szem.models.text_image_encoder import TextImageEncoder, matching_loss
from szem.tasks.captioning.bleu_cider import recall
from szem.train.captioning.export import caption_release
from szem.train.captioning.recipe_caption_reward import read_begun
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.recipe import Batch, Loop
from szem.train.release import Release, trained_network
from szem.train.sampling import pick

__all__ = ["MatchingNet", "SearchRecipe", "SearchSettings", "build_recipe"]

_LONGEST = 30  # words of a sentence


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=860, batch=128, lr=1e-3, warmup=0.08, weight_decay=0.1, clip_norm=2.0, ema=0.99, scores=5
        )
    )
    data: Path = Path("data")  # holds captions.csv and images/
    begin: Path = Path("runs/caption")  # the run of recipe caption, or caption-reward, whose encoder is shared
    maps: Path = Path("runs/maps")  # where the maps of the pictures are kept
    width: int = 256  # of the common space
    dropout: float = 0.3
    forget: float = 0.1  # fraction of the words that are hidden while training
    per_picture: int = 3  # sentences of a picture in a batch


class MatchingNet(nn.Module):
    """The encoder's tail, which stays as it is, and the two sides."""

    def __init__(self, tail: nn.Module, text_image_encoder: TextImageEncoder) -> None:
        super().__init__()
        self.tail, self.text_image_encoder = tail, text_image_encoder

    def forward(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """Maps (B, C, h, w) of the trunk and sentences (N, T) to their fit (N, B)."""
        with torch.no_grad():
            seen = self.tail(maps)
        fit: Tensor = self.text_image_encoder(seen, tokens)
        return fit


class SearchRecipe:
    """Contrast between what belongs together and what does not."""

    held_split = "val"

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings
        self.caption = read_begun(settings.begin, data=settings.data, maps=settings.maps, loop=settings.loop)
        self.broken, self.words = self.caption.broken, self.caption.words
        self.numbers = [
            [self.words.encode(s)[:_LONGEST] or [UNKNOWN] for s in p] for p in self.caption.shown.sentences
        ]

    def build_network(self) -> nn.Module:
        """The captioner's tail and new sides."""
        describer = self.caption.build_network()
        assert isinstance(describer, CaptionNetwork)
        describer.load_state_dict(load_checkpoint(self.settings.begin / CHECKPOINT)["average"])
        for p in describer.tail.parameters():
            p.requires_grad_(False)
        s = self.settings
        return MatchingNet(describer.tail, TextImageEncoder(len(self.words), width=s.width, dropout=s.dropout))

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The sides learn, the tail does not."""
        assert isinstance(network, MatchingNet)
        return [(1.0, list(network.text_image_encoder.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Maps (B, C, h, w) float32, for each picture some sentences (B, R, T) with hidden words."""
        s = self.settings
        maps, rows = [], []
        for number in samples:
            index, rng = pick(number, of=self.caption.train_count, seed=s.loop.seed)
            maps.append(self.caption.maps[index, int(rng.integers(self.caption.maps.shape[1]))])
            sentences = self.numbers[index]
            for place in rng.choice(len(sentences), s.per_picture, replace=len(sentences) < s.per_picture):
                row = np.array(sentences[place], np.int64)
                row[(rng.random(len(row)) < s.forget) & (row >= FIRST_WORD)] = UNKNOWN
                rows.append(row)
        tokens = _padded(rows).reshape(len(samples), s.per_picture, -1)
        return {"maps": torch.from_numpy(np.stack(maps).astype(np.float32)), "tokens": torch.from_numpy(tokens)}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Both directions."""
        pictures, per_picture, _ = batch["tokens"].shape
        owner = torch.arange(pictures, device=batch["maps"].device).repeat_interleave(per_picture)
        return matching_loss(network(batch["maps"], batch["tokens"].flatten(0, 1)).float(), owner)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Fraction of sentences whose picture is among the ten best, and the other way, of the pictures held out."""
        held_out = list(range(self.caption.train_count, len(self.caption.shown.files)))
        if not held_out:
            return {}
        maps = torch.from_numpy(self.caption.maps[held_out, 0].astype(np.float32))
        tokens = torch.from_numpy(_padded([np.array(n) for i in held_out for n in self.numbers[i]]))
        owner = np.repeat(np.arange(len(held_out)), [len(self.numbers[i]) for i in held_out])
        to_picture, to_sentence = recall(network(maps, tokens).float().numpy(), owner, best=10)
        return {"recall@10 of pictures": to_picture, "recall@10 of sentences": to_sentence}

    def release(self, network: nn.Module) -> Release:
        """The captioner of the run this one began from, with the common space."""
        captioner = trained_network(self.caption, self.settings.begin)
        assert isinstance(captioner, CaptionNetwork)
        assert isinstance(network, MatchingNet)
        return caption_release(self.caption.parts(), captioner, network.text_image_encoder)


def build_recipe(settings: SearchSettings) -> SearchRecipe:
    """The recipe of these settings."""
    return SearchRecipe(settings)


def _padded(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    out = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out
