"""What lies outside the picture: the five borders, and rectangles of a picture that may reach beyond it.

| border | a b c d continues as | OpenCV | scipy.ndimage | numpy.pad | torch pad |
|---|---|---|---|---|---|
| reflect | d c b **a b c d** c b a | BORDER_REFLECT_101 | mirror | reflect | reflect |
| replicate | a a a **a b c d** d d d | BORDER_REPLICATE | nearest | edge | replicate |
| wrap | b c d **a b c d** a b c | BORDER_WRAP | grid-wrap | wrap | circular |
| constant | 0 0 0 **a b c d** 0 0 0 | BORDER_CONSTANT | constant | constant | constant |
| valid | only places where the whole kernel lies inside | | | | no padding |

Reflection does not repeat the edge pixel, and goes back and forth when the kernel is wider than the picture.
"""

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import UnknownNameError

__all__ = [
    "BORDERS",
    "CHANNELS",
    "Border",
    "border_index",
    "check_border",
    "copy_columns",
    "native_border",
    "store",
    "take",
    "take_rows",
]

Border = Literal["reflect", "replicate", "constant", "wrap", "valid"]
BORDERS: tuple[Border, ...] = get_args(Border)

CHANNELS = 128  # most channels of an OpenCV array
_TURNS = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32}  # bytes of pixels that OpenCV's transpose knows

_OPENCV = {
    "reflect": cv2.BORDER_REFLECT_101,
    "replicate": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
    "wrap": cv2.BORDER_WRAP,
    "valid": cv2.BORDER_CONSTANT,  # what lies outside is computed at times, never kept
}


def check_border(border: str) -> Border:
    """Check the name of a border.

    Raises:
        UnknownNameError: there is no such border.
    """
    for known in BORDERS:
        if border == known:
            return known
    raise UnknownNameError(f"no border called {border!r}; there are {', '.join(BORDERS)}")


def native_border(border: Border) -> int | None:
    """The border's code where OpenCV's filters know it themselves; None where they do not (wrap)."""
    return None if border == "wrap" else _OPENCV[border]


def border_index(positions: Array, size: int, border: Border) -> NDArray[np.intp]:
    """Which pixel stands in for each position on an axis; -1 for none (the constant).

    >>> border_index(np.arange(-3, 6), 3, "reflect").tolist()
    [1, 2, 1, 0, 1, 2, 1, 0, 1]
    """
    at = np.asarray(positions, np.intp)
    if border == "wrap":
        return at % size
    if border == "replicate":
        return np.clip(at, 0, size - 1)
    if border == "reflect":
        if size == 1:
            return np.zeros_like(at)
        folded = at % (2 * size - 2)
        return np.minimum(folded, 2 * size - 2 - folded)
    return np.where((at >= 0) & (at < size), at, -1)


def take(
    image: Array, rows: range, columns: range, border: Border, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Copy evenly spaced rows and columns as float32; they may reach beyond the image, as the border says.

    Args:
        image: (H, W, C) uint8 or float32; may be a transposed view.
        rows, columns: Of the image, any positive step.
        border: What lies outside.
        out: Where to; made anew by default.
    Returns:
        (len(rows), len(columns), C) float32.
    """
    H, _, C = image.shape
    patch = np.empty((len(rows), len(columns), C), np.float32) if out is None else out
    if image.strides[0] < image.strides[1]:
        _take_turned(image, rows, columns, border, patch)
        return patch
    first, last = _inside(rows, H)
    if last > first:
        _take_columns(_slice(image, rows[first:last]), columns, border, patch[first:last])
    for part in (slice(0, first), slice(last, len(rows))):
        if part.stop > part.start:
            lines = _lines_beyond(image, rows[part], border)
            if lines is None:
                patch[part] = 0
            else:
                _take_columns(lines, columns, border, patch[part])
    return patch


def take_rows(image: Array, rows: range, border: Border) -> NDArray[np.float32]:
    """Evenly spaced whole rows as float32: a view where that is possible, else a copy. See `take`."""
    first, last = _inside(rows, len(image))
    if first == 0 and last == len(rows):
        return _slice(image, rows).astype(np.float32, copy=False)
    return take(image, rows, range(image.shape[1]), border)


def _slice(image: Array, rows: range) -> Array:
    return image[rows.start : rows[-1] + 1 : rows.step]


def _inside(at: range, size: int) -> tuple[int, int]:
    """From which to which of the positions lie on the axis."""
    first = min(len(at), max(0, -(at.start // at.step)))
    return first, max(first, min(len(at), -((at.start - size) // at.step)))


def _lines_beyond(image: Array, rows: range, border: Border) -> Array | None:
    """The rows that stand in for rows outside; None for zeros."""
    index = border_index(np.asarray(rows), len(image), border)
    return None if index[0] < 0 else image[index]


def _take_turned(image: Array, rows: range, columns: range, border: Border, patch: NDArray[np.float32]) -> None:
    """`take` from a transposed view: its rows are columns in memory, so a compact strip is copied out first."""
    index = border_index(np.asarray(rows), len(image), border)
    inside = index[index >= 0]
    if len(inside) < len(index):
        patch[...] = 0
    if not len(inside):
        return
    low, high = int(inside.min()), int(inside.max()) + 1
    if high - low <= 2 * len(inside):
        lines = _turn(np.ascontiguousarray(image[low:high].swapaxes(0, 1)))[inside - low]
    else:
        lines = _turn(np.ascontiguousarray(image.swapaxes(0, 1)[:, inside]))
    if len(inside) == len(index):
        _take_columns(lines, columns, border, patch)
    else:
        part = np.empty((len(inside), *patch.shape[1:]), np.float32)
        _take_columns(lines, columns, border, part)
        patch[index >= 0] = part


def _take_columns(lines: Array, columns: range, border: Border, patch: NDArray[np.float32]) -> None:
    _, W, C = lines.shape
    first, last = _inside(columns, W)
    whole = first == 0 and last == len(columns)
    native = columns.step == 1 and (columns[first:last] == range(W) or border != "wrap") and last > first
    if not whole and native and C <= CHANNELS and _reflects_once(columns, first, last, W, border):
        sides = (0, 0, first, len(columns) - last)
        inside = lines[:, columns.start + first : columns.start + last]
        if lines.dtype == np.float32:
            cv2.copyMakeBorder(inside, *sides, _OPENCV[border], dst=patch)
        else:
            patch[...] = cv2.copyMakeBorder(inside, *sides, _OPENCV[border]).reshape(patch.shape)
        return
    if last > first:
        copy_columns(lines, columns[first:last], patch[:, first:last])
    if not whole:
        beyond = np.array([*range(first), *range(last, len(columns))])
        index = border_index(columns.start + columns.step * beyond, W, border)
        patch[:, beyond] = lines[:, index] if index[0] >= 0 else 0


def _reflects_once(columns: range, first: int, last: int, width: int, border: Border) -> bool:
    """Whether the columns inside hold all that those outside stand for."""
    return border != "reflect" or last - first == width or max(first, len(columns) - last) < last - first


def store(values: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Copy values to a part of a result, which may be a transposed view."""
    if target.strides[0] < target.strides[1]:
        target.swapaxes(0, 1)[...] = _turn(values)
    else:
        target[...] = values


def _turn(lines: Array) -> Array:
    """Rows and columns exchanged, laid out anew in memory."""
    n, w, C = lines.shape
    if lines.itemsize * C in _TURNS:  # OpenCV turns blocks, many times faster
        return cv2.transpose(lines).reshape(w, n, C)
    return np.ascontiguousarray(lines.swapaxes(0, 1))


def copy_columns(lines: Array, columns: range, target: NDArray[np.float32]) -> None:
    """Copy evenly spaced columns of (H, W, C) that lie inside, as float32."""
    done = 0
    if (
        columns.step > 1
        and 1 < lines.shape[2] <= 4
        and lines.dtype == np.float32
        and lines.strides[1] > lines.strides[2]
    ):
        # numpy goes value by value here; OpenCV's nearest neighbour goes pixel by pixel
        done = min(len(columns), (lines.shape[1] - columns.start) // columns.step)
        if done:
            source = lines[:, columns.start : columns.start + done * columns.step]
            cv2.resize(source, (done, len(lines)), dst=target[:, :done], interpolation=cv2.INTER_NEAREST)
    if done < len(columns):
        target[:, done:] = lines[:, columns[done] : columns[-1] + 1 : columns.step]
