"""Changes that a sound goes through on its way to an ear: distance, rooms, other sounds, bad microphones.

Also sounds that are nothing in particular (tones, hiss, clicks, chirps), so that a network learns to say nothing.
Pure functions of a generator; this file does not know networks or classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AudioAugmentation", "add_sound", "as_heard", "at_level", "cut_loud", "make_nothing", "mask_bands"]

Samples = NDArray[np.float32]
_RATE_HZ = 16000


@dataclass(frozen=True, kw_only=True)
class AudioAugmentation:
    """How far sounds are changed; probabilities run from 0 to 1."""

    far: float = 0.35  # chance that it comes from afar: high tones lost, echoes
    quiet_db: tuple[float, float] = (-48.0, -12.0)  # level of the whole, below full scale
    clip: float = 0.08  # chance that the microphone is overdriven


def cut_loud(sound: NDArray[np.floating], length: int, rng: np.random.Generator, *, tries: int = 5) -> Samples:
    """A piece of a sound, chosen by chance, the louder the likelier.

    Args:
        sound: (T,), float16 or float32; shorter ones are set into silence at a random place.
        length: Samples of the piece.
        rng: What decides.
        tries: Pieces that are weighed against each other.
    Returns:
        (length,) float32.
    """
    margin = len(sound) - length
    if margin <= 0:
        out = np.zeros(length, np.float32)
        first = int(rng.integers(-margin + 1))
        out[first : first + len(sound)] = sound
        return out
    firsts = rng.integers(margin + 1, size=tries)
    pieces = [sound[first : first + length].astype(np.float32) for first in firsts]
    loud = np.array([float(np.sqrt(np.mean(piece**2))) for piece in pieces]) + 1e-7
    return pieces[int(rng.choice(tries, p=loud / loud.sum()))]


def as_heard(
    sound: Samples, rng: np.random.Generator, how: AudioAugmentation, *, far: float | None = None
) -> Samples:
    """A sound from nearby or from afar, before other sounds are added.

    Args:
        sound: (T,) at 16 kHz.
        rng: What decides.
        how: How far to go.
        far: Another chance of distance than `how.far`.
    Returns:
        (T,) float32.
    """
    if rng.random() >= (how.far if far is None else far):
        tilt_db = rng.uniform(-6, 6)  # over the whole band: microphones differ
        return _shaped(sound, cut_hz=20000.0, steep=1.0, tilt_db=tilt_db)
    cut_hz = float(np.exp(rng.uniform(np.log(500), np.log(5000))))
    dull = _shaped(sound, cut_hz=cut_hz, steep=float(rng.uniform(1, 3)), tilt_db=rng.uniform(-6, 3))
    return _echoed(dull, rng) if rng.random() < 0.75 else dull


def add_sound(sound: Samples, other: Samples, ratio_db: float) -> Samples:
    """Both together, the first louder by so much (of their mean power)."""
    own, its = float(np.mean(sound**2)), float(np.mean(other**2))
    if its <= 1e-12 or own <= 1e-12:
        return sound if its <= 1e-12 else other
    return sound + other * np.float32(np.sqrt(own / its * 10 ** (-ratio_db / 10)))


def at_level(sound: Samples, rng: np.random.Generator, how: AudioAugmentation) -> Samples:
    """At a level by chance, now and then overdriven; within -1..1."""
    own = float(np.sqrt(np.mean(sound**2)))
    if own < 1e-7:
        return sound
    level = 10 ** (rng.uniform(*how.quiet_db) / 20)
    if rng.random() < how.clip:
        driven = sound / own * np.float32(10 ** (rng.uniform(-10, 0) / 20))
        return driven.clip(-1, 1) * np.float32(level)
    scaled: Samples = (sound * np.float32(level / own)).clip(-1, 1)
    return scaled


def make_nothing(length: int, rng: np.random.Generator) -> Samples:
    """A tone, a sweep, hiss, hum, clicks, chirps, wind or silence: (length,) float32."""
    kinds = (_tone, _sweep, _hiss, _hum, _clicks, _chirps, _wind)
    made = kinds[int(rng.integers(len(kinds)))](length, rng)
    if rng.random() < 0.3:
        made = add_sound(made, _hiss(length, rng), rng.uniform(0, 30))
    return made if rng.random() > 0.05 else np.zeros(length, np.float32)


def mask_bands(bands: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Hide a stretch of time and one of pitch, in place.

    Source: D. Park et al., SpecAugment, 2019, arXiv:1904.08779, section 2.
    """
    moments, pitches = bands.shape
    low = bands.min()
    for axis, most in ((0, moments // 5), (1, pitches // 6)):
        wide = int(rng.integers(most + 1))
        first = int(rng.integers(bands.shape[axis] - wide + 1))
        place = slice(first, first + wide)
        bands[(place, slice(None)) if axis == 0 else (slice(None), place)] = low
    return bands


def _shaped(sound: Samples, *, cut_hz: float, steep: float, tilt_db: float) -> Samples:
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / _RATE_HZ)
    gain = (1 + (hertz / cut_hz) ** 2) ** (-steep / 2) * 10 ** (tilt_db / 20 * (hertz / 8000 - 0.5))
    return np.fft.irfft(spectrum * gain.astype(np.float32), len(sound)).astype(np.float32)


def _echoed(sound: Samples, rng: np.random.Generator) -> Samples:
    lasts_s = rng.uniform(0.15, 1.2)  # until the echo is 60 dB down
    count = min(int(lasts_s * _RATE_HZ), len(sound))
    times = np.arange(count) / _RATE_HZ
    tail = rng.standard_normal(count, dtype=np.float32) * 10 ** (-3 * times / lasts_s).astype(np.float32)
    delay = int(rng.uniform(0, 0.03) * _RATE_HZ)
    tail = np.concatenate([np.zeros(delay, np.float32), tail])[:count]
    tail *= np.float32(10 ** (rng.uniform(-12, 3) / 20) / np.sqrt(np.sum(tail**2) + 1e-12))
    tail[0] += 1
    size = 1 << (len(sound) + count - 1).bit_length()
    out = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    return out.astype(np.float32)


def _tone(length: int, rng: np.random.Generator) -> Samples:
    times = np.arange(length) / _RATE_HZ
    base = np.exp(rng.uniform(np.log(80), np.log(6000)))
    partials = int(rng.integers(1, 5))
    out = sum(
        rng.uniform(0.1, 1) / n * np.sin(2 * np.pi * (base * n * times + rng.random()))
        for n in range(1, partials + 1)
        if base * n < 7900
    )
    if rng.random() < 0.3:  # beeps
        out = out * (np.sin(2 * np.pi * rng.uniform(0.5, 5) * times + rng.uniform(0, 6)) > rng.uniform(-0.5, 0.7))
    return np.asarray(out, np.float32) + np.zeros(length, np.float32)


def _sweep(length: int, rng: np.random.Generator) -> Samples:
    low, high = np.exp(rng.uniform(np.log(80), np.log(7000), 2))
    hertz = np.geomspace(low, high, length)
    return np.sin(2 * np.pi * np.cumsum(hertz) / _RATE_HZ).astype(np.float32)


def _hiss(length: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(length, dtype=np.float32))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / _RATE_HZ), 20).astype(np.float32)
    return np.fft.irfft(spectrum * hertz ** -rng.uniform(0, 1.2), length).astype(np.float32)


def _hum(length: int, rng: np.random.Generator) -> Samples:
    times = np.arange(length) / _RATE_HZ
    mains = rng.choice([50.0, 60.0])
    parts = [rng.uniform(0, 1) / n * np.sin(2 * np.pi * mains * n * times + rng.uniform(0, 6)) for n in range(1, 9)]
    return np.sum(parts, axis=0).astype(np.float32)


def _clicks(length: int, rng: np.random.Generator) -> Samples:
    out = np.zeros(length, np.float32)
    for first in rng.integers(0, length, size=int(rng.integers(1, 9))):
        count = min(int(rng.uniform(1, 80)), length - int(first))
        decay = np.exp(-np.arange(count) / max(1, count / 4))
        out[first : first + count] += (rng.standard_normal(count) * decay * rng.uniform(0.2, 1)).astype(np.float32)
    return out


def _chirps(length: int, rng: np.random.Generator) -> Samples:
    """As birds and insects: short sweeps up high, again and again."""
    out = np.zeros(length, np.float32)
    low, high = np.sort(rng.uniform(1500, 7000, 2))
    every, lasts = rng.uniform(0.03, 0.5), rng.uniform(0.02, 0.2)
    count = int(lasts * _RATE_HZ)
    phase = 2 * np.pi * np.cumsum(np.linspace(low, high, count)[:: int(rng.choice([-1, 1]))]) / _RATE_HZ
    one = (np.sin(phase) * np.hanning(count)).astype(np.float32)
    for first in np.arange(rng.uniform(0, every), length / _RATE_HZ, every + lasts):
        place = int(first * _RATE_HZ)
        part = one[: length - place]
        out[place : place + len(part)] += part * np.float32(rng.uniform(0.3, 1))
    return out


def _wind(length: int, rng: np.random.Generator) -> Samples:
    slow = np.interp(np.arange(length), np.linspace(0, length, 8), rng.uniform(0.1, 1, 8))
    rumble = _shaped(_hiss(length, rng), cut_hz=rng.uniform(100, 800), steep=2.0, tilt_db=0.0)
    return (rumble * slow).astype(np.float32)
