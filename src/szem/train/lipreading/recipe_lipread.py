"""Sentences from lips, sound or both: the reader of `szem lipread`.

Command:  szem train lipread --data shared/data/grid --out runs/lipread --budget 43m --set others=shared/data
          szem train lipread … --out runs/more --budget 61m --set begin_with=runs/lipread --set clean=0.4
            --set loop.lr=0.0012 --set loop.ema=0.99                            (goes on where the first ended)
          szem train lipread … --set loop.steps=40000 --set loop.batch=64 --device cuda    (a GPU; not tried)
Duration: mouth tracks of 804 videos once (some minutes); then as long as the budget says, on one core. The shipped
          weights took 104 minutes in four parts, which their card tells; the two lines above come near
Seed:     0
Expected: the scores in docs/lipread.md, taken from the exported model on sentences never trained or tuned on

`others` names the videos and sounds that the check is fitted against; without it the check knows fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.data.letters import LETTERS, encode_letters
from szem.data.lexicon import SOUNDS, sounds_of
from szem.data.spoken import read_spoken
from szem.data.words import END, START
from szem.errors import FormatError, TrainError
from szem.media.noise import white_noise
from szem.models.lip_reader import LipReaderNetwork
from szem.tasks.faces.mouth_crops import track_mouth
from szem.tasks.lipreading.networks import RATE_HZ
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.lipreading.augment import ClipView, ViewRules, in_noise, make_view, plain_view, splice
from szem.train.lipreading.clips import keep_clips
from szem.train.lipreading.export import lip_release
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick, spread_over

__all__ = ["LipreadRecipe", "LipreadSettings", "build_recipe"]

_IGNORED = -100
_WAYS = ((1.0, 0.0, 1.0), (0.0, 1.0, 1.0))  # whether lips count, whether sound counts, of the three readings
_MIN_FRACTION = 0.9  # of the frames that the face is seen in


@dataclass(frozen=True, kw_only=True)
class LipreadSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=2600, batch=16, lr=1.5e-3, warmup=0.04, weight_decay=0.05, clip_norm=3.0, ema=0.995, scores=3
        )
    )
    data: Path = Path("data")  # holds index.csv with words and their times
    clips: Path = Path("runs/lip_clips")  # where mouth crops and sound are kept
    others: str = ""  # folder with lipwords/ and sounds/: other lips and sounds, that the reader shall not read
    begin_with: str = ""  # folder of an earlier run of the same network, whose averaged weights are taken on
    hold_back: int = 60  # so many sentences are not trained on but scored, to watch and to choose
    width: int = 224
    hidden: int = 192
    dropout: float = 0.3
    smoothing: float = 0.05
    splice: float = 0.35  # fraction of clips made of two
    clean: float = 0.2  # fraction of clips whose sound has no noise
    short: float = 0.15  # fraction of batches of parts of sentences
    ctc: float = 0.03  # weight of the sum over all alignments; more, and silence wins for long
    spell: float = 0.3  # weight of the speller
    sounds: float = 0.15  # weight of the speech sounds


class LipreadRecipe:
    """A word for each frame, all alignments (CTC), and the letters (attention), for lips alone and with sound."""

    def __init__(self, settings: LipreadSettings) -> None:
        self.settings = settings
        found = read_spoken(settings.data, split="train")
        self.vocabulary = tuple(sorted({word for video in found.videos for word in video.words}))
        kept = keep_clips(
            found.videos, settings.clips, watch=watch_video, about="mouth track 1", vocabulary=self.vocabulary
        )
        self.broken = (*found.broken, *kept.broken)
        if len(kept.clips) <= settings.hold_back + 1:
            raise TrainError(f"{settings.data}: {len(kept.clips)} videos, {settings.hold_back} of them held out")
        numbers = range(len(kept.clips))
        held_out = set(spread_over(numbers, most=settings.hold_back)) if settings.hold_back else set()
        self.training_items = tuple(kept.clips[i] for i in numbers if i not in held_out)
        self.held_out = tuple(kept.clips[i] for i in numbers if i in held_out)
        self.rules = ViewRules(splice=settings.splice, clean=settings.clean)

    @property
    def held_split(self) -> str:
        """What is neither trained nor tuned on."""
        return "val"

    def build_network(self) -> LipReaderNetwork:
        """The reader."""
        s = self.settings
        network = LipReaderNetwork(
            1 + len(self.vocabulary),
            len(LETTERS),
            sounds=1 + len(SOUNDS),
            width=s.width,
            hidden=s.hidden,
            dropout=s.dropout,
        )
        if s.begin_with:
            network.load_state_dict(load_checkpoint(Path(s.begin_with) / CHECKPOINT)["average"])
        return network

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """All of it learns."""
        return [(1.0, list(network.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Views of clips, see `_stacked`."""
        s = self.settings
        probability = np.random.default_rng((s.loop.seed, 5, samples[0]))
        frames = int(probability.integers(32, 72)) if probability.random() < s.short else 75
        views = []
        for number in samples:
            index, rng = pick(number, of=len(self.training_items), seed=s.loop.seed)
            clip = self.training_items[index]
            if rng.random() < self.rules.splice:
                clip = splice(clip, self.training_items[int(rng.integers(len(self.training_items)))], rng)
            views.append(make_view(clip, self.training_items, frames=frames, rules=self.rules, rng=rng))
        return _stacked(views, self.vocabulary)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Frames, alignments and letters, read from the lips, from the sound and from both."""
        s = self.settings
        is_seen, is_heard = (
            torch.tensor(row, device=batch["mel"].device)[:, None].expand(-1, len(batch["mel"])) for row in _WAYS
        )
        words, letters, sounds = network(
            batch["crops"].float(), batch["mel"], is_seen, is_heard, batch["letters"], batch["at"]
        )
        words, letters, sounds = words.float(), letters.float(), sounds.float()
        frames = F.cross_entropy(
            words.flatten(0, 1),
            batch["labels"].repeat(len(is_seen), 1).flatten(),
            ignore_index=_IGNORED,
            label_smoothing=s.smoothing,
        )
        summed = _alignments(words, batch["words"], batch["counts"])
        sounded = _alignments(sounds, batch["sounds"], batch["sound_counts"])
        spelled = F.cross_entropy(
            letters.flatten(0, 1),
            batch["wanted"].repeat(len(is_seen), 1).flatten(),
            ignore_index=_IGNORED,
            label_smoothing=s.smoothing,
        )
        return frames + s.ctc * summed + s.spell * spelled + s.sounds * sounded

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Word error rates of the sentences held out, the likeliest word of each frame, runs taken as one."""
        assert isinstance(network, LipReaderNetwork)
        if not self.held_out:
            return {}
        clean = [plain_view(clip) for clip in self.held_out]
        noisy = []
        for number, clip in enumerate(self.held_out):
            noise = white_noise(len(clip.sound), np.random.default_rng((7, number)))
            noisy.append(plain_view(in_noise(clip, noise, snr_db=0.0)))
        return {
            "WER lips": self.errors(network, clean, seen=True, heard=False),
            "WER sound": self.errors(network, clean, seen=False, heard=True),
            "WER sound 0 dB": self.errors(network, noisy, seen=False, heard=True),
            "WER both 0 dB": self.errors(network, noisy, seen=True, heard=True),
        }

    def errors(self, network: LipReaderNetwork, views: Sequence[ClipView], *, seen: bool, heard: bool) -> float:
        """Word error rate of some views."""
        import jiwer

        said, truth = [], []
        for view in views:
            crops, mel = torch.from_numpy(view.crops.astype(np.float32))[None], torch.from_numpy(view.mel)[None]
            _, scores = network.joiner(
                network.watcher(crops),
                network.listener(mel),
                torch.tensor([float(seen)]),
                torch.tensor([float(heard)]),
            )
            said.append(" ".join(self.vocabulary[i - 1] for i in _runs(scores[0].argmax(-1).numpy())))
            truth.append(" ".join(self.vocabulary[i - 1] for i in view.words))
        return float(jiwer.wer(truth, said))

    def release(self, network: nn.Module) -> Release:
        """The model of a run."""
        assert isinstance(network, LipReaderNetwork)
        others = self.settings.others
        return lip_release(
            network,
            vocabulary=self.vocabulary,
            clips=self.training_items,
            held_out=self.held_out,
            others=Path(others) if others else None,
        )


def watch_video(path: Path) -> NDArray[np.uint8]:
    """A video's mouth crops (T, 48, 80), by the shipped track.

    Raises:
        FormatError: the face is not seen well, or it is not a video of 25 frames a second.
    """
    track = track_mouth(path)
    if track.seen_fraction < _MIN_FRACTION or abs(track.rate_hz - RATE_HZ) > 0.1:
        raise FormatError(
            f"{path}: the face is seen in {track.seen_fraction:.0%} of {track.rate_hz:.0f} frames a second"
        )
    return track.crops


def build_recipe(settings: LipreadSettings) -> LipreadRecipe:
    """The recipe of these settings."""
    return LipreadRecipe(settings)


def _runs(labels: NDArray[np.int64]) -> list[int]:
    """The words of a row of frames: repeated ones once, silences not."""
    firsts = labels[np.flatnonzero(np.diff(labels, prepend=0))]
    return [int(label) for label in firsts if label]


def _alignments(scores: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
    """CTC of K readings: scores (K B, T, classes), wanted (B, W) and how many of them (B,)."""
    ways = len(scores) // len(wanted)
    return F.ctc_loss(
        scores.log_softmax(-1).transpose(0, 1),
        wanted.repeat(ways, 1),
        torch.full((len(scores),), scores.shape[1]),
        counts.repeat(ways),
        zero_infinity=True,
    )


def _rows(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of numbers (B, W), filled up with 1, and their lengths (B,)."""
    out = np.ones((len(rows), max(1, *map(len, rows))), np.int64)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(out), torch.tensor([len(row) for row in rows])


def _stacked(views: Sequence[ClipView], vocabulary: Sequence[str]) -> Batch:
    """Crops (B, T, 48, 80) uint8, mel (B, 4 T, bands), labels (B, T), words and sounds (B, W) and their counts; the
    letters given, their places and the letters wanted (B, L)."""
    said = [[vocabulary[i - 1] for i in view.words] for view in views]
    words, counts = _rows([view.words for view in views])
    sounds, sound_counts = _rows([[1 + SOUNDS.index(x) for word in row for x in sounds_of(word)] for row in said])
    spelled = [encode_letters(row) for row in said]
    longest = 1 + max(len(row) for row in spelled)
    given = np.full((len(views), longest), 0, np.int64)
    wanted = np.full((len(views), longest), _IGNORED, np.int64)
    for i, row in enumerate(spelled):
        given[i, : len(row) + 1] = [START, *row]
        wanted[i, : len(row) + 1] = [*row, END]
    at = np.tile(np.arange(longest), (len(views), 1))
    return {
        "crops": torch.from_numpy(np.stack([view.crops for view in views])),
        "mel": torch.from_numpy(np.stack([view.mel for view in views])),
        "labels": torch.from_numpy(np.stack([view.labels for view in views])),
        "words": words,
        "counts": counts,
        "sounds": sounds,
        "sound_counts": sound_counts,
        "letters": torch.from_numpy(given),
        "at": torch.from_numpy(at),
        "wanted": torch.from_numpy(wanted),
    }
