"""Picture files and bytes to `(H, W, 3)` uint8 RGB and back.

What a file is, its bytes say, never its name. EXIF orientation is applied, transparency is laid over white, 16-bit
and floating-point greys are scaled to 8 bits, CMYK, palette and grey become RGB. Every way in has limits, checked
from the header before a pixel is decoded. This file does not know about models, requests or folders.
"""

import io
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from szem.arrays import Picture8, check_picture
from szem.errors import RangeError, TooLargeError, UnknownNameError
from szem.files import write_bytes
from szem.media.decoding import check_pixels, faults_named, image_to_picture, open_image, shrink_jpeg
from szem.media.sources import DEFAULT_LIMITS, Limits, PictureSource, read_source

__all__ = [
    "DEFAULT_LIMITS",
    "PICTURE_SUFFIXES",
    "Limits",
    "PictureSource",
    "encode_picture",
    "read_picture",
    "read_pictures",
    "write_picture",
]

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .bmp .dib .webp .tif .tiff .ico .ppm .pgm .pbm .pnm .mpo .avif".split()  # noqa: SIM905
)
_WRITERS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}


def read_picture(
    source: PictureSource, *, limits: Limits = DEFAULT_LIMITS, least_side_px: int | None = None
) -> Picture8:
    """Read one picture (the first frame of an animated or many-page file).

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        limits: Refuse what is larger.
        least_side_px: A JPEG file may be decoded at a half, a quarter or an eighth of its size, which is much
            faster, as long as its shorter side keeps so many pixels. Other files come as they are.
    Returns:
        (H, W, 3) uint8 RGB, upright.
    Raises:
        FileMissingError: the path names no file.
        EmptyFileError: the file has no bytes.
        FormatError: not a picture, damaged, or cut short.
        TooLargeError: more bytes or pixels than `limits` allow.
    """
    if least_side_px is None:
        return next(read_pictures(source, limits=limits))
    data, name = read_source(source, limits=limits)
    with open_image(data, name, limits=limits) as opened, faults_named(name):
        shrink_jpeg(opened, least_side_px)
        return image_to_picture(opened)


def read_pictures(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Picture8]:
    """Read every frame or page of a picture file, one after the other.

    Yields:
        (H, W, 3) uint8 RGB; frames may differ in size.
    Raises:
        As `read_picture`; a fault in a later frame is raised when that frame is reached.
    """
    data, name = read_source(source, limits=limits)
    with open_image(data, name, limits=limits) as opened:
        for index in count():
            with faults_named(name):
                try:
                    opened.seek(index)
                except EOFError:
                    return
                if index >= limits.max_frames:
                    raise TooLargeError(f"{name}: more than {limits.max_frames} frames; split the file")
                check_pixels(opened.size, name, limits=limits)
                picture = image_to_picture(opened)
            yield picture


def write_picture(path: str | os.PathLike[str], picture: Picture8, *, quality: int = 92) -> Path:
    """Write a picture; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: Where to; folders are made.
        picture: (H, W, 3) uint8 RGB.
        quality: 1..100, for JPEG and WebP.
    Raises:
        UnknownNameError: the suffix names no format.
        StoreError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    write_bytes(target, encode_picture(picture, suffix=target.suffix, quality=quality))
    return target


def encode_picture(picture: Picture8, *, suffix: str = ".png", quality: int = 92) -> bytes:
    """Encode a picture as file bytes.

    >>> encode_picture(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    check_picture(picture)
    fmt = _WRITERS.get(suffix.lower())
    if fmt is None:
        raise UnknownNameError(f"cannot write {suffix or 'a name without suffix'}; use one of {', '.join(_WRITERS)}")
    if not 1 <= quality <= 100:
        raise RangeError(f"quality must be in 1..100, got {quality}")
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(out, fmt, quality=quality)
    return out.getvalue()
