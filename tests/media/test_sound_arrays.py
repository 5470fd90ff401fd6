"""Samples as people hold them: every number type, one channel or several, and what is refused."""

import numpy as np
import pytest

from szem.errors import DTypeError, RangeError, ShapeError, SzemError
from szem.media.sound_arrays import as_sound

TONE = np.sin(np.arange(4000) / 5)


@pytest.mark.parametrize(
    ("samples", "tolerance"),
    [
        (TONE, 1e-6),
        (TONE.astype(np.float32), 1e-6),
        (TONE.astype(np.float16), 1e-3),
        ((TONE * 32767).astype(np.int16), 1e-4),
        ((TONE * (2**31 - 1)).astype(np.int32), 1e-6),
        ((TONE * 127).astype(np.int8), 2e-2),
        ((TONE * 127 + 128).astype(np.uint8), 2e-2),
        (TONE.tolist(), 1e-6),
        (TONE[:, None], 1e-6),
        (np.stack([TONE, TONE], axis=1), 1e-5),
        (np.stack([TONE, -TONE], axis=1), 1e-5),  # opposed channels do not cancel
    ],
)
def test_every_kind_of_samples_is_the_same_sound(samples: object, tolerance: float) -> None:
    found = as_sound(samples, rate_hz=16000)
    assert found.dtype == np.float32
    assert found.shape == TONE.shape
    np.testing.assert_allclose(found, TONE, atol=tolerance)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "error", "match"),
    [
        (TONE, None, RangeError, "rate_hz=44100"),
        (TONE, 0, RangeError, "1..768000"),
        (TONE, 2**31, RangeError, "1..768000"),
        (TONE, 44.1, DTypeError, "whole number"),
        (TONE, True, DTypeError, "whole number"),
        ((44100, TONE), 44100, DTypeError, "rate_hz, samples = pair"),
        ((TONE, 44100), None, DTypeError, "unpack"),
        (np.stack([TONE, TONE]), 44100, ShapeError, r"samples\.T"),
        (np.zeros((65, 65)), 44100, ShapeError, "64 channels"),
        (np.zeros((100, 0)), 44100, ShapeError, "1 to 64"),
        (np.zeros((2, 2, 2)), 44100, ShapeError, "T, C"),
        (TONE * 32767, 44100, RangeError, "samples / 32768"),
        (TONE * np.nan, 44100, RangeError, "nan_to_num"),
        (TONE.astype(complex), 44100, DTypeError, "real numbers"),
        ([[1.0], [2.0, 3.0]], 44100, ShapeError, "one length"),
    ],
)
def test_a_guess_is_refused_with_the_call_that_decides(
    samples: object, rate_hz: int | None, error: type[SzemError], match: str
) -> None:
    with pytest.raises(error, match=match):
        as_sound(samples, rate_hz=rate_hz)
