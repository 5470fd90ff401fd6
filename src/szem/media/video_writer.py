"""Writes videos: H.264 with true times and the sound of the video they were made from.

This file does not know what is drawn on the pictures.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from szem.arrays import Picture8, check_picture
from szem.errors import (
    EmptyFileError,
    FormatError,
    RangeError,
    ShapeError,
    StoreError,
    SzemError,
    UnknownNameError,
)
from szem.files import is_disk_full, write_error, write_file
from szem.media.frames import Frame, Planes, tag_encoder
from szem.media.sources import file_url

__all__ = ["PRESETS", "WRITTEN_VIDEO_SUFFIXES", "VideoWriter"]

# x264's own, quickest first: each is about a third slower than the one before, its files a little smaller.
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
WRITTEN_VIDEO_SUFFIXES = frozenset(_FORMATS)
_LARGE_PX = 1_000_000
_TICKS_HZ = 90_000  # the clock that times are counted by
_CARRIED = {  # sound that such a file may hold as it is; other sound is encoded anew
    "mp4": frozenset(("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")),
    "mov": frozenset(("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le")),
}


class VideoWriter(AbstractContextManager["VideoWriter"]):
    """Writes an H.264 video; it appears whole or not at all.

    Args:
        path: Where to: .mp4, .m4v, .mov or .mkv (anything else is written as MP4); folders are made.
        rate_hz: Frames a second, for frames without a time and as a hint to players.
        quality: 0 (best) to 51 (smallest): the constant rate factor.
        preset: How much work goes into a small file, one of `PRESETS`.
        sound: The stream (of `VideoReader.sound`) whose packets will come; None for a silent video.
        pixel_aspect: Of the video the pictures are made of: `VideoInfo.pixel_aspect`.
    Raises:
        RangeError: the rate is not positive, or the quality is outside.
        UnknownNameError: no such preset.
        StoreError: the folder cannot be written; later, from any method, the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rate_hz: float,
        quality: int = 23,
        preset: str = "veryfast",
        sound: Any = None,
        pixel_aspect: Fraction | None = None,
    ) -> None:
        if not 0 < rate_hz < 1000:
            raise RangeError(f"rate_hz must be in 0..1000, got {rate_hz}")
        if not 0 <= quality <= 51:
            raise RangeError(f"quality must be in 0..51, got {quality}")
        if preset not in PRESETS:
            raise UnknownNameError(f"no preset called {preset!r}; there are {', '.join(PRESETS)}")
        self.path = Path(path)
        self.written = 0  # pictures
        self.end_s = 0.0  # when the last picture ends
        self._format = _FORMATS.get(self.path.suffix.lower(), "mp4")
        self._rate_hz, self._quality, self._preset = rate_hz, quality, preset
        self._stream: Any = None
        self._size = (0, 0)
        self._last_tick = -1
        self._note = ""
        self._sound, self._pixel_aspect = sound, pixel_aspect
        with ExitStack() as opened:
            self._part = opened.enter_context(write_file(self.path))
            self._container = self._open(self._part)
            self._file = opened.pop_all()  # from here on, `__exit__` decides what becomes of the file
        self._sound_out: Any = None

    def write(self, picture: Picture8, *, time_s: float | None = None, like: Frame | None = None) -> None:
        """Add a picture; all must have the size of the first. An odd side loses its last pixel.

        Args:
            picture: (H, W, 3) uint8 RGB.
            time_s: When it is shown; without it, one frame after the last.
            like: The frame it was made of, whose turn and pixel aspect it has.
        Raises:
            ShapeError: another size than the first.
        """
        height, width = check_picture(picture).shape[:2]
        self._begin(width, height, like, is_rgb=True)
        even = np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])
        self._encode(av.VideoFrame.from_ndarray(even, format="rgb24"), time_s)

    def write_planes(self, planes: Planes, *, time_s: float | None = None, like: Frame | None = None) -> None:
        """Add a picture in the encoder's own form, which costs no conversion.

        Args:
            planes: The picture.
            time_s: As for `write`.
            like: The frame it was made of: the video then has its colour tags.
        Raises:
            ShapeError: another size than the first.
        """
        self._begin(planes.width_px, planes.height_px, like, is_rgb=False)
        self._encode(av.VideoFrame.from_ndarray(planes.data, format="yuv420p"), time_s)

    def write_sound(self, packets: tuple[Any, ...], *, start_s: float = 0.0) -> None:
        """Add sound as it came from the reader; after the first picture.

        Args:
            packets: `Frame.sound` or `VideoReader.last_sound`.
            start_s: When the reader's video begins: `VideoReader.start_s`.
        """
        if self._sound is None or self._stream is None:
            return
        with self._faults():
            for packet in packets:
                if self._sound_out is not None and self._is_carried:
                    shift = round(start_s / packet.time_base)
                    packet.pts = None if packet.pts is None else packet.pts - shift
                    packet.dts = None if packet.dts is None else packet.dts - shift
                    packet.stream = self._sound_out
                    self._container.mux(packet)
                else:
                    self._encode_sound(packet, start_s)

    def note(self, text: str) -> None:
        """Put a comment into the video's metadata, when it is finished."""
        self._note = text

    def _begin(self, width: int, height: int, like: Frame | None, *, is_rgb: bool) -> None:
        if self._stream is None:
            if min(height, width) < 2:
                raise ShapeError(f"a video's frames have two pixels a side at least, got {width}×{height}")
            self._size = (width, height)
            rate = Fraction(self._rate_hz).limit_denominator(1001)
            self._stream = self._container.add_stream("libx264", rate=rate)
            self._stream.width, self._stream.height = width // 2 * 2, height // 2 * 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
            # threads of its own cost x264 a fifth more work, which pays only where there is much of it
            is_little = width * height < _LARGE_PX and self._preset in PRESETS[:3]
            threads = "1" if is_little else "0"
            tag_encoder(self._stream, like, aspect=self._pixel_aspect, is_rgb=is_rgb)
            self._stream.options = {"crf": str(self._quality), "preset": self._preset, "threads": threads}
            if self._sound is not None:
                self._open_sound()
        if (width, height) != self._size:
            raise ShapeError(f"all frames of a video have one size, {self._size}; got {(width, height)}")

    def _encode(self, frame: Any, time_s: float | None) -> None:
        frame_s = 1 / self._rate_hz
        tick = round((self.written * frame_s if time_s is None else time_s) * _TICKS_HZ)
        tick = max(tick, self._last_tick + 1)  # times that stand still or go back would be refused
        self._last_tick = tick
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS_HZ)
        with self._faults():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        self.written += 1
        self.end_s = tick / _TICKS_HZ + frame_s

    # Sound ------------------------------------------------------------------------------------------------------

    @property
    def _is_carried(self) -> bool:
        codec = self._sound.codec_context.name
        return self._format not in _CARRIED or codec in _CARRIED[self._format]

    def _open_sound(self) -> None:
        try:
            if self._is_carried:
                self._sound_out = self._container.add_stream_from_template(self._sound)
            else:
                self._sound_out = self._container.add_stream("aac", rate=self._sound.codec_context.sample_rate)
        except (av.FFmpegError, ValueError) as error:
            raise FormatError(f"{self.path}: cannot hold the sound of the source ({error}); leave it out") from error

    def _encode_sound(self, packet: Any, start_s: float) -> None:
        for frame in packet.decode():
            if frame.pts is not None:
                frame.pts -= round(start_s / frame.time_base)
            for coded in self._sound_out.encode(frame):
                self._container.mux(coded)

    # The end ----------------------------------------------------------------------------------------------------

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException as fault:
            self._close_quietly()
            self._file.__exit__(type(fault), fault, fault.__traceback__)
            raise
        if kind is not None:
            self._close_quietly()
        elif self._note and self._write_note():
            with suppress(_SupersededError):
                self._file.__exit__(_SupersededError, _SupersededError(), None)
            return
        self._file.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self._stream is None:
            raise EmptyFileError(f"{self.path}: no picture was written, so there is no video")
        with self._faults():
            for packet in self._stream.encode():
                self._container.mux(packet)
            if self._sound_out is not None and not self._is_carried:
                for packet in self._sound_out.encode():
                    self._container.mux(packet)
            self._container.close()

    def _write_note(self) -> bool:
        """Copy the video, packet by packet, into one with the comment: it must stand there from the start.

        Returns:
            Whether that is in place; where the disk has no space for both, the video stays without a comment.
        """
        try:
            with (
                write_file(self.path) as noted,
                self._faults(),
                av.open(file_url(self._part)) as given,
                self._open(noted) as made,
            ):
                made.metadata["comment"] = self._note
                streams = {
                    s.index: made.add_stream_from_template(s) for s in (*given.streams.video, *given.streams.audio)
                }
                for packet in given.demux():
                    if packet.dts is not None:
                        packet.stream = streams[packet.stream.index]
                        made.mux(packet)
        except StoreError as error:
            if is_disk_full(error):
                return False
            raise
        return True

    def _open(self, file: Path) -> Any:
        with self._faults():
            return av.open(file_url(file), "w", format=self._format)

    def _close_quietly(self) -> None:
        with suppress(av.FFmpegError, ValueError, OSError):
            self._container.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """What FFmpeg raises, as an error that names the video."""
        try:
            yield
        except SzemError:
            raise
        except OSError as error:
            raise write_error(self.path, error) from error
        except av.FFmpegError as error:
            raise FormatError(f"{self.path}: cannot be encoded ({error.strerror or error})") from error


class _SupersededError(Exception):
    """The video with the comment is in place, so the one without it is not needed."""
