"""Taps that lie beyond the picture, folded back onto it: any dilation costs what one that fits does.

Every border says which pixel stands in for a place outside, so a tap far away reads the same pixels as one nearby:

| border | a displacement `t` of a tap, on an axis of `n` pixels, is the same as |
|---|---|
| reflect | `t mod (2n - 2)`, for the reflection repeats after so many pixels |
| wrap | `t mod n` |
| replicate | `t` limited to `-(n - 1)..n - 1`: beyond, every output reads the first or the last pixel |
| constant | none at all where `|t| >= n`: every output reads zero |

Displacements are Python's whole numbers, so none is too large. Taps that fall together are added up. What is left
lies within one picture's size of the pixel, and memory depends on the picture alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import Border, border_index
from szem.kernels.lattice import Axis
from szem.kernels.parallel import run_all

__all__ = ["Folded", "fold_taps", "folded_ns"]

_STRIP = 2 * 1024 * 1024  # bytes of what lies between the two passes of a strip
_TAP_NS = 1.1  # one multiplication and addition of a gathered value
_GATHER_NS = 1.6  # taking one value of a column that lies anywhere

_Floats = NDArray[np.float32]
_Weights = NDArray[np.float64]


def fold_taps(weights: _Weights, displacements: Sequence[Sequence[int]], sizes: Sequence[int], border: Border) -> (
    tuple[_Weights, tuple[list[int], list[int]]]
):  # fmt: skip
    """Fold a kernel onto a picture.

    Args:
        weights: (kh, kw), to be correlated with.
        displacements: For each row of taps, then for each column: how far from the pixel it lies.
        sizes: (H, W) of the picture.
        border: What lies outside; not "valid".
    Returns:
        The weights that are left, and the displacements of their rows and columns, rising, each within the size.

    >>> fold_taps(np.array([[1.0, 2.0, 4.0]]), ([0], [-1000, 0, 998]), (1, 4), "reflect")
    (array([[2., 5.]]), ([0], [0, 2]))
    """
    kept: list[list[int]] = []
    for axis, (each, size) in enumerate(zip(displacements, sizes, strict=True)):
        folded = [_fold(displacement, size, border) for displacement in each]
        places = sorted({place for place in folded if place is not None})
        out = np.zeros((len(places), weights.shape[1 - axis]))
        at = {place: index for index, place in enumerate(places)}
        for place, line in zip(folded, weights if axis == 0 else weights.T, strict=True):
            if place is not None:
                out[at[place]] += line
        weights = out if axis == 0 else out.T
        kept.append(places)
    if not weights.size:  # every tap reads zero
        return np.zeros((1, 1)), ([0], [0])
    return np.ascontiguousarray(weights), (kept[0], kept[1])


def _fold(displacement: int, size: int, border: Border) -> int | None:
    """The displacement within -(size - 1)..size - 1 that reads the same pixels; None where all are zero."""
    if border == "replicate":
        return min(max(displacement, 1 - size), size - 1)
    if border == "constant":
        return displacement if abs(displacement) < size else None
    period = size if border == "wrap" else max(2 * size - 2, 1)
    folded = displacement % period
    return folded - period if folded > period // 2 else folded


def folded_ns(y: Axis, x: Axis, channels: int, terms: Sequence[tuple[_Weights, _Weights]]) -> float:
    """What a run costs on one thread."""
    columns = sum(int((row != 0).sum()) for _, row in terms)
    rows = sum(int((column != 0).sum()) for column, _ in terms)
    across = columns * (_GATHER_NS + _TAP_NS) * y.size * x.outputs
    return channels * (across + rows * _TAP_NS * y.outputs * x.outputs)


@dataclass(frozen=True, eq=False, kw_only=True)
class Folded:
    """All that a run with folded taps needs to know.

    Args:
        y, x: The two axes; only their sizes, outputs and strides are used.
        rows, columns: Displacement of each row and column of taps.
        terms: The kernel as a sum of a column (kh,) times a row (kw,).
        border: What lies outside.
        threads: How many may work.
    """

    y: Axis
    x: Axis
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    terms: tuple[tuple[_Weights, _Weights], ...]
    border: Border
    threads: int

    def run(self, image: Array) -> _Floats:
        """Filter (H, W, C) uint8 or float32 to (outputs of y, outputs of x, C) float32."""
        out = np.zeros((self.y.outputs, self.x.outputs, image.shape[2]), np.float32)
        width = max(1, min(_STRIP // (4 * (len(image) + 1) * image.shape[2]), -(-self.x.outputs // self.threads)))
        down = [_read_index(self.y, row, self.border) for row in self.rows]
        run_all(
            [
                partial(self._strip, image, out[:, low : low + width], down, low, width)
                for low in range(0, self.x.outputs, width)
            ],
            threads=self.threads,
        )
        return out

    def _strip(self, image: Array, out: _Floats, down: list[Array], low: int, width: int) -> None:
        """Some columns of the result: each term along the rows first, then down the columns."""
        across = [_read_index(self.x, column, self.border)[low : low + width] for column in self.columns]
        wide, high = np.empty((len(image), *out.shape[1:]), np.float32), np.empty(out.shape, np.float32)
        between = np.zeros((len(image) + 1, *out.shape[1:]), np.float32)  # the last row stays 0: what -1 reads
        for column, row in self.terms:
            between[:-1] = 0
            for place, weight in _taken(row):
                index = across[place]
                np.multiply(image[:, index], np.float32(weight), out=wide)
                if index.min() < 0:
                    wide[:, index < 0] = 0
                between[:-1] += wide
            for place, weight in _taken(column):
                np.multiply(between[down[place]], np.float32(weight), out=high)
                out += high


def _read_index(axis: Axis, displacement: int, border: Border) -> Array:
    """(outputs,) which pixel each output reads; -1 for the constant."""
    return border_index(axis.stride * np.arange(axis.outputs) + displacement, axis.size, border)


def _taken(weights: _Weights) -> Iterator[tuple[int, float]]:
    return ((int(place), float(weights[place])) for place in np.flatnonzero(weights))
