"""Noise mixed into sound at a chosen distance in loudness: white, pink, or many voices at once (babble).

This file does not know what the sound is for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import check_sound
from szem.errors import EmptyFileError, RangeError

__all__ = ["add_noise", "babble", "pink_noise", "white_noise"]

Samples = NDArray[np.float32]


def white_noise(length: int, rng: np.random.Generator) -> Samples:
    """(length,) with the same power at all pitches; its root mean square is about 1."""
    return rng.standard_normal(length, dtype=np.float32)


def pink_noise(length: int, rng: np.random.Generator) -> Samples:
    """(length,) with power falling as 1 / pitch; its root mean square is about 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    out = np.fft.irfft(spectrum, n=length)
    return (out / max(float(out.std()), 1e-12)).astype(np.float32)


def babble(voices: Sequence[Samples], length: int, rng: np.random.Generator) -> Samples:
    """Several voices at once, equally loud, each turned round to begin anywhere.

    Args:
        voices: Sounds (T,), one at least; short ones are repeated.
        length: Samples of the result.
        rng: Where each begins.
    Raises:
        EmptyFileError: no voice, or an empty one.
    """
    if not voices or any(len(voice) == 0 for voice in voices):
        raise EmptyFileError("babble needs one voice or more, none of them empty; give sounds of speech")
    out = np.zeros(length, np.float32)
    for voice in voices:
        loudness = float(np.sqrt(np.mean(np.square(voice, dtype=np.float64)))) or 1.0
        out += np.resize(np.roll(voice, int(rng.integers(len(voice)))), length) / loudness
    return out


def add_noise(sound: Samples, noise: Samples, *, snr_db: float) -> Samples:
    """The sound with a noise that is so many decibels softer than it, both measured over the whole length.

    A silent sound stays as it is: there is nothing to measure the noise by. Values may leave -1..1.

    Args:
        sound: (T,).
        noise: (T,) or longer, of any loudness.
        snr_db: Power of the sound over power of the noise, in decibels.
    Raises:
        RangeError: the noise is shorter than the sound.

    >>> mixed = add_noise(np.ones(4, np.float32), np.ones(4, np.float32), snr_db=20.0)
    >>> [round(float(value), 3) for value in mixed]
    [1.1, 1.1, 1.1, 1.1]
    """
    sound = check_sound(sound, rate_hz=1)
    if len(noise) < len(sound):
        raise RangeError(f"noise must be as long as the sound, got {len(noise)} and {len(sound)} samples")
    noise = noise[: len(sound)]
    own, other = (float(np.mean(np.square(x, dtype=np.float64))) for x in (sound, noise))
    if own == 0 or other == 0:
        return sound
    factor = np.float32(np.sqrt(own / other) * 10 ** (-snr_db / 20))
    return sound + factor * noise
