"""Files with video or audio opened through FFmpeg; its faults become errors that name the file.

Nothing that a header states is believed without a look: a codec may be unknown, a rate or a duration absurd. This
file does not know frames, samples or streams of the network.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import av

from szem.errors import DTypeError, EmptyFileError, FormatError, SzemError, TooLargeError
from szem.media.sources import check_media_file, check_open_file, file_url

__all__ = [
    "ContainerSource",
    "check_codec",
    "container_faults_named",
    "open_container",
    "start_s",
    "stated_duration_s",
    "stated_rate_hz",
]

ContainerSource = str | os.PathLike[str] | bytes | IO[bytes]
_LONGEST_S = 10 * 365 * 86_400.0  # a header that states more states nonsense
_HIGHEST_RATE_HZ = 1_000.0
_FAULTS = (  # what PyAV raises on damaged bytes, its wrappers of missing codecs and absurd numbers included
    av.FFmpegError,
    OSError,
    ValueError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
)


@contextmanager
def container_faults_named(name: str, *, remedy: str = "encode it anew") -> Iterator[None]:
    """Turn whatever FFmpeg or PyAV raises into a `FormatError` that names the file."""
    try:
        yield
    except SzemError:
        raise
    except MemoryError as error:
        raise TooLargeError(f"{name}: does not fit into memory; {remedy}") from error
    except _FAULTS as error:
        what = str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__
        raise FormatError(f"{name}: damaged or not readable ({what}); {remedy}") from error


def open_container(
    source: ContainerSource, *, kind: str, wanted: str, remedy: str, pipe_remedy: str
) -> tuple[Any, str]:
    """Open a file, its bytes, or an open binary file or pipe.

    Args:
        source: What was given.
        kind: What it should be, for messages: "a video".
        wanted: What to give instead of a folder: "a video file".
        remedy: What to do with a file that cannot be read.
        pipe_remedy: Likewise, of bytes and pipes.
    Returns:
        The container, and the source's name for messages.
    Raises:
        DTypeError, EmptyFileError, FileMissingError, FormatError.
    """
    target: Any
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        if not isinstance(name, str):
            raise DTypeError(f"{kind} is read from a path of text, got {type(name).__name__}; decode it first")
        check_media_file(name, wanted=wanted)
        # "file" alone: a playlist inside must not lead to other files or hosts
        target = file_url(name)
        protocols = "file"
    else:
        noun = kind.split()[-1]
        if isinstance(source, bytes):
            if not source:
                raise EmptyFileError(f"{noun}: no bytes; the file is empty")
            source = io.BytesIO(source)
        else:
            check_open_file(source, what=kind, ways="a path, bytes or a binary file")
        name = getattr(source, "name", noun)
        name = name if isinstance(name, str) else noun
        target, protocols, remedy = source, "none", pipe_remedy  # a playlist leads nowhere
    try:
        return av.open(target, options={"protocol_whitelist": protocols}), name
    except SzemError:
        raise
    except _FAULTS as error:
        what = getattr(error, "strerror", None) or error
        raise FormatError(f"{name}: not {kind} szem reads ({what}); {remedy}") from error


def check_codec(stream: Any, name: str, *, remedy: str) -> None:
    """Make sure that FFmpeg has a decoder for a stream.

    Raises:
        FormatError: it has none.
    """
    if stream.codec_context is None:
        raise FormatError(f"{name}: its {stream.type} is in a codec that szem's FFmpeg does not know; {remedy}")


def start_s(container: Any) -> float:
    """When the file's own time begins; 0 where the header does not say, or says nonsense."""
    value = (container.start_time or 0) / av.time_base
    return value if abs(value) < _LONGEST_S else 0.0


def stated_duration_s(container: Any, stream: Any) -> float | None:
    """How long the header says a stream lasts; None where it does not say, or says nonsense."""
    own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    for value in (own, (container.duration or 0) / av.time_base):
        if 0 < value < _LONGEST_S:
            return value
    return None


def stated_rate_hz(stream: Any, *, usual_hz: float) -> float:
    """Frames a second as the header says; `usual_hz` where it does not say, or says nonsense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < float(rate) <= _HIGHEST_RATE_HZ:
            return float(rate)
    return usual_hz
