"""One decoded frame at a time from a worker process to its parent, through memory that both have mapped.

The parent makes the memory, and gives its address to the worker with a call. The worker writes a frame and reports
what it is; the parent copies it and replies that the memory is free. This file does not know how frames are decoded.
"""

import contextlib
import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from szem.errors import FormatError

__all__ = ["SharedFrame", "SharedPixels"]

_MAX_BYTES = 1 << 29  # pages that nothing is written to cost nothing
# Layouts that are written plane by plane as they are; others become RGB first.
_PLAIN = frozenset(f"{prefix}{name}" for prefix in ("yuv", "yuvj") for name in ("420p", "422p", "444p")) | {
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p10le",
    "nv12",
    "gray",
    "rgb24",
    "bgr24",
}
_TAGS = ("color_range", "colorspace", "color_primaries", "color_trc")


@dataclass(frozen=True)
class SharedFrame:
    """What lies in the shared memory."""

    width_px: int
    height_px: int
    format: str
    tags: tuple[int, ...]  # of colours, in the order of the file's own list


class SharedPixels:
    """Memory for one frame.

    Args:
        address: A path, as the parent's `address` gives it; empty: make the memory.
    """

    def __init__(self, address: str = "") -> None:
        if address:
            self._fd, self.address, self._is_file = os.open(address, os.O_RDWR), address, False
        else:
            self._fd, self.address, self._is_file = _make()
            os.ftruncate(self._fd, _MAX_BYTES)
        self._map = mmap.mmap(self._fd, _MAX_BYTES)
        self._array = np.frombuffer(self._map, np.uint8)

    def write(self, raw: Any) -> SharedFrame:
        """Put a frame into the memory.

        Args:
            raw: An `av.VideoFrame`.
        Raises:
            FormatError: it does not fit.
        """
        if raw.format.name not in _PLAIN:
            raw = raw.reformat(format="rgb24")
        at = 0
        for index, plane in enumerate(raw.planes):
            data = np.frombuffer(plane, np.uint8)
            if at + data.size > _MAX_BYTES:
                raise FormatError(f"a frame of {raw.width}×{raw.height} pixels is too large")
            rows = data.reshape(-1, plane.line_size)
            used = _row_bytes(raw.format.name, index, plane.width)
            self._array[at : at + rows.shape[0] * used].reshape(-1, used)[:] = rows[:, :used]
            at += rows.shape[0] * used
        return SharedFrame(raw.width, raw.height, raw.format.name, tuple(int(getattr(raw, tag)) for tag in _TAGS))

    def read(self, shared: SharedFrame) -> Any:
        """A copy of the frame in the memory, as an `av.VideoFrame`.

        Raises:
            FormatError: the frame is described wrongly.
        """
        sides = (shared.width_px, shared.height_px)
        is_possible = all(side > 0 for side in sides) and sides[0] * sides[1] <= _MAX_BYTES
        if shared.format not in _PLAIN or not is_possible:
            raise FormatError(f"a worker gave a frame of {sides} in {shared.format!r}")
        raw: Any = av.VideoFrame(*sides, shared.format)
        at = 0
        for index, plane in enumerate(raw.planes):
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            used = _row_bytes(raw.format.name, index, plane.width)
            if at + rows.shape[0] * used > _MAX_BYTES:
                raise FormatError(f"a worker gave a frame of {sides}, which is too large")
            rows[:, :used] = self._array[at : at + rows.shape[0] * used].reshape(-1, used)
            at += rows.shape[0] * used
        for tag, value in zip(_TAGS, shared.tags, strict=True):
            with contextlib.suppress(ValueError, OverflowError):
                setattr(raw, tag, int(value))
        return raw

    def close(self) -> None:
        """Let the memory go."""
        if self._fd >= 0:
            del self._array
            with contextlib.suppress(BufferError):
                self._map.close()
            os.close(self._fd)
            self._fd = -1
            if self._is_file:
                os.unlink(self.address)  # noqa: PTH108


def _make() -> tuple[int, str, bool]:
    """A file descriptor, a path of it for other processes, and whether that is to be deleted."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("szem-pixels", os.MFD_CLOEXEC)
        return fd, f"/proc/{os.getpid()}/fd/{fd}", False
    fd, path = tempfile.mkstemp(prefix="szem-pixels-")
    return fd, path, True


def _row_bytes(kind: str, index: int, width_px: int) -> int:
    """Bytes of a row of a plane that hold pixels; the rest of `line_size` is padding."""
    if kind in ("rgb24", "bgr24"):
        return width_px * 3
    if kind == "nv12" and index == 1:
        return width_px * 2
    return width_px * (2 if kind.endswith("10le") else 1)
