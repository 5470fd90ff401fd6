"""Sentences for pictures, second part: what is scored is what is learned.

A trained captioner says several sentences for a picture by chance; those that score better than the others become
likelier. The score is CIDEr-D against the five sentences people wrote, the end of the sentence counted as a word, so
that none breaks off.

Source: S. Rennie et al., Self-critical Sequence Training, 2017, arXiv:1612.00563; the others' mean as the baseline:
R. Luo, A Better Variant of Self-Critical Sequence Training, 2020, arXiv:2003.09971.

Command:  szem train caption-reward --data shared/data/flickr8k --out runs/reward --set begin=runs/caption
Duration: see docs/caption.md
Seed:     0
Expected: the scores in docs/caption.md, taken from the exported model on pictures never trained or tuned on
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.data.words import END, FIRST_WORD, PAD, START, UNKNOWN, split_words
from szem.errors import TrainError
from szem.models.captioner import CaptionNetwork
from szem.tasks.captioning.bleu_cider import Cider
from szem.train.captioning.recipe_caption import CaptionRecipe, CaptionSettings
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.recipe import Batch, Loop, override
from szem.train.release import Release

__all__ = ["RewardRecipe", "RewardSettings", "build_recipe", "read_begun"]

_SILENT = (PAD, START, UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class RewardSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=430, batch=64, lr=1e-4, warmup=0.05, weight_decay=0.0, clip_norm=1.0, ema=0.98, scores=4
        )
    )
    data: Path = Path("data")  # holds captions.csv and images/
    begin: Path = Path("runs/caption")  # the run of recipe caption whose network goes on learning
    maps: Path = Path("runs/maps")  # where the maps of the pictures are kept
    samples: int = 5  # sentences said for each picture
    longest: int = 20  # words of a sentence
    dropout: float = 0.1  # less than before: what is said should be what is learned
    tail_lr: float = 0.1  # factor of the learning rate of the encoder's last stage


class RewardRecipe:
    """Policy gradient on CIDEr-D."""

    held_split = "val"

    def __init__(self, settings: RewardSettings) -> None:
        self.settings = settings
        self.caption = read_begun(
            settings.begin,
            data=settings.data,
            maps=settings.maps,
            loop=settings.loop,
            changes=(f"dropout={settings.dropout}", f"tail_lr={settings.tail_lr}"),
        )
        self.broken, self.words = self.caption.broken, self.caption.words
        shown = self.caption.shown.sentences[: self.caption.train_count]
        self.cider = Cider([[[*split_words(s), "<end>"] for s in sentences] for sentences in shown])

    def build_network(self) -> nn.Module:
        """The captioner as it was trained."""
        network = self.caption.build_network()
        network.load_state_dict(load_checkpoint(self.settings.begin / CHECKPOINT)["average"])
        return network

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The tail learns more slowly."""
        return self.caption.parameter_groups(network)

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """Maps (B, C, h, w) float32 and the numbers of the pictures (B,)."""
        maps = self.caption.batch(samples, progress)["maps"]
        return {"maps": maps, "picture": torch.from_numpy(self.caption.indices(samples))}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean over the words of minus advantage times log probability."""
        assert isinstance(network, CaptionNetwork)
        network.eval()
        captions = _say(network, batch["maps"], samples=self.settings.samples, longest=self.settings.longest)
        network.train()
        tokens, at, wanted, sentence = _rows(captions)
        rewards = self._rewards(captions, batch["picture"].cpu().numpy())
        others = (rewards.sum(1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
        advantage = torch.from_numpy(rewards - others).to(tokens.device)  # (B, K)
        scores = network(batch["maps"], tokens, at).float()
        scores[..., list(_SILENT)] = -1e9
        chosen = torch.log_softmax(scores, -1).gather(2, wanted.clamp(min=0)[..., None])[..., 0]  # (B, T)
        is_word = wanted >= 0
        gain = advantage.gather(1, sentence.clamp(max=rewards.shape[1] - 1)) * is_word
        return -(gain * chosen).sum() / is_word.sum()

    def score(self, network: nn.Module) -> dict[str, float]:
        """As of recipe caption."""
        return self.caption.score(network)

    def release(self, network: nn.Module) -> Release:
        """As of recipe caption."""
        return self.caption.release(network)

    def _rewards(self, captions: Tensor, pictures: NDArray[np.int64]) -> NDArray[np.float32]:
        names = self.words.words
        out = np.zeros(captions.shape[:2], np.float32)
        for row, (picture, sentences) in enumerate(zip(pictures, captions.tolist(), strict=True)):
            for column, numbers in enumerate(sentences):
                words = [names[n] if n >= FIRST_WORD else "<end>" for n in numbers if n != PAD]
                out[row, column] = self.cider.score(words, int(picture))
        return out


def read_begun(run: Path, *, data: Path, maps: Path, loop: Loop, changes: Sequence[str] = ()) -> CaptionRecipe:
    """The recipe of a run of caption, or of caption-reward, to go on from.

    Raises:
        TrainError: not such a run.
    """
    about = run / "run.json"
    try:
        hypotheses = json.loads(about.read_text(encoding="utf-8"))
        if hypotheses["recipe"] == "caption-reward":
            return read_begun(Path(hypotheses["settings"]["begin"]), data=data, maps=maps, loop=loop, changes=changes)
        then = {k: v for k, v in hypotheses["settings"].items() if k not in ("loop", "data", "maps", "begin_with")}
    except (OSError, ValueError, KeyError) as error:
        raise TrainError(f"{about}: not the run of recipe caption ({error}); set begin=RUN") from error
    fields = [f"{k}={json.dumps(v)}" for k, v in then.items()]
    places = [f"data={json.dumps(str(data))}", f"maps={json.dumps(str(maps))}"]
    return CaptionRecipe(override(CaptionSettings(loop=loop), [*fields, *places, *changes]))


def build_recipe(settings: RewardSettings) -> RewardRecipe:
    """The recipe of these settings."""
    return RewardRecipe(settings)


@torch.no_grad()
def _say(network: CaptionNetwork, maps: Tensor, *, samples: int, longest: int) -> Tensor:
    """Sentences by chance: (B, samples, T) numbers, each with its end, then padding."""
    memory = network.memory(maps)
    state = network.captioner.start(memory, samples)
    last = torch.full((len(maps), samples), START, device=maps.device)
    going = torch.ones_like(last, dtype=torch.bool)
    captions: list[Tensor] = []
    for _ in range(longest):
        scores, _, state = network.captioner.step(last, memory, state)
        scores = scores.float()
        scores[..., list(_SILENT)] = -torch.inf
        last = torch.multinomial(scores.softmax(-1).flatten(0, 1), 1).reshape(last.shape)
        captions.append(torch.where(going, last, PAD))
        going = going & (last != END)
        if not going.any():
            break
    return torch.stack(captions, dim=2)


def _rows(captions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sentences (B, K, T) as rows for the network: words given, places, words wanted (-1: none), which sentence."""
    lengths = (captions != PAD).sum(2)  # (B, K)
    longest = int(lengths.sum(1).max())
    tokens, wanted = captions.new_zeros(len(captions), longest), captions.new_full((len(captions), longest), -1)
    at, sentence = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for row in range(len(captions)):
        begin = 0
        for column, length in enumerate(lengths[row].tolist()):
            here = slice(begin, begin + length)
            wanted[row, here] = captions[row, column, :length]
            tokens[row, begin] = START
            tokens[row, begin + 1 : begin + length] = captions[row, column, : length - 1]
            at[row, here] = torch.arange(length, device=captions.device)
            sentence[row, here] = column
            begin += length
        at[row, begin:] = torch.arange(longest - begin, device=captions.device) % captions.shape[2]
        sentence[row, begin:] = captions.shape[1]
    return tokens, at, wanted, sentence
