"""Videos as they lie in files: `(H, W, 3)` uint8 RGB, frame by frame, upright, never a whole video in memory.

This file does not know what is looked for in the pictures; `szem.media.live` reads cameras and streams.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import IO, Any

import av
from av.stream import Disposition

from szem.errors import EmptyFileError, FormatError, NoPicturesError, RangeError, TooLargeError
from szem.media.animations import animation_to_video
from szem.media.containers import (
    check_codec,
    container_faults_named,
    open_container,
    start_s,
    stated_duration_s,
    stated_rate_hz,
)
from szem.media.frames import Frame, turn_of
from szem.media.pictures import DEFAULT_LIMITS, Limits

__all__ = [
    "VIDEO_SUFFIXES",
    "Frame",
    "VideoInfo",
    "VideoReader",
    "VideoSource",
    "inspect_video",
    "picture_streams",
    "pixel_aspect",
    "read_video",
]

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .ogv .3gp .3g2 .wmv .asf .flv .f4v .vob .mxf".split()  # noqa: SIM905
)
VideoSource = str | os.PathLike[str] | IO[bytes]
_DEFAULT_RATE_HZ = 25.0  # where the file does not say
_CUT_FRACTION, _CUT_S = 0.9, 0.5  # a video that ends so much before its header says was cut off


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the file says of itself."""

    width_px: int  # as stored; a turned video (see `Frame.turn`) shows the sides the other way round
    height_px: int
    rate_hz: float  # pictures a second, on average
    duration_s: float | None  # None where the file does not say
    frames: int | None  # likewise; an estimate
    has_sound: bool = False
    pixel_aspect: Fraction | None = None  # width of a pixel as stored, by its height; None: square, or not stated


def inspect_video(path: VideoSource, *, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
    """Read a file's header.

    Raises:
        DTypeError: neither a path nor a binary file.
        FileMissingError: no such file.
        EmptyFileError: no bytes, or no pictures in it (`NoPicturesError`).
        FormatError: not a video, or damaged.
        TooLargeError: a frame has more pixels than `limits` allow.
    """
    with VideoReader(path, limits=limits) as reader:
        return reader.info


def read_video(path: VideoSource, *, every: int = 1, limits: Limits = DEFAULT_LIMITS) -> Iterator[Frame]:
    """Decode a video, one frame after the other, upright.

    Args:
        path: The file, or an open binary file or pipe.
        every: Give each n-th frame only.
        limits: Refuse larger frames.
    Raises:
        As `inspect_video`; a fault in a later frame is raised when it is reached, and so is an end that comes before
        the one that the header tells.
        RangeError: `every` is below 1.
    """
    if every < 1:
        raise RangeError(f"every must be 1 or more, got {every}")
    return _frames(path, every, limits)


def _frames(path: VideoSource, every: int, limits: Limits) -> Iterator[Frame]:
    with VideoReader(path, limits=limits) as reader:
        for frame in reader:
            if frame.index % every == 0:
                yield frame


class VideoReader(AbstractContextManager["VideoReader"]):
    """A video opened for reading once, from its beginning to its end, with or without its sound.

    Args:
        source: A file, or an open binary file or pipe.
        sound: Also give the packets of the first sound track, each with the frame they come before.
        limits: Refuse larger frames.
        tap: Called with each packet that is read, before it is decoded, and with its time (see `Frame.time_s`).
    Raises:
        As `inspect_video`.
    """

    def __init__(
        self,
        source: VideoSource,
        *,
        sound: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        tap: Callable[[Any, float], None] | None = None,
    ) -> None:
        self._tap = tap
        self._limits = limits
        converted = animation_to_video(source, limits=limits)
        self._container, self.name = open_container(
            source if converted is None else converted,
            kind="a video",
            wanted="a video file",
            remedy="convert it to MP4 first",
            pipe_remedy="an MP4 in a pipe must have its index in front (ffmpeg -movflags faststart), or be a file",
        )
        if converted is not None:
            self.name = os.fspath(source)  # type: ignore[arg-type]  # only paths are converted
        try:
            with container_faults_named(self.name):
                self.info = _info(self._container, self.name, limits)
                self._video = picture_streams(self._container)[0]
                self._video.thread_type = "AUTO"
                self.sound = _known_sound(self._container) if sound else None
                self.start_s = start_s(self._container)
        except BaseException:
            self._container.close()
            raise
        self.damaged = 0  # packets that could not be decoded and were left out
        self._first: Frame | None = None
        self._rest: Iterator[Frame] = iter(())
        self.last_sound: tuple[Any, ...] = ()  # what comes after the last frame, once that has been given

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright pictures; the header alone does not tell it, so the first one is decoded.

        Raises:
            As iteration.
        """
        if self._first is None:
            self._rest = self._read()
            self._first = next(self._rest)
        return self._first.size

    def seek_key_frame(self, time_s: float) -> float | None:
        """Go to the last key frame that is not after a time, before anything was decoded.

        Returns:
            Its time; None where no key frame with a time is found.
        Raises:
            FormatError: the container cannot be sought in.
        """
        with container_faults_named(self.name):
            base = self._video.time_base
            offset = int((time_s + self.start_s) / base)
            self._container.seek(offset, stream=self._video)
            for packet in self._container.demux(self._video):
                if packet.is_keyframe and packet.pts is not None:
                    found = float(packet.pts * base) - self.start_s
                    self._container.seek(packet.pts, stream=self._video)
                    return found
        return None

    def __iter__(self) -> Iterator[Frame]:
        """Decode.

        Packets that cannot be decoded are left out and counted in `damaged`.

        Raises:
            EmptyFileError: not one picture in it.
            FormatError: its container is damaged, or it ends before it should.
            TooLargeError: a frame is larger than the limits allow.
        """
        if self._first is None:
            return self._read()
        return chain([self._first], self._rest)

    def _read(self) -> Iterator[Frame]:
        index, time_s = -1, 0.0
        for raw, sound in self._decode():
            if raw.width * raw.height > self._limits.max_pixels:
                raise TooLargeError(_too_large(self.name, raw.width, raw.height, self._limits))
            index += 1
            on_report = raw.time
            time_s = float(on_report) - self.start_s if on_report is not None else index / self.info.rate_hz
            yield Frame(index, time_s, raw, turn_of(raw), sound)
        if index < 0:
            why = f" ({self.damaged} damaged packets)" if self.damaged else ""
            raise EmptyFileError(f"{self.name}: not one picture could be decoded{why}; encode it anew")
        due_s = self.info.duration_s
        if due_s and time_s < due_s * _CUT_FRACTION - _CUT_S:
            raise FormatError(f"{self.name}: ends at {time_s:.1f} s of {due_s:.1f} s; the file is cut off")

    def _decode(self) -> Iterator[tuple[Any, tuple[Any, ...]]]:
        """Frames of the decoder, each with the sound before it."""
        wanted = [self._video] if self.sound is None else [self._video, self.sound]
        waiting: list[Any] = []
        packets = self._container.demux(*wanted)
        try:
            while True:
                with container_faults_named(self.name):
                    packet = next(packets, None)
                if packet is None:
                    return
                if self._tap is not None and packet.size:
                    at = packet.dts if packet.pts is None else packet.pts
                    self._tap(packet, 0.0 if at is None else float(at * packet.time_base) - self.start_s)
                if packet.stream is not self._video:
                    if packet.dts is not None:
                        waiting.append(packet)
                    continue
                try:
                    with container_faults_named(self.name):
                        raws = packet.decode()
                except FormatError:  # the next picture that does not need this one is whole again
                    self.damaged += 1
                    continue
                for raw in raws:
                    yield raw, tuple(waiting)
                    waiting.clear()
        finally:
            self.last_sound = tuple(waiting)

    def __exit__(self, *_: object) -> None:
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()


def _info(container: Any, name: str, limits: Limits) -> VideoInfo:
    if not picture_streams(container):
        raise NoPicturesError(f"{name}: there are no pictures in it, only sound or text; give a video file")
    stream = picture_streams(container)[0]
    check_codec(stream, name, remedy="convert it to H.264 (ffmpeg -c:v libx264)")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_pixels:
        raise TooLargeError(_too_large(name, width, height, limits))
    rate = stated_rate_hz(stream, usual_hz=_DEFAULT_RATE_HZ)
    duration = stated_duration_s(container, stream)
    return VideoInfo(
        width_px=width,
        height_px=height,
        rate_hz=rate,
        duration_s=duration,
        frames=stream.frames if stream.frames > 0 else (round(duration * rate) if duration else None),
        has_sound=bool(container.streams.audio),
        pixel_aspect=pixel_aspect(stream),
    )


def picture_streams(container: Any) -> list[Any]:
    """The streams of moving pictures; a cover that lies beside a piece of music is none."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def pixel_aspect(stream: Any) -> Fraction | None:
    """Width of a stream's pixels by their height; None: square, not stated, or absurd."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return aspect if aspect and aspect != 1 and Fraction(1, 100) < aspect < 100 else None


def _known_sound(container: Any) -> Any:
    """The first sound track that can be decoded, or None."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def _too_large(name: str, width: int, height: int, limits: Limits) -> str:
    return f"{name}: frames of {width}×{height}, at most {limits.max_pixels / 1e6:.0f} million pixels are read"
