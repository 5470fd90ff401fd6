"""The bytes of a picture file, from wherever they come, and how many of them are too many.

This file knows paths, pipes and streams, not pictures.
"""

import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from szem.errors import DTypeError, EmptyFileError, FileMissingError, FormatError, MediaError, TooLargeError

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "PictureSource",
    "check_media_file",
    "check_open_file",
    "file_url",
    "read_source",
]

PictureSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a picture may be, checked before a pixel is decoded."""

    max_bytes: int = 200_000_000  # size of the file
    max_pixels: int = 75_000_000  # width × height of one frame, the Cloud Vision limit
    max_frames: int = 2_000  # pages or frames of one file


DEFAULT_LIMITS = Limits()


def read_source(source: PictureSource, *, limits: Limits = DEFAULT_LIMITS) -> tuple[bytes, str]:
    """Everything a source holds, and what to call it in messages.

    Raises:
        DTypeError: neither path, bytes nor a binary file.
        FileMissingError: the path names nothing.
        EmptyFileError: no bytes.
        FormatError: a folder, a pipe or a device by path.
        MediaError: it cannot be read.
        TooLargeError: more bytes than `limits` allow.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "picture"
    elif isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        data = _read_file(name, limits)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "picture"))
        data = _read_stream(source, name, limits)
    else:
        raise DTypeError(
            f"a picture is read from a path, bytes or a binary file, got {type(source).__name__}; "
            "an array is a picture already"
        )
    if not data:
        raise EmptyFileError(f"{name}: no bytes; the file is empty")
    if len(data) > limits.max_bytes:
        raise TooLargeError(
            f"{name}: more than {limits.max_bytes:,} bytes; make it smaller or raise Limits.max_bytes"
        )
    return data, name


def _read_stream(stream: IO[bytes], name: str, limits: Limits) -> bytes:
    try:
        return _read_up_to(stream, limits.max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: closed, or text that is no text
        raise MediaError(f"{name}: cannot be read ({error}); open it anew in binary mode") from error
    except TypeError as error:
        raise DTypeError(f"{name}: open it in binary mode ('rb'); what was read is no bytes") from error


def _read_up_to(stream: IO[bytes], most: int) -> bytes:
    """Piece by piece: asked for all at once, Python sets aside memory for the whole limit."""
    pieces: list[bytes] = []
    left = most
    while left > 0 and (piece := stream.read(min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _read_file(name: str, limits: Limits) -> bytes:
    """Read a regular file; a folder, pipe or device is refused, since reading those may never end."""
    try:
        # Without O_NONBLOCK opening a pipe waits for a writer. Asking the open file leaves no time for a swap.
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:  # noqa: PTH123
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                raise FormatError(f"{name}: not a regular file but a pipe or device; give a picture file")
            return _read_up_to(file, limits.max_bytes + 1)
    except FormatError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissingError(f"{name}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise FormatError(f"{name}: a folder; give a picture file in it") from error
    except OSError as error:
        raise MediaError(f"{name}: cannot be read ({error.strerror or error}); check the path and rights") from error
    except ValueError as error:  # a NUL in the name, for one
        raise FileMissingError(f"{name!r}: not a path ({error})") from error


def check_open_file(source: Any, *, what: str, ways: str = "a path or a binary file") -> None:
    """Make sure that what is no path can be read from.

    Args:
        source: What was given.
        what: What should be in it: "a video".
        ways: From what that is read.
    Raises:
        DTypeError: it has nothing to read, or gives text.
    """
    if isinstance(source, io.TextIOBase):
        raise DTypeError(f"{what} is read from bytes; open the file in binary mode ('rb')")
    if not hasattr(source, "read"):
        raise DTypeError(f"{what} is read from {ways}, got {type(source).__name__}; give its path")


def file_url(path: str | os.PathLike[str]) -> str:
    """A path as FFmpeg takes it: what is before a colon in a plain name it takes for a protocol.

    >>> file_url("07:48.mp4")
    'file:07:48.mp4'
    """
    return f"file:{os.fspath(path)}"


def check_media_file(name: str, *, wanted: str) -> None:
    """Make sure that a path names a file with something in it.

    Args:
        name: The path.
        wanted: What to give instead: "a video file".
    Raises:
        FileMissingError: it names nothing.
        FormatError: it is no regular file.
        EmptyFileError: no bytes.
    """
    try:
        file = Path(name)
        if not file.exists():
            raise FileMissingError(f"{name}: no such file; check the path")
        if not file.is_file():
            raise FormatError(f"{name}: not a regular file; give {wanted}")
        if file.stat().st_size == 0:
            raise EmptyFileError(f"{name}: no bytes; the file is empty")
    except (OSError, ValueError) as error:
        if isinstance(error, MediaError | FileMissingError):
            raise
        raise FileMissingError(f"{name!r}: not a path ({error})") from error
