"""A convolution kernel: a small grid of weights with a name and an anchor, and what can be said about it.

This file does not know named kernels, text forms or pictures that are filtered.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import DTypeError, RangeError, ShapeError
from szem.kernels.signed_colors import signed_colors
from szem.media.pictures import encode_picture

__all__ = ["MAX_SIDE", "Kernel", "is_outer_product"]

MAX_SIDE = 4095  # taps; a kernel this wide outgrows every picture it could be meant for
_MAX_PIXELS = 75_000_000  # of a drawn kernel
_WRITTEN_OUT = 4096  # weights up to which two kernels are composed product by product


@dataclass(frozen=True, eq=False, repr=False)
class Kernel(Value):
    """A kernel of any height and width with real weights.

    Two kernels are equal when weights and anchor are; the name is for people.

    Args:
        weights: (kh, kw) real, finite; kept as float64, or float32 where it is that already. Copied, read-only.
        name: What to call it.
        anchor: (row, column) of the weight that lies on the pixel being computed. By default the centre
            (kh // 2, kw // 2): of an even side, the first weight after the middle, as in OpenCV and SciPy.
    Raises:
        ShapeError: not two axes, an empty one, or a side above 4095.
        DTypeError: not real numbers.
        RangeError: a weight is not finite, or the anchor lies outside.

    >>> k = Kernel([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], "sharpen")
    >>> k.shape, k.anchor, k.sum, k.rank()
    ((3, 3), (1, 1), 1.0, 2)
    """

    weights: NDArray[Any]
    name: str = "custom"
    anchor: tuple[int, int] = (-1, -1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _checked(self.weights))
        kh, kw = self.weights.shape
        if self.anchor == (-1, -1):
            object.__setattr__(self, "anchor", (kh // 2, kw // 2))
        row, column = self.anchor
        if not (0 <= row < kh and 0 <= column < kw):
            raise RangeError(
                f"anchor must lie inside the {kh}x{kw} kernel, got {self.anchor}; leave it out for the centre"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Kernel):
            return NotImplemented
        return self.anchor == other.anchor and np.array_equal(self.weights, other.weights)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.anchor, self.shape, (self.weights + 0.0).astype(np.float64).tobytes()))  # -0.0 is 0.0

    def summary(self) -> str:
        """The name, the size, and the anchor where it is not the centre."""
        kh, kw = self.shape
        moved = "" if self.anchor == (kh // 2, kw // 2) else f", anchor {self.anchor}"
        return f"{self.name!r}, {kh}x{kw}{moved}"

    def _repr_png_(self) -> bytes:
        return encode_picture(self.to_picture(cell_px=max(1, min(48, 512 // max(self.shape)))))

    def __str__(self) -> str:
        return self.to_table()

    @property
    def shape(self) -> tuple[int, int]:
        """(kh, kw), in taps."""
        kh, kw = self.weights.shape
        return kh, kw

    @property
    def sum(self) -> float:
        """Sum of the weights: what a flat picture of ones becomes. 1 keeps brightness, 0 answers only to change."""
        return float(self.weights.sum(dtype=np.float64))

    def normalize(self) -> "Kernel":
        """Scale the weights so that they sum to 1.

        Raises:
            RangeError: they sum to 0, as those of edge kernels do.

        >>> Kernel(np.ones((1, 4))).normalize().weights.tolist()
        [[0.25, 0.25, 0.25, 0.25]]
        """
        total = self.sum
        if abs(total) <= 1e-9 * float(np.abs(self.weights).sum()):
            raise RangeError(
                f"kernel {self.name!r} sums to 0 and cannot be made to sum to 1; it measures change, use it as it is"
            )
        return Kernel(self.weights.astype(np.float64) / total, self.name, self.anchor)

    def rank(self, *, tolerance: float = 1e-6) -> int:
        """How many column-times-row products make this kernel: 1 means separable, 0 means all weights are 0.

        Args:
            tolerance: Parts weaker than this fraction of the strongest count as nothing.
        """
        values = np.linalg.svd(self.weights.astype(np.float64), compute_uv=False)
        return int((values > tolerance * values[0]).sum())

    def separate(self, *, tolerance: float = 1e-6) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Split into columns and rows: the kernel is the sum of `np.outer(column, row)`, strongest first.

        Source: singular value decomposition; S. Treitel and J. Shanks, The design of multistage separable planar
        filters, 1971.

        >>> [(column, row)] = Kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]]).separate()
        >>> np.outer(column, row).round(6).tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
        """
        weights = self.weights.astype(np.float64)
        if is_outer_product(weights, tolerance=1e-12):  # found without the singular values, which are slow to compute
            return [_cross(weights)]
        u, values, vt = np.linalg.svd(weights, full_matrices=False)
        count = int((values > tolerance * values[0]).sum())
        if count == 1:  # a row and a column of the kernel itself: whole numbers stay whole
            return [_cross(weights)]
        roots = np.sqrt(values[:count])
        return [(u[:, i] * roots[i], vt[i] * roots[i]) for i in range(count)]

    def flip(self) -> "Kernel":
        """Turn by half a circle: convolution with a kernel is correlation with its flip."""
        kh, kw = self.shape
        anchor = (kh - 1 - self.anchor[0], kw - 1 - self.anchor[1])
        return Kernel(self.weights[::-1, ::-1], self.name, anchor)

    def compose(self, then: "Kernel") -> "Kernel":
        """The one kernel that does the work of two in a row (away from the border): their full convolution.

        Raises:
            ShapeError: it would have a side above 4095.

        >>> box = Kernel(np.ones((1, 2)), "pair")
        >>> box.compose(box).weights.tolist()
        [[1.0, 2.0, 1.0]]
        """
        (ah, aw), (bh, bw) = self.shape, then.shape
        _check_sides(ah + bh - 1, aw + bw - 1, "the two kernels in one")
        anchor = (self.anchor[0] + then.anchor[0], self.anchor[1] + then.anchor[1])
        name = f"{self.name}, {then.name}"
        if min(ah * aw, bh * bw) > _WRITTEN_OUT:
            from scipy.signal import fftconvolve

            return Kernel(fftconvolve(self.weights.astype(np.float64), then.weights), name, anchor)
        out = np.zeros((ah + bh - 1, aw + bw - 1))
        few, many = (then, self) if bh * bw <= ah * aw else (self, then)
        mh, mw = many.shape
        for (row, column), weight in np.ndenumerate(few.weights):
            out[row : row + mh, column : column + mw] += float(weight) * many.weights
        return Kernel(out, name, anchor)

    def dilate(self, dilation: int) -> "Kernel":
        """Spread the taps `dilation` pixels apart with zeros between: what an atrous kernel is, written out.

        Raises:
            RangeError: the dilation is below 1.
            ShapeError: it would have a side above 4095; `convolve(picture, kernel, dilation=...)` needs no zeros.

        >>> Kernel([[1, 2, 3]]).dilate(2).to_text()
        '1 0 2 0 3'
        """
        if dilation < 1:
            raise RangeError(f"dilation must be at least 1, got {dilation}; 1 leaves the kernel as it is")
        kh, kw = self.shape
        _check_sides((kh - 1) * dilation + 1, (kw - 1) * dilation + 1, "the dilated kernel")
        out = np.zeros(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1), self.weights.dtype)
        out[::dilation, ::dilation] = self.weights
        return Kernel(out, self.name, (self.anchor[0] * dilation, self.anchor[1] * dilation))

    def to_text(self) -> str:
        """One line that `parse_kernel` reads back to the same weights: rows parted by semicolons."""
        return "; ".join(" ".join(_number(w) for w in row) for row in self.weights.tolist())

    def to_table(self) -> str:
        """The name, then the weights in aligned columns, for a terminal."""
        cells = [[f"{w:.4g}" for w in row] for row in self.weights.tolist()]
        width = max(len(cell) for row in cells for cell in row)
        lines = ["  ".join(cell.rjust(width) for cell in row) for row in cells]
        return "\n".join([f"{self.name} ({self.shape[0]}x{self.shape[1]}, sum {self.sum:.4g})", *lines])

    def to_picture(self, *, cell_px: int = 32) -> Picture8:
        """Draw the weights: orange above zero, blue below, white for zero; numbers where they fit.

        Args:
            cell_px: Side of one weight's square.
        Returns:
            (kh * cell_px, kw * cell_px, 3) uint8 RGB.
        """
        if cell_px < 1:
            raise RangeError(f"cell_px must be at least 1, got {cell_px}")
        if self.weights.size * cell_px * cell_px > _MAX_PIXELS:
            raise RangeError(
                f"a drawn kernel has at most {_MAX_PIXELS} pixels, got {self.shape} cells of {cell_px}x{cell_px}; "
                "draw smaller cells"
            )
        cells = signed_colors(self.weights.astype(np.float32))
        picture = np.repeat(np.repeat(cells, cell_px, axis=0), cell_px, axis=1)
        if cell_px >= 4:
            picture[::cell_px] = picture[:, ::cell_px] = 205  # a thin line between the cells
        return _with_numbers(picture, self.weights, cell_px) if cell_px >= 28 else picture


def _checked(weights: Any) -> NDArray[Any]:
    try:
        array = np.asarray(weights)
    except ValueError as error:
        raise ShapeError(f"kernel rows must have one length ({error}); fill short rows with 0") from error
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"kernel weights must be real numbers, got {array.dtype}")
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"kernel must be (kh, kw) with at least one weight, got {array.shape}; use [[1, 2, 1]]")
    if max(array.shape) > MAX_SIDE:
        raise ShapeError(f"kernel sides must be at most {MAX_SIDE}, got {array.shape}; filter twice or scale down")
    kept = np.array(array, dtype=array.dtype if array.dtype == np.float32 else np.float64, order="C")
    if not np.isfinite(kept).all():
        raise RangeError("kernel weights must be finite, got NaN or infinity")
    kept.setflags(write=False)
    return kept


def is_outer_product(weights: NDArray[np.float64], *, tolerance: float = 1e-9) -> bool:
    """Whether the kernel is one column times one row, up to `tolerance` of its largest weight.

    >>> is_outer_product(np.array([[1.0, 2.0], [2.0, 4.0]])), is_outer_product(np.eye(2))
    (True, False)
    """
    largest = float(np.abs(weights).max())
    if largest == 0:
        return False
    return bool(np.abs(np.outer(*_cross(weights)) - weights).max() <= tolerance * largest)


def _cross(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The column and the row through the largest weight, scaled so that their product holds it."""
    row, column = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    return weights[:, column] / weights[row, column], weights[row].copy()


def _check_sides(height: int, width: int, what: str) -> None:
    if max(height, width) > MAX_SIDE:
        raise ShapeError(f"{what} would be {height}x{width}, sides must be at most {MAX_SIDE}; filter twice instead")


def _number(value: float) -> str:
    return re.sub(r"\.0$", "", repr(value))


def _with_numbers(picture: Picture8, weights: Array, cell_px: int) -> Picture8:
    from PIL import Image, ImageDraw

    from szem.media.drawing import font_of, ink_on, write_text

    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    size = max(9, cell_px // 3)
    for (row, column), weight in np.ndenumerate(weights):
        text = next((t for t in (f"{weight:.3g}", f"{weight:.2g}", f"{weight:.1g}") if len(t) <= 4), f"{weight:.1g}")
        text = text.replace("0.", ".", 1) if abs(weight) < 1 else text
        width = font_of(size).getlength(text)
        if width > cell_px - 4:
            continue
        r, g, b = (int(v) for v in picture[row * cell_px + 2, column * cell_px + 2])
        x = column * cell_px + (cell_px - width) / 2
        write_text(draw, x, (row + 0.5) * cell_px, text, size, ink_on((r, g, b)))
    return np.array(canvas)
