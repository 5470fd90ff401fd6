"""Bands of sound: where a tone lies, how many moments there are, and what is refused."""

import numpy as np
import pytest

from szem.errors import RangeError
from szem.media.spectrum import MelBands, log_mel


def mel(hertz: float) -> float:
    return 1127 * float(np.log1p(hertz / 700))


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 3000.0, 6000.0])
def test_a_tone_lies_in_its_band(hertz: float) -> None:
    how = MelBands()
    tone = np.sin(2 * np.pi * hertz * np.arange(16000) / 16000).astype(np.float32)
    strongest = log_mel(tone, how).mean(axis=0).argmax()
    step = (mel(how.high_hz) - mel(how.low_hz)) / (how.bands + 1)
    assert strongest == pytest.approx((mel(hertz) - mel(how.low_hz)) / step - 1, abs=1)


@pytest.mark.parametrize(("samples", "moments"), [(0, 1), (1, 1), (400, 1), (559, 1), (560, 2), (16000, 98)])
def test_moments_are_windows_that_fit(samples: int, moments: int) -> None:
    assert log_mel(np.zeros(samples, np.float32)).shape == (moments, 64)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(1000, np.float32)), np.log(1e-6), rtol=1e-5)


def test_twice_as_loud_is_four_times_the_power() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    how = MelBands(floor=1e-12)
    np.testing.assert_allclose(log_mel(2 * noise, how) - log_mel(noise, how), np.log(4), atol=1e-3)


def test_long_sounds_are_the_same_in_pieces() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 160 * 5000 + 400).astype(np.float32)
    whole = log_mel(noise)
    np.testing.assert_allclose(whole[4096:4100], log_mel(noise[160 * 4096 : 160 * 4099 + 400]), rtol=1e-5)


def test_each_band_takes_something() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 16000).astype(np.float32)
    assert (log_mel(noise, MelBands(bands=128, window_s=0.016)).mean(axis=0) > np.log(1e-5)).all()


@pytest.mark.parametrize(
    "wrong", [{"hop_s": 0}, {"high_hz": 9000}, {"low_hz": 8000, "high_hz": 100}, {"bands": 0}, {"floor": 0}]
)
def test_impossible_bands_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RangeError):
        MelBands(**wrong)  # type: ignore[arg-type]


def test_two_channels_are_refused() -> None:
    with pytest.raises(RangeError, match="mono"):
        log_mel(np.zeros((2, 100), np.float32))
