"""The inside of a worker process: takes calls one after the other, answers each, ends when its parent is gone.

A call is a pickled `(function, arguments, cpu_s)`; the function is found by its name, and gets the worker's context
(an engine with open networks, say) first. The answer is one byte (a result, an error of szem, another error, or
progress, after which more comes) and a pickle. What a worker unpickles comes from its parent alone; what the parent
unpickles is held to data (`process.py`).
"""

import asyncio
import ctypes
import inspect
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from szem.errors import SzemError, TooLargeError
from szem.runtime.workers.limits import WorkerLimits, limit_cpu, limit_process

__all__ = [
    "ERROR",
    "FAULT",
    "PROGRESS",
    "RESULT",
    "report_progress",
    "run_worker",
    "silence_signals",
    "wait_for_reply",
]

RESULT, ERROR, FAULT, PROGRESS = b"r", b"e", b"f", b"p"
_NO_MEMORY = ("bad_alloc", "failed to allocate", "insufficient memory", "cannot allocate", "out of memory")
_PR_SET_PDEATHSIG = 1  # man 2 prctl


_reports: list[Connection] = []  # the worker's own connection, while it is in a call


def report_progress(value: object) -> None:
    """Send data to the caller before the answer; outside a worker, nothing happens."""
    for connection in _reports:
        connection.send_bytes(PROGRESS + pickle.dumps(value, protocol=5))


def wait_for_reply() -> None:
    """Wait until the caller has taken in what was reported (`WorkerProcess.reply`); outside a worker, for nothing.

    Raises:
        EOFError: the caller is gone.
    """
    for connection in _reports:
        connection.recv_bytes(1)


def run_worker(connection: Connection, parent_pid: int = 0) -> None:
    """Take calls until the other end closes.

    The first message is `(make_context, arguments, limits)`: what every function gets as its first argument is made
    in the worker, at the first call that needs it.

    Args:
        connection: To the process that gives the calls.
        parent_pid: This process ends with that one (Linux); 0: only with the connection.
    """
    silence_signals()
    if parent_pid:
        _end_with(parent_pid)
    runner = asyncio.Runner()
    try:
        make_context, arguments, limits = pickle.loads(connection.recv_bytes())  # noqa: S301
        limit_process(limits)
        context: Any = None
        while True:
            function, given, cpu_s = pickle.loads(connection.recv_bytes())  # noqa: S301
            if function is None:  # is there anybody?
                connection.send_bytes(RESULT + pickle.dumps(None))
                continue
            limit_cpu(cpu_s)
            _reports[:] = [connection]
            try:
                if context is None:
                    context = make_context(*arguments)
                answer = RESULT + pickle.dumps(_do(runner, function, context, given), protocol=5)
            except BaseException as error:
                answer = _error(error, limits)
            connection.send_bytes(answer)
            del given, answer  # an idle worker keeps no picture
    except (EOFError, OSError):
        return  # the parent is gone or wants no more


def silence_signals() -> None:
    """Ctrl-C and SIGTERM reach the whole group; the parent ends its workers itself, once their calls are answered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _do(runner: asyncio.Runner, function: Callable[..., Any], context: Any, given: tuple[Any, ...]) -> Any:
    if inspect.iscoroutinefunction(function):
        return runner.run(function(context, *given))
    return function(context, *given)


def _error(error: BaseException, limits: WorkerLimits) -> bytes:
    text = str(error)
    if isinstance(error, MemoryError) or any(mark in text.lower() for mark in _NO_MEMORY):
        error = TooLargeError(
            f"this needs more memory than the {limits.memory / 2**30:.1f} GiB that one request may use; "
            "send something smaller"
        )
    if isinstance(error, SzemError):
        error.__traceback__ = error.__cause__ = error.__context__ = None
        try:
            data = pickle.dumps(error)
            pickle.loads(data)  # noqa: S301 - one that cannot be made again would fail on the other side
        except Exception:
            known = next(kind for kind in type(error).__mro__ if kind.__module__ == SzemError.__module__)
            data = pickle.dumps(known(text))
        return ERROR + data
    return FAULT + pickle.dumps("".join(traceback.format_exception(error)))


def _end_with(parent_pid: int) -> None:
    """Have the kernel end this process when its parent ends, even in the middle of a native call."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended before the kernel knew
        os._exit(0)
