"""One worker process as its parent sees it: calls with limits; one that dies or overstays is replaced.

`pebble` and `concurrent.futures` have pools of processes too. This is its own file because a server needs what they
do not have together: a call that can be ended at once from another thread, limits of processor time and memory, a
known cause of death, and workers that fork in milliseconds from a process that has everything open.
"""

import contextlib
import dataclasses
import enum
import io
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any, TypeVar, cast

from szem.errors import BusyError, SzemError, TimeLimitError, TooLargeError, WorkerCrashError
from szem.runtime.workers.child import ERROR, PROGRESS, RESULT, run_worker
from szem.runtime.workers.forkserver import ForkServer
from szem.runtime.workers.limits import WorkerLimits

__all__ = ["CAN_FORK", "WorkerFaultError", "WorkerProcess"]

T = TypeVar("T")
CAN_FORK = sys.platform.startswith("linux")  # macOS: system libraries do not survive a fork; Windows has none
_TRANSFER_S = 30  # for one piece of an answer, once it has begun
_MAX_ANSWER_BYTES = 1 << 30
_MAX_FRACTION_CHARS = 80
_CRASHES = {getattr(signal, n) for n in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL") if hasattr(signal, n)}


class WorkerFaultError(RuntimeError):
    """A call failed with an error that nobody meant; the message is its traceback."""


class WorkerProcess:
    """A worker process. Nothing is started before the first call.

    Args:
        make_context: A function of a module; its result, made in the worker, is the first argument of every call.
        arguments: Of `make_context`.
        limits: What a call may use.
        server: Forks the workers; None: each starts as a process of its own, which takes a second.
    """

    def __init__(
        self,
        make_context: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        *,
        limits: WorkerLimits,
        server: ForkServer | None = None,
    ) -> None:
        self.limits = limits
        self._setup = (make_context, arguments, limits)
        self._server = server
        self._calling = threading.Lock()  # one call at a time
        self._state = threading.Lock()  # of the fields below
        self._connection: Connection | None = None
        self._handle: _Handle | None = None
        self._since: float | None = None  # when the call that runs began
        self._cancelled = False
        self._closed = False
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is no process."""
        handle = self._handle
        return None if handle is None else handle.pid

    @property
    def busy_s(self) -> float | None:
        """How long the call that runs has been running; None while there is none."""
        since = self._since
        return None if since is None else time.monotonic() - since

    def call(
        self,
        function: Callable[..., T],
        *arguments: object,
        wall_s: float | None = None,
        silence_s: Callable[[], float] | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Any], None] = lambda _: None,
    ) -> T:
        """Run `function(context, *arguments)` in the worker and wait for it.

        Args:
            function: A function of a module, or a coroutine function.
            arguments: What can be pickled.
            wall_s: Less than the limit's, if given.
            silence_s: For a call without a foreseeable end: it may take any time, but not be silent for longer than
                this between two reports; asked after each of them.
            on_progress: Called with what the function reports before it is done.
            is_cancelled: Asked once, when `cancel` begins to have an effect: whether that was wanted before.
        Raises:
            SzemError: the function raised it.
            WorkerFaultError: the function raised another error.
            WorkerCrashError: the process ended.
            TooLargeError: it used more processor time or memory than one call may.
            TimeLimitError: it took longer than one call may, or was cancelled.
        """
        limit_s = self.limits.wall_s if wall_s is None else min(wall_s, self.limits.wall_s)
        with self._calling:
            connection = self._connected()
            try:
                # Pickled before anything is sent: what cannot be is the caller's fault and costs no worker.
                message = pickle.dumps((function, arguments, self.limits.cpu_s), protocol=5)
                answer = self._exchange(connection, message, limit_s, is_cancelled, on_progress, silence_s)
            finally:
                with self._state:
                    self._since = None
        return cast("T", _read(answer))

    def reply(self) -> None:
        """Say to the call that runs that its last report has been taken in; to be called by `on_progress`."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):  # it has ended; the call finds out
                connection.send_bytes(b"r")

    def ping(self, wall_s: float, *, start: bool = False) -> bool:
        """Whether the worker answers, or works on a call that is within its limits; if it does not, it is ended.

        Args:
            wall_s: How long it has for that.
            start: Start it if it is not running; otherwise there is nothing to ask then.
        """
        if not self._calling.acquire(blocking=False):
            busy_s = self.busy_s
            return busy_s is None or busy_s < self.limits.wall_s + wall_s
        try:
            if self._connection is None and not start:
                return True  # none was wanted yet
            connection = self._connected()
            self._exchange(connection, pickle.dumps((None, (), 1.0)), wall_s)
        except (WorkerCrashError, TimeLimitError, TooLargeError, BusyError):
            return False  # it has been ended; the next call starts another
        finally:
            with self._state:
                self._since = None
            self._calling.release()
        return True

    def start(self) -> None:
        """Start the process before the first call wants it."""
        with self._calling:
            self._connected()

    def cancel(self) -> None:
        """End the call that runs, if one does, by ending the process. From any thread."""
        with self._state:
            if self._since is not None and self._handle is not None:
                self._cancelled = True
                self._handle.kill()

    def close(self, wait_s: float = 1.0) -> None:
        """End the process; calls fail from now on. From any thread, whatever runs. May be called again.

        Args:
            wait_s: How long a call that has been ended has to come back.
        """
        with self._state:
            self._closed = True
            if self._handle is not None:
                self._handle.kill()
        # A call fails at once; only one whose process is just being started takes longer, and ends it by itself.
        if self._calling.acquire(timeout=wait_s):
            try:
                self._end()
            finally:
                self._calling.release()

    def _connected(self) -> Connection:
        with self._state:
            self._refuse_at_the_end()
            connection = self._connection
        if connection is not None and not connection.poll(0):
            return connection
        self._end()  # an idle worker says nothing: one that does has ended (for want of memory, say)
        handle, connection = _fork(self._server) if self._server is not None else _spawn()
        _limit_transfer(connection)
        with self._state:
            try:
                self._refuse_at_the_end()
            except BusyError:
                handle.kill()
                connection.close()
                raise
            self._handle, self._connection = handle, connection
        self.starts += 1
        with contextlib.suppress(OSError):  # if it has ended already, the call finds out
            connection.send_bytes(pickle.dumps(self._setup))
        return connection

    def _refuse_at_the_end(self) -> None:
        if self._closed:
            raise BusyError("the server is ending; it takes no more work")

    def _exchange(
        self,
        connection: Connection,
        message: bytes,
        limit_s: float,
        is_cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Any], None] = lambda _: None,
        silence_s: Callable[[], float] | None = None,
    ) -> bytes:
        limit_s = limit_s if silence_s is None else silence_s()
        deadline = time.monotonic() + limit_s
        with self._state:
            self._since, self._cancelled = time.monotonic(), False
        if is_cancelled():
            raise TimeLimitError("the request was given up before its work began")
        try:
            connection.send_bytes(message)
            while True:
                if not connection.poll(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                answer = connection.recv_bytes(_MAX_ANSWER_BYTES)
                if answer[:1] != PROGRESS:
                    return answer
                try:
                    on_progress(_Unpickler(io.BytesIO(answer[1:])).load())
                except BaseException:
                    self._end()  # its answer would come to nobody
                    raise
                if silence_s is not None:
                    limit_s = silence_s()
                    deadline = time.monotonic() + limit_s
        except (TimeoutError, BlockingIOError):
            self._end()
            if silence_s is not None:
                raise TimeLimitError(f"the worker process was silent for {limit_s:g} s and was ended") from None
            raise TimeLimitError(
                f"this took longer than the {limit_s:g} s that one request may take; send something smaller"
            ) from None
        except (EOFError, OSError):
            raise self._why(self._end()) from None

    def _end(self) -> int | None:
        """Forget the process, ended by now if it was not; its exit status."""
        with self._state:
            handle, connection = self._handle, self._connection
            self._handle = self._connection = None
        if connection is not None:
            connection.close()
        if handle is None:
            return None
        handle.kill()
        return handle.wait()

    def _why(self, status: int | None) -> Exception:
        if self._cancelled:
            return TimeLimitError("the request was given up; its work was stopped")
        if status is not None and -status == getattr(signal, "SIGXCPU", 0):
            return TooLargeError(
                f"this takes more than the {self.limits.cpu_s:g} s of processor time that one request may use; "
                "send something smaller"
            )
        if status is not None and -status in _CRASHES:
            return WorkerCrashError(
                f"the decoder or network that worked on this crashed ({signal.Signals(-status).name}); the file is "
                "damaged or made to do so: write it anew with another program"
            )
        return BusyError("the process that worked on this was ended from outside (memory?); try again")


class _Handle:
    """A process that can be killed and waited for, however it was started."""

    def __init__(self, pid: int, kill: Callable[[], None], wait: Callable[[], int | None]) -> None:
        self.pid, self.kill, self.wait = pid, kill, wait


def _fork(server: ForkServer) -> tuple[_Handle, Connection]:
    pid, connection = server.fork()

    def kill() -> None:
        # Nobody else waits for it before `wait` below does: the id cannot be another process's meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    return _Handle(pid, kill, lambda: server.wait(pid)), connection


def _spawn() -> tuple[_Handle, Connection]:
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_worker, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def wait() -> int | None:
        process.join(_TRANSFER_S)
        return process.exitcode

    return _Handle(process.pid or 0, process.kill, wait), ours


def _limit_transfer(connection: Connection) -> None:
    """A worker that stops in the middle of its answer does not hold its parent."""
    if sys.platform == "win32":
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        if own.family == socket.AF_UNIX:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                own.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _TRANSFER_S, 0))


def _read(answer: bytes) -> Any:
    kind, value = answer[:1], _Unpickler(io.BytesIO(memoryview(answer)[1:])).load()
    if kind == RESULT:
        return value
    if kind == ERROR:
        raise value
    raise WorkerFaultError(str(value))


class _Unpickler(pickle.Unpickler):
    """Answers hold data only. A worker that a file has taken over could otherwise name any function to be called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy.core", "numpy._core"), name) in _ARRAYS:
            return super().find_class(module, name)
        if (module, name) == ("fractions", "Fraction"):
            return _fraction
        known = module in ("builtins", "collections", "datetime") and name in _PLAIN
        if known or module.startswith("szem."):
            found = super().find_class(module, name)
            if known or dataclasses.is_dataclass(found) or _is_kind_of(found, (enum.Enum, SzemError, Mapping)):
                return found
        raise pickle.UnpicklingError(f"a worker's answer names {module}.{name}, which is no data")


def _fraction(numerator: object, denominator: object = 1) -> Fraction:
    """A fraction as it is pickled; not from any text, of which a short one ("1e999999999") can take all memory."""
    if isinstance(numerator, str) and len(numerator) <= _MAX_FRACTION_CHARS and "e" not in numerator.lower():
        return Fraction(numerator)
    if isinstance(numerator, int) and isinstance(denominator, int):
        return Fraction(numerator, denominator)
    raise pickle.UnpicklingError("a worker's answer holds a fraction that is none")


def _is_kind_of(found: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(found, type) and issubclass(found, kinds)


_PLAIN = frozenset({"bytearray", "complex", "frozenset", "range", "set", "slice", "OrderedDict", "deque"}) | {
    *("date", "datetime", "time", "timedelta", "timezone")
}
_ARRAYS = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
    }
)
