"""Kernels written as text: a name with parameters, or the weights themselves."""

import difflib
import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from szem.arrays import Array
from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.kernels.kernel import Kernel
from szem.kernels.library import KERNELS

__all__ = ["KernelInput", "as_kernel", "parse_kernel"]

KernelInput = Kernel | str | Array | Sequence[Sequence[float]]
"""What functions take as a kernel: one, its text, or its weights."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WEIGHTS = re.compile(r"\s*[-+.\d][-+.\deE\s,;/]*")
_LONGEST = 200_000  # characters


def parse_kernel(text: str) -> Kernel:
    """Make a kernel from text.

    Args:
        text: A name of `szem.kernels.KERNELS`, parameters after colons ("sobel-x", "gaussian:2.5", "motion:9:30"),
            or weights, rows parted by semicolons or new lines, numbers by blanks or commas, fractions allowed
            ("0 -1 0; -1 5 -1; 0 -1 0", "1/4 1/2 1/4"); a lone slash at the end divides them all ("1 2 1 / 4").
    Raises:
        UnknownNameError: no kernel of that name; the message holds the nearest.
        RangeError: a number is missing, malformed or out of bounds.
        ShapeError: rows of different length.

    >>> parse_kernel("gaussian:0.5").shape, parse_kernel("1 2 1 / 4").weights.tolist()
    ((5, 5), [[0.25, 0.5, 0.25]])
    """
    if not isinstance(text, str):
        raise DTypeError(
            f"a kernel's text must be a string, got {type(text).__name__}; for weights use Kernel(weights)"
        )
    if len(text) > _LONGEST:
        raise RangeError(f"a kernel's text must be at most {_LONGEST:,} characters, got {len(text):,}")
    return _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Kernel:
    return _from_weights(text) if _WEIGHTS.fullmatch(text) else _from_name(text)


def as_kernel(value: KernelInput) -> Kernel:
    """A kernel as it is, or made from its text or its weights.

    Raises:
        DTypeError: none of these.
        As `parse_kernel` and `Kernel`.

    >>> as_kernel([[0, 1], [1, 0]]).shape
    (2, 2)
    """
    if isinstance(value, Kernel):
        return value
    if isinstance(value, str):
        return parse_kernel(value)
    if isinstance(value, np.ndarray | list | tuple) or hasattr(value, "__array__"):
        return Kernel(value)  # type: ignore[arg-type]  # it makes an array of whatever it is given
    raise DTypeError(
        f"kernel must be a name, weights as text or as an array, or a Kernel, got {type(value).__name__}; "
        'use "sobel-x" or [[1, 2, 1]]'
    )


def _from_name(text: str) -> Kernel:
    name, *values = (part.strip() for part in text.strip().lower().split(":"))
    recipe = KERNELS.get(name)
    if recipe is None:
        close = difflib.get_close_matches(name, KERNELS, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(KERNELS)}"
        raise UnknownNameError(f"no kernel called {name[:60]!r}; {hint}")
    return recipe.make(name, *(_parameter(name, value) for value in values))


def _parameter(name: str, text: str) -> float:
    if not re.fullmatch(_NUMBER, text):
        raise RangeError(f"{name}: {text[:60]!r} is not a number; write it like gaussian:2.5")
    return float(text)


def _from_weights(text: str) -> Kernel:
    body, divisor = text, 1.0
    ending = re.fullmatch(rf"(.*\S)\s+/\s*({_NUMBER})\s*", text, re.DOTALL)
    if ending:
        body, divisor = ending[1], float(ending[2])
    rows = [[_weight(cell) for cell in re.split(r"[\s,]+", row.strip(" \t\r,"))] for row in _rows(body)]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1:
        raise ShapeError(f"kernel rows must have one length, got rows of {lengths} numbers; fill short rows with 0")
    if divisor == 0:
        raise RangeError("a kernel cannot be divided by 0; leave the divisor out")
    made = Kernel(np.array([[w / divisor for w in row] for row in rows]))
    return Kernel(made.weights, made.to_text() if made.weights.size <= 25 else "custom")


def _rows(body: str) -> list[str]:
    return [row for row in re.split(r"[;\n]", body) if row.strip(" \t\r,")]


def _weight(cell: str) -> float:
    parts = cell.split("/")
    if len(parts) > 2 or not all(re.fullmatch(_NUMBER, part) for part in parts):
        raise RangeError(f"{cell[:60]!r} is not a number; write weights like -1, 0.5 or 1/9")
    value = float(parts[0])
    if len(parts) == 2:
        divisor = float(parts[1])
        if divisor == 0:
            raise RangeError(f"{cell!r} divides by 0; write another number")
        value /= divisor
    if not math.isfinite(value):
        raise RangeError(f"{cell[:60]!r} is too large; write a smaller number")
    return value
