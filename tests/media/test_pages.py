"""Files of many pages: counted, measured and chosen without trusting what they claim."""

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from szem.errors import FormatError, RangeError, SzemError, TooLargeError
from szem.media.pages import count_pages, picture_size, read_pages
from szem.media.pictures import Limits


def pages_file(fmt: str, count: int, *, size: tuple[int, int] = (8, 6), **options: object) -> bytes:
    """A file whose page n is a plain grey of value 10 + n."""
    frames = [Image.new("L", size, 10 + n) for n in range(count)]
    out = io.BytesIO()
    frames[0].save(out, fmt, save_all=True, append_images=frames[1:], **options)
    return out.getvalue()


@pytest.mark.parametrize("fmt", ["GIF", "TIFF"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_pages_are_counted(fmt: str, count: int) -> None:
    assert count_pages(pages_file(fmt, count)) == count


def test_a_png_is_one_page() -> None:
    assert count_pages(pages_file("PNG", 1)) == 1


@pytest.mark.parametrize("fmt", ["GIF", "TIFF"])
def test_chosen_pages_come_in_the_order_asked_for(fmt: str) -> None:
    pictures = list(read_pages(pages_file(fmt, 5), [4, 0, 2, 2]))
    assert [int(picture[0, 0, 0]) for picture in pictures] == [14, 10, 12, 12]
    assert all(picture.shape == (6, 8, 3) for picture in pictures)


def test_pages_of_different_sizes_keep_them() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 2))])
    assert [p.shape for p in read_pages(out.getvalue(), [0, 1])] == [(4, 4, 3), (2, 9, 3)]


def test_a_page_that_is_not_there_is_reported() -> None:
    with pytest.raises(RangeError, match="page 3 is not there; pages run from 0 to 2"):
        list(read_pages(pages_file("TIFF", 3), [3]))


def test_too_many_pages_are_refused_without_counting_on() -> None:
    with pytest.raises(TooLargeError, match="more than 3 pages"):
        count_pages(pages_file("TIFF", 5), limits=Limits(max_frames=3))
    with pytest.raises(TooLargeError, match="more than 3 pages"):
        count_pages(pages_file("GIF", 5), limits=Limits(max_frames=3))


def test_a_gif_that_asks_for_endless_drawing_is_refused() -> None:
    data = pages_file("GIF", 40, size=(20, 20))
    limits = Limits(max_pixels=400)  # each frame fits, 40 of them are more than 20 pictures' worth
    assert len(list(read_pages(data, [3], limits=limits))) == 1
    with pytest.raises(TooLargeError, match="reaching frame 40"):
        list(read_pages(data, [39], limits=limits))


def test_a_later_page_that_is_too_large_is_refused() -> None:
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "TIFF", save_all=True, append_images=[Image.new("L", (90, 90))])
    with pytest.raises(TooLargeError, match="90×90"):
        list(read_pages(out.getvalue(), [1], limits=Limits(max_pixels=1000)))


def test_size_comes_from_the_header() -> None:
    whole = pages_file("PNG", 1, size=(31, 7))
    assert picture_size(whole) == (31, 7)
    assert picture_size(whole[:60]) == (31, 7)  # the rest is missing, and not needed
    with pytest.raises(FormatError, match="not a picture"):
        picture_size(b"nonsense")


def test_a_tiff_whose_directories_run_in_a_circle_ends() -> None:
    data = bytearray(pages_file("TIFF", 1))
    start = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)  # the next directory is the first
    with suppress(SzemError):  # also an answer
        assert count_pages(bytes(data), limits=Limits(max_frames=50)) >= 1


@settings(max_examples=60, deadline=None)
@given(
    fmt=st.sampled_from(["GIF", "TIFF"]), cut=st.integers(0, 400), at=st.integers(0, 400), byte=st.integers(0, 255)
)
def test_damaged_files_give_pages_or_typed_errors(fmt: str, cut: int, at: int, byte: int) -> None:
    data = bytearray(pages_file(fmt, 3))
    data[at % len(data)] = byte
    damaged = bytes(data[: max(1, len(data) - cut)])
    with suppress(SzemError):
        total = count_pages(damaged, limits=Limits(max_frames=50, max_pixels=10_000))
        for picture in read_pages(damaged, [total - 1], limits=Limits(max_frames=50, max_pixels=10_000)):
            assert picture.dtype == np.uint8
