"""Threads that do the oldest request's work first.

A request comes to the threads several times: to be parsed, looked at, written. In a plain queue it would line up anew
each time, behind all who came later, and some would wait twice as long as others. Knows nothing of HTTP.
"""

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from szem.errors import RangeError, UnsupportedError

__all__ = ["ARRIVED", "Workers"]

T = TypeVar("T")

ARRIVED: ContextVar[float | None] = ContextVar("arrived", default=None)
"""When the request that is being answered was here, in seconds of `time.monotonic`; work of none comes now."""


@dataclass(order=True, frozen=True)
class _Piece:
    """One piece of work that waits; the oldest request's comes first, in the order it was handed in."""

    since: float
    order: int
    run: Callable[[], Any] = field(compare=False)
    future: "Future[Any]" = field(compare=False, default_factory=Future)


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
        self._waiting: list[_Piece] = []
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
        with self._changed:
            if self._closed:
                raise UnsupportedError("the server is ending; it takes no more work")
            since = ARRIVED.get()
            piece = _Piece(time.monotonic() if since is None else since, next(self._order), lambda: function(*args))
            heapq.heappush(self._waiting, piece)
            self._changed.notify()
        return piece.future

    def stop(self) -> None:
        """Take no more work and cancel what has not begun; what runs goes on. May be called again."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        for piece in left:
            piece.future.cancel()

    def close(self, wait_s: float | None = None) -> None:
        """Stop, and wait until the threads have ended.

        Args:
            wait_s: For so long at most; a thread that is still at work then ends with the process.
        """
        self.stop()
        deadline = None if wait_s is None else time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (piece := self._next()) is not None:
            if piece.future.set_running_or_notify_cancel():
                try:
                    piece.future.set_result(piece.run())
                except BaseException as error:
                    piece.future.set_exception(error)
            del piece  # an idle thread keeps nothing alive

    def _next(self) -> _Piece | None:
        """The oldest piece; none at the end."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            return heapq.heappop(self._waiting)
