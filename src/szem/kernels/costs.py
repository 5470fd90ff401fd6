"""What each way of filtering costs: a small model of constants, in nanoseconds on one thread.

Only the order matters: the planner takes the cheapest. `kernels/measure.py` measures the constants on the machine at
hand; the defaults below are those of AMD Zen 3 (AVX2) with OpenCV 5.0, float32, and a million values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from szem.kernels.fourier import TILES
from szem.kernels.lattice import Axis
from szem.kernels.passes import CELLS, Term
from szem.kernels.pieces import Columns

__all__ = ["Costs", "best_tile", "compiled_ns", "in_place_ns", "pieces_ns"]

_WHOLE = 1.8  # spectra of a whole picture beside those of one tile in the cache
_SPARSE = 0.75  # fraction of weights other than 0 up to which the core takes a list of taps (correlate.c)


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The constants, in nanoseconds a value, call or tap.

    Args:
        tap: One multiplication and addition inside OpenCV's filter2D.
        pass_: What a filter of OpenCV costs without its taps: reading and writing a value.
        copy: Copying a value from rows to a padded patch, or from a patch to the result.
        gather: Taking a value of every n-th column.
        add: Adding two values in the cache.
        box: Running sums.
        piece: The calls of one piece.
        subproblem: The calls of one lane.
        fourier: Factor to the costs of a transform in `fourier.TILES`.
        core_call: A call of the compiled core.
        core_copy: The compiled core copies a value of a row to its scratch.
        core_gather: The same of every n-th column.
        core_tap: One multiplication and addition of the core, several rows at once.
        core_listed_tap: The same from a list of taps.
        core_store: What the core needs for a value of the result besides its taps.
    """

    tap: float = 0.046
    pass_: float = 0.22
    copy: float = 0.20
    gather: float = 0.45
    add: float = 0.10
    box: float = 1.6
    piece: float = 50_000.0
    subproblem: float = 10_000.0
    fourier: float = 1.0
    core_call: float = 30_000.0
    core_copy: float = 0.15
    core_gather: float = 0.35
    core_tap: float = 0.025
    core_listed_tap: float = 0.04
    core_store: float = 0.25


def _filter_ns(ns: Costs, shape: tuple[int, int], taps: float) -> float:
    """Per value: one filter of `taps` weights that are not 0, cut into blocks where it is large."""
    kh, kw = shape
    blocks = -(-kh // max(1, CELLS // min(kw, CELLS))) * -(-kw // CELLS)
    return blocks * ns.pass_ + ns.tap * taps + (blocks > 1) * blocks * ns.add


def _taps(weights: object) -> int:
    return int((weights != 0).sum())  # type: ignore[attr-defined]


def _term_ns(ns: Costs, term: Term) -> float:
    """Per value: one summand of the kernel, at stride 1."""
    if term.box:
        return ns.box
    if term.second is None:
        return _filter_ns(ns, term.shape, _taps(term.first))
    kh, kw = term.shape
    tall = 1.25 if kh > 15 else 1.0  # many rows at once leave the first cache
    return 3 * ns.pass_ + ns.tap * (tall * kh + kw)


def in_place_ns(ns: Costs, y: Axis, x: Axis, channels: int, terms: Sequence[Term]) -> float:
    """A whole run in place, with its frame."""
    each = sum(_term_ns(ns, term) for term in terms)
    sides = sum(3 * (axis.span - 1) / axis.size for axis in (y, x) if axis.dilation > 1)
    frame = sides * (each + 2 * ns.copy) * y.size * x.size * channels + (4 * ns.piece if sides else 0)
    drop = ns.copy * y.size * x.size * channels / y.stride if y.stride > 1 else 0
    return y.size * x.size * channels * each + frame + drop + y.dilation * ns.subproblem * len(terms)


def pieces_ns(ns: Costs, y: Axis, x: Axis, channels: int, terms: Sequence[Term], columns: Columns) -> float:
    """A whole run by pieces."""
    rows = y.outputs + (y.subproblems()[0].taps - 1) * y.residues  # of each lane, all residues together
    wide = x.size if columns == "native" else x.stride * x.outputs + x.span - 1
    kept = x.outputs + (x.subproblems()[0].taps - 1) * x.residues
    total = 0.0
    for term in terms:
        kh, kw = term.shape
        if term.second is not None:
            down = y.classes * ns.pass_ + ns.tap * kh + (y.classes - 1) * ns.add
            total += rows * x.size * down
            subproblems, weights, shape = 1, float(kw), (1, kw)
        else:
            subproblems, weights, shape = y.classes, _taps(term.first) / y.classes, (-(-kh // y.classes), kw)
        if columns == "split":
            part = (shape[0], -(-shape[1] // x.classes))
            each = _filter_ns(ns, part, weights / x.classes) if not term.box else ns.box
            total += subproblems * x.classes * rows * kept * (1.5 * ns.gather + each + ns.add)
        else:
            each = _filter_ns(ns, shape, weights) if not term.box else ns.box
            total += subproblems * rows * wide * (each + ns.add + (ns.copy if columns == "padded" else 0))
    store = ns.copy if x.stride == 1 or columns == "split" else ns.gather
    values = total * channels + rows * x.outputs * channels * store
    calls = (
        y.residues * (ns.piece + y.classes * (x.classes if columns == "split" else 1) * ns.subproblem) * len(terms)
    )
    return values + calls


def compiled_ns(ns: Costs, y: Axis, x: Axis, channels: int, terms: Sequence[Term]) -> float:
    """A whole run by the compiled core."""
    input_rows = y.outputs * y.classes + min(y.residues, y.outputs) * (y.taps - 1)
    # Bands copy their first and last rows once more for their neighbours: a third, at most (TALL in correlate.c).
    rows = min(1.33, 1 + y.taps / max(1, y.outputs // y.residues)) * input_rows
    row = (x.stride * (x.outputs - 1) + x.span) * channels * (ns.core_copy if x.stride == 1 else ns.core_gather)
    outputs = x.outputs * channels
    total = 0.0
    for term in terms:
        if term.second is None:
            taps = _taps(term.first)
            is_list = taps <= _SPARSE * term.first.size
            across, down = 0.0, taps * ns.core_listed_tap if is_list else term.first.size * ns.core_tap
        else:
            across = ns.core_store / 2 + ns.core_listed_tap * term.second.size
            down = ns.core_tap * term.first.size
        total += rows * (row + outputs * across) + y.outputs * outputs * (ns.core_store + down)
    return total + ns.core_call * len(terms)


def best_tile(ns: Costs, y: Axis, x: Axis, channels: int) -> tuple[tuple[int, int], float]:
    """The sides of the tile that is cheapest, and what a whole run by Fourier then costs."""
    classes = y.classes * x.classes
    passes = (1 + 1.4 * classes) / 2.4  # forward once a class, backward once
    planes = y.residues * x.residues * channels
    best = (0, 0), float("inf")
    sides = [_tiles(ns, axis) for axis in (y, x)]
    for (ny, down), (nx, across) in product(*sides):
        tiles = down * across * planes
        each = ns.fourier * (TILES[ny] + TILES[nx]) / 2 * passes + ns.gather * (classes + 1)
        cost = _WHOLE * tiles * (ny * nx * each + ns.subproblem * classes) + y.residues * down * ns.piece
        if cost < best[1]:
            best = (ny, nx), cost
    return best


def _tiles(ns: Costs, axis: Axis) -> list[tuple[int, int]]:
    """Possible sides of a tile on an axis, and how many such tiles it takes; only the best few are worth a look."""
    taps, outputs = axis.subproblems()[0].taps, len(axis.outputs_of(0))
    fits = [(side, -(-outputs // (side - taps + 1))) for side in TILES if side >= taps]
    return sorted(fits, key=lambda fit: fit[0] * fit[1] * (ns.fourier * TILES[fit[0]] + 2 * ns.gather))[:5]
