"""A process with everything imported that forks workers: a new one is there in milliseconds and shares its memory.

Forking is safe only in a process with one thread; that is all this one has, whatever the server beside it does. It
imports modules, opens what they say (`warm_up`), and then waits for orders on a socket:

- `F` with a file descriptor: fork a worker that takes calls from it; the answer is its process id.
- `W` with a process id: the worker has ended or been killed; the answer is its exit status (negative: the signal).

It ends when the socket closes, and the kernel ends its workers with it: no worker outlives the server, however that
ended. `multiprocessing` has a forkserver too; it imports the program's main module anew in each worker (a script
without a guard would start again), and it cannot open networks before it forks.
"""

import atexit
import contextlib
import importlib
import os
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from szem.errors import BusyError
from szem.runtime.workers.child import run_worker, silence_signals

__all__ = ["ForkServer"]

_MESSAGE = struct.Struct("<cq")


class ForkServer:
    """The parent's end: starts the forking process when the first worker is wanted, and again if it has ended.

    Args:
        preload: Modules that workers need; each may have a function `warm_up()`, called once after the import.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self.preload = tuple(preload)
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork(self) -> tuple[int, Connection]:
        """A new worker: its process id, and the connection that it takes calls from.

        Raises:
            BusyError: this machine has no room for one now.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            for attempt in range(2):  # it may have ended, for want of memory say; then it is started anew, once
                with self._lock:
                    try:
                        pid = self._ask(b"F", 0, fd=theirs.fileno())
                        break
                    except OSError as error:
                        self._drop()
                        if attempt or self._closed:
                            ours.close()
                            raise BusyError(
                                f"no worker process can be started now ({error}); try again later", retry_after_s=5.0
                            ) from error
        return pid, Connection(ours.detach())

    def wait(self, pid: int) -> int | None:
        """The exit status of a worker that has ended or been killed; None where it cannot be told."""
        with self._lock:
            try:
                return self._ask(b"W", pid)
            except OSError:
                return None

    def close(self) -> None:
        """End the forking process and all its workers. It is not started again."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # before the lock: who holds it waits for an answer, and gets none
        with self._lock:
            self._drop()

    def _ask(self, order: bytes, number: int, *, fd: int | None = None) -> int:
        if self._socket is None:
            if order == b"W":
                raise OSError("the forking process has ended")
            self._socket = self._start()
        fds = [] if fd is None else [fd]
        socket.send_fds(self._socket, [_MESSAGE.pack(order, number)], fds)
        data = self._socket.recv(_MESSAGE.size)
        if len(data) != _MESSAGE.size:
            raise OSError("the forking process has ended")
        answer, value = _MESSAGE.unpack(data)
        if answer != order:
            raise OSError(int(value), os.strerror(int(value)))
        return int(value)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(60)  # importing everything takes a second; a machine that needs a minute is out of order
        code = "from szem.runtime.workers.forkserver import main; main()"
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            # BLAS threads would be there before the fork, and fight over the cores after it
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno()), *self.preload],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the server's own output is read by others
                process_group=0,  # Ctrl-C is for the server; priority and session stay those of the server
            )
        atexit.register(self.close)
        return ours

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()  # its workers are ended by the kernel
            self._process.wait()
        self._socket = self._process = None
        atexit.unregister(self.close)


def main() -> None:
    """The forking process: `python -c … FD MODULE…`."""
    try:
        _take_orders()
    except ConnectionResetError:
        pass  # the parent was killed before it read an answer
    except BaseException:
        traceback.print_exc()
    finally:
        # Tearing down an interpreter with everything imported takes a second, and half a minute on a busy machine.
        os._exit(0)


def _take_orders() -> None:
    silence_signals()
    orders = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        module = importlib.import_module(name)
        if hasattr(module, "warm_up"):
            module.warm_up()
    threads = _count_threads()
    if threads > 1:  # a lock that another thread holds would be held for ever in the fork
        sys.stderr.write(f"szem: {threads} threads before the first fork; workers may hang\n")
    own_pid = os.getpid()
    while True:
        data, fds, _, _ = socket.recv_fds(orders, _MESSAGE.size, 1)
        if len(data) != _MESSAGE.size:
            return
        order, number = _MESSAGE.unpack(data)
        try:
            value = _fork(orders, fds[0], own_pid) if order == b"F" else _wait(number)
        except OSError as error:
            order, value = b"E", error.errno or 0
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(OSError):
            orders.send(_MESSAGE.pack(order, value))


def _count_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())  # Python knows only those it started


def _fork(orders: socket.socket, fd: int, own_pid: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        orders.close()
        run_worker(Connection(fd), own_pid)
    finally:
        os._exit(0)


def _wait(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
