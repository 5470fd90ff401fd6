"""Independent pieces of work on as many threads as OpenCV may use (`cv2.setNumThreads` decides for both).

OpenCV and numpy let go of the interpreter while they compute, so threads do run side by side.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2

__all__ = ["run_all", "thread_count"]

_MOST = 16  # beyond this, memory is the limit, not arithmetic


def thread_count() -> int:
    """How many threads the work may use."""
    return max(1, min(_MOST, cv2.getNumThreads()))


def run_all(tasks: Sequence[Callable[[], None]], *, threads: int) -> None:
    """Run every task; the calling thread takes its part. The first error is raised when all have stopped.

    Tasks are dealt out round, so neighbours should cost about the same.
    """
    if threads < 2 or len(tasks) < 2:
        for task in tasks:
            task()
        return
    parts = [tasks[i::threads] for i in range(min(threads, len(tasks)))]
    futures = [_pool().submit(_run, part) for part in parts[1:]]
    try:
        _run(parts[0])
    finally:
        errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error


def _run(tasks: Sequence[Callable[[], None]]) -> None:
    for task in tasks:
        task()


@cache
def _pool() -> ThreadPoolExecutor:
    """Made when first needed; a forked child, in which its threads do not live on, makes its own."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_pool.cache_clear)
    return ThreadPoolExecutor(max_workers=_MOST - 1, thread_name_prefix="szem-kernels")
