"""The compiled core: convolution by `correlate.c`, loaded with ctypes where the installation could build it.

Without it (no compiler, or `SZEM_COMPILED=0`) the planner has the other ways, and results are the same.
This file knows how to call the core; what the core does, correlate.c says.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, border_index
from szem.kernels.lattice import Axis
from szem.kernels.parallel import run_all
from szem.kernels.passes import Term

__all__ = ["LIBRARY", "Compiled", "can_run_compiled", "instruction_set", "load_core"]

LIBRARY = "_correlate.dll" if sys.platform == "win32" else "_correlate.so"
_SETS = ("plain C", "AVX2", "AVX-512")
_LARGEST_STRIDE = 16  # the core keeps one phase of a row for each column of the stride
_LARGEST_TAPS = 127  # a side; larger kernels go by Fourier, and their bands leave the cache


class _Job(ctypes.Structure):
    """`Job` of correlate.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("width", "channels", "rows", "columns", "kh", "kw", "stride")),
        *((name, ctypes.c_int64) for name in ("dy", "dx", "before")),
        *((name, ctypes.c_void_p) for name in ("row_map", "column_map", "weights", "column", "row")),
        ("add", ctypes.c_int64),
    )


@cache
def _core() -> ctypes.CDLL | None:
    return load_core(Path(__file__).with_name(LIBRARY))


def load_core(file: Path) -> ctypes.CDLL | None:
    """Load the compiled core; None where the file is missing, or was built for another system."""
    try:
        library = ctypes.CDLL(str(file))
        run, level = library.szem_correlate, library.szem_level
    except (OSError, AttributeError):
        return None
    run.argtypes = (
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_void_p,
        ctypes.c_int, ctypes.c_int, ctypes.c_int,
    )  # fmt: skip
    run.restype = level.restype = ctypes.c_int
    return library


def _level() -> int:
    """Which of `_SETS` is used; -1 without the core. `SZEM_COMPILED` (0, plain, avx2) sets a limit to it."""
    chosen = os.environ.get("SZEM_COMPILED", "")
    core = _core()
    if chosen == "0" or core is None:
        return -1
    limit = {"plain": 0, "avx2": 1}.get(chosen, len(_SETS) - 1)
    return min(limit, int(core.szem_level()))


def instruction_set() -> str | None:
    """What the core computes with: "AVX-512", "AVX2" or "plain C"; None without the core."""
    level = _level()
    return None if level < 0 else _SETS[level]


def can_run_compiled(y: Axis, x: Axis, terms: Sequence[Term]) -> bool:
    """Whether the core is there and made for such a kernel."""
    return (
        y.stride <= _LARGEST_STRIDE
        and all(max(term.shape) <= _LARGEST_TAPS and not term.box for term in terms)
        and max(y.size, x.size) < 2**30
        and _level() >= 0
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Compiled:
    """All that a run by the core needs to know.

    Args:
        y, x: The two axes.
        terms: The kernel, a sum of filters.
        border: What lies outside.
        threads: How many may work.
    """

    y: Axis
    x: Axis
    terms: tuple[Term, ...]
    border: Border
    threads: int

    def run(self, image: Array) -> NDArray[np.float32]:
        """Filter (H, W, C) uint8 or float32, contiguous, to (outputs of y, outputs of x, C) float32."""
        core, level = _core(), _level()
        assert core is not None
        out = np.empty((self.y.outputs, self.x.outputs, image.shape[2]), np.float32)

        source, target, pitch, is_uint8 = _address(image), _address(out), image.strides[0], image.dtype == np.uint8

        def work(job: int, part: int) -> None:
            if core.szem_correlate(job, source, pitch, is_uint8, target, part, self.threads, level):
                raise MemoryError(f"no memory to filter {image.shape[1]}x{image.shape[0]} pixels")

        for job in self._jobs(image.shape[2]):
            address = ctypes.addressof(job)
            run_all([partial(work, address, part) for part in range(self.threads)], threads=self.threads)
        return out

    def _jobs(self, channels: int) -> list[_Job]:
        """One for each term; the terms after the first add to what is there."""
        known = self._known_jobs.get(channels)
        if known is None:
            known = [self._job(channels, term, add=index > 0) for index, term in enumerate(self.terms)]
            self._known_jobs[channels] = known
        return known

    @cached_property
    def _known_jobs(self) -> dict[int, list[_Job]]:
        return {}

    def _job(self, channels: int, term: Term, *, add: bool) -> _Job:
        rows, columns = self._maps
        first, second = _address(term.first), None if term.second is None else _address(term.second)
        return _Job(
            width=self.x.size, channels=channels, rows=self.y.outputs, columns=self.x.outputs,
            kh=self.y.taps, kw=self.x.taps, stride=self.y.stride, dy=self.y.dilation, dx=self.x.dilation,
            before=self.x.before, row_map=_address(rows), column_map=_address(columns),
            weights=first if second is None else None, column=None if second is None else first, row=second, add=add,
        )  # fmt: skip

    @cached_property
    def _maps(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Which row and which column stands in for each position of the padded picture."""
        maps = []
        for axis in (self.y, self.x):
            positions = np.arange(axis.stride * (axis.outputs - 1) + axis.span) - axis.before
            maps.append(border_index(positions, axis.size, self.border).astype(np.int32))
        return maps[0], maps[1]


def _address(array: Array) -> int:
    """Where the values of a contiguous array lie in memory."""
    assert array.flags.c_contiguous
    return int(array.__array_interface__["data"][0])  # several times faster than array.ctypes.data
