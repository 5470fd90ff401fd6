"""Pictures of sound: the strength of each band of pitch, moment by moment (log-mel spectrogram).

NumPy only, so that training and serving take the same path. This file does not know networks.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError

__all__ = ["MelBands", "log_mel"]

_AT_ONCE = 4096  # moments whose spectra are held at a time


@dataclass(frozen=True, kw_only=True)
class MelBands:
    """How sound becomes bands.

    >>> MelBands(rate_hz=16000, window_s=0.025, hop_s=0.01).moments(16000)
    98
    """

    rate_hz: int = 16000
    window_s: float = 0.025
    hop_s: float = 0.010
    bands: int = 64
    low_hz: float = 60.0
    high_hz: float = 7800.0
    floor: float = 1e-6  # added to the power before the logarithm
    power: float = 2.0  # of the magnitude; 1 takes magnitudes as they are

    def __post_init__(self) -> None:
        if not self.hop_s > 0 or not self.window_s > 0 or self.rate_hz <= 0:
            raise RangeError(f"rate, window and hop must be positive, got {self}")
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise RangeError(f"bands must lie in 0..{self.rate_hz / 2:g} Hz, got {self.low_hz:g} to {self.high_hz:g}")
        if self.bands < 1 or self.floor <= 0:
            raise RangeError(f"bands must be 1 or more and floor positive, got {self.bands} and {self.floor}")
        if not 0 < self.power <= 2:
            raise RangeError(f"power must lie above 0, up to 2, got {self.power}")

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        return round(self.hop_s * self.rate_hz)

    def moments(self, samples: int) -> int:
        """Windows that lie wholly in so many samples; one at least, as short sounds are filled with silence."""
        return max(0, samples - self.window) // self.hop + 1


def log_mel(sound: NDArray[np.float32], how: MelBands = MelBands()) -> NDArray[np.float32]:
    """Strength of each band at each moment.

    Source: S. Davis and P. Mermelstein, Comparison of parametric representations for monosyllabic word recognition,
    1980; bands as in the HTK book, section 5.4: equally wide in 1127 ln(1 + f / 700).

    Args:
        sound: (T,) at `how.rate_hz`. Shorter than a window, it is filled with silence.
        how: The bands.
    Returns:
        (moments, bands) float32, the natural logarithm of power; moment i begins at i · hop_s.

    >>> log_mel(np.zeros(16000, np.float32)).shape
    (98, 64)
    """
    if sound.ndim != 1:
        raise RangeError(f"sound must be mono (T,), got {sound.shape}; average the channels first")
    count = how.moments(len(sound))
    if len(sound) < how.window:
        sound = np.pad(sound, (0, how.window - len(sound)))
    size = 1 << (how.window - 1).bit_length()
    taper = np.hanning(how.window + 1)[:-1].astype(np.float32)
    filters = _filters(how, size)
    views = np.lib.stride_tricks.sliding_window_view(sound, how.window)[:: how.hop][:count]
    out = np.empty((count, how.bands), np.float32)
    for first in range(0, count, _AT_ONCE):
        spectra = np.fft.rfft(views[first : first + _AT_ONCE] * taper, n=size, axis=1)
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
        if how.power != 2:
            power **= np.float32(how.power / 2)
        out[first : first + _AT_ONCE] = np.log(power @ filters + np.float32(how.floor))
    return out


@lru_cache(maxsize=8)
def _filters(how: MelBands, size: int) -> NDArray[np.float32]:
    """(size // 2 + 1, bands): how much of each frequency each triangle takes; each triangle's peak is 1."""
    pitch = np.linspace(_mel(how.low_hz), _mel(how.high_hz), how.bands + 2)
    own = _mel(np.fft.rfftfreq(size, 1 / how.rate_hz).astype(np.float64))[:, None]
    left, middle, right = pitch[:-2], pitch[1:-1], pitch[2:]
    rising, falling = (own - left) / (middle - left), (right - own) / (right - middle)
    filters: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    for band in np.flatnonzero(filters.max(axis=0) == 0):  # narrower than a step of frequency: take the nearest
        filters[np.abs(own[:, 0] - middle[band]).argmin(), band] = 1
    filters.setflags(write=False)
    return filters


def _mel(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)
