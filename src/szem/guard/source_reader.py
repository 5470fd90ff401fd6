"""A source read and decoded in a worker process: a decoder that crashes or hangs ends that process, not the guard.

The worker opens the source, decodes pictures and sound, and reports frames (through shared memory), blocks of sound,
copies of packets for clips, and what it says of itself. This file does not know what is made of them.
"""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from szem.guard.audio_decoder import AudioDecoder
from szem.guard.packet_buffer import BufferedPacket, PacketCopier, SoundTemplate, VideoTemplate, buffer_picture
from szem.media.frames import Frame
from szem.media.live import LiveReader
from szem.media.sound import SoundBlock
from szem.media.sound_packets import SoundPackets
from szem.media.video import VideoReader
from szem.runtime.workers.child import report_progress, wait_for_reply
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits, limit_cpu
from szem.runtime.workers.pixels import SharedFrame, SharedPixels
from szem.runtime.workers.process import WorkerProcess

__all__ = [
    "Item",
    "ReadFunction",
    "ReadPlan",
    "ReaderReport",
    "SourceOpened",
    "SourceProgressed",
    "SourceReader",
    "make_context",
    "read_source",
]

_JITTER = 0.4  # of the time between two frames that are wanted: a camera gives them unevenly
_CPU_S = 60.0  # processor time between two frames that are wanted
# FFmpeg's own limits (`LiveReader`: 10 s of silence) come first; a worker that says nothing for longer hangs.
_SILENCE_S, _LOST_SILENCE_S = 30.0, 90.0


@dataclass(frozen=True)
class ReadPlan:
    """What a worker reads.

    Args:
        source: A camera's number, an address or a video's path.
        is_live: A camera or stream.
        is_sound_alone: Read the sound of a source without pictures.
        hears: Decode the sound.
        rate_hz: Samples a second of the sound.
        keeps_packets: Report copies of the packets.
        frames_hz: About so many frames a second are wanted; far more are not given.
        pixels: Address of the shared memory.
        folder: What a relative path is relative to; the worker may have been forked in another one.
    """

    source: str
    is_live: bool
    is_sound_alone: bool
    hears: bool
    rate_hz: int
    keeps_packets: bool
    frames_hz: float
    pixels: str
    folder: str


@dataclass(frozen=True)
class SourceOpened:
    """The source is open."""

    duration_s: float | None
    has_sound: bool
    is_endless: bool  # False: it ends like a file


@dataclass(frozen=True)
class ReaderReport:
    """A stream was lost or is back."""

    text: str


@dataclass(frozen=True)
class SourceProgressed:
    """A moment of a source without pictures."""

    time_s: float


@dataclass(frozen=True)
class _FrameWritten:
    """A frame lies in the shared memory."""

    index: int
    time_s: float
    turn: int
    shared: SharedFrame


Item = (
    Frame | SoundBlock | VideoTemplate | SoundTemplate | BufferedPacket | SourceOpened | ReaderReport
) | SourceProgressed
ReadFunction = Callable[[None, ReadPlan], int]


class SourceReader:
    """Reads one source, again and again if need be, each time until it ends, breaks or is stopped.

    Args:
        server: Forks the worker; None: it is a process of its own.
        read: What the worker does.
    """

    def __init__(self, *, server: ForkServer | None, read: ReadFunction | None = None) -> None:
        self._read = read or read_source
        self._pixels = SharedPixels()
        limits = WorkerLimits(cpu_s=_CPU_S)
        self._process = WorkerProcess(make_context, limits=limits, server=server)
        self._silence_s = _LOST_SILENCE_S

    def run(
        self,
        source: str,
        on_item: Callable[[Item], None],
        *,
        is_live: bool,
        is_sound_alone: bool = False,
        hears: bool = True,
        rate_hz: int = 16000,
        keeps_packets: bool = True,
        frames_hz: float = 10.0,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> int:
        """Read until the source ends.

        Args:
            source: See `ReadPlan`, also for the options.
            on_item: Called with all that comes of it, in order; a slow call makes the worker wait.
            is_live, is_sound_alone, hears, rate_hz, keeps_packets, frames_hz: See `ReadPlan`.
            is_stopped: Whether `stop` was called before this.
        Returns:
            How many packets could not be decoded.
        Raises:
            SzemError: as `VideoReader`, `LiveReader` and `SoundPackets`.
            WorkerCrashError: the decoder crashed.
            TimeLimitError: it hung, or was stopped.
            TooLargeError: it wants more memory or processor time than a source may have.
        """
        plan = ReadPlan(
            source=source, is_live=is_live, is_sound_alone=is_sound_alone, hears=hears, rate_hz=rate_hz,
            keeps_packets=keeps_packets, frames_hz=frames_hz, pixels=self._pixels.address, folder=str(Path.cwd()),
        )  # fmt: skip
        self._silence_s = _LOST_SILENCE_S

        def take(item: Any) -> None:
            if isinstance(item, _FrameWritten):
                raw = self._pixels.read(item.shared)
                self._process.reply()
                item = Frame(item.index, item.time_s, raw, item.turn)
            self._silence_s = _LOST_SILENCE_S if isinstance(item, ReaderReport | SourceOpened) else _SILENCE_S
            on_item(item)

        return self._process.call(
            self._read, plan, silence_s=lambda: self._silence_s, on_progress=take, is_cancelled=is_stopped
        )

    def stop(self) -> None:
        """End what runs, at once; from any thread."""
        self._process.cancel()

    def close(self) -> None:
        """End the worker."""
        self._process.close()
        self._pixels.close()


# In the worker --------------------------------------------------------------------------------------------------


def make_context() -> None:
    """Readers need nothing that lasts."""


def read_source(_: None, plan: ReadPlan) -> int:
    """Read a source and report what comes of it; how many packets could not be decoded."""
    os.chdir(plan.folder)  # the path stays as it was typed: messages name it
    return _read_sound(plan) if plan.is_sound_alone else _read_pictures(plan)


class _Tap:
    """Reports copies of packets, and decoded sound."""

    def __init__(self, plan: ReadPlan) -> None:
        self._keeps_packets, self.copier = plan.keeps_packets, PacketCopier()
        self._decoder = AudioDecoder(rate_hz=plan.rate_hz) if plan.hears else None

    def __call__(self, packet: Any, time_s: float) -> None:
        """Take a packet as a reader's `tap` gives it."""
        if self._keeps_packets:
            for item in self.copier(packet, time_s):
                report_progress(item)
        if self._decoder is not None and packet.stream.type == "audio":
            for block in self._decoder.hear(packet, time_s):
                report_progress(block)

    def end(self) -> None:
        """Report the last sound."""
        for block in [] if self._decoder is None else self._decoder.end():
            report_progress(block)


def _read_pictures(plan: ReadPlan) -> int:
    pixels, tap = SharedPixels(plan.pixels), _Tap(plan)
    wanted_tap = tap if plan.hears or plan.keeps_packets else None
    reader: VideoReader | LiveReader
    if plan.is_live:
        reader = LiveReader(plan.source, on_report=lambda text: report_progress(ReaderReport(text)), tap=wanted_tap)
    else:
        reader = VideoReader(plan.source, sound=plan.hears, tap=wanted_tap)
    is_endless = isinstance(reader, LiveReader) and reader.is_live
    report_progress(SourceOpened(reader.info.duration_s, reader.info.has_sound, is_endless))
    due_s, is_taken = float("-inf"), True
    with closing(pixels):
        for frame in reader:
            if frame.time_s < due_s - 1e-3:
                continue
            due_s = frame.time_s + _JITTER / plan.frames_hz
            if plan.keeps_packets and tap.copier.keeps_pictures:
                report_progress(buffer_picture(frame))
            if not is_taken:
                wait_for_reply()
            report_progress(_FrameWritten(frame.index, frame.time_s, frame.turn, pixels.write(frame.raw)))
            is_taken = False
            limit_cpu(_CPU_S)
        if not is_taken:
            wait_for_reply()
    tap.end()
    return reader.damaged if isinstance(reader, VideoReader) else 0


def _read_sound(plan: ReadPlan) -> int:
    tap = _Tap(plan)
    with closing(SoundPackets(plan.source, is_line=plan.is_live)) as reader:
        report_progress(SourceOpened(reader.duration_s, has_sound=True, is_endless=reader.is_live))
        for packet, time_s in reader:
            report_progress(SourceProgressed(time_s))
            tap(packet, time_s)
            limit_cpu(_CPU_S)
        tap.end()
    return 0
