"""How a convolution is carried out: the ways there are, what each would cost, and which one is taken.

A plan is made once for a shape of picture and a kernel, can say what it chose and why, and runs on any number of
pictures of that shape.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.kernels.borders import CHANNELS, Border, check_border
from szem.kernels.compiled import Compiled, can_run_compiled, instruction_set
from szem.kernels.costs import Costs, best_tile, compiled_ns, in_place_ns, pieces_ns
from szem.kernels.folding import Folded, fold_taps, folded_ns
from szem.kernels.fourier import Fourier
from szem.kernels.inplace import InPlace, can_run_in_place
from szem.kernels.kernel import MAX_SIDE, Kernel, is_outer_product
from szem.kernels.lattice import Axis
from szem.kernels.measure import MachineCosts, machine_costs
from szem.kernels.parallel import thread_count
from szem.kernels.passes import Term
from szem.kernels.pieces import Pieces, column_ways
from szem.kernels.text import KernelInput, as_kernel
from szem.media.pictures import PictureLike, as_image

__all__ = ["DEFAULT_MODE", "MAX_STEP", "MODES", "WAYS", "Mode", "Option", "Plan", "Way", "plan_convolution"]

Mode = Literal["convolution", "correlation"]
MODES: tuple[Mode, ...] = get_args(Mode)
DEFAULT_MODE: Mode = "correlation"
"""How a kernel is laid on unless said otherwise, in Python, on the command line and over HTTP: as it is written."""
MAX_STEP = 2**31 - 1
"""Largest stride and dilation, in pixels."""
Way = Literal["direct", "separable", "box", "fourier"]
WAYS: tuple[Way, ...] = get_args(Way)

_ABOUT: dict[Way, str] = {
    "direct": "each weight multiplied where it lies",
    "separable": "columns, then rows",
    "box": "running sums",
    "fourier": "products of spectra",
}
_WORTH_THREADS_NS = 250_000.0
_SKIPS_ZEROS = 11  # OpenCV passes over zeros in kernels up to this side; beyond it, it is many times slower
_LARGEST_SPLIT = 512  # taps a side up to which the planner looks for columns and rows
_CHANNELS = CHANNELS // 2  # of a picture that is filtered at once


@dataclass(frozen=True, eq=False)
class Option:
    """One way to carry out a convolution, and its estimated cost on one thread."""

    way: Way
    cost_ms: float
    runner: Compiled | InPlace | Pieces | Folded | Fourier


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """A convolution ready to run.

    Args:
        shape: (H, W, C) of the pictures it runs on.
        kernel: As given.
        mode, border, stride_px, dilation: As given.
        options: All ways that can do it, cheapest first; the first is taken.
        is_folded: Taps lie beyond the picture and were folded back onto it.
        costs: The constants of the estimates, and where they come from.
    """

    shape: tuple[int, int, int]
    kernel: Kernel
    mode: Mode
    border: Border
    stride_px: int
    dilation: int
    options: tuple[Option, ...]
    is_folded: bool = False
    costs: MachineCosts

    @property
    def way(self) -> Way:
        """The way that was chosen."""
        return self.options[0].way

    @property
    def cost_ms(self) -> float:
        """Estimated time of a run on one thread: known before a pixel is computed."""
        return self.options[0].cost_ms

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of the result."""
        runner = self.options[0].runner
        keep = runner.keep if isinstance(runner, InPlace) else 1
        return -(-runner.y.outputs // keep), -(-runner.x.outputs // keep), self.shape[2]

    def run(self, picture: PictureLike) -> NDArray[np.float32]:
        """Filter one picture of the plan's shape.

        Args:
            picture: (H, W) or (H, W, C) of any number type.
        Returns:
            float32 with as many axes.
        Raises:
            ShapeError: the picture has another shape.
        """
        image = as_image(picture)
        is_grey = image.ndim == 2
        if image.shape != self.shape and (*image.shape, 1) != self.shape:
            raise ShapeError(f"this plan is for {self.shape}, got {image.shape}; make another plan")
        image = np.ascontiguousarray(image).reshape(self.shape)
        runner = self.options[0].runner
        if self.way == "fourier" and image.dtype == np.float32 and not _is_finite(image):
            # one NaN would spread over its whole tile
            runner = next(option.runner for option in self.options if option.way == "direct")
        step = _CHANNELS
        if image.shape[2] > step and not isinstance(runner, Compiled):
            groups = [np.ascontiguousarray(image[..., c : c + step]) for c in range(0, image.shape[2], step)]
            out = np.concatenate([runner.run(group) for group in groups], axis=2)
        else:
            out = runner.run(image)
        return out[..., 0] if is_grey else out

    def explain(self) -> str:
        """What was chosen and why, in a few lines."""
        return "\n".join(_explain(self))


def plan_convolution(
    shape: tuple[int, ...],
    kernel: KernelInput,
    *,
    stride_px: int = 1,
    dilation: int = 1,
    border: str = "reflect",
    mode: str = DEFAULT_MODE,
    way: Way | None = None,
) -> Plan:
    """Plan a convolution.

    Args:
        shape: (H, W) or (H, W, C) of the picture.
        kernel: A kernel, its text, or its weights.
        stride_px: Pixels between outputs, 1 to 2,147,483,647.
        dilation: Pixels between taps, 1 to 2,147,483,647.
        border: One of `BORDERS`.
        mode: "correlation" or "convolution".
        way: Take this one instead of the cheapest; "separable" and "box" exist only for kernels that are.
    Raises:
        RangeError, ShapeError, UnknownNameError, DTypeError: as `convolve`.

    >>> plan_convolution((1024, 1024), "gaussian:2").way
    'separable'
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ShapeError(f"shape must be (H, W) or (H, W, C) with no empty axis, got {tuple(shape)}")
    for name, value in (("stride_px", stride_px), ("dilation", dilation)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not 1 <= value <= MAX_STEP:
            raise RangeError(f"{name} must be a whole number in 1..{MAX_STEP}, got {value!r}; 1 is the plain case")
    if way is not None and way not in WAYS:
        raise UnknownNameError(f"no way called {way!r}; there are {', '.join(WAYS)}")
    H, W, C = (*shape, 1)[:3]
    return _plan(
        (H, W, C), as_kernel(kernel), int(stride_px), int(dilation), check_border(border), _check_mode(mode), way,
        thread_count(), instruction_set() is not None, machine_costs(),
    )  # fmt: skip


def _check_mode(mode: str) -> Mode:
    for known in MODES:
        if mode == known:
            return known
    raise UnknownNameError(f"no mode called {mode!r}; there are {', '.join(MODES)}")


@dataclass(frozen=True)
class _Setting:
    """What the machine offers."""

    ns: Costs
    threads: int
    has_core: bool

    def threads_for(self, cost_ns: float) -> int:
        return self.threads if cost_ns > _WORTH_THREADS_NS else 1


@lru_cache(maxsize=256)
def _plan(
    shape: tuple[int, int, int], kernel: Kernel, stride: int, dilation: int, border: Border, mode: Mode,
    way: Way | None, threads: int, has_core: bool, costs: MachineCosts,
) -> Plan:  # fmt: skip
    oriented = kernel.flip() if mode == "convolution" else kernel
    weights, y, x = _axes(shape, oriented, stride, dilation, border)
    is_folded = border != "valid" and any(_reaches_beyond(axis) for axis in (y, x))
    setting = _Setting(costs.values, threads, has_core)
    make = _folded_options if is_folded else _options
    options = sorted(make(shape[2], weights, y, x, border, setting), key=lambda option: option.cost_ms)
    if way is not None:
        chosen = [option for option in options if option.way == way]
        if not chosen:
            raise UnknownNameError(
                f"kernel {kernel.name!r} cannot be applied as {way!r}; leave the way to the planner"
            )
        options = chosen[:1] + [option for option in options if option is not chosen[0]]
    return Plan(
        shape=shape,
        kernel=kernel,
        mode=mode,
        border=border,
        stride_px=stride,
        dilation=dilation,
        options=tuple(options),
        is_folded=is_folded,
        costs=costs,
    )


def _axes(
    shape: tuple[int, int, int], oriented: Kernel, stride: int, dilation: int, border: Border
) -> tuple[NDArray[np.float64], Axis, Axis]:
    """The weights without outer rows and columns of zeros, and the two axes they are applied along."""
    axes: list[Axis] = []
    cuts: list[slice] = []
    stride = min(stride, max(shape[:2]))  # beyond the picture there is one output whatever the stride
    for size, taps, anchor, used in zip(
        shape, oriented.shape, oriented.anchor, _used(oriented.weights), strict=False
    ):
        span = (taps - 1) * dilation + 1
        before = 0 if border == "valid" else anchor * dilation
        positions = size - span + 1 if border == "valid" else size
        if positions < 1:
            raise ShapeError(
                f"border 'valid' needs a picture of at least {span} pixels a side for this kernel, got {size}; "
                "use another border or a smaller kernel"
            )
        axes.append(
            Axis(
                size=size,
                outputs=-(-positions // stride),
                taps=used.stop - used.start,
                before=before - used.start * dilation,
                stride=stride,
                dilation=dilation if used.stop - used.start > 1 else 1,
            )
        )
        cuts.append(used)
    return oriented.weights[cuts[0], cuts[1]].astype(np.float64), axes[0], axes[1]


def _used(weights: Array) -> tuple[slice, slice]:
    """Rows and columns from the first to the last that holds a weight other than 0."""
    rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _reaches_beyond(axis: Axis) -> bool:
    """Whether a tap lies so far from its pixel that it never reads the picture itself."""
    return axis.before >= axis.size or axis.span - axis.before > axis.size


def _folded_options(
    channels: int, weights: NDArray[np.float64], y: Axis, x: Axis, border: Border, setting: _Setting
) -> list[Option]:
    """The ways for taps beyond the picture: gathered one by one, or the folded kernel written out, by Fourier."""
    displacements = [[axis.dilation * tap - axis.before for tap in range(axis.taps)] for axis in (y, x)]
    folded, (rows, columns) = fold_taps(weights, displacements, (y.size, x.size), border)
    taps = np.eye(folded.shape[1])
    ways: dict[Way, tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]] = {
        "direct": tuple((folded[:, k], taps[k]) for k in range(folded.shape[1]))
    }
    parts = _separable(folded)
    if parts:
        ways["separable"] = tuple(parts)
    options = []
    for way, terms in ways.items():
        cost = folded_ns(y, x, channels, terms)
        runner = Folded(
            y=y, x=x, rows=tuple(rows), columns=tuple(columns), terms=terms, border=border,
            threads=setting.threads_for(cost),
        )  # fmt: skip
        options.append(Option(way, cost / 1e6, runner))
    near_y, near_x = (
        replace(axis, taps=places[-1] - places[0] + 1, before=-places[0], dilation=1)
        for axis, places in ((y, rows), (x, columns))
    )
    tile, cost = best_tile(setting.ns, near_y, near_x, channels)
    if math.isfinite(cost):  # infinite where the folded kernel is larger than any tile
        dense = np.zeros((near_y.taps, near_x.taps))
        dense[np.ix_(np.array(rows) - rows[0], np.array(columns) - columns[0])] = folded
        fourier = Fourier(
            y=near_y, x=near_x, weights=dense, border=border, tile=tile, threads=setting.threads_for(cost)
        )
        options.append(Option("fourier", cost / 1e6, fourier))
    return options


def _options(
    channels: int, weights: NDArray[np.float64], y: Axis, x: Axis, border: Border, setting: _Setting
) -> list[Option]:
    options: list[Option] = []
    for way, terms in _recipes(weights).items():
        if setting.has_core and can_run_compiled(y, x, terms):
            cost = compiled_ns(setting.ns, y, x, channels, terms)
            compiled = Compiled(y=y, x=x, terms=terms, border=border, threads=setting.threads_for(cost))
            options.append(Option(way, cost / 1e6, compiled))
        if can_run_in_place(y.dense, x.dense, min(channels, _CHANNELS), terms):
            cost = in_place_ns(setting.ns, y, x, channels, terms)
            in_place = InPlace(
                y=y.dense, x=x.dense, terms=terms, border=border, threads=setting.threads_for(cost), keep=y.stride
            )
            options.append(Option(way, cost / 1e6, in_place))
        for columns in column_ways(x, terms, border):
            cost = pieces_ns(setting.ns, y, x, channels, terms, columns)
            pieces = Pieces(y=y, x=x, terms=terms, border=border, columns=columns, threads=setting.threads_for(cost))
            options.append(Option(way, cost / 1e6, pieces))
    if max(y.dilation, x.dilation) > 1 and max(y.span, x.span) <= _SKIPS_ZEROS:
        wide = np.zeros((y.span, x.span))
        wide[:: y.dilation, :: x.dilation] = weights
        dense_y, dense_x = replace(y, taps=y.span, dilation=1), replace(x, taps=x.span, dilation=1)
        spread = _options(channels, wide, dense_y, dense_x, border, replace(setting, has_core=False))
        options += [option for option in spread if option.way == "direct"]
    tile, cost = best_tile(setting.ns, y, x, channels)
    fourier = Fourier(y=y, x=x, weights=weights, border=border, tile=tile, threads=setting.threads_for(cost))
    return [*options, Option("fourier", cost / 1e6, fourier)]


def _recipes(weights: NDArray[np.float64]) -> dict[Way, tuple[Term, ...]]:
    """The kernel as sums of filters, one entry for each way that can do it by passes."""
    whole = np.ascontiguousarray(weights, np.float32)
    recipes: dict[Way, tuple[Term, ...]] = {"direct": (Term(whole),)}
    if weights.size >= 4 and (weights == weights[0, 0]).all():
        recipes["box"] = (Term(whole, box=True),)
    parts = _separable(weights)
    if parts:
        recipes["separable"] = tuple(
            Term(column.astype(np.float32)[:, None], row.astype(np.float32)[None]) for column, row in parts
        )
    return recipes


def _separable(weights: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The kernel as a sum of columns times rows, where that takes fewer products; else nothing."""
    if not 1 < min(weights.shape) <= max(weights.shape) <= MAX_SIDE:
        return []
    if min(weights.shape) > _LARGEST_SPLIT and not is_outer_product(weights):
        return []  # the singular values of so large a kernel take longer than filtering by Fourier
    parts = Kernel(weights).separate()
    return parts if 0 < len(parts) <= max(1, min(weights.shape) // 2) else []


def _is_finite(image: Array) -> bool:
    return math.isfinite(cv2.sumElems(image.reshape(len(image), -1))[0])


def _explain(plan: Plan) -> list[str]:
    chosen = plan.options[0]
    runner = chosen.runner
    kh, kw = plan.kernel.shape
    H, W, C = plan.shape
    s, d = plan.stride_px, plan.dilation
    colour = "grey" if C == 1 else f"{C} channels"
    lines = [f"{plan.kernel.name} ({kh}x{kw}) on {W}x{H} {colour}, {plan.mode}, border {plan.border}"]
    lines.append(f"way: {plan.way}, {_ABOUT[plan.way]}; {_multiplications(chosen)}")
    if plan.is_folded:
        lines.append("taps beyond the picture: folded back onto it as the border says, those that meet added up")
    elif d > 1:
        spread = f"{(kh - 1) * d + 1}x{(kw - 1) * d + 1}"
        how = (
            f"the zeros are written out, {spread}, and passed over: cheapest while the kernel is this small"
            if max(runner.y.dilation, runner.x.dilation) == 1
            else f"the picture is read as {d}x{d} interleaved lanes, each filtered as if dense; "
            f"with zeros written out the kernel would be {spread}"
        )
        lines.append(f"dilation {d}: {how}")
    if s > 1:
        kept = f"only the kept pixels are computed, 1 of {s * s}"
        if isinstance(runner, InPlace):
            kept = f"every pixel is computed and 1 of {s * s} kept, which is cheaper for so few weights"
        elif isinstance(runner, Pieces) and runner.columns != "split":
            kept = f"only the kept rows are computed, 1 of {s}; columns are dropped after, which is cheaper here"
        lines.append(f"stride {s}: {kept}")
    if isinstance(runner, Fourier):
        lines.append(f"tiles: {runner.tile[1]}x{runner.tile[0]}, two at a time as one complex tile")
    elif isinstance(runner, Folded):
        lines.append("pixels: read where each tap lies, strip by strip")
    elif isinstance(runner, Compiled):
        lines.append(
            f"pixels: copied to rows that fit the cache, band by band, by the compiled core ({instruction_set()})"
        )
    elif isinstance(runner, InPlace):
        lines.append("pixels: read and written in place, the frame at the border computed after")
    else:
        lines.append("pixels: piece by piece, each small enough to stay in the cache")
    lines.append(f"threads: {runner.threads}")
    cheapest = {option.way: option.cost_ms for option in reversed(plan.options)}
    costs = ", ".join(f"{way} {cost:.2f}" for way, cost in sorted(cheapest.items(), key=lambda item: item[1]))
    lines.append(f"estimated milliseconds on one thread: {costs}")
    lines.append(f"estimates: {plan.costs.about}")
    return lines


def _multiplications(option: Option) -> str:
    runner = option.runner
    if isinstance(runner, Fourier):
        return f"{int((runner.weights != 0).sum())} weights, the cost hardly depends on how many"
    if isinstance(runner, Folded):
        return f"{len(runner.rows)}x{len(runner.columns)} taps are left after folding"
    whole = sum(
        int((t.first != 0).sum()) + (0 if t.second is None else int((t.second != 0).sum())) for t in runner.terms
    )
    kh, kw = runner.terms[0].shape
    if option.way == "separable":
        return f"rank {len(runner.terms)}: {whole} multiplications a value instead of {kh * kw}"
    return (
        "one sum moved along instead of every weight" if option.way == "box" else f"{whole} multiplications a value"
    )
