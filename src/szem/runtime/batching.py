"""Micro-batching: items from many callers go through a network together.

Nothing waits for a batch to fill. While one batch runs, the next collects: alone, an item goes at once; under load,
batches grow by themselves. This file does not know what the items are.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from szem.errors import BusyError, ModelError, RangeError

__all__ = ["Batcher"]

X = TypeVar("X")
Y = TypeVar("Y")


class Batcher(Generic[X, Y]):
    """Runs a function on batches, on threads of its own.

    Args:
        run: Takes items, gives as many results in the same order. Called from one thread at a time per worker.
        max_batch: Items in one call of `run`.
        max_waiting: Items that may wait; more are refused.
        workers: Threads that call `run`.
        on_batch: Told the size of each batch.
    Raises:
        RangeError: a number is not positive.

    >>> with Batcher(lambda xs: [x * x for x in xs]) as squares:
    ...     squares.submit(7).result()
    49
    """

    def __init__(
        self,
        run: Callable[[Sequence[X]], Sequence[Y]],
        *,
        max_batch: int = 8,
        max_waiting: int = 4096,
        workers: int = 1,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        for name, value in (("max_batch", max_batch), ("max_waiting", max_waiting), ("workers", workers)):
            if value < 1:
                raise RangeError(f"{name} must be at least 1, got {value}")
        self._run = run
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._waiting: deque[tuple[X, Future[Y]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._workers = workers
        self._threads = [
            threading.Thread(target=self._work, name=f"szem-batch-{n}", daemon=True) for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Batcher[X, Y]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, item: X) -> "Future[Y]":
        """Hand in one item.

        Returns:
            Its result to come. Cancel it, and the item is left out if its batch has not begun.
        Raises:
            BusyError: too many items wait.
            ModelError: the batcher is closed.
        """
        future: Future[Y] = Future()
        with self._changed:
            if self._closed:
                raise ModelError("the batcher is closed; it takes no more items")
            if len(self._waiting) >= self._max_waiting:
                raise BusyError(f"{self._max_waiting} items wait already; try again a little later")
            self._waiting.append((item, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Finish what was handed in, then end the threads. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            items = [item for item, _ in batch]
            if self._on_batch is not None:
                self._on_batch(len(items))
            try:
                results = self._checked(items)
            except Exception as error:
                self._one_by_one(batch, error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    future.set_result(result)
            del batch, items  # an idle worker keeps nothing alive

    def _next_batch(self) -> list[tuple[X, "Future[Y]"]]:
        """The items that wait, oldest first; empty when closed and done."""
        batch: list[tuple[X, Future[Y]]] = []
        with self._changed:
            while not batch:
                while not self._waiting:
                    if self._closed:
                        return []
                    self._changed.wait()
                share = -(-len(self._waiting) // self._workers)  # the other workers want some too
                while self._waiting and len(batch) < min(self._max_batch, share):
                    item, future = self._waiting.popleft()
                    if future.set_running_or_notify_cancel():
                        batch.append((item, future))
        return batch

    def _checked(self, items: list[X]) -> Sequence[Y]:
        results = self._run(items)
        if len(results) != len(items):
            raise ModelError(f"the batch function gave {len(results)} results for {len(items)} items")
        return results

    def _one_by_one(self, batch: list[tuple[X, "Future[Y]"]], error: Exception) -> None:
        """A batch failed: find the item to blame, so that the others still get their results."""
        for item, future in batch:
            if len(batch) == 1:
                future.set_exception(error)
                continue
            try:
                result = self._checked([item])[0]
            except Exception as own:
                future.set_exception(own)
            else:
                future.set_result(result)
