"""Sentences for pictures: a decoder on the maps of EfficientNet-Lite2, after Show and Tell and what followed it.

Command:  szem train caption --data MY_PICTURES --out runs/mine     (goes on from the shipped captioner)
          szem train caption --data shared/data/flickr8k --out runs/caption --set begin=
          szem train caption --data shared/data/flickr8k --out runs/teller --set begin= --set decoder=teller
Duration: the maps once 8 minutes on two shared cores (AMD EPYC, AVX-512); then see docs/caption.md
Seed:     0
Expected: the scores in docs/caption.md, taken from the exported model on pictures never trained or tuned on
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.arrays import Array
from szem.data.words import END, FIRST_WORD, START, UNKNOWN, Vocabulary, build_vocabulary, split_words
from szem.errors import UnknownNameError
from szem.models.captioner import CAPTIONERS, CaptionDecoder, CaptionNetwork
from szem.models.encoder import Tail, Trunk, build_encoder
from szem.runtime.cards import TrainingData
from szem.tasks.captioning.beam_search import Hypothesis, search_beams
from szem.tasks.captioning.bleu_cider import Cider, bleu
from szem.train.captioning.begin import begin_captioner, begin_space, find_captioner, join_vocabularies
from szem.train.captioning.data import CaptionedPictures, read_captioned
from szem.train.captioning.export import CaptionParts, caption_release
from szem.train.captioning.feature_cache import keep_maps
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick

__all__ = [
    "CaptionRecipe",
    "CaptionSettings",
    "build_recipe",
    "generate_captions",
    "torch_step",
]

_FLICKR8K_FILE = re.compile(r"[0-9]+_[0-9a-f]{10}")  # Flickr's number of a photograph and its secret
_IGNORED = -100
_LONGEST = 30  # words of a sentence to learn from; longer ones are left out


@dataclass(frozen=True, kw_only=True)
class CaptionSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=860, batch=64, lr=1.5e-3, warmup=0.06, weight_decay=0.05, clip_norm=2.0, ema=0.99, scores=4
        )
    )
    data: Path = Path("data")  # holds captions.csv and images/
    maps: Path = Path("runs/maps")  # where the maps of the pictures are kept
    # A model that captions, whose network goes on learning; "" begins with the encoder's alone.
    begin: str = field(default="caption", metadata={"former": ""})
    # Factor of the learning rate of what it brings.
    begin_lr: float = field(default=0.2, metadata={"former": 0.2})
    begin_with: str = ""  # folder of an earlier run of the same network, whose averaged weights are taken on
    decoder: str = "attender"  # of captioner.CAPTIONERS
    backbone: str = "lite2"  # of efficientnet_lite.VARIANTS
    pretrained: bool = True  # begin with ImageNet's weights
    side_px: int = 260  # of the square a picture is stretched to
    width: int = 256  # channels of a word
    blocks: int = 2  # of the attender
    dropout: float = 0.3
    smoothing: float = 0.1  # fraction of the truth spread over all words
    forget: float = 0.1  # fraction of the words given that are hidden while training
    tail_lr: float = 0.1  # factor of the learning rate of the encoder's last stage
    minimum: int = 5  # how often a word must occur to be learned
    hold_back: int = 500  # so many pictures, a fifth at most, are not trained on but scored, to watch and to choose
    power: float = 0.8  # of the length, in beam search
    fit: float = 8.0  # how much it counts, among the sentences found, how near one is to the picture


class CaptionRecipe:
    """Cross-entropy of each next word."""

    held_split = "val"
    default_budget_s = 1200.0  # where neither a budget nor steps are given

    def __init__(self, settings: CaptionSettings) -> None:
        self.settings = settings
        if settings.decoder not in CAPTIONERS:
            raise UnknownNameError(f"no decoder called {settings.decoder!r}; there are {', '.join(CAPTIONERS)}")
        shown, broken = read_captioned(settings.data, split="train")
        self.shown = shown
        # picture files of the data's kind come in the order of a number without meaning, so the last are any
        self.train_count = len(shown.files) - min(settings.hold_back, len(shown.files) // 5)
        self.words = build_vocabulary(
            (s for p in shown.sentences[: self.train_count] for s in p), minimum=settings.minimum
        )
        self.begin = find_captioner(settings.begin) if settings.begin else None
        if self.begin is not None:
            self.words = join_vocabularies(Vocabulary(self.begin.labels), self.words)
        self.rows = [_row(self.words, sentences) for sentences in shown.sentences[: self.train_count]]
        trunk, _ = self.build_encoder()
        self.maps, spoiled = keep_maps(trunk, shown.files, settings.maps, side_px=settings.side_px)
        self.broken = (*broken, *spoiled)
        self._order = lru_cache(maxsize=2)(self._epoch)

    def build_encoder(self, *, frozen: bool = True) -> tuple[Trunk, Tail]:
        """The encoder before training, the same each time; `frozen` as of `Tail`."""
        s = self.settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(s.loop.seed)
            return build_encoder(s.backbone, pretrained=s.pretrained, frozen=frozen)

    def build_network(self) -> nn.Module:
        """The tail of the encoder and the decoder."""
        s = self.settings
        _, tail = self.build_encoder()
        for p in tail.parameters():
            p.requires_grad_(s.tail_lr > 0)
        places = int(np.prod(self.maps.shape[3:]))
        shape = {"places": places, "blocks": s.blocks} if s.decoder == "attender" else {}
        captioner = CAPTIONERS[s.decoder](len(self.words), width=s.width, dropout=s.dropout, **shape)
        network = CaptionNetwork(tail, captioner)
        if self.begin is not None:
            begin_captioner(network, self.begin)
        if s.begin_with:
            network.load_state_dict(load_checkpoint(Path(s.begin_with) / CHECKPOINT)["average"])
        return network

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The tail learns more slowly than what is new."""
        assert isinstance(network, CaptionNetwork)
        factor = self.settings.begin_lr if self.settings.begin else 1.0
        old = [p for p in network.tail.parameters() if p.requires_grad]
        return [(factor * self.settings.tail_lr, old), (factor, list(network.captioner.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Maps (B, C, h, w) float32; the words given, their places and the words wanted, each (B, T) int64."""
        s = self.settings
        indices = self.indices(samples).tolist()
        rngs = [pick(number, of=self.train_count, seed=s.loop.seed)[1] for number in samples]
        maps = np.stack(
            [self.maps[i, int(rng.integers(self.maps.shape[1]))] for i, rng in zip(indices, rngs, strict=True)]
        )
        rows = [self.rows[i] for i in indices]
        longest = max(row.shape[1] for row in rows)
        blank = np.arange(longest)
        padding = np.stack((0 * blank, blank % _LONGEST, 0 * blank + _IGNORED))
        joined = np.stack([np.concatenate((row, padding[:, : longest - row.shape[1]]), axis=1) for row in rows])
        tokens, at, wanted = joined[:, 0], joined[:, 1], joined[:, 2]
        hidden = np.stack([rng.random(longest) < s.forget for rng in rngs]) & (tokens >= FIRST_WORD)
        tokens = np.where(hidden, UNKNOWN, tokens)
        return {
            "maps": torch.from_numpy(maps.astype(np.float32)).contiguous(memory_format=torch.channels_last),
            "tokens": torch.from_numpy(tokens),
            "at": torch.from_numpy(np.ascontiguousarray(at)),
            "wanted": torch.from_numpy(np.ascontiguousarray(wanted)),
        }

    def indices(self, samples: Sequence[int]) -> NDArray[np.int64]:
        """Which pictures the samples are."""
        places = [divmod(number, self.train_count) for number in samples]
        return np.array([self._order(epoch)[place] for epoch, place in places], np.int64)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean over the words, with some of the truth spread over all words."""
        scores = network(batch["maps"], batch["tokens"], batch["at"])
        return F.cross_entropy(
            scores.flatten(0, 1).float(),
            batch["wanted"].flatten(),
            ignore_index=_IGNORED,
            label_smoothing=self.settings.smoothing,
        )

    def score(self, network: nn.Module) -> dict[str, float]:
        """CIDEr-D and BLEU of the pictures held out, three beams."""
        assert isinstance(network, CaptionNetwork)
        held_out = range(self.train_count, len(self.shown.files))
        if not held_out:
            return {}
        captions = [
            split_words(self.words.decode(hypotheses[0].numbers))
            for hypotheses in self.caption_all(network, held_out)
        ]
        truth = [[split_words(s) for s in self.shown.sentences[i]] for i in held_out]
        blues = bleu(captions, truth)
        return {"CIDEr-D": Cider(truth).mean(captions), "BLEU-1": blues[0], "BLEU-4": blues[3]}

    def caption_all(
        self, network: CaptionNetwork, pictures: Sequence[int], *, beams: int = 3
    ) -> list[list[Hypothesis]]:
        """The sentences found for some of the pictures."""
        out: list[list[Hypothesis]] = []
        for start in range(0, len(pictures), 50):
            part = list(pictures[start : start + 50])
            maps = torch.from_numpy(self.maps[part, 0].astype(np.float32))
            out += generate_captions(network, maps, beams=beams, power=self.settings.power)
        return out

    def release(self, network: nn.Module) -> Release:
        """The model of a run. Its common space is that of the model it began with, where the encoder was not changed;
        else recipe search adds one."""
        assert isinstance(network, CaptionNetwork)
        is_kept = self.begin is not None and self.settings.tail_lr == 0
        space = begin_space(self.begin, self.words) if is_kept and self.begin is not None else None
        return caption_release(self.parts(), network, space)

    def parts(self) -> CaptionParts:
        """What the model's files and card need beside the trained networks."""
        s = self.settings
        trunk, tail = self.build_encoder(frozen=False)
        files, sentences = self.shown.files, self.shown.sentences
        return CaptionParts(
            trunk=trunk,
            tail=tail,
            words=self.words,
            backbone=s.backbone,
            decoder=s.decoder,
            side_px=s.side_px,
            power=s.power,
            fit=s.fit,
            samples=files[: self.train_count],
            training_data=self._training_data(),
            held_out=CaptionedPictures(files[self.train_count :], sentences[self.train_count :]),
        )

    def _training_data(self) -> tuple[TrainingData, ...]:
        if all(_FLICKR8K_FILE.fullmatch(file.stem) for file in self.shown.files):
            name, terms = "Flickr8k, split train, as prepared in captions.csv", "research"
        else:
            name, terms = f"{self.settings.data.resolve().name} ({self.train_count} pictures)", "one's own"
        own = (
            TrainingData(name=name, terms=terms),
            TrainingData(name="the last pictures of that split", terms=terms, use="tuning"),
        )
        before = self.begin.card.training_data if self.begin is not None else ()
        learned = [one for one in before if one.use == "training" and one.name != name]
        return (
            *own,
            *(TrainingData(name=one.name, terms=one.terms, use="pre-training") for one in learned),
            TrainingData(name="ImageNet-1k, through the encoder's weights", terms="research", use="pre-training"),
        )

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        """A new order each time, in which pictures with about as many words stand together."""
        s = self.settings
        rng = np.random.default_rng((s.loop.seed, 3, epoch))
        order = rng.permutation(self.train_count)
        lengths = np.array([row.shape[1] for row in self.rows])
        span = 8 * s.loop.batch
        parts = [order[i : i + span] for i in range(0, len(order), span)]
        order = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
        batches = [order[i : i + s.loop.batch] for i in range(0, len(order), s.loop.batch)]
        return np.concatenate([batches[i] for i in rng.permutation(len(batches))])


def build_recipe(settings: CaptionSettings) -> CaptionRecipe:
    """The recipe of these settings."""
    return CaptionRecipe(settings)


@torch.no_grad()
def generate_captions(
    network: CaptionNetwork, maps: Tensor, *, beams: int, power: float, again: Collection[int] | None = None
) -> list[list[Hypothesis]]:
    """Beam search with the network itself: maps (B, C, h, w) to sentences for each picture; see `search_beams`."""
    step, state = torch_step(network.captioner, network.memory(maps), beams)
    return search_beams(step, state, pictures=len(maps), beams=beams, longest=20, power=power, again=again)


def torch_step(
    captioner: CaptionDecoder, memory: Tensor, beams: int
) -> tuple[Callable[..., tuple[Array, Array, Array]], Array]:
    """What `search_beams` wants: a step on arrays, and the first state."""

    def step(tokens: NDArray[np.int64], state: Array) -> tuple[Array, Array, Array]:
        with torch.no_grad():
            out = captioner.step(torch.from_numpy(tokens), memory, torch.from_numpy(state))
        scores, looked, following = (value.float().numpy() for value in out)
        return scores, looked, following

    return step, captioner.start(memory, beams).numpy()


def _row(words: Vocabulary, sentences: Sequence[str]) -> NDArray[np.int64]:
    """(3, T): the words given, their places and the words wanted; unknown words are given, never wanted."""
    parts = []
    for sentence in sentences:
        numbers = words.encode(sentence)
        if not 0 < len(numbers) <= _LONGEST:
            continue
        wanted = [_IGNORED if n == UNKNOWN else n for n in numbers]
        parts.append(np.array(([START, *numbers], range(len(numbers) + 1), [*wanted, END]), np.int64))
    return np.concatenate(parts, axis=1) if parts else np.array([[START], [0], [_IGNORED]], np.int64)
