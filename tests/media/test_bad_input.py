"""Whatever the bytes are: a picture or one of our errors, soon, quietly, and without filling the memory."""

import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from szem.arrays import check_picture
from szem.errors import DTypeError, EmptyFileError, FileMissingError, MediaError, SzemError, TooLargeError
from szem.media.pictures import Limits, read_picture, read_pictures

pytestmark = pytest.mark.slow  # hundreds of damaged files

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def reads_or_says_why(data: bytes) -> None:
    """Every frame, with a limit that keeps mutated headers cheap."""
    said = ""
    try:
        for picture in read_pictures(data, limits=Limits(max_pixels=200_000, max_frames=20)):
            check_picture(picture)
    except SzemError as error:
        said = str(error)
    assert "\n" not in said


@QUICK
@given(st.binary(max_size=400))
def test_random_bytes_give_a_typed_error(data: bytes) -> None:
    with pytest.raises(MediaError):
        read_picture(data)


@QUICK
@given(st.data())
def test_mutated_files_give_a_picture_or_a_typed_error(corpus: ModuleType, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(corpus.WHOLE)))
    raw = bytearray(corpus.WHOLE[name]())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        way = data.draw(st.sampled_from(["byte", "big", "drop", "repeat", "swap"]))
        if way == "byte":
            raw[at] = data.draw(st.integers(0, 255))
        elif way == "big":
            raw[at : at + 4] = data.draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"]))
        elif way == "drop":
            del raw[at : at + data.draw(st.integers(1, 20))]
        elif way == "repeat":
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 60))]
        else:
            raw[at:] = raw[at:][::-1]
        if not raw:
            return
    reads_or_says_why(bytes(raw))


@pytest.mark.slow
@settings(QUICK, max_examples=1500)
@given(st.data())
def test_many_mutated_files_give_a_picture_or_a_typed_error(corpus: ModuleType, data: st.DataObject) -> None:
    raw = bytearray(corpus.WHOLE[data.draw(st.sampled_from(sorted(corpus.WHOLE)))]())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=12)):
        raw[at] = value
    reads_or_says_why(bytes(raw[: data.draw(st.integers(1, len(raw)))]))


def test_files_cut_anywhere_give_a_picture_or_a_typed_error(corpus: ModuleType) -> None:
    for make in corpus.WHOLE.values():
        whole = make()
        for end in sorted({*range(min(64, len(whole))), *range(64, len(whole), 37), len(whole) - 1}):
            reads_or_says_why(whole[:end])


def test_decoders_print_nothing(corpus: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("photo.tif", "photo.png", "photo.jpg", "photo.webp"):  # libtiff itself prints of damaged deflate
        whole = corpus.WHOLE[name]()
        for at in range(0, len(whole), 11):
            reads_or_says_why(whole[:at] + b"\xff" + whole[at + 1 :])
    assert capfd.readouterr() == ("", "")


def test_every_bad_file_gives_its_error_and_is_named(corpus: ModuleType, tmp_path: Path) -> None:
    bad = corpus.bad_files(tmp_path)
    assert len(bad) > 30
    for path, kind in bad.items():
        with pytest.raises(kind, match=path.name):
            read_picture(path)


def test_bombs_are_refused_before_they_are_decoded(corpus: ModuleType, tmp_path: Path) -> None:
    """In a process that may hardly grow: the decoded pictures would need 80 MB to 10 GB."""
    pytest.importorskip("resource")
    for name, make in corpus.BOMBS.items():
        (tmp_path / name).write_bytes(make())
    code = """
import resource, sys, pathlib
from szem.media.pictures import read_picture
from szem.errors import TooLargeError
from PIL import Image
Image.init()
paths = sorted(pathlib.Path(sys.argv[1]).iterdir())
size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 48_000_000, size + 48_000_000))
for path in paths:
    try:
        read_picture(path)
    except TooLargeError as error:
        assert "memory" not in str(error), error
        print(path.name)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(corpus.BOMBS)
    assert done.stderr == ""


def test_limits_are_those_asked_for(corpus: ModuleType) -> None:
    data = corpus.WHOLE["photo.png"]()
    assert read_picture(data, limits=Limits(max_pixels=24 * 16)).shape == (16, 24, 3)
    with pytest.raises(TooLargeError, match="24×16"):
        read_picture(data, limits=Limits(max_pixels=24 * 16 - 1))
    with pytest.raises(TooLargeError, match="bytes"):
        read_picture(data, limits=Limits(max_bytes=len(data) - 1))
    with pytest.raises(TooLargeError, match="3 frames"):
        list(read_pictures(corpus.WHOLE["animated.gif"](), limits=Limits(max_frames=3)))


def test_names_that_are_no_paths(tmp_path: Path) -> None:
    for name in ("no\0name.png", "", str(tmp_path / "gone.png"), "x" * 5000, str(tmp_path / "a" / "b.png")):
        with pytest.raises((FileMissingError, MediaError)):
            read_picture(name)


@pytest.mark.parametrize(
    "name", ["árvíztűrő tükörfúrógép.png", "new\nline.png", "[brackets]*?.png", "👁 eye.png", "-.png"]
)
def test_odd_names_are_read(corpus: ModuleType, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(corpus.WHOLE["photo.png"]())
    assert read_picture(tmp_path / name).shape == (16, 24, 3)


def test_what_is_no_source_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DTypeError, match="array is a picture already"):
        read_picture(np.zeros((2, 2, 3), np.uint8))  # type: ignore[arg-type]
    (tmp_path / "text.txt").write_text("hello")
    with (tmp_path / "text.txt").open() as file, pytest.raises(DTypeError, match="binary mode"):
        read_picture(file)  # type: ignore[arg-type]
    with (tmp_path / "text.txt").open("rb") as closed:
        pass
    with pytest.raises(MediaError, match="cannot be read"):
        read_picture(closed)
    with pytest.raises(EmptyFileError, match="no bytes"):
        read_picture(b"")


def test_reading_leaves_the_filters_of_warnings_as_they_were(corpus: ModuleType) -> None:
    before = list(warnings.filters)
    reading = read_pictures(corpus.WHOLE["animated.gif"]())
    next(reading)
    assert warnings.filters == before  # also between two frames
    with pytest.raises(MediaError):
        read_picture(b"nonsense")
    assert warnings.filters == before
