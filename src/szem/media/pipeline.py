"""Steps that work side by side: each on threads of its own, short queues between them, order kept, errors passed on.

A queue that is full makes the step before it wait, so no more than a few items are held however long the source is.
For a live source the first queue forgets instead of waiting: what is worked on is then always fresh. This file does
not know what the items are.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from szem.errors import RangeError

__all__ = ["Channel", "Pipeline", "Stage"]

T = TypeVar("T")
_GRACE_S = 2.0  # for a source that is stopped while it waits for a camera


@dataclass(frozen=True)
class Stage:
    """One kind of work.

    Args:
        work: From one item to the next step's; with one worker it is called in order, never twice at a time.
        workers: Threads that do it side by side; the order of the items is kept all the same.
    """

    work: Callable[[Any], Any]
    workers: int = 1


class _ClosedError(Exception):
    """The channel's other end has gone."""


class Channel(Generic[T]):
    """A queue between threads that holds a few items.

    Args:
        depth: How many items wait at most.
        forgets: A full queue drops its oldest item instead of letting the sender wait.
    """

    def __init__(self, depth: int, *, forgets: bool = False) -> None:
        if depth < 1:
            raise RangeError(f"depth must be at least 1, got {depth}")
        self._items: deque[T] = deque()
        self._depth, self._forgets = depth, forgets
        self._change = threading.Condition()
        self._ended = False  # nothing more will come
        self._shut = False  # nobody listens any more
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: T) -> None:
        """Add an item; waits while the queue is full.

        Raises:
            _ClosedError: nobody will take it.
        """
        with self._change:
            if self._forgets and len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            while len(self._items) >= self._depth and not self._shut:
                self._change.wait()
            if self._shut:
                raise _ClosedError
            self._items.append(item)
            self._change.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more will come, and why if it is a fault; what waits is still taken."""
        with self._change:
            self._ended, self._error = True, error
            self._change.notify_all()

    def shut(self) -> None:
        """Say that nobody listens any more; what waits is let go."""
        with self._change:
            self._shut = True
            self._items.clear()
            self._change.notify_all()

    def __iter__(self) -> Iterator[T]:
        """The items until the end.

        Raises:
            The sender's error, after the items before it.
        """
        while True:
            with self._change:
                while not self._items and not self._ended and not self._shut:
                    self._change.wait()
                if self._shut:
                    return
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._change.notify_all()
            yield item


class Pipeline(Iterable[Any]):
    """A source and the steps its items go through; iterating over it gives what the last step makes, in order.

    Args:
        source: Where items come from; it is iterated on a thread of its own.
        steps: In order; a step may return the item it was given.
        depth: Items that wait between two steps.
        live: The queue behind the source holds one item and forgets it when a newer one comes.

    Leaving the loop early ends all threads; `stop` ends the source alone, so that what is under way is finished.

    >>> list(Pipeline(range(4), [Stage(lambda n: n + 1), Stage(lambda n: n * n, workers=2)]))
    [1, 4, 9, 16]
    """

    def __init__(self, source: Iterable[Any], steps: Iterable[Stage], *, depth: int = 4, live: bool = False) -> None:
        self._source, self._steps, self._depth = source, tuple(steps), depth
        self._first: Channel[Any] = Channel(1 if live else depth, forgets=live)
        self._stopped = threading.Event()

    @property
    def dropped(self) -> int:
        """Items that a live source gave and nobody had time for."""
        return self._first.dropped

    def stop(self) -> None:
        """Take nothing more from the source; the loop then ends by itself."""
        self._stopped.set()
        self._first.end()

    def __iter__(self) -> Generator[Any, None, None]:
        """Run; errors of the source and the steps are raised here, after all items before them."""
        channels = [self._first] + [Channel[Any](self._depth) for _ in self._steps]
        pools: list[ThreadPoolExecutor] = []
        threads = [threading.Thread(target=self._pump, name="szem-flow-source", daemon=True)]
        for number, step in enumerate(self._steps):
            given, made = channels[number], channels[number + 1]
            name = f"szem-flow-{number}"
            if step.workers == 1:
                threads.append(threading.Thread(target=_pass, args=(step.work, given, made), name=name, daemon=True))
                continue
            pool = ThreadPoolExecutor(step.workers, thread_name_prefix=name)
            under_way: Channel[Future[Any]] = Channel(step.workers)
            pools.append(pool)
            channels.append(under_way)
            for args in ((_sender(pool, step.work), given, under_way), (_result, under_way, made)):
                threads.append(threading.Thread(target=_pass, args=args, name=name, daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield from channels[len(self._steps)]
        finally:
            self._stopped.set()
            for channel in channels:
                channel.shut()
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)
            for thread in threads[1:]:
                thread.join()
            threads[0].join(_GRACE_S)  # a source may be waiting for a camera that has gone silent

    def _pump(self) -> None:
        source, fault = iter(self._source), None
        try:
            for item in source:
                if self._stopped.is_set():
                    break
                self._first.put(item)
        except _ClosedError:
            pass
        except BaseException as error:  # it is raised where the flow is iterated over
            fault = error
        finally:
            self._first.end(fault)
            if hasattr(source, "close"):
                with suppress(Exception):
                    source.close()


def _pass(work: Callable[[Any], Any], given: Channel[Any], made: Channel[Any]) -> None:
    """Do one step's work on all that comes."""
    try:
        for item in given:
            made.put(work(item))
        made.end()
    except _ClosedError:
        given.shut()
    except BaseException as error:  # it is raised where the flow is iterated over
        made.end(error)
        given.shut()


def _sender(pool: ThreadPoolExecutor, work: Callable[[Any], Any]) -> Callable[[Any], Future[Any]]:
    return lambda item: pool.submit(work, item)


def _result(future: "Future[Any]") -> Any:
    return future.result()
