"""Who does the work of a server: threads for what is its own, worker processes for what strangers sent.

The server's process parses requests, loads bytes, and writes answers. Whatever decodes a picture, a video or a sound,
opens a network that somebody sent, or computes with numbers that somebody chose runs in a worker (`szem.serve.jobs`,
`szem.serve.vision.annotate`): there it may crash, hang or take too much without an effect on other requests.

Made in the application's lifespan, closed with it.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from szem.runtime.sessions import cores
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import CAN_FORK
from szem.serve.engine import make_engine
from szem.serve.handlers.lab import SENT_PREFIX, LookSource, make_lab
from szem.serve.metrics import Metrics
from szem.serve.process_pool import ProcessPool, WorkerStatus
from szem.serve.settings import ServeSettings
from szem.serve.workers import Workers

__all__ = ["CLOSE_S", "FORK_SERVER", "HEARTBEAT_S", "Dispatcher"]

T = TypeVar("T")
HEARTBEAT_S = 5.0  # an idle worker is asked so often, and has as long to answer
_OUTSIDE = 8  # pictures fetched or read from folders at the same time; each may hold a whole file
CLOSE_S = 1.5  # for all workers and threads at the end

# One for all servers of a process: starting it takes a second, a worker from it some milliseconds.
_PRELOAD = (
    "szem.serve.jobs",
    "szem.serve.handlers.lab",
    "szem.serve.handlers.live",
    "szem.serve.handlers.guard_trials",
    "szem.serve.vision.annotate",
)
FORK_SERVER = ForkServer(_PRELOAD) if CAN_FORK else None


class Dispatcher:
    """The threads and worker processes of one application.

    Args:
        settings: The operator's choices.
        metrics: Where workers that ended are counted.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.outside = asyncio.Semaphore(_OUTSIDE)
        self._threads = Workers(cores())
        limits = WorkerLimits(
            memory_bytes=settings.worker_memory_bytes,
            cpu_s=settings.worker_cpu_s,
            wall_s=settings.answer_timeout_s + 1,  # the answer's own limit comes first and says so
        )

        def pool(kind: str, number: int, make_context: Callable[..., Any]) -> ProcessPool:
            return ProcessPool(
                kind,
                number,
                make_context,
                (settings, dict(os.environ), str(Path.cwd())),
                limits=limits,
                server=FORK_SERVER,
                on_failure=lambda reason: metrics.workers.labels(kind, reason).inc(),
            )

        self._pictures = pool("pictures", settings.threads or cores(), make_engine)
        # Networks that are looked into, and those that strangers sent: apart, so that one of the latter that hangs
        # keeps nobody else waiting. Started when first asked.
        self._lab = pool("lab", min(2, cores()), make_lab)
        self._sent = pool("sent networks", 1, make_lab)
        self._pools = [self._pictures, self._lab, self._sent]
        self._ended = threading.Event()
        self._beat: threading.Thread | None = None
        self._beaten = time.monotonic()
        self._first_beat = threading.Event()

    def open(self) -> None:
        """Start the heartbeat, which starts the workers."""
        self._beat = threading.Thread(target=self._keep_beating, name="szem-heartbeat", daemon=True)
        self._beat.start()

    def wait_for_workers(self, within_s: float) -> bool:
        """Wait until each worker has been started and has answered, or could not be: who asks first need not wait.

        Args:
            within_s: For so long at most; a machine that is that busy serves as it can.
        """
        return self._first_beat.wait(within_s)

    def close(self) -> None:
        """End threads and processes, whatever they do."""
        self._ended.set()
        self._first_beat.set()
        self._threads.stop()
        deadline = time.monotonic() + CLOSE_S
        for pool in self._pools:  # first, so that none has to wait for another's end
            pool.kill()
        for pool in self._pools:
            pool.close(max(0.0, deadline - time.monotonic()))
        self._threads.close(max(0.0, deadline - time.monotonic()))

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run blocking work of szem's own (parsing a message, reading a file) on a thread, the oldest request's
        first."""
        return await asyncio.wrap_future(self._threads.submit(function, *args))

    async def work(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """Run `function(engine, *arguments)` in a worker process.

        Args:
            function: A coroutine function of a module; its result must be data.
            arguments: What can be pickled.
        Raises:
            As `szem.runtime.workers.process.WorkerProcess.call`.
        """
        return await self._pictures.work(function, *arguments)

    async def explore(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        source: LookSource,
        *arguments: object,
        wall_s: float | None = None,
        on_progress: Callable[[Any], None] = lambda _: None,
    ) -> T:
        """Run `function(lab, source, *arguments)` in a worker of the network lab.

        Raises:
            ForgottenError: the worker needs the files of `source`.
            SzemError: as `work`.
        """
        pool = self._sent if source.network.startswith(SENT_PREFIX) else self._lab
        return await pool.work(function, source, *arguments, wall_s=wall_s, on_progress=on_progress)

    def health(self) -> tuple[str, list[WorkerStatus]]:
        """What keeps requests from being answered, if anything, and how each worker was at the last heartbeat.

        Each kind of worker that has been wanted needs one that answers, and the heartbeat must not be late itself.
        """
        workers = [status for pool in self._pools for status in pool.status()]
        kinds = {worker.kind for worker in workers}
        answers = all(any(worker.is_well for worker in workers if worker.kind == kind) for kind in kinds)
        # at worst each worker takes its time twice, and is started anew
        late_s = (1 + 3 * len(workers)) * HEARTBEAT_S
        if not self._first_beat.is_set():
            return "the workers are being started", workers
        is_well = answers and time.monotonic() - self._beaten < late_s
        return "" if is_well else "workers do not answer", workers

    def _keep_beating(self) -> None:
        while not self._ended.is_set():
            for pool in self._pools:
                pool.check(HEARTBEAT_S, start=pool is self._pictures)
            self._beaten = time.monotonic()
            self._first_beat.set()
            self._ended.wait(HEARTBEAT_S)
