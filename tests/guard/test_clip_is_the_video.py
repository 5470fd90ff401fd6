"""A clip shows what the video shows, frame by frame, whatever it is coded with."""

import functools
import multiprocessing
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.guard.clips import decode_pictures, write_clip
from szem.guard.packet_buffer import PacketBuffer, PacketRun
from szem.media.frames import Frame
from szem.media.video import VideoReader, read_video

COUNT = 36
# Encoder, container, and options; B-frames where an encoder has them.
CODINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "h264": ("libx264", "mp4", {"bf": 2}),
    "h264-live": ("libx264", "ts", {}),
    "hevc": ("libx265", "mp4", {"options": {"x265-params": "log-level=none"}}),
    "vp8": ("libvpx", "webm", {}),
    "vp9": ("libvpx-vp9", "webm", {}),
    "av1": ("libsvtav1", "mp4", {}),
    "xvid": ("mpeg4", "avi", {"tag": "XVID", "bf": 2}),
    "divx": ("mpeg4", "avi", {"tag": "DX50"}),
    "mpeg4": ("mpeg4", "mp4", {"bf": 2}),
    "mjpeg": ("mjpeg", "avi", {"pixels": "yuvj420p"}),
    "mpeg2": ("mpeg2video", "ts", {"bf": 2}),
    "ms-mpeg4": ("msmpeg4v3", "avi", {}),
    "wmv": ("wmv2", "avi", {}),
    "flv": ("flv1", "flv", {}),
    "ffv1": ("ffv1", "mkv", {}),
    "prores": ("prores", "mov", {"pixels": "yuv422p10le"}),
}


def scene(index: int) -> Picture8:
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (200, 300, 3)).astype(np.float32), (0, 0), 4)
    ground = (ground - ground.min()) / (ground.max() - ground.min()) * 255
    return np.ascontiguousarray(ground[index : index + 120, 2 * index : 2 * index + 160].astype(np.uint8))


@pytest.fixture(scope="module")
def encode(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the scene once for each coding."""
    return functools.cache(lambda name: _written(tmp_path_factory.mktemp(name), name))


def _written(folder: Path, name: str) -> Path:
    """Write the scene in a process of its own: SVT-AV1 makes its caller a real-time process where it may."""
    encoder, suffix, _ = CODINGS[name]
    try:
        av.codec.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"needs FFmpeg's encoder {encoder}")
    path = folder / f"a.{suffix}"
    process = multiprocessing.get_context("spawn").Process(target=_encode, args=(path, name))
    process.start()
    process.join(60)
    process.kill()
    assert process.exitcode == 0
    return path


def _encode(path: Path, name: str) -> None:
    encoder, _, more = CODINGS[name]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, more.get("pixels", "yuv420p")
        stream.options = more.get("options", {})
        stream.codec_context.gop_size = 12
        if "bf" in more:
            stream.codec_context.max_b_frames = more["bf"]
        if "tag" in more:
            stream.codec_context.codec_tag = more["tag"]
        for index in range(COUNT):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(index), format="rgb24")))
        out.mux(stream.encode(None))


def buffered(path: Path) -> tuple[list[Frame], PacketRun]:
    buffer = PacketBuffer(60)
    with VideoReader(path, tap=buffer.add) as reader:
        frames = list(reader)
    run = buffer.cut(0.0, 99.0)
    assert run is not None
    return frames, run


@pytest.mark.slow
@pytest.mark.parametrize("name", CODINGS)
def test_packets_in_memory_decode_as_the_video_does(encode: Callable[[str], Path], name: str) -> None:
    frames, run = buffered(encode(name))
    again = list(decode_pictures(run))
    assert len(again) == len(frames) == COUNT
    for one, other in zip(frames, again, strict=True):
        np.testing.assert_array_equal(other.picture, one.picture)
        assert other.time_s == pytest.approx(one.time_s, abs=1e-3)


@pytest.mark.parametrize("name", CODINGS)
def test_a_clip_is_the_video(tmp_path: Path, encode: Callable[[str], Path], name: str) -> None:
    frames, run = buffered(encode(name))
    write_clip(run, tmp_path / "clip.mp4")
    clip = list(read_video(tmp_path / "clip.mp4"))
    assert len(clip) == COUNT
    is_copied = CODINGS[name][0] == "libx264"
    for one, other in zip(frames, clip, strict=True):
        worst = _difference(one.picture, other.picture)
        assert worst == 0 if is_copied else worst < 6
        assert other.time_s - clip[0].time_s == pytest.approx(one.time_s - frames[0].time_s, abs=0.003)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_packets_are_followed_by_the_bytes_that_decoders_read(encode: Callable[[str], Path]) -> None:
    """FFmpeg reads past the end of a packet, where zeros must be; a packet made of Python's bytes has none there."""
    _, run = buffered(encode("mpeg4"))
    from szem.guard.clips import _packet

    for bit in run.bits:
        packet = _packet(bit)
        assert bytes(packet) == bit.data
        assert (packet.pts, packet.dts, packet.is_keyframe) == (bit.pts, bit.dts, bit.is_key)


def test_a_clip_has_the_pixels_and_colours_of_the_video(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for index in range(COUNT):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(index), format="rgb24")))
        out.mux(stream.encode(None))
    _, run = buffered(path)
    write_clip(run, tmp_path / "clip.mp4")
    with VideoReader(tmp_path / "clip.mp4") as reader:
        assert reader.info.pixel_aspect == Fraction(16, 11)
