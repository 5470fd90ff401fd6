"""Fit how far a lip reader's answers may be trusted: curves for words, sentences, and for what it does not know.

Fitted on the sentences held out from training, clean and in noise, and on videos that hold none: the same backwards,
in pieces shuffled, standing still; words from other lips, and sounds of a city. How the check fares with videos of
yet other kinds, docs/lipread.md tells.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.data.sounds import read_labelled_sounds
from szem.errors import FileMissingError
from szem.media.noise import add_noise, babble, white_noise
from szem.media.sound import read_sound
from szem.media.video import read_video
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.lipreading.confidence import measure_video, measure_words
from szem.tasks.lipreading.evaluate import count_errors
from szem.tasks.lipreading.networks import CROP_SIZE, FRAME_SAMPLES, RATE_HZ, LipNetworks, NetworkOutput, rank
from szem.train.captioning.calibrate import fit_logistic
from szem.train.lipreading.clips import LipClip

__all__ = ["calibrate", "fit_curve"]

_KEPT = 0.97  # fraction of the sentences held out that the check lets pass
_EVERY_TAKE, _EVERY_SOUND = 16, 40  # of other lips and sounds so many are passed over for one that is used
_TAKES_HZ = 15  # frames a second of the other lips
_FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
_LEVELS_DB = (None, 10.0, 0.0, -6.0)
_WAYS = ("lips", "sound", "both")


def calibrate(
    model: Model, held_out: Sequence[LipClip], *, voices: Sequence[LipClip], others: Path | None
) -> dict[str, float]:
    """Constants for the card: see `szem.tasks.lipreading.confidence.ConfidenceCurves`.

    Args:
        model: The exported networks.
        held_out: Clips that were not trained on.
        voices: Clips whose sound makes babble.
        others: Folder with lipwords/ and sounds/, that the reader shall not read; None knows fewer.
    """
    networks = LipNetworks(Session(model, threads=1))
    fraction = _best_fraction(held_out, voices, networks)
    networks.fraction = fraction
    words: dict[str, list[tuple[NDArray[np.float64], bool]]] = {way: [] for way in _WAYS}
    videos: dict[str, list[tuple[NDArray[np.float64], bool]]] = {way: [] for way in _WAYS}
    known: dict[str, list[tuple[NDArray[np.float64], bool]]] = {way: [] for way in _WAYS}
    for number, clip in enumerate(held_out):
        rng = np.random.default_rng((19, number))
        truth = tuple(label for label, _, _ in clip.words)
        seen = networks.watch(clip.crops)
        for level in _LEVELS_DB:
            heard = networks.listen(_sound(clip, level, voices, rng), len(clip.crops))
            for way in _WAYS:
                # Noise does not reach the lips: one reading is enough, or they would count once for each level.
                if way == "lips" and level is not None:
                    continue
                read = networks.read(None if way == "sound" else seen, None if way == "lips" else heard)
                right = _are_right(read, truth)
                words[way] += [(row, ok) for row, ok in zip(measure_words(read), right, strict=True)]
                videos[way].append((measure_video(read)[0], read.labels == truth))
                # In louder noise even a known sentence looks like none, which would pull the curve down.
                if level is None or level >= 5.0:
                    known[way].append((measure_video(read)[0], True))
        # Made from the same clip, so that only what is said, not the speaker or the light, tells it apart.
        for crops, sound in _other_videos(clip, rng):
            seen_other = networks.watch(crops)
            heard_other = networks.listen(sound, len(crops))
            for way in _WAYS:
                read = networks.read(None if way == "sound" else seen_other, None if way == "lips" else heard_other)
                known[way].append((measure_video(read)[0], False))
    for crops in _other_lips(others) if others else ():
        known["lips"].append((measure_video(networks.read(networks.watch(crops), None))[0], False))
    for sound in _other_sounds(others) if others else ():
        heard = networks.listen(sound, max(8, len(sound) // FRAME_SAMPLES))
        known["sound"].append((measure_video(networks.read(None, heard))[0], False))
    constants = {"speller": fraction}
    for kind, table in (("word", words), ("sentence", videos), ("known", known)):
        for way, rows in table.items():
            measures = np.array([row for row, _ in rows])
            curve = fit_curve(measures, np.array([ok for _, ok in rows]))
            constants |= {f"trust.{kind}.{way}.{i}": round(float(value), 5) for i, value in enumerate(curve)}
            if kind == "known":
                probabilities = 1 / (1 + np.exp(-(measures @ curve[:-1] + curve[-1])))
                passing = np.sort(probabilities[[ok for _, ok in rows]])
                minimum = float(passing[int((1 - _KEPT) * len(passing))])
                constants[f"least.{way}"] = round(minimum, 5)
    return constants


def _best_fraction(held_out: Sequence[LipClip], voices: Sequence[LipClip], networks: LipNetworks) -> float:
    """How much the speller's word should count: with fewest wrong words of lips, sound and both, in noise."""
    wrong = dict.fromkeys(_FRACTIONS, 0)
    for number, clip in enumerate(held_out):
        rng = np.random.default_rng((23, number))
        truth = [[str(label) for label, _, _ in clip.words]]
        seen = networks.watch(clip.crops)
        heard = networks.listen(_sound(clip, 0.0, voices, rng), len(clip.crops))
        for lips, audio in ((seen, None), (None, heard), (seen, heard)):
            probabilities, memory = networks.join(lips, audio)
            found, written = networks.propose(probabilities, memory, networks.spell(memory), beams=8)
            for fraction in _FRACTIONS:
                best = found[rank(found, written, fraction)[0]].classes
                wrong[fraction] += count_errors(truth, [[str(label) for label in best]])[0]
    return min(_FRACTIONS, key=lambda fraction: wrong[fraction])


def fit_curve(measures: NDArray[np.float64], is_so: NDArray[np.bool_], *, pull: float = 0.02) -> NDArray[np.float64]:
    """A logistic curve, (M + 1,): a factor for each measure and what is added.

    Args:
        measures: (N, M).
        is_so: (N,) the answers.
        pull: How strongly factors are drawn towards nothing, of measures brought to one spread.
    """
    middle, spread = measures.mean(0), measures.std(0) + 1e-6
    rows = np.vstack(((measures - middle) / spread, np.zeros((2, measures.shape[1]))))
    wanted = np.append(is_so.astype(np.float64), (0.0, 1.0))  # one more of each, so that no answer is ever certain
    base, *weights = fit_logistic(rows, wanted, ridge=2 * pull * len(is_so))
    factors = np.array(weights) / spread
    return np.append(factors, base - float(factors @ middle))


def _sound(
    clip: LipClip, level: float | None, voices: Sequence[LipClip], rng: np.random.Generator
) -> NDArray[np.float32]:
    sound = clip.heard
    if level is None:
        return sound
    if rng.random() < 0.5:
        noise = white_noise(len(sound), rng)
    else:
        chosen = rng.choice(len(voices), 5, replace=False)
        noise = babble([voices[i].heard for i in chosen], len(sound), rng)
    return add_noise(sound, noise, snr_db=level)


def _are_right(read: NetworkOutput, truth: tuple[int, ...]) -> list[bool]:
    """Whether each word read stands in the truth at its place; where the lengths differ, anywhere in it."""
    if len(read.labels) == len(truth):
        return [a == b for a, b in zip(read.labels, truth, strict=True)]
    return [label in truth for label in read.labels]


def _other_videos(clip: LipClip, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Videos that hold no sentence: backwards; pieces of a fifth of a second shuffled; a still face with noise."""
    sound = clip.heard
    yield clip.crops[::-1].copy(), sound[::-1].copy()
    length = len(clip.crops) // 5
    order = rng.permutation(length)
    frames = (order[:, None] * 5 + np.arange(5)).ravel()
    samples = (frames[:, None] * FRAME_SAMPLES + np.arange(FRAME_SAMPLES)).ravel()
    yield clip.crops[frames], sound[samples]
    still = np.repeat(clip.crops[:1], len(clip.crops), axis=0).astype(np.int16)
    still += rng.normal(0, 2, still.shape).astype(np.int16)
    hum = white_noise(len(sound), rng) * np.float32(0.02)
    yield np.clip(still, 0, 255).astype(np.uint8), hum


def _other_lips(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Takes of words and phrases by the first four speakers, at the reader's rate and size."""
    rows = _rows(folder / "lipwords" / "index.csv")
    speakers = sorted({row["speaker"] for row in rows})[:4]
    for row in [row for row in rows if row["speaker"] in speakers][::_EVERY_TAKE]:
        frames = [frame.picture.mean(-1) for frame in read_video(folder / "lipwords" / row["video"])]
        crops = np.stack([cv2.resize(f, CROP_SIZE[::-1], interpolation=cv2.INTER_AREA) for f in frames])
        times = np.arange(0, len(crops), _TAKES_HZ / RATE_HZ).astype(int)
        yield np.rint(crops[times]).astype(np.uint8)


def _other_sounds(folder: Path) -> Iterator[NDArray[np.float32]]:
    """Sounds of a city."""
    for heard in read_labelled_sounds(folder / "sounds").sounds[::_EVERY_SOUND]:
        yield read_sound(heard.path)


def _rows(index: Path) -> list[dict[str, str]]:
    if not index.is_file():
        raise FileMissingError(f"{index}: no such file; give the folder that holds lipwords/ and sounds/")
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
