"""Films: written and read back, upright, with limits, never half."""

import io
import os
import struct
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from szem.errors import (
    DTypeError,
    EmptyFileError,
    FileMissingError,
    FormatError,
    RangeError,
    ShapeError,
    SzemError,
    TooLargeError,
)
from szem.media.pictures import Limits
from szem.media.sound import read_sound
from szem.media.video import Frame, VideoReader, inspect_video, read_video
from szem.media.video_writer import VideoWriter


def film(path: Path, count: int = 10, *, width: int = 64, height: int = 48) -> Path:
    with VideoWriter(path, rate_hz=12.5) as writer:
        for index in range(count):
            picture = np.zeros((height, width, 3), np.uint8)
            picture[:, : width // 2] = (20 * index, 60, 200)
            writer.write(picture)
    return path


def test_a_video_comes_back(tmp_path: Path) -> None:
    frames = list(read_video(film(tmp_path / "a.mp4")))
    assert [f.index for f in frames] == list(range(10))
    assert [f.time_s for f in frames] == pytest.approx([i / 12.5 for i in range(10)], abs=1e-3)
    assert frames[5].picture.shape == (48, 64, 3)
    assert np.abs(frames[5].picture[24, 10].astype(int) - (100, 60, 200)).max() < 12


def test_the_header_says_what_it_is(tmp_path: Path) -> None:
    info = inspect_video(film(tmp_path / "a.mp4"))
    assert (info.width_px, info.height_px, info.frames) == (64, 48, 10)
    assert info.rate_hz == pytest.approx(12.5)
    assert info.duration_s == pytest.approx(0.8, abs=0.05)


def test_every_third_frame_is_given(tmp_path: Path) -> None:
    assert [f.index for f in read_video(film(tmp_path / "a.mp4"), every=3)] == [0, 3, 6, 9]


def test_odd_sides_lose_a_pixel(tmp_path: Path) -> None:
    frame = next(read_video(film(tmp_path / "a.mp4", 2, width=33, height=21)))
    assert frame.picture.shape == (20, 32, 3)


def test_a_video_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with pytest.raises(ShapeError, match="have one size"):
        _write_two_sizes(target)
    with pytest.raises(EmptyFileError, match="no picture was written"), VideoWriter(target, rate_hz=5):
        pass
    assert list(tmp_path.iterdir()) == []


def _write_two_sizes(target: Path) -> None:
    with VideoWriter(target, rate_hz=5) as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8))
        writer.write(np.zeros((8, 10, 3), np.uint8))


def test_a_damaged_video_is_named(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_bytes(b"not a film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name, error in (("cut", FormatError), ("text", FormatError), ("empty", EmptyFileError)):
        with pytest.raises(error, match=rf"{name}\.mp4: "):
            list(read_video(tmp_path / f"{name}.mp4"))
    with pytest.raises(FileMissingError, match="no such file"):
        inspect_video(tmp_path / "none.mp4")


def test_large_frames_are_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 1)
    with pytest.raises(TooLargeError, match="frames of 64×48"):
        inspect_video(path, limits=Limits(max_pixels=100))


@pytest.mark.parametrize(("rate", "quality", "match"), [(0, 23, "rate_hz"), (5, 99, "quality")])
def test_wrong_settings_are_refused(tmp_path: Path, rate: float, quality: int, match: str) -> None:
    with pytest.raises(RangeError, match=match):
        VideoWriter(tmp_path / "a.mp4", rate_hz=rate, quality=quality)


def test_every_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match="every must be 1 or more"):
        read_video(tmp_path / "a.mp4", every=0)


# Sound, times, turns --------------------------------------------------------------------------------------------


def video_with(path: Path, *, times_s: list[float], codec: str = "aac", fmt: str | None = None) -> Path:
    """A film whose pictures are shown at given times, with a tone over its whole length."""
    with av.open(str(path), "w", format=fmt) as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = out.add_stream(codec, rate=16_000, layout="mono")
        for index, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        tone = np.sin(np.arange(int(16_000 * (times_s[-1] + 0.1))) / 5)[None]
        samples = (tone * 9_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        out.mux(sound.encode(frame))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return path


UNEVEN_S = [0.0, 0.04, 0.5, 0.54, 1.2]


@pytest.mark.parametrize(
    ("name", "codec", "out", "expected"),
    [
        ("a.mp4", "aac", "b.mp4", "aac"),  # carried over as it is
        ("a.mkv", "pcm_s16le", "b.mkv", "pcm_s16le"),  # a file that may hold anything
        ("a.mkv", "pcm_s16le", "b.mp4", "aac"),  # an MP4 may not: coded anew
    ],
)
def test_times_and_sound_are_kept(tmp_path: Path, name: str, codec: str, out: str, expected: str) -> None:
    source = video_with(tmp_path / name, times_s=UNEVEN_S, codec=codec)
    with VideoReader(source, sound=True) as reader, VideoWriter(tmp_path / out, rate_hz=25, sound=reader.sound) as w:
        for frame in reader:
            w.write_planes(frame.planes(), time_s=frame.time_s)
            w.write_sound(frame.sound, start_s=reader.start_s)
        w.write_sound(reader.last_sound, start_s=reader.start_s)
    assert [f.time_s for f in read_video(tmp_path / out)] == pytest.approx(UNEVEN_S, abs=2e-3)
    with av.open(str(tmp_path / out)) as made, av.open(str(source)) as given:
        assert made.streams.audio[0].codec_context.name == expected
        heard = [sum(f.samples for f in c.decode(audio=0)) for c in (made, given)]
    assert heard[0] == pytest.approx(heard[1], abs=3 * 1024)
    assert heard[1] > 16_000


def test_a_stream_that_begins_late_is_counted_from_its_beginning(tmp_path: Path) -> None:
    source = video_with(tmp_path / "a.ts", times_s=[5.0, 5.04, 5.08], fmt="mpegts")
    times = [f.time_s for f in read_video(source)]
    assert times == pytest.approx([times[0] + k * 0.04 for k in range(3)], abs=2e-3)
    assert times[0] < 5.1


def turn_clockwise(path: Path, degrees: int) -> None:
    """Write what a phone writes: the pixels stay as they lie, the track's matrix says how they are to be shown."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_put_upright(tmp_path: Path, degrees: int) -> None:
    path = film(tmp_path / "a.mp4", 3)  # 64×48, its left half bright
    given = next(read_video(path))
    turn_clockwise(path, degrees)
    upright, turns = next(read_video(path)), -degrees // 90
    expected = np.rot90(given.picture, turns)
    assert upright.size == expected.shape[1::-1]
    assert np.abs(upright.picture.astype(int) - expected).mean() < 3
    planes = upright.planes()
    assert (planes.width_px, planes.height_px) == upright.size
    assert np.array_equal(planes.luma, np.rot90(given.planes().luma, turns))
    assert upright.scaled(16, 12).shape == (12, 16, 3)


def test_planes_of_odd_sides_lose_a_pixel() -> None:
    raw = av.VideoFrame.from_ndarray(np.full((21, 33, 3), (200, 30, 30), np.uint8), format="rgb24")
    planes = Frame(0, 0.0, raw).planes()
    assert (planes.width_px, planes.height_px) == (32, 20)
    back = av.VideoFrame.from_ndarray(planes.data, format="yuv420p").to_ndarray(format="rgb24")
    assert np.abs(back.astype(int) - (200, 30, 30)).max() < 8


def test_a_video_that_was_cut_off_says_so_after_its_last_frame(tmp_path: Path) -> None:
    whole = tmp_path / "a.mkv"
    with VideoWriter(whole, rate_hz=5, quality=0) as writer:
        for index in range(40):
            writer.write(np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8))
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    seen: list[Frame] = []
    films = read_video(tmp_path / "cut.mkv")
    with pytest.raises(FormatError, match=r"cut\.mkv: (ends at|damaged)"):
        seen.extend(films)  # list.extend keeps what came before the error
    assert 5 < len(seen) < 35


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(EmptyFileError, match="no pictures in it"):
        list(read_video(tmp_path / "a.m4a"))


def test_a_video_reports_its_note(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", rate_hz=5) as writer:
        for _ in range(3):
            writer.write(np.zeros((16, 16, 3), np.uint8))
        writer.note("stopped early")
    with av.open(str(tmp_path / "a.mp4")) as made:
        assert made.metadata["comment"] == "stopped early"
    assert len(list(read_video(tmp_path / "a.mp4"))) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    data = video_with(tmp_path / "a.ts", times_s=[0.0, 0.1, 0.2], fmt="mpegts").read_bytes()
    end, start = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(start, data), os.close(start)))
    writer.start()
    with os.fdopen(end, "rb") as pipe:
        assert len(list(read_video(pipe))) == 3
    writer.join()


def test_a_playlist_that_was_sent_leads_to_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "secret.mp4")
    for text in (
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/secret.mp4\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises((FormatError, EmptyFileError)):
            list(read_video(io.BytesIO(text.encode())))


@pytest.mark.parametrize("given", [None, 5, ["a"]])
def test_what_is_no_file_is_reported_by_its_type(given: object) -> None:
    with pytest.raises(DTypeError, match=f"a video is read from a path.* got {type(given).__name__}"):
        inspect_video(given)  # type: ignore[arg-type]


def test_a_file_that_was_opened_as_text_is_reported() -> None:
    with pytest.raises(DTypeError, match="binary mode"):
        inspect_video(io.StringIO("a"))  # type: ignore[arg-type]


# Headers that state nonsense -------------------------------------------------------------------------------------


def with_fourcc(path: Path, old: bytes, new: bytes) -> Path:
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def test_an_unknown_codec_is_refused_by_name(tmp_path: Path) -> None:
    with_fourcc(film(tmp_path / "a.mp4"), b"avc1", b"zzz1")
    with pytest.raises(FormatError, match=r"a\.mp4: its video is in a codec .* convert it to H\.264"):
        inspect_video(tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb") as file, pytest.raises(FormatError, match="codec"):
        list(read_video(file))


def test_sound_of_an_unknown_codec_is_refused_and_its_pictures_are_read(tmp_path: Path) -> None:
    path = video_with(tmp_path / "a.mkv", times_s=UNEVEN_S, codec="pcm_s16le")
    with_fourcc(path, b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT")
    with pytest.raises(FormatError, match=r"a\.mkv: its audio is in a codec"):
        read_sound(path)
    with VideoReader(path, sound=True) as reader:
        assert len(list(reader)) == len(UNEVEN_S)


def patched(path: Path, box: bytes, offset: int, value: bytes) -> Path:
    """A film one of whose boxes says something else, so many bytes behind the box's name."""
    data = bytearray(path.read_bytes())
    at = data.index(box) + 4 + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


ABSURD = [
    (b"mdhd", 16, b"\x7f\xff\xff\xff"),  # a duration of years
    (b"mdhd", 12, b"\x00\x00\x00\x00"),  # no time scale
    (b"mdhd", 12, b"\xff\xff\xff\xff"),  # a time scale without end: an absurd rate
    (b"mvhd", 12, b"\x00\x00\x00\x00"),
    (b"stts", 8, b"\x00\x00\x00\x00"),
    (b"stts", 8, b"\xff\xff\xff\xff"),
    (b"avc1", 24, b"\x00\x00\x00\x00"),  # 0×0
    (b"avc1", 24, b"\xff\xff\xff\xff"),  # 65535×65535
    (b"stsz", 8, b"\xff\xff\xff\xff"),
    (b"avcC", 0, b"\x00" * 12),
]


@pytest.mark.parametrize(("box", "offset", "value"), ABSURD)
def test_an_absurd_header_gives_frames_or_a_typed_error(
    tmp_path: Path, box: bytes, offset: int, value: bytes
) -> None:
    path, said = patched(film(tmp_path / "a.mp4"), box, offset, value), f"{tmp_path / 'a.mp4'}: "
    try:
        info = inspect_video(path)
        assert 0 < info.rate_hz <= 1000
        assert info.duration_s is None or 0 < info.duration_s < 1e9
        for frame in read_video(path):
            assert frame.picture.shape[2] == 3
    except SzemError as error:
        said = str(error)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said


def test_a_damaged_packet_does_not_end_a_video(tmp_path: Path) -> None:
    """Every picture stands for itself (MJPEG): the damaged one is left out, the others come."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 3) if data[at : at + 3] == b"\xff\xd8\xff"]
    end = starts[5] - 8  # where the next one's chunk begins
    data[starts[4] : end] = bytes(end - starts[4])
    path.write_bytes(data)
    with VideoReader(path) as reader:
        brightness = [int(frame.picture.mean()) for frame in reader]
        assert reader.damaged == 1
    assert len(brightness) == 9
    assert brightness[-1] > 170


@pytest.mark.parametrize("name", ["2026-11-30T07:48:06.mp4", "file:a.mp4", "#x?y=z.mp4", "100%.mp4", "pipe:0.mp4"])
def test_names_that_ffmpeg_would_take_for_addresses_are_names(tmp_path: Path, name: str) -> None:
    film(tmp_path / "a.mp4").rename(tmp_path / name)
    assert len(list(read_video(tmp_path / name))) == 10
