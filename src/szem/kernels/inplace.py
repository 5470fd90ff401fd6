"""The filter runs on the picture as it lies and writes straight into the result.

Rows and columns of the picture are seen as `dilation` interleaved lanes, so OpenCV filters every lane densely without
a copy being made. What it gets wrong (near the border, which lanes cannot continue, and where the picture was cut for
threads) is a frame that is computed anew from padded copies. A stride is left to the end, when pixels are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate, pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, copy_columns, native_border, store, take
from szem.kernels.lattice import Axis
from szem.kernels.parallel import run_all
from szem.kernels.passes import Term, filter_patch, filter_same, filter_tall, interleave

__all__ = ["InPlace", "can_run_in_place"]

_Floats = NDArray[np.float32]


def can_run_in_place(y: Axis, x: Axis, channels: int, terms: Sequence[Term]) -> bool:
    """Whether there is room for the lanes, the kernel lies over its pixel, and the picture is as large as it."""
    return (
        interleave(x.dilation, channels) == x.dilation
        and x.size >= x.dilation
        and all(0 <= axis.before < axis.span <= axis.size for axis in (y, x))
        and all(term.is_small for term in terms)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class InPlace:
    """All that a run in place needs to know.

    Args:
        y, x: The two axes, stride 1.
        terms: The kernel, a sum of filters.
        border: What lies outside.
        threads: How many may work.
        keep: Every how many-th row and column of the result is kept.
    """

    y: Axis
    x: Axis
    terms: tuple[Term, ...]
    border: Border
    threads: int
    keep: int = 1

    def run(self, image: Array) -> _Floats:
        """Filter (H, W, C) uint8 or float32 to (outputs of y, outputs of x, C) float32."""
        full = np.empty(image.shape, np.float32)
        edges = self._edges
        run_all(
            [
                partial(self._filter, image, full, top, bottom, residue)
                for top, bottom in pairwise(edges)
                for residue in range(min(self.y.dilation, bottom - top))
            ],
            threads=self.threads,
        )
        mends = []
        if self._rows:
            mends.append(partial(self._mend, image, full, self._rows))
        if self._columns:
            mends.append(partial(self._turned._mend, image.swapaxes(0, 1), full.swapaxes(0, 1), self._columns))
        run_all(mends, threads=self.threads)
        rows, columns = self.y.outputs, self.x.outputs
        if self.keep == 1 and full.size == rows * columns * image.shape[2]:
            return full
        kept = full[: rows : self.keep]
        out = np.empty((len(kept), len(range(0, columns, self.keep)), image.shape[2]), np.float32)
        middle = len(kept) // self.threads + 1
        parts = [slice(low, low + middle) for low in range(0, len(kept), middle)]
        keep = range(0, columns, self.keep)
        run_all([partial(copy_columns, kept[part], keep, out[part]) for part in parts], threads=self.threads)
        return out

    @cached_property
    def _edges(self) -> list[int]:
        """Where the picture is cut to keep the threads busy: rows that begin a new run of lanes, and the last."""
        size, d = self.y.size, self.y.dilation
        parts = max(1, min(self.threads // d, size // (2 * self.y.span)))
        return [size * i // parts // d * d for i in range(parts)] + [size]

    @cached_property
    def _rows(self) -> list[tuple[int, int]]:
        """The rows that are not right after filtering: around the cuts, and under the border where lanes end."""
        y = self.y
        above, below = y.before, y.span - 1 - y.before
        spans = [(cut - below, cut + above) for cut in self._edges[1:-1]]
        return _merged(spans if self._is_closed(y) else [(0, above), *spans, (y.size - below, y.outputs)], y.outputs)

    @cached_property
    def _columns(self) -> list[tuple[int, int]]:
        """The columns that are not right after filtering."""
        x = self.x
        right = x.span - 1 - x.before + x.size % x.dilation
        return [] if self._is_closed(x) else _merged([(0, x.before), (x.size - right, x.outputs)], x.outputs)

    def _is_closed(self, axis: Axis) -> bool:
        """Whether OpenCV continues the picture rightly; it cannot continue lanes of it."""
        return axis.dilation == 1 and native_border(self.border) is not None

    @cached_property
    def _turned(self) -> "InPlace":
        """The same with rows and columns exchanged."""
        terms = tuple(term.turned for term in self.terms)
        return InPlace(y=self.x, x=self.y, terms=terms, border=self.border, threads=self.threads)

    def _filter(self, image: Array, full: _Floats, top: int, bottom: int, residue: int) -> None:
        """Filter one lane of rows of the picture into the same lane of the result."""
        d_y, d_x = self.y.dilation, self.x.dilation
        border = native_border(self.border)
        rows, columns = slice(top + residue, bottom, d_y), slice(self.x.size - self.x.size % d_x)
        for index, term in enumerate(self.terms):
            filter_same(
                image[rows, columns],
                full[rows, columns],
                term,
                anchor=(self.y.before // d_y, self.x.before // d_x),
                border=cv2.BORDER_CONSTANT if border is None else border,
                dilation_x=d_x,
                add=index > 0,
            )

    def _mend(self, image: Array, full: _Floats, spans: Sequence[tuple[int, int]]) -> None:
        """Compute spans of rows anew, from padded copies that lie one below the other."""
        y, x = self.y, self.x
        width = -(-(x.outputs + x.span - 1) // x.dilation) * x.dilation
        starts = [0, *accumulate(high - low + y.span - 1 for low, high in spans)]
        patch = np.empty((starts[-1], width, image.shape[2]), np.float32)
        for (low, high), start, end in zip(spans, starts[:-1], starts[1:], strict=True):
            rows = range(low - y.before, high - y.before + y.span - 1)
            take(image, rows, range(-x.before, width - x.before), self.border, out=patch[start:end])
        total: _Floats | None = None
        for term in self.terms:
            made = filter_tall(
                patch,
                term.first,
                dilation_y=y.dilation,
                dilation_x=x.dilation if term.second is None else 1,
                box=term.box,
            )
            if term.second is not None:
                made = filter_patch(made, term.second, dilation_x=x.dilation)
            total = made if total is None else np.asarray(cv2.add(total, made), np.float32).reshape(made.shape)
        assert total is not None
        for (low, high), start in zip(spans, starts, strict=False):
            store(total[start : start + high - low, : x.outputs], full[low:high, : x.outputs])


def _merged(spans: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Spans cut to 0..size, without the empty ones, those that touch made one."""
    done: list[tuple[int, int]] = []
    for low, high in sorted((max(0, low), min(size, high)) for low, high in spans):
        if high <= low:
            continue
        if done and low <= done[-1][1]:
            done[-1] = (done[-1][0], max(high, done[-1][1]))
        else:
            done.append((low, high))
    return done
