"""Hushes Pillow's warnings about damaged metadata while it decodes, from any number of threads.

`warnings.catch_warnings` swaps a list that all threads share, so two decoders that overlap can leave the process
without warnings for good. Here the first one in adds a filter for Pillow alone and the last one out removes it.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pillow_hushed"]

_lock = threading.Lock()
_inside = 0
_added: list[object] = []


@contextmanager
def pillow_hushed() -> Iterator[None]:
    """Within this block a warning raised in a module of Pillow is dropped; all others pass."""
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            before = list(warnings.filters)
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _added.extend(entry for entry in warnings.filters if entry not in before)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                while _added:
                    entry = _added.pop()
                    if entry in warnings.filters:
                        warnings.filters.remove(entry)  # type: ignore[attr-defined]
