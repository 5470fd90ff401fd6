"""Threads that do the oldest request's work first, and work of one kind that waits in one go.

A request comes to the threads several times: to be parsed, decoded, looked at. In a plain queue it would line up anew
each time, behind all who came later, and some would wait twice as long as others. Nothing waits for a batch to fill:
who takes a piece of work takes along those of its kind that wait. Knows nothing of HTTP.
"""

import heapq
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from szem.errors import ModelError, RangeError, UnsupportedError

__all__ = ["ARRIVED", "Workers"]

T = TypeVar("T")
X = TypeVar("X")

ARRIVED: ContextVar[float | None] = ContextVar("arrived", default=None)
"""When the request that is being answered was here, in seconds of `time.monotonic`; work of none comes now."""


@dataclass(order=True, frozen=True)
class _Piece:
    """One piece of work that waits; the oldest request's comes first, in the order it was handed in."""

    since: float
    order: int
    run: Callable[[Sequence[Any]], Sequence[Any]] = field(compare=False)  # on the items of all pieces done together
    item: Any = field(compare=False)
    kind: Hashable | None = field(compare=False)  # pieces of one kind may be done together; None: alone
    future: "Future[Any]" = field(compare=False, default_factory=Future)


class Workers:
    """A fixed number of threads.

    Args:
        number: How many.
        max_batch: How many pieces of one kind are done together at most.
        on_batch: Told how many were, where there is a kind.
    Raises:
        RangeError: fewer than one.

    >>> workers = Workers(2)
    >>> workers.submit(lambda: 6 * 7).result()
    42
    >>> workers.close()
    """

    def __init__(self, number: int, *, max_batch: int = 1, on_batch: Callable[[int], None] = lambda _: None) -> None:
        if number < 1:
            raise RangeError(f"there must be at least 1 thread, got {number}")
        if max_batch < 1:
            raise RangeError(f"a batch must have room for at least 1, got {max_batch}")
        self._max_batch, self._on_batch = max_batch, on_batch
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
        return self._hand_in(lambda _: [function(*args)], None, None)

    def submit_alike(self, kind: Hashable, run: Callable[[Sequence[X]], Sequence[T]], item: X) -> "Future[T]":
        """Hand in one item of a kind of work that is cheaper together.

        Args:
            kind: What may be done in one go; whoever names the same kind gives the same `run`.
            run: Takes items, gives as many results in their order. Where it fails on several, each is tried alone.
            item: One item.
        Returns, Raises:
            As `submit`.

        >>> workers = Workers(1, max_batch=4)
        >>> workers.submit_alike("squares", lambda xs: [x * x for x in xs], 7).result()
        49
        >>> workers.close()
        """
        return self._hand_in(run, item, kind)

    def _hand_in(self, run: Callable[[Sequence[X]], Sequence[T]], item: X, kind: Hashable | None) -> "Future[T]":
        with self._changed:
            if self._closed:
                raise UnsupportedError("the server is ending; it takes no more work")
            since = ARRIVED.get()
            piece = _Piece(time.monotonic() if since is None else since, next(self._order), run, item, kind)
            heapq.heappush(self._waiting, piece)
            self._changed.notify()
        return piece.future

    def close(self) -> None:
        """Cancel what has not begun, finish the rest, end the threads. May be called again."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        for piece in left:
            piece.future.cancel()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while pieces := self._next():
            begun = [piece for piece in pieces if piece.future.set_running_or_notify_cancel()]
            if begun:
                self._do(begun)
            del pieces, begun  # an idle thread keeps nothing alive

    def _next(self) -> list[_Piece]:
        """The oldest piece, and those of its kind that wait, less the other threads' share; none at the end."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
            first = heapq.heappop(self._waiting)
            if first.kind is None or self._max_batch == 1:
                return [first]
            alike = sorted(piece for piece in self._waiting if piece.kind == first.kind)
            share = -(-(1 + len(alike)) // len(self._threads))
            along = alike[: min(self._max_batch, share) - 1]
            if along:
                taken = {piece.order for piece in along}
                self._waiting = [piece for piece in self._waiting if piece.order not in taken]
                heapq.heapify(self._waiting)
            return [first, *along]

    def _do(self, pieces: list[_Piece]) -> None:
        if pieces[0].kind is not None:
            self._on_batch(len(pieces))
        try:
            results = pieces[0].run([piece.item for piece in pieces])
            if len(results) != len(pieces):
                raise ModelError(f"a batch of {len(pieces)} gave {len(results)} results")
        except BaseException as error:
            if len(pieces) == 1:
                pieces[0].future.set_exception(error)
                return
            for piece in pieces:  # find the one to blame: the others still get their results
                self._do([piece])
        else:
            for piece, result in zip(pieces, results, strict=True):
                piece.future.set_result(result)
