"""Clips and pictures made of packets in memory, in worker processes: what a source sent is decoded nowhere else.

Pictures have a worker of their own, so that events do not wait for clips. This file does not know where files belong.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from szem.arrays import Picture8
from szem.errors import StoreError
from szem.guard.clips import FrameBlur, find_picture, write_clip
from szem.guard.packet_buffer import PacketRun
from szem.guard.video_start import video_start
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import WorkerProcess

__all__ = ["CLOSE_S", "ClipMaker", "MakeBlur"]

MakeBlur = Callable[[], FrameBlur]
_CLIP = WorkerLimits(cpu_s=600.0, wall_s=600.0)  # a minute of pictures coded anew, on a slow machine
_PICTURE = WorkerLimits(cpu_s=30.0, wall_s=60.0)
CLOSE_S = 0.5  # for calls that have been ended
_FULL_BYTES = 1 << 20  # less free than this: the disk is full


class ClipMaker:
    """Makes clips and pictures.

    Args:
        make_blur: A function of a module that makes what takes faces out of clips; None: they stay.
        server: Forks the workers; None: each is a process of its own.
    """

    def __init__(self, *, make_blur: MakeBlur | None = None, server: ForkServer | None) -> None:
        self._clips = WorkerProcess(_make_blur, (make_blur,), limits=_CLIP, server=server)
        self._pictures = WorkerProcess(_make_blur, (None,), limits=_PICTURE, server=server)

    def write_clip(self, run: PacketRun, path: Path) -> float:
        """Write a clip; when it begins, in the source's own time.

        Raises:
            StoreError: the disk does not take it.
            SzemError: the packets cannot be made into a clip, or their decoder crashed or took too long.
        """
        try:
            return self._clips.call(_write_clip, run, str(path.absolute()))
        except StoreError as error:
            if shutil.disk_usage(path.parent).free < _FULL_BYTES:  # errors of workers come without their causes
                raise StoreError(str(error)) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise

    def find_picture(self, run: PacketRun, time_s: float) -> Picture8 | None:
        """The picture nearest to a moment; None: not one can be decoded.

        Raises:
            SzemError: the decoder crashed or took too long.
        """
        return self._pictures.call(_find_picture, run, time_s)

    def video_start(self, path: str) -> float:
        """When a video was recorded, see `szem.guard.video_start`.

        Raises:
            SzemError: the decoder crashed or took too long.
        """
        return self._pictures.call(_video_start, str(Path(path).absolute()))

    def close(self) -> None:
        """End the workers."""
        workers = (self._clips, self._pictures)
        for worker in workers:
            worker.close(0)
        for worker in workers:
            worker.close(CLOSE_S / len(workers))


# In the workers -------------------------------------------------------------------------------------------------


def _make_blur(make: MakeBlur | None) -> FrameBlur | None:
    return None if make is None else make()


def _write_clip(blur: FrameBlur | None, run: PacketRun, path: str) -> float:
    return write_clip(run, Path(path), blur=blur)


def _find_picture(_: FrameBlur | None, run: PacketRun, time_s: float) -> Picture8 | None:
    return find_picture(run, time_s)


def _video_start(_: FrameBlur | None, path: str) -> float:
    return video_start(Path(path))
