"""Animated pictures are videos; written videos keep the shape of their pixels and their colours."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from szem.errors import SzemError, TooLargeError
from szem.media.animations import is_animated
from szem.media.pictures import Limits
from szem.media.pipeline import Stage
from szem.media.video import VideoReader, inspect_video, read_video
from szem.media.video_pipeline import RenderedFrame, VideoPipeline, open_video_source


def animation(path: Path, count: int = 6) -> Path:
    """Each frame lighter than the one before; the third is shown for twice as long."""
    frames = [Image.fromarray(np.full((40, 60, 3), 30 * k, np.uint8)) for k in range(count)]
    more = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], loop=0,
                   duration=[100, 100, 200, 100, 100, 300][:count], **more)  # fmt: skip
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animated_picture_is_a_video(tmp_path: Path, suffix: str) -> None:
    path = animation(tmp_path / f"a{suffix}")
    assert is_animated(path)
    frames = list(read_video(path))
    assert [round(f.time_s, 3) for f in frames] == [0, 0.1, 0.2, 0.4, 0.5, 0.6]
    assert [f.picture.shape for f in frames] == [(40, 60, 3)] * 6
    assert [int(f.picture.mean()) for f in frames] == pytest.approx([0, 30, 60, 90, 120, 150], abs=2)
    assert (inspect_video(path).width_px, inspect_video(path).height_px) == (60, 40)


def test_frames_that_state_no_duration_are_all_shown_as_browsers_do(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (6, 120, 160, 3), np.uint8)
    frames = [Image.fromarray(one) for one in noise]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=0)
    assert [round(f.time_s, 3) for f in read_video(tmp_path / "a.gif")] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_picture_that_does_not_move_is_none(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / f"a{suffix}")
    assert not is_animated(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"text"])
def test_files_that_only_have_the_name_are_no_animations(tmp_path: Path, content: bytes) -> None:
    for name in ("a.gif", "a.webp"):
        (tmp_path / name).write_bytes(content)
        assert not is_animated(tmp_path / name)
        with pytest.raises(SzemError, match=r"a\.(gif|webp)"):
            list(read_video(tmp_path / name))


def test_a_damaged_animation_is_named(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(SzemError, match=r"a\.webp"):
        list(read_video(path))


def test_an_animation_of_too_many_frames_is_refused(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp")
    with pytest.raises(TooLargeError, match="6 frames of 60×40; at most 3"):
        list(read_video(path, limits=Limits(max_frames=3)))


def tagged(path: Path, *, full_range: bool = False) -> Path:
    """A video of wide pixels with the colours of a camera."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if full_range else "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(4, 3)
        context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1  # BT.709
        context.color_range = 2 if full_range else 1
        for k in range(5):
            picture = np.zeros((48, 64, 3), np.uint8)
            picture[:, :32] = (40 * k, 200, 30)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=stream.pix_fmt, dst_colorspace="ITU709", dst_color_range=2 if full_range else 1
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def written(source: Path, out: Path, *, as_rgb: bool) -> None:
    def draw(frame: object) -> RenderedFrame:
        return RenderedFrame(frame, frame.picture if as_rgb else frame.planes())  # type: ignore[attr-defined,arg-type]

    with VideoPipeline(open_video_source(source), [Stage(draw)], out) as made:
        assert len(list(made)) == 5


@pytest.mark.parametrize("full_range", [False, True])
def test_pixel_aspect_and_colours_are_kept(tmp_path: Path, full_range: bool) -> None:
    source = tagged(tmp_path / "a.mp4", full_range=full_range)
    written(source, tmp_path / "b.mp4", as_rgb=False)
    with VideoReader(tmp_path / "b.mp4") as reader:
        context = reader._video.codec_context
        assert reader.info.pixel_aspect == Fraction(4, 3)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        after = [frame.picture for frame in reader]
    for one, other in zip(read_video(source), after, strict=True):
        assert np.abs(one.picture.astype(int) - other.astype(int)).mean() < 4


def test_pictures_that_were_drawn_in_rgb_say_how_they_were_converted(tmp_path: Path) -> None:
    written(tagged(tmp_path / "a.mp4"), tmp_path / "b.mp4", as_rgb=True)
    with VideoReader(tmp_path / "b.mp4") as reader:
        assert (reader.info.pixel_aspect, reader._video.codec_context.colorspace) == (Fraction(4, 3), 6)  # BT.601


def test_the_aspect_of_square_pixels_is_none(tmp_path: Path) -> None:
    assert inspect_video(animation(tmp_path / "a.gif")).pixel_aspect is None
