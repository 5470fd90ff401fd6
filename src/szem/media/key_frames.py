"""Long videos in pieces: where one can be cut so that each piece is decoded alone, and the frames of a piece.

A decoder can begin at a key frame only. Pieces that begin there give, one after the other, each frame of the video
once, at the same times and with the same pixels as read in one go.
"""

import math
import os
from collections.abc import Generator, Iterator
from contextlib import suppress

import av

from szem.errors import EmptyFileError
from szem.media.containers import container_faults_named
from szem.media.frames import Frame
from szem.media.video import VideoReader, VideoSource

__all__ = ["cut_at_key_frames", "read_piece"]


def cut_at_key_frames(source: VideoSource, *, piece_s: float) -> list[tuple[float, float]]:
    """Begin and end of each piece, in seconds from the video's beginning; the last end is infinite.

    Pieces are at least about `piece_s` long: a video with few key frames, or with none that can be found, has few.

    Args:
        source: A file, or an open binary file that can be sought in.
        piece_s: Wanted length.
    Raises:
        As `szem.media.video.VideoReader`.
    """
    with VideoReader(source) as reader:
        begins = [0.0]
        due_s = reader.info.duration_s or 0.0
        with suppress(av.FFmpegError), container_faults_named(reader.name):  # no index: nothing to cut at
            for number in range(1, math.ceil(due_s / piece_s)):
                begin = reader.seek_key_frame(number * piece_s)
                if begin is not None and begin >= begins[-1] + piece_s / 2:
                    begins.append(begin)
    return list(zip(begins, [*begins[1:], math.inf], strict=True))


def read_piece(source: VideoSource, begin_s: float, end_s: float) -> Iterator[Frame]:
    """The frames of a piece; their indices count from its beginning.

    Args:
        source: As in `cut_at_key_frames`; a file that was opened is read from its beginning where seeking missed.
        begin_s: From `cut_at_key_frames`.
        end_s: Likewise; the first frame that is left out.
    Raises:
        As `szem.media.video.read_video`.
    """
    if begin_s > 0:
        sought = _frames_from(source, begin_s, end_s, seek=True)
        with suppress(EmptyFileError):  # some containers are sought imprecisely: past the end, or past the begin
            first = next(sought, None)
            if first is not None and first.time_s <= begin_s:
                yield first
                yield from sought
                return
        sought.close()
    yield from _frames_from(source, begin_s, end_s, seek=False)


def _frames_from(source: VideoSource, begin_s: float, end_s: float, *, seek: bool) -> Generator[Frame, None, None]:
    if not isinstance(source, str | os.PathLike):
        source.seek(0)
    with VideoReader(source) as reader:
        if seek:
            reader.seek_key_frame(begin_s)
        index = 0
        for frame in reader:
            if frame.time_s >= end_s:
                return
            if frame.time_s >= begin_s:
                yield Frame(index, frame.time_s, frame.raw, frame.turn)
                index += 1
