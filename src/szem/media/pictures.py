"""Picture files and bytes to `(H, W, 3)` uint8 RGB and back.

What a file is, its bytes say, never its name. EXIF orientation is applied, transparency is laid over white, 16-bit
and floating-point greys are scaled to 8 bits, CMYK, palette and grey become RGB. Every way in has limits, checked
from the header before a pixel is decoded. This file does not know about models, requests or folders.
"""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from szem.arrays import Picture8, check_picture
from szem.errors import (
    EmptyFileError,
    FileMissingError,
    FormatError,
    MediaError,
    SzemError,
    TooLargeError,
    UnknownNameError,
)

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

# Only decoders that parse pictures and nothing else: no PostScript, no font or document formats.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "PPM", "AVIF")  # MPO is read as JPEG
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

PictureSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a picture may be; both are checked before decoding."""

    max_bytes: int = 200_000_000  # size of the file
    max_pixels: int = 75_000_000  # width × height of one frame, the Cloud Vision limit
    max_frames: int = 2_000  # pages or frames of one file


DEFAULT_LIMITS = Limits()


def read_picture(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> Picture8:
    """Read one picture (the first frame of an animated or many-page file).

    Args:
        source: A path, the file's bytes, or a binary file open for reading.
        limits: Refuse what is larger.
    Returns:
        (H, W, 3) uint8 RGB, upright.
    Raises:
        FileMissingError: the path names no file.
        EmptyFileError: the file has no bytes.
        FormatError: not a picture, damaged, or cut short.
        TooLargeError: more bytes or pixels than `limits` allow.
    """
    return next(read_pictures(source, limits=limits))


def read_pictures(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Picture8]:
    """Read every frame or page of a picture file, one after the other.

    Yields:
        (H, W, 3) uint8 RGB; frames may differ in size.
    Raises:
        As `read_picture`; a fault in a later frame is raised when that frame is reached.
    """
    data, name = _bytes_of(source, limits)
    with _faults_named(name), Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        for index, frame in enumerate(ImageSequence.Iterator(opened)):
            if index >= limits.max_frames:
                raise TooLargeError(f"{name}: more than {limits.max_frames} frames; split the file")
            _check_pixels(frame, name, limits)
            yield _to_picture(frame)


def write_picture(path: str | os.PathLike[str], picture: Picture8, *, quality: int = 92) -> Path:
    """Write a picture; the suffix chooses the format. The file appears whole or not at all.

    Args:
        path: Where to; folders are made.
        picture: (H, W, 3) uint8 RGB.
        quality: 1..100, for JPEG and WebP.
    Raises:
        UnknownNameError: the suffix names no format.
        MediaError: the folder cannot be written.
    """
    target = Path(path)
    data = encode_picture(picture, suffix=target.suffix, quality=quality)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MediaError(f"{target}: cannot be written ({error.strerror or error}); choose another place") from error
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
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(out, fmt, quality=quality)
    return out.getvalue()


def _bytes_of(source: PictureSource, limits: Limits) -> tuple[bytes, str]:
    """Everything the source holds, and what to call it in messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "picture"
    elif isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        data = _read_file(name, limits)
    else:
        name = str(getattr(source, "name", "picture"))
        data = source.read(limits.max_bytes + 1)
    if not data:
        raise EmptyFileError(f"{name}: no bytes; the file is empty")
    if len(data) > limits.max_bytes:
        raise TooLargeError(
            f"{name}: more than {limits.max_bytes:,} bytes; make it smaller or raise Limits.max_bytes"
        )
    return data, name


def _read_file(name: str, limits: Limits) -> bytes:
    path = Path(name)
    try:
        if not path.exists():
            raise FileMissingError(f"{name}: no such file; check the path")
        if not path.is_file():  # a folder, a pipe, a device: reading those may never end
            raise FormatError(f"{name}: not a regular file; give a picture file")
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except ValueError as error:  # a NUL in the name, for one
        if isinstance(error, SzemError):
            raise
        raise FileMissingError(f"{name!r}: not a path ({error})") from error
    except FileMissingError:
        raise
    except OSError as error:
        raise MediaError(f"{name}: cannot be read ({error.strerror or error}); check the rights") from error


@contextmanager
def _faults_named(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of our errors that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn about damaged metadata that does not matter here
            yield
    except SzemError:
        raise
    except UnidentifiedImageError as error:
        raise FormatError(
            f"{name}: not a picture szem reads (JPEG, PNG, GIF, BMP, WebP, TIFF, ICO, PNM, AVIF); convert it first"
        ) from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name}: {error}; make it smaller") from error
    except MemoryError as error:
        raise TooLargeError(f"{name}: does not fit into memory; make it smaller") from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        IndexError,
        KeyError,
        TypeError,
        EOFError,
        AttributeError,
        OverflowError,
        ZeroDivisionError,
        RuntimeError,
        struct.error,
    ) as error:
        raise FormatError(f"{name}: damaged or cut short ({error}); save it anew") from error


def _check_pixels(frame: Image.Image, name: str, limits: Limits) -> None:
    width, height = frame.size
    if width <= 0 or height <= 0:
        raise EmptyFileError(f"{name}: {width}×{height} pixels; there is no picture in it")
    if width * height > limits.max_pixels:
        raise TooLargeError(
            f"{name}: {width}×{height} is {width * height / 1e6:.1f} million pixels, the limit is "
            f"{limits.max_pixels / 1e6:.0f}; scale it down first"
        )


def _to_picture(frame: Image.Image) -> Picture8:
    frame.load()
    upright = ImageOps.exif_transpose(frame)
    mode = upright.mode
    if mode.startswith("I") or mode == "F":
        grey = _grey_to_8_bits(np.asarray(upright), mode)
        return np.repeat(grey[..., None], 3, axis=2)
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.array(upright.convert("RGB"))


def _grey_to_8_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """16-bit greys map 65535 to 255; 32-bit and float greys of another range are stretched to it."""
    wide = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(wide.min()), float(wide.max())
    if mode.startswith("I") and low >= 0 and high <= 65535:
        scaled = wide / 257.0
    elif low >= 0 and high <= 1:
        scaled = wide * 255.0
    elif low >= 0 and high <= 255:
        scaled = wide
    else:
        scaled = (wide - low) * (255.0 / max(high - low, 1e-12))
    return np.rint(scaled).astype(np.uint8)
