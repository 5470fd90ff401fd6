"""Sounds as the recipe learns from them, and the bands that the network takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.media.spectrum import MelBands
from szem.models.yamnet import PATCH

__all__ = ["BANDS", "WINDOW", "SoundClip"]

BANDS = MelBands(bands=64, low_hz=125.0, high_hz=7500.0, floor=0.001, power=1.0)  # as YAMNet was trained
WINDOW = BANDS.window + (PATCH[0] - 1) * BANDS.hop  # samples of one patch


@dataclass(frozen=True, eq=False)
class SoundClip:
    """One file."""

    sound: NDArray[np.float16]
    kind: int  # index of its class
    recording: str  # that it was cut from
