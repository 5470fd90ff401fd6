"""Samples as people hold them, to mono sound: (T,) float32 in -1..1.

Number types are scaled by their range, channels mixed as those of files are. What would be a guess is refused with
the call that decides it. This file does not know files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import DTypeError, RangeError, ShapeError
from szem.media.mixing import MAX_CHANNELS, Downmixer

__all__ = ["MAX_RATE_HZ", "SamplesLike", "as_sound", "is_samples"]

SamplesLike = Array | Sequence[float]
"""What `as_sound` takes."""
MAX_RATE_HZ = 768_000
_LOUDEST = 8.0  # floats of decoders go a little beyond 1; beyond this they are numbers of another scale


def is_samples(value: Any) -> bool:
    """Whether a value is an array, or has one inside, rather than a file."""
    return hasattr(value, "__array__") or isinstance(value, list | tuple)


def as_sound(value: Any, *, rate_hz: int | None) -> NDArray[np.float32]:
    """Mono sound from samples; every public function of szem converts its samples here.

    Args:
        value: (T,) or (T, C), up to 64 channels; whole numbers of any type (scaled by their range: int16 by 32768) or
            floats in -1..1.
        rate_hz: Samples a second, 1 to 768,000; there is no default.
    Returns:
        (T,) float32 at the same rate. Channels are mixed so that opposed ones do not cancel.
    Raises:
        ShapeError: other axes, or channels first.
        DTypeError: no real numbers, or scipy's (rate, samples).
        RangeError: no rate, one out of range, NaN or infinity, or floats far outside -1..1.

    >>> as_sound(np.array([0, 16384], np.int16), rate_hz=8000).tolist()
    [0.0, 0.5]
    """
    if isinstance(value, tuple) and len(value) == 2 and np.ndim(value[0]) != np.ndim(value[1]):
        raise DTypeError(
            "sound must be samples, got a pair of a rate and samples; unpack it: "
            "rate_hz, samples = pair; listen(samples, rate_hz=rate_hz)"
        )
    if rate_hz is None:
        raise RangeError("samples need their rate_hz, got none; say it: listen(samples, rate_hz=44100)")
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | np.integer):
        whole = isinstance(rate_hz, float | np.floating) and float(rate_hz).is_integer()
        if not whole:
            raise DTypeError(f"rate_hz must be a whole number, got {rate_hz!r}; round it")
    if not 1 <= rate_hz <= MAX_RATE_HZ:
        raise RangeError(f"rate_hz must lie in 1..{MAX_RATE_HZ}, got {rate_hz}")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ShapeError(f"sound cannot be read as one array ({error}); give samples of one length") from error
    if array.dtype.kind not in "iuf":
        raise DTypeError(f"sound must hold real numbers, got {array.dtype}; give samples as int16 or float32")
    _check_shape(array.shape)
    samples = _to_unit(array)
    if samples.ndim == 1:
        return samples
    mixer = Downmixer(samples.shape[1], rate_hz=int(rate_hz))
    return np.concatenate([mixer.feed(samples), mixer.flush()]).astype(np.float32, copy=False)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) == 1:
        return
    if len(shape) != 2:
        raise ShapeError(f"sound must be (T,) or (T, C), got {shape}")
    length, channels = shape
    if channels > MAX_CHANNELS and length <= MAX_CHANNELS:
        raise ShapeError(f"sound must be (T, C), channels last, got {shape}; turn it: samples.T")
    if not 1 <= channels <= MAX_CHANNELS:
        raise ShapeError(f"sound must have 1 to {MAX_CHANNELS} channels, got {channels}; choose some: samples[:, :2]")


def _to_unit(array: Array) -> NDArray[np.float32]:
    if array.dtype.kind == "f":
        samples = array.astype(np.float32)
        loudest = float(np.abs(samples).max(initial=0.0))
        if not np.isfinite(loudest):
            raise RangeError("sound must be finite, got NaN or infinity; replace them: np.nan_to_num(samples)")
        if loudest > _LOUDEST:
            raise RangeError(
                f"float sound must lie in -1..1, got up to {loudest:.6g}; scale it: samples / 32768 for 16 bits"
            )
        return samples
    info = np.iinfo(array.dtype)
    middle = 0.0 if info.min < 0 else (float(info.max) + 1) / 2  # unsigned samples rest in the middle
    return ((array.astype(np.float64) - middle) / ((float(info.max) + 1) / (1 if info.min < 0 else 2))).astype(
        np.float32
    )
