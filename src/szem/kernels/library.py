"""The table of named kernels: NAME -> builder and its parameters.

Directions are said as seen on the picture: `-x` and `-e` answer to brightness that grows to the right, `-y` and `-s`
to brightness that grows downward, `-ne` to brightness that grows toward the upper right corner, and so on, under
correlation (the sign turns under convolution). Angles are degrees, counter-clockwise from the x axis.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError
from szem.kernels.kernel import MAX_SIDE, Kernel

__all__ = ["COMPASS", "KERNELS", "KernelRecipe", "Parameter"]

_Weights = NDArray[np.float64]
COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A number that a recipe takes: in the text form, the values stand in this order after colons."""

    name: str
    default: float
    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class KernelRecipe:
    """How a named kernel is made."""

    about: str
    build: Callable[..., _Weights]
    parameters: tuple[Parameter, ...] = ()

    def make(self, name: str, *values: float) -> Kernel:
        """Build the kernel; values left out take their defaults.

        Raises:
            RangeError: too many values, or one is out of bounds.
        """
        if len(values) > len(self.parameters):
            takes = ", ".join(p.name for p in self.parameters) or "no parameters"
            raise RangeError(f"kernel {name!r} takes {takes}, got {len(values)} values; leave some out")
        filled = [*values, *(p.default for p in self.parameters[len(values) :])]
        for parameter, value in zip(self.parameters, filled, strict=True):
            if not parameter.low <= value <= parameter.high or (parameter.whole and value != int(value)):
                kind = "a whole number" if parameter.whole else "a number"
                raise RangeError(
                    f"{name}: {parameter.name} must be {kind} from {parameter.low:g} to {parameter.high:g}, "
                    f"got {value:g}"
                )
        said = ":".join([name, *(f"{v:g}" for v in values)])
        return Kernel(self.build(*filled), said)


def _fixed(*rows: str) -> Callable[[], _Weights]:
    weights = np.array([[float(w) for w in row.split()] for row in rows])
    return lambda: weights


def _ring(*north: float) -> dict[str, Callable[[], _Weights]]:
    """Eight kernels from the one for north: its outer ring, clockwise from the upper left, turned in steps of 45°."""
    cells = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    made: dict[str, Callable[[], _Weights]] = {}
    for turn, side in enumerate(COMPASS):
        weights = np.zeros((3, 3))
        for index, cell in enumerate(cells):
            weights[cell] = north[(index - turn) % 8]
        made[side] = partial(np.copy, weights)
    return made


def _box(size: float) -> _Weights:
    side = int(size)
    return np.full((side, side), 1 / (side * side))


def _radius(sigma: float) -> int:
    return max(1, math.ceil(3 * sigma))


def _bell(sigma: float, radius: int) -> _Weights:
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (x / sigma) ** 2)
    column: _Weights = bell / bell.sum()
    return column


def _gaussian(sigma: float, size: float) -> _Weights:
    if size and size % 2 == 0:
        raise RangeError(f"gaussian: size must be odd (or 0 for six sigma), got {size:g}; use {size + 1:g}")
    column = _bell(sigma, int(size) // 2 if size else _radius(sigma))
    return np.outer(column, column)


def _sharpen(amount: float) -> _Weights:
    return np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]) * amount + _delta(1)


def _delta(radius: int) -> _Weights:
    weights = np.zeros((2 * radius + 1, 2 * radius + 1))
    weights[radius, radius] = 1
    return weights


def _unsharp(sigma: float, amount: float) -> _Weights:
    return (1 + amount) * _delta(_radius(sigma)) - amount * _gaussian(sigma, 0)


def _log(sigma: float) -> _Weights:
    """Laplacian of Gaussian, negative in the middle, made to sum to 0. Source: D. Marr, E. Hildreth, 1980."""
    radius = max(1, math.ceil(4 * sigma))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    square = (x * x + y * y) / (2 * sigma * sigma)
    weights: _Weights = (square - 1) * np.exp(-square) / (math.pi * sigma**4)
    return weights - weights.mean()


def _dog(sigma: float, ratio: float) -> _Weights:
    radius = _radius(sigma * ratio)
    narrow, wide = _bell(sigma, radius), _bell(sigma * ratio, radius)
    return np.outer(narrow, narrow) - np.outer(wide, wide)


def _gabor(theta_deg: float, wavelength_px: float, sigma: float) -> _Weights:
    """A wave along `theta` under a round bell; sums to 0, its positive weights to 1. Source: J. Daugman, 1985."""
    radius = max(1, math.ceil(2.5 * sigma))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    along = x * math.cos(math.radians(theta_deg)) - y * math.sin(math.radians(theta_deg))
    bell = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    wave = np.cos(2 * math.pi * along / wavelength_px)
    weights: _Weights = bell * (wave - (bell * wave).sum() / bell.sum())
    weights /= weights[weights > 0].sum()
    return weights


def _motion(length_px: float, angle_deg: float) -> _Weights:
    """A line through the centre, each weight one minus its distance from the line (at least 0), made to sum to 1."""
    radius = max(0, math.ceil(length_px / 2 - 0.5))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    ux, uy = math.cos(math.radians(angle_deg)), -math.sin(math.radians(angle_deg))
    half = (length_px - 1) / 2
    along = np.clip(x * ux + y * uy, -half, half)
    weights = np.maximum(0, 1 - np.hypot(x - along * ux, y - along * uy))
    weights[weights < 1e-12] = 0  # cos(90°) is not quite 0
    total: _Weights = weights / weights.sum()
    return total


_SIZE = Parameter(name="size", default=3, low=1, high=511, whole=True)
_SIGMA = Parameter(name="sigma", default=1, low=0.1, high=200)
_AMOUNT = Parameter(name="amount", default=1, low=0, high=100)


def _directional() -> dict[str, KernelRecipe]:
    families = {
        "sobel": ("Sobel", _ring(1, 2, 1, 0, -1, -2, -1, 0)),
        "prewitt": ("Prewitt", _ring(1, 1, 1, 0, -1, -1, -1, 0)),
        "scharr": ("Scharr", _ring(3, 10, 3, 0, -3, -10, -3, 0)),
    }
    made: dict[str, KernelRecipe] = {}
    for name, (title, ring) in families.items():
        made[f"{name}-x"] = KernelRecipe(about=f"{title} derivative to the right: vertical edges.", build=ring["e"])
        made[f"{name}-y"] = KernelRecipe(about=f"{title} derivative downward: horizontal edges.", build=ring["s"])
        for side in COMPASS:
            made[f"{name}-{side}"] = KernelRecipe(
                about=f"{title} edges brighter toward {side.upper()}.", build=ring[side]
            )
    return made


# The presets of setosa.io/ev/image-kernels with their values, under their names.
_SETOSA = {
    "blur": _fixed(".0625 .125 .0625", ".125 .25 .125", ".0625 .125 .0625"),
    "bottom-sobel": _fixed("-1 -2 -1", "0 0 0", "1 2 1"),
    "emboss": _fixed("-2 -1 0", "-1 1 1", "0 1 2"),
    "identity": _fixed("0 0 0", "0 1 0", "0 0 0"),
    "left-sobel": _fixed("1 0 -1", "2 0 -2", "1 0 -1"),
    "outline": _fixed("-1 -1 -1", "-1 8 -1", "-1 -1 -1"),
    "right-sobel": _fixed("-1 0 1", "-2 0 2", "-1 0 1"),
    "sharpen": _fixed("0 -1 0", "-1 5 -1", "0 -1 0"),
    "top-sobel": _fixed("1 2 1", "0 0 0", "-1 -2 -1"),
}

KERNELS: dict[str, KernelRecipe] = {
    "identity": KernelRecipe(about="Leaves the picture as it is.", build=partial(_delta, 1)),
    "box": KernelRecipe(about="The mean of a square.", build=_box, parameters=(_SIZE,)),
    "gaussian": KernelRecipe(
        about="A bell-shaped blur; size 0 means six sigma.",
        build=_gaussian,
        parameters=(_SIGMA, Parameter(name="size", default=0, low=0, high=MAX_SIDE, whole=True)),
    ),
    "motion": KernelRecipe(
        about="The blur of a camera that moved.",
        build=_motion,
        parameters=(
            Parameter(name="length", default=9, low=1, high=511),
            Parameter(name="angle", default=0, low=-360, high=360),
        ),
    ),
    "sharpen": KernelRecipe(about="The picture plus its edges.", build=_sharpen, parameters=(_AMOUNT,)),
    "unsharp": KernelRecipe(
        about="The picture plus what a Gaussian took from it.", build=_unsharp, parameters=(_SIGMA, _AMOUNT)
    ),
    "emboss": KernelRecipe(about="Light from the upper left.", build=_SETOSA["emboss"]),
    "outline": KernelRecipe(about="The pixel against its eight neighbours.", build=_SETOSA["outline"]),
    "laplacian": KernelRecipe(
        about="The second derivative: the four neighbours against the pixel.",
        build=_fixed("0 1 0", "1 -4 1", "0 1 0"),
    ),
    "log": KernelRecipe(
        about="Laplacian of Gaussian: blobs and edges of one scale.",
        build=_log,
        parameters=(Parameter(name="sigma", default=1.4, low=0.4, high=100),),
    ),
    "dog": KernelRecipe(
        about="Difference of two Gaussians, narrow minus wide.",
        build=_dog,
        parameters=(_SIGMA, Parameter(name="ratio", default=1.6, low=1.01, high=10)),
    ),
    "gabor": KernelRecipe(
        about="Stripes that run across the direction theta.",
        build=_gabor,
        parameters=(
            Parameter(name="theta", default=0, low=-360, high=360),
            Parameter(name="wavelength", default=8, low=2, high=200),
            Parameter(name="sigma", default=4, low=0.5, high=100),
        ),
    ),
    **_directional(),
    **{
        f"setosa-{name}": KernelRecipe(about=f"The preset {name!r} of setosa.io/ev/image-kernels.", build=build)
        for name, build in _SETOSA.items()
    },
}
