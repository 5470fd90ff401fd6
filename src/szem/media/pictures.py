"""Picture files and bytes to `(H, W, 3)` uint8 RGB and back.

What a file is, its bytes say, never its name. EXIF orientation is applied, transparency is laid over white, 16-bit
and floating-point greys are scaled to 8 bits, CMYK, palette and grey become RGB. Every way in has limits, checked
from the header before a pixel is decoded. This file does not know about models, requests or folders.
"""

import io
import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
from PIL import Image

from szem.arrays import Array, Picture8, array_to_image, array_to_picture
from szem.errors import DTypeError, RangeError, SzemError, TooLargeError, UnknownNameError
from szem.files import write_bytes
from szem.media.decoding import check_pixels, faults_named, image_to_picture, open_image, shrink_jpeg
from szem.media.sources import DEFAULT_LIMITS, Limits, PictureSource, read_source

__all__ = [
    "DEFAULT_LIMITS",
    "PICTURE_SUFFIXES",
    "WRITTEN_SUFFIXES",
    "Limits",
    "PictureLike",
    "PictureSource",
    "as_image",
    "as_picture",
    "as_pictures",
    "encode_picture",
    "read_picture",
    "read_pictures",
    "write_picture",
]

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .bmp .dib .webp .tif .tiff .ico .ppm .pgm .pbm .pnm .mpo .avif".split()  # noqa: SIM905
)
PictureLike = PictureSource | Image.Image | Array
"""What every public function takes as a picture; `as_picture` says how each is understood."""
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

WRITTEN_SUFFIXES = frozenset(_WRITERS)
"""Suffixes of the files that `write_picture` writes."""


def as_picture(value: PictureLike, *, limits: Limits = DEFAULT_LIMITS, min_side_px: int | None = None) -> Picture8:
    """A picture from whatever people hold one in; every public function of szem converts its pictures here.

    Args:
        value: A path, a file's bytes, a binary file open for reading, a Pillow image, or an array (or what has one
            inside): (H, W), (H, W, 3) or (H, W, 4), uint8, uint16, bool, or float in 0..1. Colours are RGB, in this
            order; OpenCV reads BGR: `picture[..., ::-1]`.
        limits: Refuse files and Pillow images that are larger.
        min_side_px: As for `read_picture`.
    Returns:
        (H, W, 3) uint8 RGB. An array that is that already is not copied.
    Raises:
        DTypeError, ShapeError, RangeError: not a picture; the message holds the call that makes it one.
        MediaError, FileMissingError: a file that cannot be read; as `read_picture`.

    >>> as_picture(np.zeros((4, 6), bool)).shape
    (4, 6, 3)
    """
    if isinstance(value, Image.Image):
        check_pixels(value.size, "picture", limits=limits)
        with faults_named("picture"):
            return image_to_picture(value)
    if _is_source(value):
        return read_picture(value, limits=limits, min_side_px=min_side_px)
    return array_to_picture(_as_array(value, "picture"))


def as_pictures(
    value: PictureLike | Sequence[PictureLike], *, min_side_px: int | None = None
) -> tuple[list[Picture8], bool]:
    """One picture or several, as a list, and whether there was only one.

    Args:
        value: What `as_picture` takes, or a list or tuple of such.
        min_side_px: As for `read_picture`.
    Raises:
        As `as_picture`; the message says which of several pictures is meant.

    >>> pictures, is_one = as_pictures(np.zeros((2, 2)))
    >>> len(pictures), is_one
    (1, True)
    """
    if not isinstance(value, list | tuple):
        return [as_picture(cast("PictureLike", value), min_side_px=min_side_px)], True
    pictures = []
    for number, one in enumerate(value):
        try:
            pictures.append(as_picture(one, min_side_px=min_side_px))
        except SzemError as error:
            error.args = (f"picture {number} of {len(value)}: {error}",)
            raise
    return pictures, False


def as_image(value: PictureLike | Sequence[Any]) -> Array:
    """An image for the kernels, which take numbers of every type and range.

    Args:
        value: What `read_picture` reads, a Pillow image, or an array or nested lists of real numbers.
    Returns:
        (H, W) or (H, W, C), uint8 or float32: files and Pillow images in colour as (H, W, 3) uint8, grey Pillow
        images as (H, W); arrays of other types than uint8 become float32 with the same values.
    Raises:
        DTypeError, ShapeError: not an image.
        MediaError, FileMissingError: a file that cannot be read; as `read_picture`.

    >>> as_image([[0, 1000]]).tolist()
    [[0.0, 1000.0]]
    """
    if isinstance(value, Image.Image):
        if value.mode in ("1", "L", "I", "F") or value.mode.startswith("I;16"):
            with faults_named("picture"):
                value.load()
                return array_to_image(np.array(value))
        return as_picture(value)
    if _is_source(value):
        return read_picture(value)
    return array_to_image(value if isinstance(value, list | tuple) else _as_array(value, "image"))


def _is_source(value: Any) -> TypeGuard[PictureSource]:
    return isinstance(value, str | bytes | bytearray | memoryview | os.PathLike) or hasattr(value, "read")


def _as_array(value: Any, what: str) -> Any:
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        return value
    remedy = "use np.array(...)" if isinstance(value, list | tuple) else "give one of these"
    raise DTypeError(
        f"{what} must be a path, a file's bytes, an open file, a Pillow image or an array, "
        f"got {type(value).__name__}; {remedy}"
    )


def read_picture(
    source: PictureSource, *, limits: Limits = DEFAULT_LIMITS, min_side_px: int | None = None
) -> Picture8:
    """Read one picture (the first frame of an animated or many-page file).

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        limits: Refuse what is larger.
        min_side_px: A JPEG file may be decoded at a half, a quarter or an eighth of its size, which is much
            faster, as long as its shorter side keeps so many pixels. Other files come as they are.
    Returns:
        (H, W, 3) uint8 RGB, upright.
    Raises:
        FileMissingError: the path names no file.
        EmptyFileError: the file has no bytes.
        FormatError: not a picture, damaged, or cut short.
        TooLargeError: more bytes or pixels than `limits` allow.
    """
    if min_side_px is None:
        return next(read_pictures(source, limits=limits))
    data, name = read_source(source, limits=limits)
    with open_image(data, name, limits=limits) as opened, faults_named(name):
        shrink_jpeg(opened, min_side_px)
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


def write_picture(path: str | os.PathLike[str], picture: PictureLike, *, quality: int = 92) -> Path:
    """Write a picture; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: Where to; folders are made.
        picture: What `as_picture` takes.
        quality: 1..100, for JPEG and WebP.
    Raises:
        UnknownNameError: the suffix names no format.
        StoreError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    write_bytes(target, encode_picture(picture, suffix=target.suffix, quality=quality))
    return target


def encode_picture(picture: PictureLike, *, suffix: str = ".png", quality: int = 92) -> bytes:
    """Encode a picture as file bytes.

    >>> encode_picture(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    pixels = as_picture(picture)
    fmt = _WRITERS.get(suffix.lower())
    if fmt is None:
        raise UnknownNameError(f"cannot write {suffix or 'a name without suffix'}; use one of {', '.join(_WRITERS)}")
    if not 1 <= quality <= 100:
        raise RangeError(f"quality must be in 1..100, got {quality}")
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, fmt, quality=quality)
    return out.getvalue()
