"""Sound: read at the rate asked for, on the film's own time, with clear errors."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from szem.errors import DTypeError, EmptyFileError, FileMissingError, FormatError, RangeError, TooLargeError
from szem.media.sound import SoundReader, read_sound, write_sound
from szem.media.video_writer import VideoWriter


def tone(hertz: float = 440.0, seconds: float = 1.0, rate_hz: int = 16000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def strongest_hz(samples: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate_hz)[spectrum.argmax()])


def encode(path: Path, pieces: list[tuple[float, np.ndarray]], *, rate_hz: int = 48000, codec: str = "aac") -> Path:
    """A sound file of stereo pieces, each at its own time."""
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=rate_hz, layout="stereo")
        for time_s, samples in pieces:
            for first in range(0, len(samples) - 1023, 1024):
                part = np.repeat(samples[None, first : first + 1024], 2, axis=0)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                frame.sample_rate = rate_hz
                frame.time_base = Fraction(1, rate_hz)
                frame.pts = round(time_s * rate_hz) + first
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_length(tmp_path: Path, rate_hz: int) -> None:
    write_sound(tmp_path / "a.wav", tone(rate_hz=rate_hz), rate_hz=rate_hz)
    samples = read_sound(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(16000, abs=20)
    assert strongest_hz(samples, 16000) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)


def test_bytes_and_files_give_the_same(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", tone())
    with (tmp_path / "a.wav").open("rb") as file:
        np.testing.assert_array_equal(read_sound(file), read_sound((tmp_path / "a.wav").read_bytes()))


def test_blocks_put_together_are_the_whole(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", tone(seconds=2.35))
    with SoundReader(tmp_path / "a.wav", block_s=0.5) as reader:
        blocks = list(reader)
    assert [block.time_s for block in blocks] == pytest.approx([0, 0.5, 1, 1.5, 2])
    assert [len(block.samples) for block in blocks] == [8000] * 4 + [5600]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), read_sound(tmp_path / "a.wav"))


def test_sound_that_begins_late_keeps_its_time(tmp_path: Path) -> None:
    film = tmp_path / "late.mkv"
    with av.open(film, "w") as out:
        video, audio = out.add_stream("libx264", rate=25), out.add_stream("flac", rate=48000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(50):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * index, np.uint8), format="rgb24")
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        samples = (tone(rate_hz=48000)[None] * 32767).astype(np.int16)
        for first in range(0, 48000 - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(samples[:, first : first + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), 48000 + first
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    heard = read_sound(film)
    assert np.abs(heard[:15000]).max() < 0.01
    assert np.abs(heard[17000:30000]).max() == pytest.approx(0.5, abs=0.05)


def test_a_gap_is_filled_with_silence(tmp_path: Path) -> None:
    short = tone(seconds=1024 * 40 / 48000, rate_hz=48000)
    heard = read_sound(encode(tmp_path / "hole.mka", [(0.0, short), (2.0, short)]))
    assert len(heard) / 16000 == pytest.approx(2 + 1024 * 40 / 48000, abs=0.1)
    assert np.abs(heard[int(1.0 * 16000) : int(1.9 * 16000)]).max() < 0.01
    assert np.abs(heard[2000:10000]).max() == pytest.approx(0.5, abs=0.05)  # equal channels keep their strength


def test_what_is_no_number_is_silence(tmp_path: Path) -> None:
    samples = tone(rate_hz=48000)
    samples[100:200] = np.nan
    heard = read_sound(encode(tmp_path / "nan.wav", [(0.0, samples)], codec="pcm_f32le"))
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1


def silent_video(path: Path) -> Path:
    with VideoWriter(path, rate_hz=10) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    return path


def cut_flac(path: Path) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32).clip(-1, 1)
    write_sound(path.with_suffix(".wav"), noise)
    with av.open(path.with_suffix(".wav")) as wav, av.open(path, "w") as out:
        stream = out.add_stream("flac", rate=16000, layout="mono")
        for frame in wav.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    return path


def test_bad_files_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound at all, only words " * 20)
    for path, error, words in [
        (tmp_path / "none.wav", FileMissingError, "no such file"),
        (tmp_path, FormatError, "not a regular file"),
        (tmp_path / "empty.wav", EmptyFileError, "no bytes"),
        (tmp_path / "text.wav", FormatError, "not a sound szem reads"),
        (silent_video(tmp_path / "film.mp4"), EmptyFileError, "there is no sound in it"),
    ]:
        with pytest.raises(error, match=words):
            read_sound(path)
    with pytest.raises(EmptyFileError, match="no bytes"):
        read_sound(b"")


def test_a_file_cut_off_gives_what_it_has_and_then_says_so(tmp_path: Path) -> None:
    heard = 0
    with SoundReader(cut_flac(tmp_path / "cut.flac"), block_s=0.25) as reader:
        for block in _until_cut(reader):
            heard += len(block.samples)
    assert heard / 16000 == pytest.approx(1.25, abs=0.35)


def _until_cut(reader: SoundReader):  # type: ignore[no-untyped-def]
    with pytest.raises(FormatError, match=r"cut off|damaged"):
        yield from reader


def test_a_sound_without_samples_is_empty(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "none.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
    with pytest.raises(EmptyFileError, match="not one sample"):
        read_sound(tmp_path / "none.wav")


def test_limits_and_wrong_numbers(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", tone())
    with pytest.raises(TooLargeError, match=r"more than 0\.5 s"):
        read_sound(tmp_path / "a.wav", most_s=0.5)
    with pytest.raises(RangeError, match="must be positive"):
        read_sound(tmp_path / "a.wav", rate_hz=0)
    with pytest.raises(FormatError, match="written as WAV"):
        write_sound(tmp_path / "a.mp3", tone())


def test_a_playlist_that_was_sent_leads_to_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "secret.wav", tone())
    for text in (
        "ffconcat version 1.0\nfile secret.wav\n",
        f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises((FormatError, EmptyFileError)):
            read_sound(text.encode())


@pytest.mark.parametrize("given", [None, 5, ["a"]])
def test_what_is_no_file_is_reported_by_its_type(given: object) -> None:
    with pytest.raises(DTypeError, match=f"a sound is read from a path.* got {type(given).__name__}"):
        read_sound(given)  # type: ignore[arg-type]


def test_a_file_that_was_opened_as_text_is_reported() -> None:
    with pytest.raises(DTypeError, match="binary mode"):
        read_sound(io.StringIO("a"))  # type: ignore[arg-type]
