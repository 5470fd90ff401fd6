"""Words from the lips of speakers never seen: a small network over mouth crops, brought to a fixed number of frames.

Command:  szem train lipwords --data shared/data/lipwords --out runs/lipwords --budget 10m --workers 1
          szem train lipwords … --set loop.steps=60000 --set loop.batch=256 --device cuda      (a GPU; not tried)
Duration: 10 minutes on one of two shared cores (AMD EPYC, AVX2)
Seed:     0
Expected: the card's scores, taken from the exported model on speakers F04, F09 and M07, who are never learned from
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.data.lip_words import TEST_SPEAKERS, LipTake, read_lip_takes
from szem.errors import TrainError
from szem.models.lip_words import LipWords
from szem.runtime.cards import ClipInput, TrainingData
from szem.tasks.lipreading.single_words import RATE_HZ, fit_clip
from szem.train.recipe import Batch, Loop
from szem.train.release import NetworkFile, Release
from szem.train.sampling import pick

if TYPE_CHECKING:
    from szem.data.broken import Broken

__all__ = ["LipWordsRecipe", "LipWordsSettings", "build_recipe"]

_SIZE = (48, 72)  # rows and columns that takes are kept at; the network sees the inner part of a moved copy
_FLOAT16_TOLERANCE = 0.02


@dataclass(frozen=True, kw_only=True)
class LipWordsSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(steps=6000, batch=32, lr=2e-3, weight_decay=0.05, ema=0.995, scores=4)
    )
    data: Path = Path("data")  # the folder of takes
    watch: tuple[str, ...] = ()  # speakers kept from training, to watch it; those of the test always are
    frames: int = 14  # of a clip, as the network sees it
    height_px: int = 32
    width_px: int = 48
    channels: tuple[int, ...] = (24, 40, 64, 96)
    width: int = 128  # of a frame's vector
    dropout: float = 0.4
    smooth: float = 0.1  # fraction of the goal that is spread over all words
    mixing: float = 0.3  # fraction of the clips that are mixed with another
    shift: float = 0.09  # how far a mouth is moved, in shares of the crop's sides
    grow: float = 0.2  # how much larger or smaller it becomes
    turn_deg: float = 8.0  # how far it is turned
    cutout: float = 0.5  # fraction of the clips in which a part is hidden


class LipWordsRecipe:
    """`LipWords` on takes whose speakers differ from those it is scored on."""

    def __init__(self, settings: LipWordsSettings) -> None:
        self.settings = settings
        self.held_split = "test"
        self.broken: tuple[Broken, ...] = ()  # a video that cannot be read ends it: there are few
        takes = read_lip_takes(settings.data, split="train", size=_SIZE)
        self.training_items = [take for take in takes if take.speaker not in settings.watch]
        self.watching = [take for take in takes if take.speaker in settings.watch]
        if not self.training_items:
            raise TrainError(f"{settings.data}: nobody is left to learn from; watch fewer speakers")
        kinds = {take.text: take.kind for take in takes}
        self.words = tuple(sorted(kinds, key=lambda text: (kinds[text] != "word", text)))
        self.kinds = tuple(kinds[word] for word in self.words)

    def build_network(self) -> nn.Module:
        """The network before training."""
        s = self.settings
        return LipWords(len(self.words), channels=s.channels, width=s.width, dropout=s.dropout)

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """All learn alike."""
        return [(1.0, list(network.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Clips (B, T, H, W) float32, their seconds (B, 1), and the goal (B, words)."""
        clips, seconds, goals = [], [], []
        for number in samples:
            index, rng = pick(number, of=len(self.training_items), seed=self.settings.loop.seed)
            clip, length, goal = self._moved(index, rng)
            if rng.random() < self.settings.mixing:
                other, other_length, other_goal = self._moved(int(rng.integers(len(self.training_items))), rng)
                fraction = float(rng.beta(0.4, 0.4))
                clip = fraction * clip + (1 - fraction) * other
                length = fraction * length + (1 - fraction) * other_length
                goal = fraction * goal + (1 - fraction) * other_goal
            clips.append(clip)
            seconds.append(length)
            goals.append(goal)
        return {
            "crops": torch.from_numpy(np.stack(clips).astype(np.float32)),
            "seconds": torch.tensor(seconds, dtype=torch.float32)[:, None],
            "goal": torch.from_numpy(np.stack(goals).astype(np.float32)),
        }

    def _moved(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], float, NDArray[np.float32]]:
        """A take as it might have been: another place, size, turn, pace and light."""
        s, take = self.settings, self.training_items[index]
        first, end = 0, len(take.frames)
        if end > 6:  # where a word begins and ends is not known to the frame
            first, end = int(rng.integers(0, 3)), end - int(rng.integers(0, 3))
        at = np.linspace(first, end - 1, s.frames)
        middle = (s.frames - 1) / 2
        bend = float(rng.uniform(-0.12, 0.12)) * (end - first)  # faster at first, or at last
        # Resampled along a curve: words are not said at an even pace.
        at += bend * (1 - ((np.arange(s.frames) - middle) / middle) ** 2)
        at = np.clip(at + rng.uniform(-0.15, 0.15, s.frames), 0, len(take.frames) - 1)
        rows, columns = _SIZE
        angle, grow = np.radians(rng.uniform(-s.turn_deg, s.turn_deg)), np.exp(rng.uniform(-s.grow, s.grow, 2) / 1.2)
        grow[1] = grow[0] * np.exp(rng.uniform(-0.06, 0.06))
        step = np.array([columns / s.width_px / grow[0], rows / s.height_px / grow[1]])
        way = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * step
        if rng.random() < 0.5:
            way[:, 0] *= -1
        middle_xy = np.array([columns, rows]) * (0.5 + rng.uniform(-s.shift, s.shift, 2))
        way = np.column_stack([way, middle_xy - way @ (s.width_px / 2, s.height_px / 2) - 0.5])
        pieces = np.stack(
            [
                cv2.warpAffine(
                    frame,
                    way,
                    (s.width_px, s.height_px),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                for frame in take.frames
            ]
        ).astype(np.float32)
        below = np.floor(at).astype(int)
        part = (at - below)[:, None, None].astype(np.float32)
        clip = pieces[below] * (1 - part) + pieces[np.minimum(below + 1, len(pieces) - 1)] * part
        clip = 255 * (np.clip(clip, 0, 255) / 255) ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
        if rng.random() < 0.3:
            clip += rng.normal(0, rng.uniform(2, 8), clip.shape).astype(np.float32)
        if rng.random() < s.cutout:
            if rng.random() < 0.5:
                moment = int(rng.integers(s.frames))
                clip[moment : moment + int(rng.integers(1, 4))] = clip.mean()
            else:
                top, left = rng.integers(0, s.height_px), rng.integers(0, s.width_px)
                tall, wide = rng.integers(4, s.height_px // 2), rng.integers(4, s.width_px // 2)
                clip[:, top : top + tall, left : left + wide] = clip.mean()
        goal = np.zeros(len(self.words), np.float32)
        goal[self.words.index(take.text)] = 1
        # All takes have the same number of frames, so their length is an input of its own; blurred a little, so that
        # single takes are not learned by it.
        length = (end - first) / RATE_HZ * float(np.exp(rng.uniform(-0.15, 0.15)))
        return clip, length, goal

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy."""
        scores = network(batch["crops"], batch["seconds"])
        return F.cross_entropy(scores, batch["goal"], label_smoothing=self.settings.smooth)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Share right among the words, among the phrases, and among all, of the speakers that are watched."""
        if not self.watching:
            return {}
        place = next(network.parameters()).device
        crops, seconds = self._plain(self.watching)
        parts = [
            network(crops[i : i + 64].to(place), seconds[i : i + 64].to(place)).cpu()
            for i in range(0, len(crops), 64)
        ]
        scores = torch.cat(parts).numpy()
        truth = np.array([self.words.index(take.text) for take in self.watching])
        kinds, found = np.array(self.kinds), {}
        for kind in ("word", "phrase"):
            ours = kinds[truth] == kind
            within = np.where(kinds == kind, scores, -np.inf).argmax(axis=1)
            found[f"{kind}s"] = float((within == truth)[ours].mean())
        return {**found, "all": float((scores.argmax(axis=1) == truth).mean())}

    def _plain(self, takes: Sequence[LipTake]) -> tuple[Tensor, Tensor]:
        """Clips and seconds as the task gives them."""
        s = self.settings
        size = (s.height_px, s.width_px)
        clips = np.stack([fit_clip(take.frames, frames=s.frames, size=size) for take in takes])
        seconds = np.array([[len(take.frames) / RATE_HZ] for take in takes], np.float32)
        return torch.from_numpy(clips), torch.from_numpy(seconds)

    def release(self, network: nn.Module) -> Release:
        """The model of a run."""
        s = self.settings
        crops, seconds = self._plain(self.training_items[:: len(self.training_items) // 4])
        file = NetworkFile(
            role="model", network=network, examples={"crops": crops, "seconds": seconds}, outputs=["logits"]
        )
        speakers = ", ".join(sorted({take.speaker for take in self.training_items}))
        return Release(
            task="lipwords",
            head="logits",
            summary=f"Which of {len(self.words)} words and phrases a mouth said, for speakers never seen.",
            network=network,
            outputs={"logits": "logits"},
            input=ClipInput(kind="clip", width_px=s.width_px, height_px=s.height_px, rate_hz=RATE_HZ),
            files=(file,),
            labels=self.words,
            constants={"frames": float(s.frames), "words": float(self.kinds.count("word"))},
            training_data=(TrainingData(name=f"MIRACL-VC1, speakers {speakers}", terms="research"),),
            licence="CC-BY-NC-4.0",
            attributions=("Data: MIRACL-VC1 by A. Rekik, A. Ben-Hamadou and W. Mahdi, 2014; given for research.",),
            limits=(
                "Trained with films given for research: for non-commercial use; no free one for words is at hand.",
                "Only these words and phrases, one at a time, cut out beforehand.",
                f"Never learned from: speakers {', '.join(TEST_SPEAKERS)}, on whom it is measured.",
            ),
        )


def build_recipe(settings: LipWordsSettings) -> LipWordsRecipe:
    """The recipe of these settings."""
    return LipWordsRecipe(settings)
