"""Sounds as the recipe learns from them, and the patches that the network takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.media.spectrum import MelBands, log_mel
from szem.models.yamnet import PATCH

__all__ = ["BANDS", "WINDOW", "SoundClip", "patches_of"]

BANDS = MelBands(bands=64, low_hz=125.0, high_hz=7500.0, floor=0.001, power=1.0)  # as YAMNet was trained
WINDOW = BANDS.window + (PATCH[0] - 1) * BANDS.hop  # samples of one patch


@dataclass(frozen=True, eq=False)
class SoundClip:
    """One file."""

    sound: NDArray[np.float16]
    kind: int  # index of its class
    recording: str  # that it was cut from


def patches_of(clip: SoundClip) -> NDArray[np.float32]:
    """(N, 96, 64): windows of one second, half a second apart."""
    sound = clip.sound.astype(np.float32)
    bands = log_mel(np.pad(sound, (0, max(0, WINDOW - len(sound)))), BANDS)
    return np.stack([bands[first : first + PATCH[0]] for first in range(0, len(bands) - PATCH[0] + 1, PATCH[0] // 2)])
