"""Worker processes of one kind, each with a thread that hands it calls: the oldest request's first.

Knows nothing of HTTP, and not what the workers do.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import WorkerProcess
from szem.serve.workers import Workers

__all__ = ["ProcessPool", "WorkerStatus"]

T = TypeVar("T")


@dataclass(frozen=True)
class WorkerStatus:
    """One worker, for `/healthz`."""

    kind: str
    busy_s: float | None  # how long its call has been running
    answered_s: float | None  # seconds since it last answered; None: it has not been asked yet
    starts: int  # processes so far; each but the first replaced one that had ended
    is_well: bool


class ProcessPool:
    """A fixed number of worker processes.

    Args:
        kind: A name for `/healthz`.
        number: How many.
        make_context: A function of a module that makes, in each worker, what its calls get first.
        arguments: Of `make_context`.
        limits: What one call may use.
        server: Forks the workers; None: each is a process of its own.
        on_failure: Called with the class of the error when a call ended its worker.
    """

    def __init__(
        self,
        kind: str,
        number: int,
        make_context: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        *,
        limits: WorkerLimits,
        server: ForkServer | None = None,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.kind, self.limits = kind, limits
        self._on_failure = on_failure
        self._threads = Workers(number)
        self._free = [
            _Slot(WorkerProcess(make_context, arguments, limits=limits, server=server)) for _ in range(number)
        ]
        self._slots = tuple(self._free)
        self._lock = threading.Lock()

    async def work(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        *arguments: object,
        wall_s: float | None = None,
        on_progress: Callable[[Any], None] = lambda _: None,
    ) -> T:
        """Run `function(context, *arguments)` in a worker. When the caller is cancelled (its answer would come too
        late), so is the work: what waits is dropped, what runs is ended with its process.

        Raises:
            As `WorkerProcess.call`.
        """
        call = _Call()
        future = self._threads.submit(self._run, call, function, arguments, wall_s, on_progress)
        try:
            return cast("T", await asyncio.wrap_future(future))
        except asyncio.CancelledError:
            call.cancel()
            raise

    def check(self, within_s: float, *, start: bool = False) -> None:
        """Ask each worker whether it answers; one that does not is replaced.

        Args:
            within_s: How long each has for an answer.
            start: Start those that do not run; otherwise they are left alone until they are wanted.
        """
        for slot in self._slots:
            is_running = slot.process.pid is not None
            if not is_running and not start:
                continue
            slot.is_well = slot.process.ping(within_s, start=start) or slot.process.ping(within_s, start=True)
            if slot.is_well and slot.process.busy_s is None:
                slot.answered = time.monotonic()

    def status(self) -> list[WorkerStatus]:
        """How the workers are, without asking them."""
        now = time.monotonic()
        return [
            WorkerStatus(
                kind=self.kind,
                busy_s=None if (busy := slot.process.busy_s) is None else round(busy, 3),
                answered_s=None if slot.answered is None else round(now - slot.answered, 3),
                starts=slot.process.starts,
                is_well=slot.is_well and (busy is None or busy <= self.limits.wall_s + 5),
            )
            for slot in self._slots
        ]

    def kill(self) -> None:
        """End all processes, whatever they do, without waiting; calls fail from now on. May be called again."""
        self._threads.stop()
        for slot in self._slots:
            slot.process.close(0)

    def close(self, within_s: float = 1.0) -> None:
        """As `kill`, and wait until processes and threads have ended.

        Args:
            within_s: For all together.
        """
        self.kill()
        deadline = time.monotonic() + within_s
        for slot in self._slots:
            slot.process.close(max(0.0, deadline - time.monotonic()))
        self._threads.close(max(0.0, deadline - time.monotonic()))

    def _run(
        self,
        call: "_Call",
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        wall_s: float | None,
        on_progress: Callable[[Any], None],
    ) -> Any:
        with self._lock:
            slot = self._free.pop()  # as many as there are threads: one is always free; the last used is warmest
        starts = slot.process.starts
        try:
            call.begin(slot.process)
            found = slot.process.call(
                function, *arguments, wall_s=wall_s, is_cancelled=call.is_cancelled, on_progress=on_progress
            )
            slot.answered, slot.is_well = time.monotonic(), True
            return found
        except Exception as error:
            if slot.process.pid is None and slot.process.starts >= starts > 0:
                self._on_failure(type(error).__name__)
            raise
        finally:
            call.end()
            with self._lock:
                self._free.append(slot)


class _Slot:
    """A worker, and when it was last heard of."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.answered: float | None = None
        self.is_well = True


class _Call:
    """One call that may be cancelled before, while and after it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._cancelled = False

    def begin(self, process: WorkerProcess) -> None:
        with self._lock:
            self._process = process

    def is_cancelled(self) -> bool:
        with self._lock:
            return self._cancelled

    def end(self) -> None:
        with self._lock:
            self._process = None

    def cancel(self) -> None:
        with self._lock:  # held: the process cannot begin another call meanwhile
            self._cancelled = True
            if self._process is not None:
                self._process.cancel()
