"""Channels mixed to one: nothing cancels, nothing crashes, for every number of channels, format and rate."""

import struct
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from szem.errors import EmptyFileError, FormatError
from szem.guard.audio_decoder import AudioDecoder
from szem.media.mixing import Downmixer, MonoResampler
from szem.media.sound import read_sound
from szem.media.sound_packets import SoundPackets

FORMATS = ("u8", "s16", "s32", "s64", "flt", "dbl")


def tone(hertz: float, count: int = 8000, rate_hz: int = 16000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(count) / rate_hz)).astype(np.float32)


def mix(channels: np.ndarray, *, step: int = 1000) -> np.ndarray:
    """(T, C) through a mixer, piece by piece."""
    mixer = Downmixer(channels.shape[1], rate_hz=16000)
    pieces = [mixer.feed(channels[first : first + step]) for first in range(0, len(channels), step)]
    return np.concatenate([*pieces, mixer.flush()])


def strength(samples: np.ndarray, hertz: float, rate_hz: int = 16000) -> float:
    """Amplitude of a tone in the middle of some samples."""
    part = samples[len(samples) // 4 : -len(samples) // 4]
    wave_ = np.exp(-2j * np.pi * hertz * np.arange(len(part)) / rate_hz) * np.hanning(len(part))
    return float(2 * np.abs((part * wave_).sum()) / np.hanning(len(part)).sum())


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 7, 8, 9, 16, 33, 64])
def test_equal_channels_give_the_channel_itself(channels: int) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 5003).astype(np.float32)
    mixed = mix(np.repeat(sound[:, None], channels, axis=1))
    np.testing.assert_allclose(mixed, sound, atol=1e-5)


@pytest.mark.parametrize("step", [1, 100, 256, 511, 8000])
def test_the_pieces_in_which_sound_comes_change_nothing(step: int) -> None:
    both = np.random.default_rng(1).normal(0, 0.1, (3001, 2)).astype(np.float32)
    np.testing.assert_allclose(mix(both, step=step), mix(both, step=3001), atol=1e-6)


def test_opposed_channels_do_not_cancel() -> None:
    noise = np.random.default_rng(2).normal(0, 0.02, (8000, 2))
    mixed = mix((np.stack([tone(700), -tone(700)], axis=1) + noise).astype(np.float32))
    assert strength(mixed, 700) == pytest.approx(0.5, abs=0.02)


def test_tones_of_which_one_is_opposed_are_both_kept() -> None:
    mixed = mix(np.stack([tone(500) + 0.4 * tone(2100), tone(500) - 0.4 * tone(2100)], axis=1))
    assert strength(mixed, 500) == pytest.approx(0.5, abs=0.02)
    assert strength(mixed, 2100) == pytest.approx(0.2, abs=0.02)


def test_a_microphone_that_hears_later_does_not_cancel() -> None:
    late = np.roll(tone(1000), 8)  # half a period
    assert strength(mix(np.stack([tone(1000), late], axis=1)), 1000) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("channels", [2, 8, 64])
def test_one_microphone_among_many_is_heard_at_its_own_strength(channels: int) -> None:
    sound = np.random.default_rng(3).normal(0, 0.003, (8000, channels)).astype(np.float32)
    sound[:, channels - 1] += tone(900)
    assert strength(mix(sound), 900) == pytest.approx(0.5, abs=0.03)


def test_different_sounds_of_two_channels_are_both_kept() -> None:
    mixed = mix(np.stack([tone(400), 0.3 * tone(3000)], axis=1))
    assert strength(mixed, 400) == pytest.approx(0.5, abs=0.02)
    assert strength(mixed, 3000) == pytest.approx(0.15, abs=0.02)


# Frames of the decoder -------------------------------------------------------------------------------------------


def frames(form: str, channels: int, rate_hz: int, sound: np.ndarray) -> list[av.AudioFrame]:
    """A mono sound as decoded frames of any form, the same in every channel."""
    to_form = av.AudioResampler(format=form)
    made = []
    for first in range(0, len(sound), 1024):
        part = np.repeat(sound[first : first + 1024, None], channels, axis=1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(part.reshape(1, -1)), format="flt", layout=f"{channels} channels"
        )
        frame.sample_rate = rate_hz
        made += to_form.resample(frame)
    return made


def heard(given: list[av.AudioFrame], rate_hz: int = 16000) -> np.ndarray:
    resampler = MonoResampler(rate_hz)
    pieces = [piece for frame in given for piece in resampler.feed(frame)]
    return np.concatenate([*pieces, *resampler.flush()])


@pytest.mark.parametrize("form", [*FORMATS, *(f"{form}p" for form in FORMATS)])
@pytest.mark.parametrize("channels", [1, 2, 7, 8, 9, 64])
def test_every_sample_format_interleaved_and_planar(form: str, channels: int) -> None:
    samples = heard(frames(form, channels, 48000, tone(440, 24000, 48000)))
    assert len(samples) == pytest.approx(8000, abs=4)
    assert strength(samples, 440) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("rate_hz", [4000, 8000, 11025, 22050, 44100, 96000, 192000, 384000])
def test_every_rate(rate_hz: int) -> None:
    samples = heard(frames("s16", 9, rate_hz, tone(440, rate_hz // 2, rate_hz)))
    assert len(samples) == pytest.approx(8000, abs=8)
    assert strength(samples, 440) == pytest.approx(0.5, abs=0.02)


def test_a_stream_may_change_its_form_on_the_way() -> None:
    forms = [("s16", 2, 48000), ("fltp", 8, 44100), ("u8", 1, 8000), ("s32p", 64, 96000), ("s16", 2, 48000)]
    given = [frame for form, channels, hz in forms for frame in frames(form, channels, hz, tone(440, hz // 5, hz))]
    samples = heard(given)
    assert len(samples) == pytest.approx(5 * 3200, abs=40)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.06)
    for part in samples.reshape(-1)[: 5 * 3200].reshape(5, 3200):
        assert strength(part, 440) == pytest.approx(0.5, abs=0.05)


def test_what_is_no_number_is_silence_in_its_channel_alone() -> None:
    left = tone(440, 16000)
    part = np.stack([left, np.full_like(left, np.nan)], axis=1).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(part, format="flt", layout="stereo")
    frame.sample_rate = 16000
    assert strength(heard([frame]), 440) == pytest.approx(0.5, abs=0.02)


# Files -----------------------------------------------------------------------------------------------------------


def write_wav(path: Path, channels: int, *, width: int = 2, rate_hz: int = 16000) -> Path:
    ints = np.rint(tone(440, rate_hz, rate_hz) * 32000).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate_hz)
        out.writeframes(np.repeat(ints[:, None], channels, axis=1).tobytes())
    return path


@pytest.mark.parametrize("channels", [8, 24, 64])
def test_files_of_many_channels_are_read_by_a_fresh_process(tmp_path: Path, channels: int) -> None:
    """In a process of its own: reading past a frame's planes is a segmentation fault, not an exception."""
    path = write_wav(tmp_path / "many.wav", channels)
    planar = tmp_path / "planar.nut"
    with av.open(str(path)) as given, av.open(str(planar), "w") as out:
        stream = out.add_stream("pcm_s16le_planar", rate=16000, layout=f"{channels} channels")
        for frame in given.decode(audio=0):
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    code = "import sys; from szem.media.sound import read_sound; print([len(read_sound(p)) for p in sys.argv[1:]])"
    done = subprocess.run([sys.executable, "-c", code, str(path), str(planar)], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[16000, 16000]"), done.stderr


def test_the_guard_hears_many_channels(tmp_path: Path) -> None:
    packets = SoundPackets(str(write_wav(tmp_path / "many.wav", 9)))
    decoder = AudioDecoder(rate_hz=16000, block_s=0.25)
    blocks = [block for packet, time_s in packets for block in decoder.hear(packet, time_s)]
    packets.close()
    assert decoder.damaged == 0
    assert sum(len(block.samples) for block in blocks) >= 12000
    assert max(np.abs(block.samples).max() for block in blocks) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("channels", [0, 65, 255, 65535])
def test_a_number_of_channels_that_cannot_be_is_refused(tmp_path: Path, channels: int) -> None:
    data = bytearray(write_wav(tmp_path / "a.wav", 2).read_bytes())
    struct.pack_into("<H", data, 22, channels)
    with pytest.raises((FormatError, EmptyFileError), match="sound"):
        read_sound(bytes(data))


def test_a_cut_file_of_many_channels_gives_what_it_has(tmp_path: Path) -> None:
    data = write_wav(tmp_path / "a.wav", 12).read_bytes()
    # FFmpeg believes the file's size; some of its versions drop the last packet, which ends within a sample.
    assert 2900 < len(read_sound(data[: len(data) // 4])) <= 4008
    with pytest.raises((FormatError, EmptyFileError), match="sound"):
        read_sound(data[:30])
