"""Stride 1: the filter runs on the picture as it lies and writes straight into the result.

Rows and columns of the picture are seen as `dilation` interleaved lanes, so OpenCV filters every lane densely without
a copy being made. What it gets wrong (near the border, which lanes cannot continue, and where the picture was cut for
threads) is a frame that is computed anew from padded copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, native_border, take
from szem.kernels.lattice import Axis
from szem.kernels.parallel import run_all
from szem.kernels.passes import Term, filter_patch, filter_same, interleave, stretch_rows

__all__ = ["InPlace", "can_run_in_place"]

_Floats = NDArray[np.float32]


def can_run_in_place(y: Axis, x: Axis, channels: int, terms: Sequence[Term]) -> bool:
    """Whether there is stride 1, room for the lanes, the pixel under the kernel, and a picture as large as it."""
    return (
        y.stride == x.stride == 1
        and interleave(x.dilation, channels) == x.dilation
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
    """

    y: Axis
    x: Axis
    terms: tuple[Term, ...]
    border: Border
    threads: int

    def run(self, image: Array) -> _Floats:
        """Filter (H, W, C) uint8 or float32 to (outputs of y, outputs of x, C) float32."""
        full = np.empty(image.shape, np.float32)
        cuts = self._filter(image, full)
        bands, sides = self._frame(cuts)
        turned = InPlace(
            y=self.x, x=self.y, terms=tuple(t.turned for t in self.terms), border=self.border, threads=self.threads
        )
        tasks = [partial(self._mend, image, full, band) for band in bands]
        tasks += [partial(turned._mend, image.swapaxes(0, 1), full.swapaxes(0, 1), side) for side in sides]
        run_all(tasks, threads=self.threads)
        rows, columns = self.y.outputs, self.x.outputs
        return full if full.shape[:2] == (rows, columns) else np.ascontiguousarray(full[:rows, :columns])

    def _filter(self, image: Array, full: _Floats) -> list[int]:
        """Filter lanes of the picture into lanes of the result; tells at which rows it was cut to keep threads busy."""
        H, W = image.shape[:2]
        d_y, d_x = self.y.dilation, self.x.dilation
        parts = max(1, min(self.threads // d_y, H // (2 * self.y.span)))
        edges = [H * i // parts // d_y * d_y for i in range(parts)] + [H]
        native = native_border(self.border)
        border = cv2.BORDER_CONSTANT if native is None else native
        width = W - W % d_x
        anchor = (self.y.before // d_y, self.x.before // d_x)

        def lane(top: int, bottom: int, residue: int) -> None:
            rows = slice(top + residue, bottom, d_y)
            src, dst = image[rows, :width], full[rows, :width]
            for index, term in enumerate(self.terms):
                filter_same(src, dst, term, anchor=anchor, border=border, dilation_x=d_x, add=index > 0)

        spans = zip(edges[:-1], edges[1:], strict=True)
        run_all(
            [partial(lane, top, bottom, residue) for top, bottom in spans for residue in range(min(d_y, H))],
            threads=self.threads,
        )
        return edges[1:-1]

    def _frame(self, cuts: Sequence[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The rows, and the columns, that are not right yet."""
        y, x = self.y, self.x
        above, below = y.before, y.span - 1 - y.before
        left, right = x.before, x.span - 1 - x.before + x.size % x.dilation
        closed = native_border(self.border) is not None  # OpenCV continues the picture itself rightly, not its lanes
        rows = [(cut - below, cut + above) for cut in cuts]
        if y.dilation > 1 or not closed:
            rows += [(0, above), (y.size - below, y.outputs)]
        columns = [(0, left), (x.size - right, x.outputs)] if x.dilation > 1 or not closed else []
        return _merged(rows, y.outputs), _merged(columns, x.outputs)

    def _mend(self, image: Array, full: _Floats, band: tuple[int, int]) -> None:
        """Compute some rows anew from a padded copy."""
        y, x = self.y, self.x
        top, bottom = band
        rows = range(top - y.before, bottom - y.before + y.span - 1)
        width = -(-(x.outputs + x.span - 1) // x.dilation) * x.dilation
        patch = take(image, rows, range(-x.before, width - x.before), self.border)
        total: _Floats | None = None
        for term in self.terms:
            tall = stretch_rows(term.first, y.dilation)
            if term.second is None:
                made = filter_patch(patch, tall, dilation_x=x.dilation, box=term.box and y.dilation == 1)
            else:
                made = filter_patch(filter_patch(patch, tall), term.second, dilation_x=x.dilation)
            total = made if total is None else cv2.add(total, made, dst=total)
        assert total is not None
        full[top:bottom, : x.outputs] = total.reshape(bottom - top, width, -1)[:, : x.outputs]


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
