"""One source from its packets to its events, on threads of its own; whatever breaks in it stays in it.

A live line is opened again for as long as the guard runs. Frames that nobody has time for are left out; sound is not.
A video is read as fast as it can be looked at, in order, and ends.
"""

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from szem.errors import (
    BusyError,
    MediaError,
    NoPicturesError,
    SzemError,
    TimeLimitError,
    TooLargeError,
    WorkerCrashError,
)
from szem.guard.analyzer import Analyzer
from szem.guard.event_store import EventStore, slug
from szem.guard.metrics import GuardMetrics
from szem.guard.packet_buffer import BufferedPacket, PacketBuffer
from szem.guard.recorder import Recorder
from szem.guard.source_reader import ReaderReport, SourceOpened, SourceProgressed, SourceReader
from szem.guard.write_queue import WriteQueue
from szem.media.frames import Frame
from szem.media.pictures import encode_picture
from szem.media.pipeline import Channel
from szem.media.sound import SoundBlock

if TYPE_CHECKING:
    from szem.guard.source_reader import Item

__all__ = ["SourceProgress", "SourceWorker"]

_log = logging.getLogger("szem.guard")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_WORKER_FAULTS = (WorkerCrashError, TimeLimitError, TooLargeError, BusyError)
_WELL_S = 60.0  # a source whose worker fails after so long is tried again after the shortest wait
_AHEAD_S = 3.0  # sound that a connection still owed when it broke off may come twice
_SOUND_WAITS = 120  # blocks; a minute
_VIDEO_WAITS = 16
_STILL_S, _REPORT_S = 60.0, 10.0
_SAY_AGAIN_S = 60.0
_GRACE_S = 20.0
_LOOK_AGAIN_S = 60.0  # a line that had pictures is guarded by sound alone for so long before it is opened again
_NO_PICTURES = "there are no pictures in it: guarded by sound alone"


@dataclass(frozen=True)
class SourceProgress:
    """How a source is doing."""

    name: str
    state: str  # opening, live, video, lost, ended, failed, stopped
    reason: str
    time_s: float
    duration_s: float | None
    frames: int
    events: int


class SourceWorker:
    """One source.

    Args:
        name: What it is called.
        source: A camera's number, an address or a video's path.
        is_live: A camera or stream: it is opened again whenever it breaks off.
        analyzer: What looks and listens.
        recorder: What becomes of events.
        buffer: Where packets are kept for clips; None: nowhere.
        store: Where the source's state is kept.
        queue: Whose thread writes that.
        metrics: Where frames are counted.
        reader: Reads the source in a process of its own; closed at the end.
        frames_hz: What looks wants about so many a second; far more are not given to it.
        sound: Whether the source's sound is listened to.
    """

    def __init__(
        self,
        name: str,
        source: str,
        *,
        is_live: bool,
        analyzer: Analyzer,
        recorder: Recorder,
        buffer: PacketBuffer | None,
        store: EventStore,
        queue: WriteQueue,
        metrics: GuardMetrics,
        reader: SourceReader,
        frames_hz: float = 10.0,
        sound: bool = True,
    ) -> None:
        self.name, self.source, self.is_live = name, source, is_live
        self._analyzer, self._recorder, self._buffer, self._store, self._queue = (
            analyzer,
            recorder,
            buffer,
            store,
            queue,
        )
        self._metrics, self._frames_hz, self._sound = metrics, frames_hz, sound
        self._reader = reader
        self._pictures: Channel[Frame | SoundBlock] = Channel(1, forgets=True) if is_live else Channel(_VIDEO_WAITS)
        self._sounds: Channel[Frame | SoundBlock] = Channel(_SOUND_WAITS, forgets=True) if is_live else self._pictures
        self._lock = threading.Lock()  # of recorder: both channels tell events
        self._stopped = threading.Event()
        self._opened: SourceOpened | None = None
        self._has_sound = False  # as it was when the source was open last
        self._note = ""  # what is reported of a source that is doing well
        self._zero: float | None = None  # monotonic: when a live line's time began
        self._shift_s: float | None = 0.0  # added to a reader's times, so that they go on when it is made anew
        self._now_s = 0.0
        self._heard_s = 0.0  # until when sound was given to what listens
        self._frame: Frame | None = None
        self._seen_at: float | None = None  # monotonic
        self._state, self._reported = "opening", ""
        self._duration_s: float | None = None
        self._frames = 0
        self._still_at = self._reported_at = self._said_at = float("-inf")
        self._dropped = 0
        self._threads = [threading.Thread(target=self._read, name=f"szem-{name}-read", daemon=True)]
        self._threads += [
            threading.Thread(target=self._analyze, args=(channel,), name=f"szem-{name}-sense", daemon=True)
            for channel in dict.fromkeys((self._pictures, self._sounds))
        ]
        recorder.latest = self._latest

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more; what is under way is finished."""
        self._stopped.set()
        self._reader.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; False: it was not within the time."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come of it."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def progress(self) -> SourceProgress:
        """How it is doing."""
        return SourceProgress(
            self.name, self._state, self._reported, self._now_s, self._duration_s, self._frames, self._recorder.count
        )

    def moment(self, time_s: float) -> float:
        """When a moment of a live line was, in seconds since 1970, by the machine's clock of now."""
        zero = time.monotonic() if self._zero is None else self._zero
        return time.time() - (time.monotonic() - zero - time_s)

    def measure(self) -> None:
        """Set the gauges."""
        age_s = float("nan") if self._seen_at is None else time.monotonic() - self._seen_at
        self._metrics.age.labels(self.name).set(age_s)
        self._metrics.up.labels(self.name).set(self._state in ("live", "video"))
        self._metrics.held.labels(self.name).set(0 if self._buffer is None else self._buffer.held_bytes)
        dropped = self._pictures.dropped
        self._metrics.dropped.labels(self.name).inc(dropped - self._dropped)
        self._dropped = dropped

    # Reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the source to its end, or for ever."""
        wait_s = _FIRST_WAIT_S
        try:
            while not self._stopped.is_set():
                begun, has_failed = time.monotonic(), False
                try:
                    self._read_once()
                    if not self._is_endless:
                        self._set("ended", self._note)
                        return
                    reason = "the stream ended"
                except SzemError as error:
                    reason, has_failed = str(error), isinstance(error, _WORKER_FAULTS)
                except Exception as error:
                    _log.exception("%s: reading failed", self.name)
                    reason = f"an internal fault ({type(error).__name__})"
                if self._stopped.is_set():
                    return
                if not self.is_live:
                    self._set("failed", reason)
                    _log.error("%s", reason if self.source in reason else f"{self.name}: {reason}")
                    return
                # A decoder may crash at the first picture of each connection, for ever.
                was_well = self._state == "live" and not (has_failed and time.monotonic() - begun < _WELL_S)
                wait_s = _FIRST_WAIT_S if was_well else min(wait_s * 2, _LONGEST_WAIT_S)
                self._set("lost", reason)
                _log.warning("%s: %s; trying again in %.0f s", self.name, reason, wait_s)
                self._stopped.wait(wait_s)
        finally:
            if self._stopped.is_set() and self._state not in ("ended", "failed"):
                self._set("stopped")
            for channel in (self._pictures, self._sounds):
                channel.end()
            self._reader.close()

    @property
    def _is_endless(self) -> bool:
        return self.is_live and (self._opened is None or self._opened.is_endless)

    def _read_once(self) -> None:
        """Read until the source ends or breaks."""
        try:
            self._run_reader(is_sound_alone=False)
        except NoPicturesError:
            if not (self._sound and self._analyzer.hears):
                raise
            self._run_reader(is_sound_alone=True)

    def _run_reader(self, *, is_sound_alone: bool) -> None:
        self._shift_s = None if self.is_live else 0.0
        self._opened = None
        if is_sound_alone:
            if self._note != _NO_PICTURES:
                _log.warning("%s: %s", self.name, _NO_PICTURES)
            self._note = _NO_PICTURES
            if self._buffer is not None:
                self._buffer.begin_sound_alone()
        begun = time.monotonic()

        def take(item: "Item") -> None:
            self._take(item)
            seems_blind = is_sound_alone and self._frame is not None and time.monotonic() - begun >= _LOOK_AGAIN_S
            if seems_blind:
                raise MediaError(f"{self.name}: no pictures come any more; looking for them again")

        damaged = self._reader.run(
            self.source,
            take,
            is_live=self.is_live,
            is_sound_alone=is_sound_alone,
            hears=self._sound,
            rate_hz=self._analyzer.rate_hz,
            keeps_packets=self._buffer is not None,
            frames_hz=self._frames_hz,
            is_stopped=self._stopped.is_set,
        )
        if damaged:
            self._note = f"{damaged} damaged packet{'' if damaged == 1 else 's'} skipped"
            _log.warning("%s: %s", self.name, self._note)

    def _time(self, time_s: float) -> float:
        """A reader's time as the worker's, which goes on when the reader is made anew."""
        if self._shift_s is None:
            now = time.monotonic()
            self._zero = now - time_s if self._zero is None else self._zero
            self._shift_s = now - self._zero - time_s
        return time_s + self._shift_s

    def _take(self, item: "Item") -> None:
        """Deal with what the reader gave."""
        if isinstance(item, Frame):
            self._take_frame(replace(item, time_s=self._time(item.time_s)))
        elif isinstance(item, SoundBlock):
            self._take_sound(replace(item, time_s=self._time(item.time_s)))
        elif isinstance(item, SourceOpened):
            self._opened, self._duration_s = item, item.duration_s
            self._has_sound = self._sound and item.has_sound
        elif isinstance(item, ReaderReport):
            self._hear_reader(item.text)
        elif isinstance(item, SourceProgressed):
            self._take_moment(self._time(item.time_s))
        elif self._buffer is not None:
            if isinstance(item, BufferedPacket):
                item = replace(item, time_s=self._time(item.time_s))
            self._buffer.take(item)

    def _take_frame(self, frame: Frame) -> None:
        """Give a frame to what looks."""
        self._seen_at = time.monotonic()
        if self._state not in ("live", "video"):
            self._note = ""
            self._set("live" if self.is_live else "video")
            self._recorder.size = frame.size
        self._now_s, self._frame = frame.time_s, frame
        if self._buffer is not None:
            self._buffer.turn = frame.turn
        self._pictures.put(frame)
        self._show(frame)
        self._keep_pace(frame.time_s)

    def _take_sound(self, block: SoundBlock) -> None:
        """Give sound to what listens, in order also where a new connection overlaps with the last one."""
        if block.time_s < self._heard_s - _AHEAD_S:
            return
        block = replace(block, time_s=max(block.time_s, self._heard_s))
        self._heard_s = block.time_s + len(block.samples) / self._analyzer.rate_hz
        if self._sound:
            self._sounds.put(block)

    def _take_moment(self, time_s: float) -> None:
        """A moment of a source without pictures."""
        self._seen_at, self._now_s = time.monotonic(), time_s
        if self._state not in ("live", "video"):
            self._set("live" if self.is_live else "video", self._note)
        self._keep_pace(time_s)
        if self._seen_at - self._reported_at >= _REPORT_S:
            self._report()

    def _keep_pace(self, time_s: float) -> None:
        """Take a remote video as fast as it was recorded: nothing of it may be left out."""
        if self.is_live and not self._is_endless and self._zero is not None:
            self._stopped.wait(max(0.0, time_s - (time.monotonic() - self._zero)))

    def _hear_reader(self, reason: str) -> None:
        """The reader lost its line or has it back."""
        _log.warning("%s", reason)
        if "lost" in reason:
            self._set("lost", reason)
        else:
            self._metrics.reopened.labels(self.name).inc()

    # Sensing ----------------------------------------------------------------------------------------------------

    def _analyze(self, channel: "Channel[Frame | SoundBlock]") -> None:
        for item in channel:
            if self._stopped.is_set():
                continue  # of a video, many may wait
            try:
                if isinstance(item, Frame):
                    events, now_s = self._analyzer.see(item), item.time_s
                    self._frames += 1
                    self._metrics.frames.labels(self.name).inc()
                else:
                    length_s = len(item.samples) / self._analyzer.rate_hz
                    events, now_s = self._analyzer.hear(item), item.time_s + length_s
                    self._metrics.sound_s.labels(self.name).inc(length_s)
                with self._lock:
                    self._recorder.take(events, max(now_s, self._now_s if self.is_live else now_s))
            except Exception:
                self._metrics.faults.labels(self.name).inc()
                if time.monotonic() - self._said_at > _SAY_AGAIN_S:
                    self._said_at = time.monotonic()
                    _log.exception("%s: a frame or its sound could not be analysed", self.name)
        if channel is self._pictures:
            self._end()

    def _end(self) -> None:
        """After the last frame, and the last sound."""
        for thread in self._threads[2:]:
            thread.join(_GRACE_S)
        with self._lock:
            try:
                self._recorder.take(self._analyzer.finish(), self._now_s)
            except Exception:
                _log.exception("%s: the rest could not be analysed", self.name)
            self._recorder.end(self._now_s)

    # Telling ----------------------------------------------------------------------------------------------------

    def _set(self, state: str, reason: str = "") -> None:
        changed = state != self._state
        self._state, self._reported = state, reason
        if changed:
            self._report()

    def _report(self) -> None:
        reason = self._reported or (f"writing is paused: {self._queue.paused}" if self._queue.paused else "")
        values: dict[str, Any] = {"state": self._state, "reason": reason, "has_sound": self._has_sound}
        if self._seen_at is not None:
            values["seen"] = time.time() - (time.monotonic() - self._seen_at)
        if self._recorder.size is not None:
            values |= {"width_px": self._recorder.size[0], "height_px": self._recorder.size[1]}
        self._reported_at = time.monotonic()
        self._queue.write(lambda: self._store.report_source(self.name, **values))

    def _show(self, frame: Frame) -> None:
        """Tell the source's state, and keep a picture of now, every now and then."""
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_S:
            self._report()
        if now - self._still_at >= _STILL_S:
            self._still_at = now
            self._queue.write(lambda: self._write_still(frame))

    def _write_still(self, frame: Frame) -> None:
        name = f"stills/{slug(self.name)}.jpg"
        blur = self._recorder.blur
        try:
            picture = frame.picture
            data = encode_picture(picture if blur is None else blur(picture), suffix=".jpg", quality=85)
            with self._store.writing(name) as path:
                path.write_bytes(data)
        except SzemError as error:  # the next one comes in a minute
            _log.warning("%s: no still: %s", self.name, error)
            return
        self._store.report_source(self.name, still=name)

    def _latest(self) -> Any:
        return None if self._frame is None else self._frame.picture
