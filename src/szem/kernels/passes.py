"""One filter over one array: how the arithmetic is put to OpenCV.

A picture whose columns are seen as `dilation` interleaved channels turns an atrous row into a dense one: the next
pixel of the same channel lies `dilation` columns further. So no zeros are ever multiplied, and nothing is copied.
This file does not know borders other than OpenCV's own, strides or plans.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.kernels.borders import CHANNELS

__all__ = ["CELLS", "Term", "column_filter", "filter_patch", "filter_same", "filter_tall", "interleave"]

CELLS = 129  # largest kernel area that OpenCV filters directly; beyond, it takes Fourier in double precision
_L1 = 40_000  # bytes that the rows under a tall kernel may fill before it is better to go in strips
_SHORT = 20  # rows
_BAND = 192 * 1024  # bytes of one band between the two passes of a separable filter

_Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Term:
    """One summand of a kernel: a filter, or a column filter followed by a row filter.

    Args:
        first: (kh, kw) float32; (kh, 1) when `second` follows.
        second: (1, kw) float32, or None.
        box: All weights of `first` are the same, and running sums are the faster way.
    """

    first: _Floats
    second: _Floats | None = None
    box: bool = False

    @property
    def is_small(self) -> bool:
        """Whether OpenCV filters each part directly."""
        return self.first.size <= CELLS and (self.second is None or self.second.size <= CELLS)

    @property
    def turned(self) -> "Term":
        """The term for a picture with rows and columns exchanged."""
        if self.second is None:
            return Term(np.ascontiguousarray(self.first.T), None, self.box)
        return Term(np.ascontiguousarray(self.second.T), np.ascontiguousarray(self.first.T))

    @property
    def shape(self) -> tuple[int, int]:
        """(kh, kw) of the whole."""
        return self.first.shape[0], (self.first if self.second is None else self.second).shape[1]


def interleave(dilation: int, channels: int) -> int:
    """How many columns can be seen as channels: the largest divisor of the dilation that OpenCV has room for."""
    return next(e for e in range(min(dilation, CHANNELS // channels), 0, -1) if dilation % e == 0)


def filter_patch(
    src: _Floats,
    weights: _Floats,
    *,
    dilation_x: int = 1,
    box: bool = False,
    anchor_x: int = 0,
    border: int = cv2.BORDER_REPLICATE,
) -> _Floats:
    """Correlate where the kernel's rows lie inside; the first row of taps is the origin.

    Args:
        src: (n, w, C) float32, rows any distance apart; w a multiple of `dilation_x`.
        weights: (kh, kw); neighbouring columns of taps are `dilation_x` pixels apart.
        dilation_x: As said.
        box: All weights are the same.
        anchor_x: The column of taps on the pixel; other than 0 only for kernels of at most 129 cells.
        border: OpenCV's code, for the columns at the sides; they mean something only at dilation 1.
    Returns:
        (n - kh + 1, w, C) float32, new.
    """
    n, w, C = src.shape
    kh, kw = weights.shape
    rows = n - kh + 1
    e = interleave(dilation_x, C) if kw > 1 else 1
    wide = _spread(weights, dilation_x // e) if kw > 1 else weights
    view = _fold(src, e)
    running = box and e == dilation_x
    if running or wide.size <= CELLS:
        dst = np.empty(view.shape, np.float32)
        if running:
            _box(view, dst, weights, (anchor_x, 0), border)
        else:
            cv2.filter2D(view, -1, wide, dst=dst, anchor=(anchor_x, 0), borderType=border)
        return dst.reshape(n, w, C)[:rows]
    total = np.zeros((rows, *view.shape[1:]), np.float32)
    for row, column, block in _blocks(wide):
        source = view[row : row + rows + len(block) - 1, column:]
        part = cv2.filter2D(source, -1, block, anchor=(0, 0), borderType=border).reshape(source.shape)
        target = total[:, : source.shape[1]]
        cv2.add(target, part[:rows], dst=target)
    return total.reshape(rows, w, C)


def filter_tall(
    src: _Floats, weights: _Floats, *, dilation_y: int, dilation_x: int = 1, box: bool = False
) -> _Floats:
    """`filter_patch` with rows of taps `dilation_y` apart too, for few rows, where lanes would be short."""
    if dilation_y == 1:
        return filter_patch(src, weights, dilation_x=dilation_x, box=box)
    kh, kw = weights.shape
    span = (kh - 1) * dilation_y + 1
    if span <= _SHORT and span * kw <= CELLS:  # zeros written out: OpenCV passes over them
        tall = np.zeros((span, kw), np.float32)
        tall[::dilation_y] = weights
        return filter_patch(src, tall, dilation_x=dilation_x)
    rows = len(src) - (kh - 1) * dilation_y
    total = filter_patch(src[:rows], weights[:1], dilation_x=dilation_x)
    for tap in range(1, kh):
        start = tap * dilation_y
        part = filter_patch(src[start : start + rows], weights[tap : tap + 1], dilation_x=dilation_x)
        cv2.add(total, part, dst=total)
    return total


def filter_same(
    src: Array, dst: _Floats, term: Term, *, anchor: tuple[int, int], border: int, dilation_x: int, add: bool = False
) -> None:
    """Correlate into an array of the same size, with one of OpenCV's borders at the edges of `src`.

    Args:
        src: (n, w, C) uint8 or float32, rows any distance apart.
        dst: (n, w, C) float32, rows any distance apart.
        term: Of at most 129 cells a part.
        anchor: (row, column) of the tap on the pixel.
        border: OpenCV's code. With `dilation_x` above 1 the columns at the sides mean nothing.
        dilation_x: Pixels between columns of taps; w is a multiple of it and it fits into the channels.
        add: Add to `dst` what it holds.
    """
    into = np.empty(dst.shape, np.float32) if add else dst
    row, column = anchor
    view, target = _fold(src, dilation_x), _fold(into, dilation_x)
    if term.second is not None and _fused(term, src.dtype == np.uint8):
        cv2.sepFilter2D(
            view, cv2.CV_32F, term.second, term.first, dst=target, anchor=(column, row), borderType=border
        )
    elif term.second is not None:
        _two_passes(src, target, term, anchor=anchor, border=border)
    elif term.box:
        _box(view, target, term.first, (column, row), border)
    else:  # from uint8, OpenCV's general filter would use no vector instructions
        floats = view.astype(np.float32, copy=False)
        cv2.filter2D(floats, -1, term.first, dst=target, anchor=(column, row), borderType=border)
    if add:
        cv2.add(dst, into, dst=dst)


def column_filter(src: Array, dst: _Floats, weights: _Floats, *, anchor: int, border: int) -> None:
    """Correlate each column: (n, w) float32 to the same size, in strips where the rows under the kernel are long."""
    _n, w = src.shape
    kh = len(weights)
    strip = w if kh * w * 4 <= _L1 else max(256, _L1 // (4 * kh))
    for left in range(0, w, strip):
        part = slice(left, left + strip)
        cv2.filter2D(src[:, part], -1, weights, dst=dst[:, part], anchor=(0, anchor), borderType=border)


def _two_passes(src: Array, target: _Floats, term: Term, *, anchor: tuple[int, int], border: int) -> None:
    """Columns, then rows, in bands small enough that what lies between stays in the cache."""
    assert term.second is not None
    n = src.shape[0]
    flat = src.reshape(n, -1)
    kh, row, column = len(term.first), *anchor
    band = max(_BAND // (4 * flat.shape[1]), 4 * kh, 8)
    for low in range(0, n, band):
        high = min(n, low + band)
        above, below = max(0, low - row), min(n, high + kh - 1 - row)
        between = np.empty((below - above, flat.shape[1]), np.float32)
        column_filter(
            flat[above:below].astype(np.float32, copy=False), between, term.first, anchor=row, border=border
        )
        lines = between[low - above : high - above].reshape(high - low, *target.shape[1:])
        cv2.filter2D(lines, -1, term.second, dst=target[low:high], anchor=(column, 0), borderType=border)


def _fused(term: Term, from_uint8: bool) -> bool:
    """Whether OpenCV's own separable filter is the faster way: short, symmetric kernels."""
    assert term.second is not None
    longest = max(term.shape)
    if longest > (11 if from_uint8 else 7):
        return False
    return longest <= 3 or all(_mirrored(part.ravel()) for part in (term.first, term.second))


def _mirrored(weights: _Floats) -> bool:
    back = weights[::-1]
    return len(weights) % 2 == 1 and (np.array_equal(weights, back) or np.array_equal(weights, -back))


def _box(view: Array, target: _Floats, weights: _Floats, anchor_xy: tuple[int, int], border: int) -> None:
    kh, kw = weights.shape
    cv2.boxFilter(view, cv2.CV_32F, (kw, kh), dst=target, anchor=anchor_xy, normalize=True, borderType=border)
    gain = float(weights[0, 0]) * kh * kw
    if abs(gain - 1) > 1e-7:
        np.multiply(target, np.float32(gain), out=target)


def _fold(array: Array, columns: int) -> Array:
    """See every `columns` columns as channels: (n, w, C) to (n, w / columns, columns * C), never a copy."""
    n, w, C = array.shape
    folded = array.reshape(n, w // columns, columns * C)
    assert np.may_share_memory(folded, array)
    return folded


def _spread(weights: _Floats, by: int) -> _Floats:
    if by == 1:
        return weights
    kh, kw = weights.shape
    wide = np.zeros((kh, (kw - 1) * by + 1), np.float32)
    wide[:, ::by] = weights
    return wide


def _blocks(weights: _Floats) -> Iterator[tuple[int, int, _Floats]]:
    """Cut a kernel into blocks that OpenCV filters directly, each with its row and column; zeros are left out."""
    kh, kw = weights.shape
    width = min(kw, CELLS)
    height = CELLS // width
    for row in range(0, kh, height):
        for column in range(0, kw, width):
            block = weights[row : row + height, column : column + width]
            taken = np.argwhere(block)
            if len(taken):
                (top, left), (bottom, right) = taken.min(axis=0), taken.max(axis=0)
                yield row + int(top), column + int(left), block[top : bottom + 1, left : right + 1]
