"""What each way of filtering costs: a small model of measured constants, in nanoseconds on one thread.

Only the order matters: the planner takes the cheapest. The constants were measured on AMD Zen 3 (AVX2) with OpenCV
5.0, float32, a million values; elsewhere the ratios move little, for loads and multiplications per tap set them.
"""

from collections.abc import Sequence
from itertools import product

from szem.kernels.fourier import TILES
from szem.kernels.lattice import Axis
from szem.kernels.passes import CELLS, Term
from szem.kernels.pieces import Columns

__all__ = ["best_tile", "in_place_ns", "pieces_ns"]

_TAP = 0.046  # one multiplication and addition inside filter2D
_PASS = 0.22  # what a filter costs without its taps: reading and writing a value
_COPY = 0.20  # copying a value from rows to a padded patch, or from a patch to the result
_GATHER = 0.45  # taking a value of every n-th column
_ADD = 0.10  # adding two values in the cache
_BOX = 1.6  # running sums
_PIECE = 50_000.0  # the calls of one piece
_SUBPROBLEM = 10_000.0  # the calls of one lane
_WHOLE = 1.8  # spectra of a whole picture beside those of one tile in the cache


def _filter_ns(shape: tuple[int, int], taps: float) -> float:
    """Per value: one filter of `taps` weights that are not 0, cut into blocks where it is large."""
    kh, kw = shape
    blocks = -(-kh // max(1, CELLS // min(kw, CELLS))) * -(-kw // CELLS)
    return blocks * _PASS + _TAP * taps + (blocks > 1) * blocks * _ADD


def _taps(weights: object) -> int:
    return int((weights != 0).sum())  # type: ignore[attr-defined]


def _term_ns(term: Term) -> float:
    """Per value: one summand of the kernel, at stride 1."""
    if term.box:
        return _BOX
    if term.second is None:
        return _filter_ns(term.shape, _taps(term.first))
    kh, kw = term.shape
    tall = 1.25 if kh > 15 else 1.0  # many rows at once leave the first cache
    return 3 * _PASS + _TAP * (tall * kh + kw)


def in_place_ns(y: Axis, x: Axis, channels: int, terms: Sequence[Term]) -> float:
    """A whole run in place, with its frame."""
    each = sum(_term_ns(term) for term in terms)
    sides = sum(3 * (axis.span - 1) / axis.size for axis in (y, x) if axis.dilation > 1)
    frame = sides * (each + 2 * _COPY) * y.size * x.size * channels + (4 * _PIECE if sides else 0)
    drop = _COPY * y.size * x.size * channels / y.stride if y.stride > 1 else 0
    return y.size * x.size * channels * each + frame + drop + y.dilation * _SUBPROBLEM * len(terms)


def pieces_ns(y: Axis, x: Axis, channels: int, terms: Sequence[Term], columns: Columns) -> float:
    """A whole run by pieces."""
    rows = y.outputs + (y.subproblems()[0].taps - 1) * y.residues  # of each lane, all residues together
    wide = x.size if columns == "native" else x.stride * x.outputs + x.span - 1
    kept = x.outputs + (x.subproblems()[0].taps - 1) * x.residues
    total = 0.0
    for term in terms:
        kh, kw = term.shape
        if term.second is not None:
            down = y.classes * _PASS + _TAP * kh + (y.classes - 1) * _ADD
            total += rows * x.size * down
            subproblems, weights, shape = 1, float(kw), (1, kw)
        else:
            subproblems, weights, shape = y.classes, _taps(term.first) / y.classes, (-(-kh // y.classes), kw)
        if columns == "split":
            part = (shape[0], -(-shape[1] // x.classes))
            each = _filter_ns(part, weights / x.classes) if not term.box else _BOX
            total += subproblems * x.classes * rows * kept * (1.5 * _GATHER + each + _ADD)
        else:
            each = _filter_ns(shape, weights) if not term.box else _BOX
            total += subproblems * rows * wide * (each + _ADD + (_COPY if columns == "padded" else 0))
    store = _COPY if x.stride == 1 or columns == "split" else _GATHER
    values = total * channels + rows * x.outputs * channels * store
    calls = y.residues * (_PIECE + y.classes * (x.classes if columns == "split" else 1) * _SUBPROBLEM) * len(terms)
    return values + calls


def best_tile(y: Axis, x: Axis, channels: int) -> tuple[tuple[int, int], float]:
    """The sides of the tile that is cheapest, and what a whole run by Fourier then costs."""
    classes = y.classes * x.classes
    passes = (1 + 1.4 * classes) / 2.4  # forward once a class, backward once
    planes = y.residues * x.residues * channels
    best = (0, 0), float("inf")
    sides = [_tiles(axis) for axis in (y, x)]
    for (ny, down), (nx, across) in product(*sides):
        tiles = down * across * planes
        each = (TILES[ny] + TILES[nx]) / 2 * passes + _GATHER * (classes + 1)
        cost = _WHOLE * tiles * (ny * nx * each + _SUBPROBLEM * classes) + y.residues * down * _PIECE
        if cost < best[1]:
            best = (ny, nx), cost
    return best


def _tiles(axis: Axis) -> list[tuple[int, int]]:
    """Possible sides of a tile on an axis, and how many such tiles it takes; only the best few are worth a look."""
    taps, outputs = axis.subproblems()[0].taps, len(axis.outputs_of(0))
    fits = [(side, -(-outputs // (side - taps + 1))) for side in TILES if side >= taps]
    return sorted(fits, key=lambda fit: fit[0] * fit[1] * (TILES[fit[0]] + 2 * _GATHER))[:5]
