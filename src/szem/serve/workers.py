"""Threads that do the oldest request's work first.

A request comes to the threads several times: to be parsed, decoded, looked at. In a plain queue it would line up anew
each time, behind all who came later, and some would wait twice as long as others. Knows nothing of HTTP.
"""

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from itertools import count
from typing import TypeVar

from szem.errors import RangeError, UnsupportedError

__all__ = ["ARRIVED", "Workers"]

T = TypeVar("T")

ARRIVED: ContextVar[float | None] = ContextVar("arrived", default=None)
"""When the request that is being answered was here, in seconds of `time.monotonic`; work of none comes now."""


class Workers:
    """A fixed number of threads.

    Args:
        number: How many.
    Raises:
        RangeError: fewer than one.

    >>> workers = Workers(2)
    >>> workers.submit(lambda: 6 * 7).result()
    42
    >>> workers.close()
    """

    def __init__(self, number: int) -> None:
        if number < 1:
            raise RangeError(f"there must be at least 1 thread, got {number}")
        self._waiting: list[tuple[float, int, Callable[[], None], Future[object]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"szem-work-{n}", daemon=True) for n in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., T], *args: object) -> "Future[T]":
        """Hand in work; it is done before that of every request that came later.

        Returns:
            Its result to come. Cancel it, and it is left out if it has not begun.
        Raises:
            UnsupportedError: the threads have ended.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)

        with self._changed:
            if self._closed:
                raise UnsupportedError("the server is ending; it takes no more work")
            since = ARRIVED.get()
            entry = (time.monotonic() if since is None else since, next(self._order), run, future)
            heapq.heappush(self._waiting, entry)  # type: ignore[misc]
            self._changed.notify()
        return future

    def close(self) -> None:
        """Cancel what has not begun, finish the rest, end the threads. May be called again."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        for *_, future in left:
            future.cancel()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                *_, run, future = heapq.heappop(self._waiting)
            if future.set_running_or_notify_cancel():
                run()
            del run, future  # an idle thread keeps nothing alive
