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

from szem.arrays import Array, check_image
from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.kernels.borders import CHANNELS, Border, check_border
from szem.kernels.costs import best_tile, in_place_ns, pieces_ns
from szem.kernels.fourier import Fourier
from szem.kernels.inplace import InPlace, can_run_in_place
from szem.kernels.kernel import Kernel
from szem.kernels.lattice import Axis
from szem.kernels.parallel import thread_count
from szem.kernels.passes import Term
from szem.kernels.pieces import Pieces, column_ways
from szem.kernels.text import as_kernel

__all__ = ["MODES", "WAYS", "Mode", "Option", "Plan", "Way", "plan_convolution"]

Mode = Literal["convolution", "correlation"]
MODES: tuple[Mode, ...] = get_args(Mode)
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
_CHANNELS = CHANNELS // 2  # of a picture that is filtered at once


@dataclass(frozen=True, eq=False)
class Option:
    """One way to carry out a convolution, and its estimated cost on one thread."""

    way: Way
    cost_ms: float
    runner: InPlace | Pieces | Fourier


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """A convolution ready to run.

    Args:
        shape: (H, W, C) of the pictures it runs on.
        kernel: As given.
        mode, border, stride_px, dilation: As given.
        options: All ways that can do it, cheapest first; the first is taken.
    """

    shape: tuple[int, int, int]
    kernel: Kernel
    mode: Mode
    border: Border
    stride_px: int
    dilation: int
    options: tuple[Option, ...]

    @property
    def way(self) -> Way:
        """The way that was chosen."""
        return self.options[0].way

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of the result."""
        runner = self.options[0].runner
        keep = runner.keep if isinstance(runner, InPlace) else 1
        return -(-runner.y.outputs // keep), -(-runner.x.outputs // keep), self.shape[2]

    def run(self, picture: Array) -> NDArray[np.float32]:
        """Filter one picture of the plan's shape.

        Args:
            picture: (H, W) or (H, W, C) uint8 or float32.
        Returns:
            float32 with as many axes.
        Raises:
            ShapeError: the picture has another shape.
        """
        image = check_image(picture)
        if image.shape != self.shape and (*image.shape, 1) != self.shape:
            raise ShapeError(f"this plan is for {self.shape}, got {image.shape}; make another plan")
        image = np.ascontiguousarray(image).reshape(self.shape)
        runner = self.options[0].runner
        if self.way == "fourier" and image.dtype == np.float32 and not _is_finite(image):
            # one NaN would spread over its whole tile
            runner = next(option.runner for option in self.options if option.way == "direct")
        step = _CHANNELS
        if image.shape[2] > step:
            groups = [np.ascontiguousarray(image[..., c : c + step]) for c in range(0, image.shape[2], step)]
            out = np.concatenate([runner.run(group) for group in groups], axis=2)
        else:
            out = runner.run(image)
        return out[..., 0] if picture.ndim == 2 else out

    def explain(self) -> str:
        """What was chosen and why, in a few lines."""
        return "\n".join(_explain(self))


def plan_convolution(
    shape: tuple[int, ...],
    kernel: Kernel | str,
    *,
    stride_px: int = 1,
    dilation: int = 1,
    border: str = "reflect",
    mode: str = "convolution",
    way: Way | None = None,
) -> Plan:
    """Plan a convolution.

    Args:
        shape: (H, W) or (H, W, C) of the picture.
        kernel: A kernel or its text.
        stride_px: Pixels between outputs.
        dilation: Pixels between taps.
        border: One of `BORDERS`.
        mode: "convolution" or "correlation".
        way: Take this one instead of the cheapest; "separable" and "box" exist only for kernels that are.
    Raises:
        RangeError, ShapeError, UnknownNameError, DTypeError: as `convolve`.

    >>> plan_convolution((1024, 1024), "gaussian:2").way
    'separable'
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ShapeError(f"shape must be (H, W) or (H, W, C) with no empty axis, got {tuple(shape)}")
    for name, value in (("stride_px", stride_px), ("dilation", dilation)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise RangeError(f"{name} must be a whole number of at least 1, got {value!r}; 1 is the plain case")
    if way is not None and way not in WAYS:
        raise UnknownNameError(f"no way called {way!r}; there are {', '.join(WAYS)}")
    H, W, C = (*shape, 1)[:3]
    return _plan(
        (H, W, C), as_kernel(kernel), int(stride_px), int(dilation), check_border(border), _check_mode(mode), way,
        thread_count(),
    )  # fmt: skip


def _check_mode(mode: str) -> Mode:
    for known in MODES:
        if mode == known:
            return known
    raise UnknownNameError(f"no mode called {mode!r}; there are {', '.join(MODES)}")


@lru_cache(maxsize=256)
def _plan(
    shape: tuple[int, int, int], kernel: Kernel, stride: int, dilation: int, border: Border, mode: Mode,
    way: Way | None, threads: int,
) -> Plan:  # fmt: skip
    oriented = kernel.flip() if mode == "convolution" else kernel
    weights, y, x = _axes(shape, oriented, stride, dilation, border)
    options = sorted(_options(shape[2], weights, y, x, border, threads), key=lambda option: option.cost_ms)
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
    )


def _axes(
    shape: tuple[int, int, int], oriented: Kernel, stride: int, dilation: int, border: Border
) -> tuple[NDArray[np.float64], Axis, Axis]:
    """The weights without outer rows and columns of zeros, and the two axes they are applied along."""
    axes: list[Axis] = []
    cuts: list[slice] = []
    for size, taps, anchor, used in zip(
        shape, oriented.shape, oriented.anchor, _used(oriented.weights), strict=False
    ):
        span = (taps - 1) * dilation + 1
        before = 0 if border == "valid" else anchor * dilation
        room = size - span + 1 if border == "valid" else size
        if room < 1:
            raise ShapeError(
                f"border 'valid' needs a picture of at least {span} pixels a side for this kernel, got {size}; "
                "use another border or a smaller kernel"
            )
        axes.append(
            Axis(
                size=size,
                outputs=-(-room // stride),
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
    taken = np.argwhere(weights)
    if not len(taken):
        return slice(0, 1), slice(0, 1)
    (top, left), (bottom, right) = taken.min(axis=0), taken.max(axis=0)
    return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)


def _options(
    channels: int, weights: NDArray[np.float64], y: Axis, x: Axis, border: Border, threads: int
) -> list[Option]:
    options: list[Option] = []
    for way, terms in _recipes(weights).items():
        if can_run_in_place(y.dense, x.dense, min(channels, _CHANNELS), terms):
            cost = in_place_ns(y, x, channels, terms)
            in_place = InPlace(
                y=y.dense, x=x.dense, terms=terms, border=border, threads=_threads(cost, threads), keep=y.stride
            )
            options.append(Option(way, cost / 1e6, in_place))
        for columns in column_ways(x, terms, border):
            cost = pieces_ns(y, x, channels, terms, columns)
            pieces = Pieces(y=y, x=x, terms=terms, border=border, columns=columns, threads=_threads(cost, threads))
            options.append(Option(way, cost / 1e6, pieces))
    if max(y.dilation, x.dilation) > 1 and max(y.span, x.span) <= _SKIPS_ZEROS:
        wide = np.zeros((y.span, x.span))
        wide[:: y.dilation, :: x.dilation] = weights
        dense_y, dense_x = replace(y, taps=y.span, dilation=1), replace(x, taps=x.span, dilation=1)
        spread = _options(channels, wide, dense_y, dense_x, border, threads)
        options += [option for option in spread if option.way == "direct"]
    tile, cost = best_tile(y, x, channels)
    fourier = Fourier(y=y, x=x, weights=weights, border=border, tile=tile, threads=_threads(cost, threads))
    return [*options, Option("fourier", cost / 1e6, fourier)]


def _threads(cost_ns: float, threads: int) -> int:
    return threads if cost_ns > _WORTH_THREADS_NS else 1


def _recipes(weights: NDArray[np.float64]) -> dict[Way, tuple[Term, ...]]:
    """The kernel as sums of filters, one entry for each way that can do it by passes."""
    whole = np.ascontiguousarray(weights, np.float32)
    recipes: dict[Way, tuple[Term, ...]] = {"direct": (Term(whole),)}
    if weights.size >= 4 and (weights == weights[0, 0]).all():
        recipes["box"] = (Term(whole, box=True),)
    if min(weights.shape) > 1:
        parts = Kernel(weights).separate()
        if 0 < len(parts) <= max(1, min(weights.shape) // 2):
            recipes["separable"] = tuple(
                Term(column.astype(np.float32)[:, None], row.astype(np.float32)[None]) for column, row in parts
            )
    return recipes


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
    if d > 1:
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
    elif isinstance(runner, InPlace):
        lines.append("pixels: read and written in place, the frame at the border computed after")
    else:
        lines.append("pixels: piece by piece, each small enough to stay in the cache")
    lines.append(f"threads: {runner.threads}")
    cheapest = {option.way: option.cost_ms for option in reversed(plan.options)}
    costs = ", ".join(f"{way} {cost:.2f}" for way, cost in sorted(cheapest.items(), key=lambda item: item[1]))
    lines.append(f"estimated milliseconds on one thread: {costs}")
    return lines


def _multiplications(option: Option) -> str:
    runner = option.runner
    if isinstance(runner, Fourier):
        return f"{int((runner.weights != 0).sum())} weights, the cost hardly depends on how many"
    whole = sum(
        int((t.first != 0).sum()) + (0 if t.second is None else int((t.second != 0).sum())) for t in runner.terms
    )
    kh, kw = runner.terms[0].shape
    if option.way == "separable":
        return f"rank {len(runner.terms)}: {whole} multiplications a value instead of {kh * kw}"
    return (
        "one sum moved along instead of every weight" if option.way == "box" else f"{whole} multiplications a value"
    )
