"""The guard: sources side by side, one store, one outbox, for months.

A source that breaks stops no other; a disk that is full pauses writing, not watching; a machine that loses power
loses the events that were going on. This file does not know the command line.
"""

import functools
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from szem.errors import SzemError
from szem.guard.analyzer import Analyzer
from szem.guard.clip_maker import ClipMaker, MakeBlur
from szem.guard.event_store import EventStore
from szem.guard.metrics import GuardMetrics
from szem.guard.notifiers import build_notifiers
from szem.guard.outbox import Outbox
from szem.guard.packet_buffer import PacketBuffer
from szem.guard.recorder import Recorder
from szem.guard.retention import Retention, sweep
from szem.guard.source_reader import ReadFunction, SourceReader
from szem.guard.source_worker import SourceProgress, SourceWorker
from szem.guard.sources import Source
from szem.guard.write_queue import WriteQueue
from szem.results.events import Event
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.process import CAN_FORK
from szem.tasks.surveillance.rules import RuleAction, RuleEngine, Rules

__all__ = ["OUTBOX_S", "STOP_S", "GuardService"]

_log = logging.getLogger("szem.guard")
_SWEEP_S, _TICK_S = 60.0, 1.0
_STEP_S = 2.0
# After `stop`, all of it together stays below `szem.runtime.shutdown.ASKED_S`.
STOP_S = 4.5  # to the end of writing; then workers, threads and notifiers have their own limits
_JOIN_S = 3.0  # of that, for sources to finish their frame
OUTBOX_S = 1.0  # for messages that were never tried
_FULL_S = 30.0  # how long the end of the last video waits for a disk that is full
_FULL_STOP_S = 2.0  # likewise after `stop`


class GuardService:
    """Watches sources until they end or it is stopped.

    Args:
        store: Where events are kept; held by this guard from now on.
        rules: What counts and what is done.
        sources: From `name_sources`.
        make_analyzer: Builds what looks and listens, for a source.
        make_blur: A function of a module that makes what takes faces out of pictures; None: they stay.
        retention: For how long; None: as the rules say.
        clips: Whether clips are made.
        metrics: Where things are counted.
        began: When videos began, in seconds since 1970; None: as they say.
        read: What the worker process of a source does; None: reads it.
    Raises:
        BusyError: another guard holds the store.
        RangeError: a hook's secret is missing.
        MissingExtraError: a hook needs what is not installed.
    """

    def __init__(
        self,
        store: EventStore,
        rules: Rules,
        sources: Sequence[Source],
        *,
        make_analyzer: Callable[[Source], Analyzer],
        make_blur: MakeBlur | None = None,
        retention: Retention | None = None,
        clips: bool = True,
        metrics: GuardMetrics | None = None,
        began: float | None = None,
        read: ReadFunction | None = None,
    ) -> None:
        store.hold()
        server = _fork_server(os.getpid()) if CAN_FORK else None
        self._maker = ClipMaker(make_blur=make_blur, server=server)
        self._server, self._read = server, read
        self.store, self.rules = store, rules
        self.metrics = metrics or GuardMetrics()
        self._retention = retention or Retention(days=rules.keep.days, gigabytes=rules.keep.gigabytes)
        self._outbox = Outbox(
            store,
            build_notifiers(rules, store),
            on_sent=lambda notifier, how: self.metrics.messages.labels(notifier, how).inc(),
        )
        self._queue = WriteQueue(on_lost=lambda what: self.metrics.lost.labels(what).inc())
        self._decide, self._deciding = RuleEngine(rules), threading.Lock()
        self._blur = None if make_blur is None else make_blur()
        self._clips, self._began = clips, began
        self._stopped = threading.Event()
        self._swept_at = float("-inf")
        self.workers = tuple(self._build_worker(source, make_analyzer(source)) for source in sources)

    def run(self, *, each_tick: Callable[[], None] = lambda: None) -> list[SourceProgress]:
        """Guard until all videos have ended, or until `stop`.

        Args:
            each_tick: Called about once a second, from this thread.
        Returns:
            How each source ended.
        """
        self._recover()
        self._queue.start()
        self._outbox.start()
        for worker in self.workers:
            worker.start()
        try:
            while not self._stopped.is_set() and not all(worker.is_done for worker in self.workers):
                self._tick()
                each_tick()
                self._stopped.wait(_TICK_S if any(worker.is_live for worker in self.workers) else _TICK_S / 5)
        finally:
            self._finish()
        each_tick()
        return self.progress

    def stop(self) -> None:
        """End soon; may be called by a signal."""
        self._stopped.set()

    @property
    def progress(self) -> list[SourceProgress]:
        """How the sources are doing."""
        return [worker.progress for worker in self.workers]

    @property
    def paused(self) -> str:
        """Why nothing is written at the moment, such as a full disk; empty: all is well."""
        return self._queue.paused

    def _build_worker(self, source: Source, analyzer: Analyzer) -> SourceWorker:
        clips = self.rules.clips
        buffer = PacketBuffer(clips.before_s + clips.longest_s) if self._clips else None
        recorder = Recorder(
            source=source.name,
            store=self.store,
            queue=self._queue,
            rules=self.rules,
            decide=self._ask,
            buffer=buffer,
            maker=self._maker,
            moment=self._moments(source),
            is_live=source.is_live,
            blur=self._blur,
            wake=self._outbox.wake,
            counted=lambda kind: self.metrics.events.labels(source.name, kind).inc(),
        )
        worker = SourceWorker(
            source.name,
            source.address,
            is_live=source.is_live,
            analyzer=analyzer,
            recorder=recorder,
            buffer=buffer,
            store=self.store,
            queue=self._queue,
            metrics=self.metrics,
            reader=SourceReader(server=self._server, read=self._read),
            sound=source.sound,
        )
        if source.is_live:
            recorder.moment = worker.moment
        return worker

    def _moments(self, source: Source) -> Callable[[float], float]:
        """From a video's time to the world's."""
        if source.is_live:
            return lambda _: time.time()
        began = self._began
        if began is None:
            try:
                began = self._maker.video_start(source.address)
            except SzemError:  # its decoder crashed; whoever reads it reports that
                began = time.time()
        return lambda time_s: began + time_s

    def _ask(self, event: Event, *, camera: str, at: datetime) -> tuple[RuleAction, ...]:
        with self._deciding:  # sources share the rules' pauses
            return self._decide(event, camera=camera, at=at)

    # Housekeeping -----------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Put in order what a loss of power left."""
        left = self.store.close_open()
        cleaned = self.store.clean()
        if left or cleaned:
            _log.warning("the last guard was ended by force: %d events closed, %d files deleted", left, cleaned)

    def _tick(self) -> None:
        step_s = self.store.clock.step_s()
        if abs(step_s) > _STEP_S:
            self.metrics.clock_steps.inc()
            _log.warning("the machine's clock was set by %+.0f s; ages and order go on by the guard's own", step_s)
        for worker in self.workers:
            worker.measure()
        self.metrics.paused.set(bool(self._queue.paused))
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_S:
            return
        self._swept_at = now
        for what, count in self._queue.waiting.items():
            self.metrics.waiting.labels(what).set(count)
        with suppress(OSError):
            self.metrics.free.set(shutil.disk_usage(self.store.media).free)
        try:
            self.store.keep_time()
            swept = sweep(self.store, self._retention)
            self._outbox.give_up_old()
            for notifier, count in self._outbox.waiting().items():
                self.metrics.outbox.labels(notifier).set(count)
        except SzemError as error:
            _log.error("nothing could be tidied: %s", error)
            return
        self.metrics.swept.labels("events").inc(swept.events)
        self.metrics.swept.labels("files").inc(swept.files_of)
        if swept.events or swept.files_of:
            _log.info(
                "forgot %d old events; %d lost their pictures and clips, %.1f MB freed",
                swept.events,
                swept.files_of,
                swept.bytes_freed / 1e6,
            )

    def _finish(self) -> None:
        for worker in self.workers:
            worker.stop()
        is_asked, begun = self._stopped.is_set(), time.monotonic()
        for worker in self.workers:
            if not worker.join(max(0.1, begun + _JOIN_S - time.monotonic())):
                _log.warning("%s: does not stop in time; what it was at is lost", worker.name)
        left_s = max(0.5, begun + STOP_S - time.monotonic()) if is_asked else 600.0
        if not self._queue.drain(left_s, paused_s=_FULL_STOP_S if is_asked else _FULL_S):
            _log.warning("some clips could not be finished in time")
        self._maker.close()  # a clip that is still being made is given up: nobody waits for it
        self._queue.stop()
        self._outbox.stop(grace_s=OUTBOX_S if is_asked else 5.0)
        for worker in self.workers:
            worker.measure()


@functools.cache
def _fork_server(_pid: int) -> ForkServer:
    """The process that forks the workers of all guards of this process; it ends with it."""
    return ForkServer(["szem.guard.source_reader", "szem.guard.clip_maker"])
