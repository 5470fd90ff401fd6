"""Any stride, dilation and border: the result is computed piece by piece, each small enough to stay in the cache.

A piece is some rows of one residue (lattice.py). The rows of each of its lanes are taken from the picture, filtered
densely and added up. Columns are treated in one of three ways: OpenCV continues the rows itself and the columns that
the stride drops are dropped after ("native"); the same with rows that are continued first ("padded"), as lanes and
some borders need; or only the columns of each tap class are taken, so nothing is computed to be dropped ("split").
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, native_border, take, take_rows
from szem.kernels.lattice import Axis
from szem.kernels.parallel import run_all
from szem.kernels.passes import Term, filter_patch

__all__ = ["Columns", "Pieces", "column_ways"]

Columns = Literal["native", "padded", "split"]
_PIECE = 2048 * 1024  # bytes of what a piece reads
_Floats = NDArray[np.float32]


def column_ways(x: Axis, terms: Sequence[Term], border: Border) -> list[Columns]:
    """The ways in which columns can be treated."""
    ways: list[Columns] = ["padded"]
    if x.stride > 1:
        ways.append("split")
    closed = native_border(border) is not None and 0 <= x.before < x.span <= x.size
    if x.dilation == 1 and closed and all(term.is_small for term in terms):
        ways.append("native")
    return ways


@dataclass(frozen=True, eq=False, kw_only=True)
class Pieces:
    """All that a run by pieces needs to know.

    Args:
        y, x: The two axes.
        terms: The kernel, a sum of filters.
        border: What lies outside.
        columns: How columns are treated.
        threads: How many may work.
    """

    y: Axis
    x: Axis
    terms: tuple[Term, ...]
    border: Border
    columns: Columns
    threads: int

    def run(self, image: Array) -> _Floats:
        """Filter (H, W, C) uint8 or float32 to (outputs of y, outputs of x, C) float32."""
        y = self.y
        out = np.empty((y.outputs, self.x.outputs, image.shape[2]), np.float32)
        row_bytes = 4 * y.classes * image.shape[2] * (image.shape[1] + self.x.span)
        longest = max(_PIECE // row_bytes, 2 * y.subproblems()[0].taps, 4)
        tasks = []
        for residue in range(min(y.residues, y.outputs)):
            outputs = y.outputs_of(residue)
            count = max(-(-len(outputs) // longest), min(len(outputs), -(-self.threads // y.residues)))
            edges = [len(outputs) * i // count for i in range(count + 1)]
            for low, high in itertools.pairwise(edges):
                tasks.append(partial(self._piece, image, out, residue, outputs[low:high]))
        run_all(tasks, threads=self.threads)
        return out

    def _piece(self, image: Array, out: _Floats, residue: int, outputs: range) -> None:
        """Some rows of one residue."""
        subproblems = self.y.subproblems(residue)
        rows = [self.y.inputs_of(subproblem, outputs) for subproblem in subproblems]
        total: _Floats | None = None
        for term in self.terms:
            parts = [
                np.ascontiguousarray(term.first[subproblem.tap :: subproblem.tap_step]) for subproblem in subproblems
            ]
            if term.second is None:
                made = _sum([self._across(image, *each, term.box) for each in zip(rows, parts, strict=True)])
            else:
                down = [
                    filter_patch(take_rows(image, at, self.border), part)
                    for at, part in zip(rows, parts, strict=True)
                ]
                made = self._across(_sum(down), range(len(outputs)), term.second, False)
            total = made if total is None else np.asarray(cv2.add(total, made), np.float32).reshape(made.shape)
        assert total is not None
        step = 1 if self.columns == "split" else self.x.stride
        out[outputs.start : outputs.stop : outputs.step] = total[:, : step * (self.x.outputs - 1) + 1 : step]

    def _across(self, image: Array, rows: range, weights: _Floats, box: bool) -> _Floats:
        """Filter evenly spaced rows: their outputs at every column, or with "split" at the columns of the stride."""
        x = self.x
        if self.columns == "native":
            border = native_border(self.border)
            assert border is not None
            lines = take_rows(image, rows, self.border)
            return filter_patch(lines, weights, box=box, anchor_x=x.before, border=border)
        if self.columns == "padded":
            width = _round_up(x.stride * (x.outputs - 1) + x.span, x.dilation)
            patch = take(image, rows, range(-x.before, width - x.before), self.border)
            return filter_patch(patch, weights, dilation_x=x.dilation, box=box)
        made = []
        for subproblem in x.subproblems():
            start = x.dilation * subproblem.tap - x.before
            count = _round_up(x.outputs + (subproblem.taps - 1) * x.residues, x.residues)
            patch = take(image, rows, range(start, start + x.stride * count, x.stride), self.border)
            part = np.ascontiguousarray(weights[:, subproblem.tap :: subproblem.tap_step])
            made.append(filter_patch(patch, part, dilation_x=x.residues, box=box)[:, : x.outputs])
        return _sum(made)


def _sum(arrays: Sequence[_Floats]) -> _Floats:
    total = arrays[0]
    for array in arrays[1:]:
        cv2.add(total, array, dst=total)
    return total


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
