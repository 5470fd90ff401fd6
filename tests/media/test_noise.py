"""media/noise.py: loudness by measure, colours by spectrum, voices by ear of a correlation."""

import numpy as np
import pytest

from szem.errors import EmptyFileError, RangeError
from szem.media.noise import add_noise, babble, pink_noise, white_noise

TONE = np.sin(np.arange(16000) * 0.3).astype(np.float32) * 0.4


@pytest.mark.parametrize("snr_db", [-12.0, 0.0, 20.0])
def test_noise_is_as_loud_as_asked(snr_db: float) -> None:
    noise = 7 * white_noise(16000, np.random.default_rng(0))
    added = add_noise(TONE, noise, snr_db=snr_db) - TONE
    found = 10 * np.log10(np.mean(TONE**2) / np.mean(added**2))
    assert found == pytest.approx(snr_db, abs=0.01)


def test_silence_stays_silent_and_short_noise_is_an_error() -> None:
    quiet = np.zeros(100, np.float32)
    assert not add_noise(quiet, np.ones(100, np.float32), snr_db=0).any()
    with pytest.raises(RangeError, match="as long as"):
        add_noise(quiet, np.ones(99, np.float32), snr_db=0)


def test_white_is_level_and_pink_falls() -> None:
    rng = np.random.default_rng(1)

    def slope(noise: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(noise)) ** 2
        low, high = power[20:200].mean(), power[2000:20000].mean()
        return float(np.log10(high / low))

    assert abs(slope(white_noise(1 << 16, rng))) < 0.1
    assert slope(pink_noise(1 << 16, rng)) < -1.5
    assert pink_noise(1000, rng).std() == pytest.approx(1, abs=0.01)


def test_babble_holds_all_voices_equally_and_needs_one() -> None:
    loud, soft = TONE, np.sin(np.arange(9000) * 0.11).astype(np.float32) * 0.01
    mixed = babble([loud, soft], 20000, np.random.default_rng(2))
    power = np.abs(np.fft.rfft(mixed))
    places = [round(omega / (2 * np.pi) * 20000) for omega in (0.3, 0.11)]
    first, second = (power[p - 3 : p + 4].max() for p in places)
    assert 0.5 < first / second < 2  # a tone turned round has a seam
    with pytest.raises(EmptyFileError, match="one voice"):
        babble([], 10, np.random.default_rng(0))
