"""Keeps freed memory in the process while training, so that every step does not fetch its pages anew.

A training step frees and asks for the same hundreds of megabytes. The C library gives large blocks back to the system
at once, which then clears them again page by page: on a small machine a third of the step.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of glibc's malloc.h


def keep_freed_memory(*, top_pad_bytes: int = 64 << 20) -> bool:
    """Tell glibc to keep what is freed, for the rest of the process.

    Returns:
        Whether it was done; elsewhere than on Linux with glibc nothing changes.
    Source: mallopt(3), the GNU C library.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all((mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, 2**31 - 1), mallopt(_TOP_PAD, top_pad_bytes)))
