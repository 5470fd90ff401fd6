"""Films: written and read back, upright, with limits, never half."""

from pathlib import Path

import numpy as np
import pytest

from szem.errors import EmptyFileError, FileMissingError, FormatError, RangeError, ShapeError, TooLargeError
from szem.media.pictures import Limits
from szem.media.video import VideoWriter, inspect_video, read_video


def film(path: Path, count: int = 10, *, width: int = 64, height: int = 48) -> Path:
    with VideoWriter(path, rate_hz=12.5) as writer:
        for index in range(count):
            picture = np.zeros((height, width, 3), np.uint8)
            picture[:, : width // 2] = (20 * index, 60, 200)
            writer.write(picture)
    return path


def test_a_film_comes_back(tmp_path: Path) -> None:
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


def test_a_film_appears_whole_or_not_at_all(tmp_path: Path) -> None:
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


def test_a_damaged_film_is_named(tmp_path: Path) -> None:
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
