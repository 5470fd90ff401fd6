"""Files of many pages or frames (TIFF, GIF, PDF): how large, how many, and chosen ones; the rest is not decoded where
that can be.

The rules of `szem.media.pictures` hold for each page.
"""

from collections.abc import Iterator, Sequence

from PIL import Image

from szem.arrays import Picture8
from szem.errors import RangeError, TooLargeError
from szem.media.decoding import check_pixels, faults_named, image_to_picture, open_image
from szem.media.pdf_pages import count_pdf_pages, is_pdf, read_pdf_pages
from szem.media.sources import DEFAULT_LIMITS, Limits, PictureSource, read_source

__all__ = ["count_pages", "picture_size", "read_pages"]

_STEPS = 20  # a GIF's frames may cost as much drawing as so many of the largest pictures


def picture_size(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Width and height as the header of the file says them, before EXIF orientation; no pixel is decoded.

    Raises:
        As `szem.media.pictures.read_picture`; damage behind the header goes unnoticed.
    """
    data, name = read_source(source, limits=limits)
    with open_image(data, name, limits=limits) as image:
        width, height = image.size
    return width, height


def count_pages(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> int:
    """How many pages or frames a file has.

    Raises:
        As `szem.media.pictures.read_picture`; TooLargeError also for more than `limits.max_frames`.
    """
    data, name = read_source(source, limits=limits)
    if is_pdf(data):
        return count_pdf_pages(data, name, limits=limits)
    with open_image(data, name, limits=limits) as image, faults_named(name):
        return _count(image, data, name, limits)


def read_pages(source: PictureSource, pages: Sequence[int], *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Picture8]:
    """Read chosen pages, in the order asked for.

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        pages: Numbers from 0.
        limits: Refuse what is larger.
    Yields:
        (H, W, 3) uint8 RGB.
    Raises:
        RangeError: there is no such page.
        As `szem.media.pictures.read_picture`.
    """
    data, name = read_source(source, limits=limits)
    if is_pdf(data):
        yield from read_pdf_pages(data, pages, name, limits=limits)
        return
    with open_image(data, name, limits=limits) as image:
        with faults_named(name):
            total = _count(image, data, name, limits)
            if image.format == "GIF":
                _check_steps(image, max(pages, default=0) + 1, name, limits)
        for page in pages:
            if not 0 <= page < total:
                raise RangeError(f"{name}: page {page} is not there; pages run from 0 to {total - 1}")
            with faults_named(name):
                image.seek(page)
                check_pixels(image.size, name, limits=limits)
                picture = image_to_picture(image)
            yield picture


def _check_steps(opened: Image.Image, frames: int, name: str, limits: Limits) -> None:
    """A GIF's frame is drawn over all before it: small files can ask for very much drawing."""
    pixels = opened.width * opened.height * frames
    if pixels > _STEPS * limits.max_pixels:
        raise TooLargeError(
            f"{name}: reaching frame {frames} means drawing {pixels / 1e6:,.0f} million pixels, the limit is "
            f"{_STEPS * limits.max_pixels / 1e6:,.0f}; cut the animation"
        )


def _count(opened: Image.Image, data: bytes, name: str, limits: Limits) -> int:
    """Count no further than the limit, however many pages the file claims."""
    if opened.format == "GIF":
        total = _count_gif(data, stop=limits.max_frames + 1)
    elif opened.format == "TIFF":
        total = _count_by_seeking(opened, stop=limits.max_frames + 1)
    else:
        total = int(getattr(opened, "n_frames", 1))
    if total > limits.max_frames:
        raise TooLargeError(f"{name}: more than {limits.max_frames} pages; split the file")
    return total


def _count_by_seeking(opened: Image.Image, *, stop: int) -> int:
    total = 1
    try:
        while total < stop:
            opened.seek(total)
            total += 1
    except EOFError:
        pass
    opened.seek(0)
    return total


def _count_gif(data: bytes, *, stop: int) -> int:
    """Walk the blocks of a GIF without decoding; at least 1. Source: GIF89a specification, sections 18 to 27."""
    at = 13 + _table_bytes(data[10:11])
    total = 0
    while total < stop and at < len(data):
        kind = data[at]
        if kind == 0x2C:  # an image: descriptor, perhaps a table of colours, code size, blocks
            total += 1
            at += 10 + _table_bytes(data[at + 9 : at + 10]) + 1
        elif kind == 0x21:  # an extension: label, blocks
            at += 2
        elif kind == 0x3B:
            break
        else:
            at += 1
            continue
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return max(total, 1)


def _table_bytes(flags: bytes) -> int:
    """Size of the table of colours that a byte of flags announces."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
