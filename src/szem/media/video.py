"""Video files to pictures and back: `(H, W, 3)` uint8 RGB, frame by frame, never a whole film in memory.

This file does not know what is looked for in the pictures.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from szem.arrays import Picture8, check_picture
from szem.errors import (
    EmptyFileError,
    FileMissingError,
    FormatError,
    MediaError,
    RangeError,
    ShapeError,
    TooLargeError,
)
from szem.media.pictures import DEFAULT_LIMITS, Limits

__all__ = ["VIDEO_SUFFIXES", "Frame", "VideoInfo", "VideoWriter", "inspect_video", "read_video"]

VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".ogv"))
_TURNS = {90: 1, -270: 1, 180: 2, -180: 2, 270: 3, -90: 3}  # degrees -> quarter turns against the clock
_DEFAULT_RATE_HZ = 25.0  # where the file does not say


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the file says of itself."""

    width_px: int
    height_px: int
    rate_hz: float  # pictures a second, on average
    duration_s: float | None  # None where the file does not say
    frames: int | None  # likewise; an estimate


@dataclass(frozen=True)
class Frame:
    """One picture of a film."""

    index: int  # from 0, frames left out are counted
    time_s: float
    picture: Picture8


def inspect_video(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
    """Read a file's header.

    Raises:
        FileMissingError: no such file.
        EmptyFileError: no bytes, or no pictures in it.
        FormatError: not a film, or damaged.
        TooLargeError: a frame has more pixels than `limits` allow.
    """
    with _opened(path) as container:
        return _info(container, os.fspath(path), limits)


def read_video(path: str | os.PathLike[str], *, every: int = 1, limits: Limits = DEFAULT_LIMITS) -> Iterator[Frame]:
    """Decode a film, one frame after the other, upright.

    Args:
        path: The file.
        every: Give each n-th frame only.
        limits: Refuse larger frames.
    Raises:
        As `inspect_video`; a fault in a later frame is raised when it is reached.
        RangeError: `every` is below 1.
    """
    if every < 1:
        raise RangeError(f"every must be 1 or more, got {every}")
    return _frames(path, every, limits)


def _frames(path: str | os.PathLike[str], every: int, limits: Limits) -> Iterator[Frame]:
    name = os.fspath(path)
    with _opened(path) as container:
        info = _info(container, name, limits)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        found = False
        try:
            for index, frame in enumerate(container.decode(stream)):
                if index % every:
                    continue
                found = True
                turn = _TURNS.get(round(getattr(frame, "rotation", 0) or 0), 0)
                if frame.width * frame.height > limits.max_pixels:
                    raise TooLargeError(_too_large(name, frame.width, frame.height, limits))
                picture = np.rot90(frame.to_ndarray(format="rgb24"), turn)
                time_s = float(frame.time) if frame.time is not None else index / info.rate_hz
                yield Frame(index, time_s, np.ascontiguousarray(picture))
        except (av.FFmpegError, ValueError) as error:
            raise FormatError(f"{name}: damaged ({error}); encode it anew") from error
    if not found:
        raise EmptyFileError(f"{name}: not one picture could be decoded")


class VideoWriter(AbstractContextManager["VideoWriter"]):
    """Writes an H.264 film in an MP4 file; it appears whole or not at all.

    Args:
        path: Where to; folders are made.
        rate_hz: Pictures a second.
        quality: 0 (best) to 51 (smallest): the constant rate factor.
    Raises:
        RangeError: the rate is not positive, or the quality is outside.
        MediaError: the folder cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, rate_hz: float, quality: int = 23) -> None:
        if not 0 < rate_hz < 1000:
            raise RangeError(f"rate_hz must be in 0..1000, got {rate_hz}")
        if not 0 <= quality <= 51:
            raise RangeError(f"quality must be in 0..51, got {quality}")
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._rate = Fraction(rate_hz).limit_denominator(1001)
        self._quality = quality
        self._stream: Any = None
        self._size = (0, 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._part), "w", format="mp4")
        except (OSError, av.FFmpegError) as error:
            raise MediaError(f"{self.path}: cannot be written ({error}); choose another place") from error

    def write(self, picture: Picture8) -> None:
        """Add a picture; all must have the size of the first. An odd side loses its last pixel.

        Raises:
            ShapeError: another size than the first.
        """
        height, width = check_picture(picture).shape[:2]
        if self._stream is None:
            if min(height, width) < 2:
                raise ShapeError(f"a film's pictures have two pixels a side at least, got {width}×{height}")
            self._size = (width, height)
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.width, self._stream.height = width // 2 * 2, height // 2 * 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": str(self._quality), "preset": "veryfast"}
        if (width, height) != self._size:
            raise ShapeError(f"all pictures of a film have one size, {self._size}; got {(width, height)}")
        even = np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")):
            self._container.mux(packet)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._stream is not None and kind is None:
            for packet in self._stream.encode():
                self._container.mux(packet)
        empty = self._stream is None
        if not empty or kind is not None:
            self._close_quietly(kind)
        if empty or kind is not None:
            self._close_quietly(OSError)
            self._part.unlink(missing_ok=True)
            if kind is None:
                raise EmptyFileError(f"{self.path}: no picture was written, so there is no film")
            return
        self._part.replace(self.path)

    def _close_quietly(self, kind: type[BaseException] | None) -> None:
        try:
            self._container.close()
        except (av.FFmpegError, ValueError):
            if kind is None:
                raise


def _opened(path: str | os.PathLike[str]) -> Any:
    name = os.fspath(path)
    file = Path(name)
    try:
        if not file.exists():
            raise FileMissingError(f"{name}: no such file; check the path")
        if not file.is_file():
            raise FormatError(f"{name}: not a regular file; give a video file")
        if file.stat().st_size == 0:
            raise EmptyFileError(f"{name}: no bytes; the file is empty")
    except (OSError, ValueError) as error:
        if isinstance(error, MediaError | FileMissingError):
            raise
        raise FileMissingError(f"{name!r}: not a path ({error})") from error
    try:
        # "file" alone: a playlist inside must not lead to other files or hosts
        return av.open(name, options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        raise FormatError(f"{name}: not a video szem reads ({error}); convert it to MP4 first") from error


def _info(container: Any, name: str, limits: Limits) -> VideoInfo:
    if not container.streams.video:
        raise EmptyFileError(f"{name}: there are no pictures in it, only sound or text")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_pixels:
        raise TooLargeError(_too_large(name, width, height, limits))
    rate = float(stream.average_rate or stream.guessed_rate or 0) or _DEFAULT_RATE_HZ
    duration = float(stream.duration * stream.time_base) if stream.duration else None
    if duration is None and container.duration:
        duration = container.duration / 1e6
    frames = stream.frames or (round(duration * rate) if duration else None)
    return VideoInfo(width_px=width, height_px=height, rate_hz=rate, duration_s=duration, frames=frames)


def _too_large(name: str, width: int, height: int, limits: Limits) -> str:
    return f"{name}: frames of {width}×{height}, at most {limits.max_pixels / 1e6:.0f} million pixels are read"
