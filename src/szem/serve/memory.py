"""How this process gives memory back: not at once.

Each picture takes and frees several large blocks. The allocator of glibc hands such blocks back to the system every
time, and the system clears each page anew for the next picture: two thirds of the time that decoding a 2-megapixel
JPEG took here. A server keeps a bounded amount instead. For a process of its own; a library must not do this.
"""

import ctypes
import sys

from szem.serve.settings import MIB

__all__ = ["keep_freed_memory"]

# Source: man 3 mallopt.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
_KEPT = 256 * MIB  # freed memory that stays with the process
_OWN_MAPPING = 64 * MIB  # larger blocks, pictures above 20 million pixels, are given back at once


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next picture.

    Returns:
        Whether this C library can be told so; where it cannot, nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    wishes = {_M_ARENA_MAX: 1, _M_MMAP_THRESHOLD: _OWN_MAPPING, _M_TRIM_THRESHOLD: _KEPT, _M_TOP_PAD: MIB}
    taken = [mallopt(name, value) for name, value in wishes.items()]
    return all(taken)
