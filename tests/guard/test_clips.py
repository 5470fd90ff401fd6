"""Packets in memory, and the clips and pictures cut from them: bounds, codecs, sound, faces."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from szem.arrays import Picture8
from szem.errors import FormatError, RangeError, StoreError
from szem.guard.clips import find_picture, write_clip
from szem.guard.face_blur import FaceBlurrer, blur_boxes
from szem.guard.packet_buffer import PacketBuffer, buffer_picture
from szem.media.video import VideoReader

from .acts import make_video

if TYPE_CHECKING:
    from collections.abc import Callable


def buffer_of(
    video: Path, *, seconds: float = 60.0, until_s: float = 99.0, max_bytes: int = 64_000_000
) -> PacketBuffer:
    buffer = PacketBuffer(seconds, max_bytes=max_bytes)
    with VideoReader(video, sound=True, tap=buffer.add) as reader:
        for frame in reader:
            if frame.time_s >= until_s:
                break
    return buffer


def level_at(time_s: float, *, seconds: float = 8.0) -> float:
    return 20 + 200 * time_s / seconds


def test_a_buffer_keeps_the_last_seconds_in_whole_groups(video: Path) -> None:
    buffer = buffer_of(video, seconds=2.0)
    held = buffer.cut(0.0, 99.0)
    assert held is not None
    assert held.start_s == pytest.approx(3.0)  # 2 s and the slack before the end at 8, on the second
    assert held.bits[0].is_key
    assert buffer.held_bytes == sum(len(bit.data) for bit in held.bits)


def test_a_buffer_is_bounded_by_bytes_too(video: Path) -> None:
    whole = buffer_of(video)
    half = buffer_of(video, max_bytes=whole.held_bytes // 2)
    assert 0 < half.held_bytes <= whole.held_bytes // 2
    assert buffer_of(video, max_bytes=100).held_bytes <= 100
    assert buffer_of(video, max_bytes=100).cut(0, 99) is None


def test_a_cut_begins_with_a_picture_that_stands_alone(video: Path) -> None:
    stretch = buffer_of(video).cut(3.4, 5.0)
    assert stretch is not None
    assert (stretch.start_s, round(stretch.end_s, 1)) == (pytest.approx(3.0), 5.0)
    assert PacketBuffer(5).cut(0, 9) is None


def test_the_picture_of_a_moment_is_found(video: Path) -> None:
    buffer = buffer_of(video)
    for moment in (0.0, 2.5, 7.9):
        stretch = buffer.cut(moment, moment + 0.3)
        assert stretch is not None
        picture = find_picture(stretch, moment)
        assert picture is not None
        assert abs(picture.mean() - level_at(moment)) < 4


CODECS = {  # video, sound -> what the clip holds: copied where a browser plays it, else coded anew
    ("libx264", "aac"): ("h264", "aac"),
    ("libx264", "pcm_s16le"): ("h264", "aac"),
    ("libx265", "aac"): ("h264", "aac"),
    ("mpeg4", "mp2"): ("h264", "aac"),
    ("libx264", ""): ("h264",),
}


@pytest.mark.slow
@pytest.mark.parametrize(("given", "made"), CODECS.items(), ids=["-".join(k) for k in CODECS])
def test_clips_play_in_browsers_whatever_the_camera_sends(
    tmp_path: Path, given: tuple[str, str], made: tuple[str, ...]
) -> None:
    video = make_video(tmp_path / "film.mkv", codec=given[0], sound=given[1])
    stretch = buffer_of(video).cut(2.0, 5.0)
    assert stretch is not None
    clip = tmp_path / "clip.mp4"
    assert write_clip(stretch, clip) == pytest.approx(stretch.start_s)
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index in front: it plays while it loads
    with av.open(str(clip)) as opened:
        assert tuple(stream.codec_context.name for stream in opened.streams) == made
        frames = [(float(f.time or 0), float(f.to_ndarray(format="gray").mean())) for f in opened.decode(video=0)]
    for time_s, level in frames:
        assert abs(level - level_at(time_s + stretch.start_s)) < 6
    if len(made) > 1:
        with av.open(str(clip)) as opened:
            wave = np.concatenate([f.to_ndarray().mean(axis=0) for f in opened.decode(audio=0)])
            rate = opened.streams.audio[0].rate
        assert abs(len(wave) / rate - frames[-1][0]) < 0.4  # as long as the pictures
        peak = np.abs(np.fft.rfft(wave[rate // 2 : rate // 2 + rate])).argmax()
        assert abs(int(peak) - 440) < 5


def test_sound_of_many_channels_is_kept_as_one(tmp_path: Path) -> None:
    plain, many_channels = (
        make_video(tmp_path / "plain.mkv", codec="libx264", sound="pcm_s16le"),
        tmp_path / "many.mkv",
    )
    with av.open(str(plain)) as given, av.open(str(many_channels), "w") as out:
        video = out.add_stream_from_template(given.streams.video[0])
        sound = out.add_stream("pcm_s16le", rate=given.streams.audio[0].rate, layout="9 channels")
        for packet in given.demux(video=0, audio=0):
            if packet.stream.type == "video" and packet.dts is not None:
                packet.stream = video
                out.mux(packet)
            for raw in packet.decode() if packet.stream.type == "audio" else ():
                many = np.repeat(raw.to_ndarray().mean(axis=0).astype(np.int16)[:, None], 9, axis=1)
                frame = av.AudioFrame.from_ndarray(many.reshape(1, -1), format="s16", layout="9 channels")
                frame.sample_rate, frame.pts, frame.time_base = raw.sample_rate, raw.pts, raw.time_base
                out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    stretch = buffer_of(many_channels).cut(2.0, 5.0)
    assert stretch is not None
    write_clip(stretch, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert sum(f.samples for f in clip.decode(audio=0)) / clip.streams.audio[0].rate > 2.5


def test_a_copy_costs_no_coding(video: Path, tmp_path: Path) -> None:
    stretch = buffer_of(video).cut(2.0, 5.0)
    assert stretch is not None
    write_clip(stretch, tmp_path / "clip.mp4")
    sent = [bit.data for bit in stretch.bits if bit.is_video]
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert [bytes(p) for p in clip.demux(video=0) if p.size] == sent


def test_pictures_that_come_uncoded_are_kept_as_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "raw.nut"
    with av.open(str(path), "w", format="nut") as out:
        stream = out.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(30):
            raw = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * k + 20, np.uint8), format="rgb24")
            raw = raw.reformat(format="yuv420p")
            raw.pts, raw.time_base = k, Fraction(1, 10)
            out.mux(stream.encode(raw))
    buffer = PacketBuffer(60)
    with VideoReader(path, tap=buffer.add) as reader:
        for frame in reader:
            buffer.take(buffer_picture(frame))
    stretch = buffer.cut(1.0, 2.0)
    assert stretch is not None
    write_clip(stretch, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        levels = [float(f.to_ndarray(format="gray").mean()) for f in clip.decode(video=0)]
    assert len(levels) == 11
    assert abs(levels[0] - 70) < 5


def test_damaged_packets_cost_their_pictures_only(video: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    stretch = buffer_of(video).cut(2.0, 7.0)
    assert stretch is not None
    bits = list(stretch.bits)
    places = [n for n, bit in enumerate(bits) if bit.is_video][12:15]
    for n in places:
        bits[n] = replace(bits[n], data=b"\xff" * 40)
    torn = replace(stretch, bits=tuple(bits), turn=0)
    blur = FaceBlurrer(lambda _: np.zeros((0, 4), np.float32))
    write_clip(torn, tmp_path / "clip.mp4", blur=blur)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) > 30
    nothing = replace(stretch, bits=tuple(replace(bit, data=b"\xff" * 40) for bit in bits))
    with pytest.raises(FormatError, match=r"not one picture|cannot be made"):
        write_clip(nothing, tmp_path / "none.mp4", blur=blur)


def test_a_disk_that_cannot_be_written_is_reported(video: Path, tmp_path: Path) -> None:
    stretch = buffer_of(video).cut(2.0, 5.0)
    assert stretch is not None
    with pytest.raises(StoreError, match="cannot be written"):
        write_clip(stretch, tmp_path / "no folder" / "clip.mp4")


# Faces -------------------------------------------------------------------------------------------------------------


def test_a_hidden_place_shows_only_a_few_flat_squares() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (100, 120, 3), np.uint8)
    before = picture.copy()
    hidden = blur_boxes(picture, np.array([[40, 30, 80, 70]]))
    assert np.array_equal(picture, before)
    face = hidden[20:80, 30:90]  # a quarter wider on each side
    assert len(np.unique(face.reshape(-1, 3), axis=0)) <= 25
    outside = np.ones((100, 120), bool)
    outside[20:80, 30:90] = False
    assert np.array_equal(hidden[outside], before[outside])
    beyond = blur_boxes(picture, np.array([[-50, -50, 10, 10], [500, 500, 600, 600], [20, 20, 20, 20]]))
    assert beyond.shape == picture.shape


def test_a_face_that_is_missed_for_a_moment_stays_hidden(video: Path, tmp_path: Path) -> None:
    """The finder sees the face in every third picture only."""
    seen = [0]

    def find(picture: Picture8) -> np.ndarray:
        seen[0] += 1
        boxes = [[50, 40, 90, 80]] if seen[0] % 3 == 1 else []
        return np.array(boxes, np.float32).reshape(-1, 4)

    checker = np.kron(np.indices((15, 20)).sum(axis=0) % 2, np.ones((8, 8)))[..., None] * np.array([200, 200, 200])
    picture = checker.astype(np.uint8)
    blur = FaceBlurrer(find).for_video()
    for _ in range(20):
        assert np.ptp(blur(picture)[55:65, 65:75].astype(int)) < 200  # never the sharp pattern


@pytest.mark.slow
def test_faces_are_hidden_in_clips(tmp_path: Path) -> None:
    """A photograph of a face as a film; afterwards the very finder finds none."""
    faces = pytest.importorskip("szem.tasks.faces.detect")
    from skimage.data import astronaut

    from szem.media.video_writer import VideoWriter

    photograph = astronaut()[:360, 60:420]
    with VideoWriter(tmp_path / "film.mp4", rate_hz=10) as writer:
        for _ in range(6):
            writer.write(np.ascontiguousarray(photograph))
    finder = faces.open_faces(threads=1)
    stretch = buffer_of(tmp_path / "film.mp4").cut(0, 9)
    assert stretch is not None
    blur = FaceBlurrer(lambda picture: finder(picture, turned=False).boxes_xyxy)
    counts: dict[str, list[int]] = {}
    versions: dict[str, Callable[..., object] | None] = {"shown": None, "hidden": blur}
    for name, blur in versions.items():
        write_clip(stretch, tmp_path / f"{name}.mp4", blur=blur)  # type: ignore[arg-type]
        with VideoReader(tmp_path / f"{name}.mp4") as reader:
            counts[name] = [len(finder(frame.picture, turned=False)) for frame in reader]
    assert counts == {"shown": [1] * 6, "hidden": [0] * 6}


@pytest.mark.parametrize(("seconds", "size"), [(0, 1), (1, 0)])
def test_a_buffer_must_keep_something(seconds: float, size: int) -> None:
    with pytest.raises(RangeError, match="must be positive"):
        PacketBuffer(seconds, max_bytes=size)
