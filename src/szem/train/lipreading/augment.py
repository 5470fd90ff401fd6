"""Changed views of talking clips: parts of two joined at a word, stretched in time, mouth moved, sound in noise.

Every change keeps words, lips and sound together. This file does not know networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.media.noise import add_noise, babble, pink_noise, white_noise
from szem.tasks.lipreading.networks import FRAME_SAMPLES, bands_of
from szem.train.lipreading.clips import LipClip

__all__ = ["ClipView", "ViewRules", "in_noise", "make_view", "plain_view", "splice"]

_MOMENTS = 4  # of sound, a frame
_IGNORED = -100
_MIN_FRACTION = 0.6  # of a word that must be inside a cut for it to be read there


@dataclass(frozen=True, kw_only=True)
class ViewRules:
    """How much is changed."""

    splice: float = 0.4  # fraction of clips made of two
    clean: float = 0.2  # share without noise
    loudest_db: float = -12.0  # noise over sound, at most
    softest_db: float = 24.0
    stretch: float = 0.18  # change of speed, at most
    shift_px: float = 5.0
    grow: float = 0.12
    turn_deg: float = 7.0
    frozen_frames: int = 8  # frames that stand still, at most, once or twice
    cutout: float = 0.3  # fraction of clips with a grey rectangle


@dataclass(frozen=True, eq=False)
class ClipView:
    """A clip as it is learned from."""

    crops: NDArray[np.uint8]  # (T, 48, 80)
    mel: NDArray[np.float32]  # (4 T, bands)
    labels: NDArray[np.int64]  # (T,), -100 where none is asked for
    words: tuple[int, ...]  # that can be read whole, in order


def splice(clip: LipClip, other: LipClip, rng: np.random.Generator) -> LipClip:
    """A clip with a word, or the end from a word on, of another clip that says as many words."""
    if len(clip.words) != len(other.words):
        return clip
    place = int(rng.integers(len(clip.words)))
    a, b = clip.words[place], other.words[place]
    if rng.random() < 0.6:  # one word
        parts = [(clip, 0, a[1]), (other, b[1], b[2]), (clip, a[2], len(clip.labels))]
    else:
        parts = [(clip, 0, a[1]), (other, b[1], len(other.labels))]
    spans, begin = [], 0
    for source, first, last in parts:
        spans += [
            (label, begin + start - first, begin + end - first)
            for label, start, end in source.words
            if start >= first and end <= last
        ]
        begin += last - first
    return LipClip(
        crops=np.concatenate([source.crops[first:last] for source, first, last in parts]),
        sound=np.concatenate(
            [source.sound[first * FRAME_SAMPLES : last * FRAME_SAMPLES] for source, first, last in parts]
        ),
        labels=np.concatenate([source.labels[first:last] for source, first, last in parts]),
        words=tuple(spans),
    )


def make_view(
    clip: LipClip, voices: Sequence[LipClip], *, frames: int, rules: ViewRules, rng: np.random.Generator
) -> ClipView:
    """One view of so many frames.

    Args:
        clip: Of any length.
        voices: Whose sound babble is made of.
        frames: T.
        rules: How much is changed.
        rng: Every chance.
    """
    heard = _in_noise(clip, voices, rules, rng)
    mel = bands_of(heard, len(clip.labels))
    taken = _moments_taken(len(clip.labels), frames, rules, rng)
    near = np.clip(np.rint(taken), 0, len(clip.labels) - 1).astype(np.int64)
    labels, words = _read_inside(clip, taken, near)
    fine = np.clip(
        np.interp((np.arange(frames * _MOMENTS) + 0.5) / _MOMENTS - 0.5, np.arange(frames), taken) * _MOMENTS + 1.5,
        0,
        len(mel) - 1,
    )
    lower = fine.astype(np.int64)
    upper, fraction = np.minimum(lower + 1, len(mel) - 1), (fine - lower)[:, None].astype(np.float32)
    bands = mel[lower] * (1 - fraction) + mel[upper] * fraction
    return ClipView(_moved(clip.crops[near], rules, rng), _mask_bands(bands, rng), labels, words)


def _in_noise(
    clip: LipClip, voices: Sequence[LipClip], rules: ViewRules, rng: np.random.Generator
) -> NDArray[np.float32]:
    sound = clip.heard
    if rng.random() < rules.clean:
        return sound
    kind = rng.random()
    if kind < 0.4:
        noise = white_noise(len(sound), rng)
    elif kind < 0.5:
        noise = pink_noise(len(sound), rng)
    else:
        chosen = rng.choice(len(voices), int(rng.integers(3, 8)))
        noise = babble([voices[i].heard for i in chosen], len(sound), rng)
    return add_noise(sound, noise, snr_db=float(rng.uniform(rules.loudest_db, rules.softest_db)))


def _moments_taken(have: int, want: int, rules: ViewRules, rng: np.random.Generator) -> NDArray[np.float64]:
    """Which moment of the clip each frame of the view shows: a smooth, uneven walk."""
    knots = rng.uniform(-rules.stretch, rules.stretch, 6)
    speed = (
        1 + rng.uniform(-rules.stretch, rules.stretch) + np.interp(np.linspace(0, 5, want), np.arange(6), knots) / 2
    )
    walk = np.cumsum(speed) - speed[0]
    slack = have - 1 - walk[-1]
    start = rng.uniform(min(0.0, slack), max(0.0, slack))
    return walk + start


def _read_inside(
    clip: LipClip, taken: NDArray[np.float64], near: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Labels of the view's frames, and the words that are inside; of words cut off the frames are not asked for."""
    labels = clip.labels[near]
    words = []
    for label, first, last in clip.words:
        inside = (taken > first - 0.5) & (taken < last - 0.5)
        seen = min(last - 0.5, float(taken[-1]) + 0.5) - max(first - 0.5, float(taken[0]) - 0.5)
        if seen >= _MIN_FRACTION * (last - first) and inside.any():
            words.append(label)
        else:
            labels[inside] = _IGNORED
    return labels, tuple(words)


def _moved(crops: NDArray[np.uint8], rules: ViewRules, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same small turn, growth and shift in all frames, now and then mirrored, some frames standing still."""
    _, height, width = crops.shape
    turned = cv2.getRotationMatrix2D(
        (width / 2 - 0.5, height / 2 - 0.5),
        float(rng.uniform(-rules.turn_deg, rules.turn_deg)),
        float(1 + rng.uniform(-rules.grow, rules.grow)),
    )
    matrix = np.asarray(turned, np.float64)
    matrix[:, 2] += rng.uniform(-rules.shift_px, rules.shift_px, 2)
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0]]) @ np.vstack((matrix, [0, 0, 1]))
    out = np.stack([cv2.warpAffine(c, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) for c in crops])
    gamma = float(np.exp(rng.uniform(-0.35, 0.35)))
    out = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)[out]
    if rng.random() < rules.cutout:
        h, w = int(rng.integers(8, 20)), int(rng.integers(10, 30))
        y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
        out[:, y : y + h, x : x + w] = int(out.mean())
    for _ in range(int(rng.integers(0, 3))):
        length = int(rng.integers(1, rules.frozen_frames + 1))
        start = int(rng.integers(max(1, len(out) - length)))
        out[start : start + length] = out[start]
    return out


def _mask_bands(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Bands and moments laid over with their mean (D. Park et al., SpecAugment, 2019, arXiv:1904.08779)."""
    mel = mel.astype(np.float32)
    mean = float(mel.mean())
    for _ in range(2):
        wide, start = int(rng.integers(0, 9)), int(rng.integers(mel.shape[1] - 8))
        mel[:, start : start + wide] = mean
        long, begin = int(rng.integers(0, 33)), int(rng.integers(max(1, len(mel) - 32)))
        mel[begin : begin + long] = mean
    return mel


def plain_view(clip: LipClip) -> ClipView:
    """The clip unchanged."""
    words = tuple(label for label, _, _ in clip.words)
    return ClipView(clip.crops, bands_of(clip.heard, len(clip.labels)), clip.labels, words)


def in_noise(clip: LipClip, noise: NDArray[np.float32], *, snr_db: float) -> LipClip:
    """The clip with its sound in noise; the sum is turned down where it would be clipped."""
    mixed = add_noise(clip.heard, noise, snr_db=snr_db)
    mixed /= max(1.0, float(np.abs(mixed).max()))
    return replace(clip, sound=np.rint(mixed * 32767).astype(np.int16))
