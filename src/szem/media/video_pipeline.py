"""From what a person types to frames (file, camera, stream, pipe), and one video made of another, whatever is drawn.

Reading, the given steps and writing run side by side. What was made before a fault or a stop stays: the video is
closed, playable, and says in its comment that it is not whole. This file does not know what is looked for.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from szem.arrays import Picture8
from szem.errors import SzemError
from szem.media.frames import Frame, Planes
from szem.media.live import LiveReader, is_camera, is_url
from szem.media.pictures import DEFAULT_LIMITS, Limits
from szem.media.pipeline import Pipeline, Stage
from szem.media.video import VideoReader
from szem.media.video_writer import VideoWriter

__all__ = ["RenderedFrame", "VideoPipeline", "open_video_source"]


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """What comes out of the last step for one frame."""

    frame: Frame
    picture: Planes | Picture8 | None  # for the video that is made; None leaves the frame out
    result: Any = None


def open_video_source(
    source: str | os.PathLike[str] | IO[bytes],
    *,
    sound: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    on_report: Callable[[str], None] | None = None,
) -> VideoReader | LiveReader:
    """Open a camera's number, a stream's address, a file or an open pipe.

    Args:
        source: As typed, or a binary file.
        sound: Also read the sound, where the source is a file.
        limits: Refuse larger frames.
        on_report: Called with a line when a live source is lost and when it is back.
    Raises:
        As `VideoReader` and `LiveReader`.
    """
    if isinstance(source, str) and not Path(source).exists() and (is_camera(source) or is_url(source)):
        return LiveReader(source, limits=limits, on_report=on_report)
    return VideoReader(source, sound=sound, limits=limits)


@dataclass
class VideoPipeline(AbstractContextManager["VideoPipeline"]):
    """Runs a video through steps; iterating over it gives `RenderedFrame`s in order, writing the output meanwhile.

    Args:
        reader: From `open_video_source`.
        steps: The last one gives `RenderedFrame`; the first one gets a `Frame`.
        out: The video to write; None for none.
        preset: See `VideoWriter`.
        quality: See `VideoWriter`.
        every: Hint for the rate where only each n-th frame is written.
    """

    reader: VideoReader | LiveReader
    steps: Sequence[Stage]
    out: Path | None = None
    preset: str = "veryfast"
    quality: int = 23
    every: int = 1
    done: int = 0  # frames so far
    time_s: float = 0.0  # of the last one
    was_stopped: bool = False
    _flow: Pipeline = field(init=False)
    _is_enough: bool = False

    def __post_init__(self) -> None:
        self.is_live = isinstance(self.reader, LiveReader) and self.reader.is_live
        self._flow = Pipeline(self.reader, self.steps, live=self.is_live)

    @property
    def dropped(self) -> int:
        """Frames that a live source gave and nobody had time for."""
        return self._flow.dropped

    @property
    def damaged(self) -> int:
        """Packets of pictures so far that could not be decoded and were left out."""
        return self.reader.damaged

    @property
    def total(self) -> int | None:
        """How many frames there will be, as far as the header tells."""
        return None if self.is_live else self.reader.info.frames

    def stop(self) -> None:
        """Take no more frames; what is under way is finished, and the video closed. May be called by a signal."""
        self.was_stopped = True
        if isinstance(self.reader, LiveReader):
            self.reader.stop()
        self._flow.stop()

    def end(self) -> None:
        """Called from the loop: the frame it has is the last one that is wanted; nothing is missing."""
        self._is_enough = True

    def __iter__(self) -> Iterator[RenderedFrame]:
        """Run.

        Raises:
            What the reader or a step raised, after all frames before it are written.
        """
        fault: SzemError | None = None
        with ExitStack() as stack:
            writer = None if self.out is None else stack.enter_context(self._open_writer(self.out))
            try:
                frames = stack.enter_context(closing(iter(self._flow)))
                for drawn in frames:
                    self.done, self.time_s = self.done + 1, drawn.frame.time_s
                    if writer is not None:
                        self._write(writer, drawn)
                    yield drawn
                    if self._is_enough:
                        break
            except SzemError as error:
                if writer is None or not writer.written:
                    raise
                fault = error
            if writer is not None:
                if isinstance(self.reader, VideoReader):
                    writer.write_sound(self.reader.last_sound, start_s=self.reader.start_s)
                if self.was_stopped and not writer.written:
                    raise KeyboardInterrupt
                if self.was_stopped or fault is not None:
                    writer.note(self._what_is_missing(fault))
                elif isinstance(self.reader, VideoReader) and self.reader.damaged:
                    writer.note(f"szem: {self.reader.damaged} damaged packets of the source were left out")
        if fault is not None:
            raise fault

    def __exit__(self, *_: object) -> None:
        if isinstance(self.reader, VideoReader):
            self.reader.__exit__(None, None, None)
        else:
            self.reader.stop()

    def _open_writer(self, out: Path) -> VideoWriter:
        sound = self.reader.sound if isinstance(self.reader, VideoReader) else None
        rate = min(max(self.reader.info.rate_hz / self.every, 1.0), 240.0)
        return VideoWriter(
            out,
            rate_hz=rate,
            preset=self.preset,
            quality=self.quality,
            sound=sound,
            pixel_aspect=self.reader.info.pixel_aspect,
        )

    def _write(self, writer: VideoWriter, drawn: RenderedFrame) -> None:
        if isinstance(drawn.picture, Planes):
            writer.write_planes(drawn.picture, time_s=drawn.frame.time_s, like=drawn.frame)
        elif drawn.picture is not None:
            writer.write(drawn.picture, time_s=drawn.frame.time_s, like=drawn.frame)
        if drawn.frame.sound and isinstance(self.reader, VideoReader):
            writer.write_sound(drawn.frame.sound, start_s=self.reader.start_s)

    def _what_is_missing(self, fault: SzemError | None) -> str:
        due_s = self.reader.info.duration_s
        of = f" of {due_s:.1f} s" if due_s else ""
        why = "stopped by the user" if fault is None else f"the source broke off ({fault})"
        return f"szem: not whole; {why} at {self.time_s:.1f} s{of}, after {self.done} frames"
