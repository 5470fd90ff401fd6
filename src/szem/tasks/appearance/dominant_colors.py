"""Dominant colours of a picture: what share of it they cover, and how much of the eye they catch."""

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.errors import RangeError
from szem.media.oklab import rgb_to_oklab
from szem.media.pictures import PictureLike, as_picture
from szem.results.colors import Colors, DominantColor
from szem.tasks.appearance.color_names import name_color

__all__ = ["dominant_colors"]

_SAMPLES = 10_000  # pixels looked at
_CELL = 0.03  # side of a cell of the histogram, in OKLab
_SAME = 0.065  # colours nearer than this in OKLab are reported as one
_MINIMUM = 0.004  # share of the pixels below which a colour is not worth telling
_ROUNDS = 12


def dominant_colors(picture: PictureLike, *, count: int = 10) -> Colors:
    """Find the colours that make a picture.

    Pixels are gathered in a histogram in OKLab, its cells in clusters (k-means, seeds by weight and distance, so the
    answer is always the same). A colour's score is its share of the pixels, each counted by how much it catches the
    eye: vivid ones more than grey ones, and those in the middle more than those at the border.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        count: How many colours at most, 1 or more.
    Returns:
        Up to `count` colours, the highest score first; scores and pixel fractions each add up to 1 less what the
        colours left out hold.
    Raises:
        RangeError: count is below 1.

    >>> flag = np.zeros((90, 60, 3), np.uint8)
    >>> flag[:30], flag[30:60], flag[60:] = (206, 41, 57), (255, 255, 255), (71, 112, 80)
    >>> [(color.name, round(color.pixel_fraction, 2)) for color in dominant_colors(flag).colors]
    [('red', 0.33), ('moss', 0.33), ('white', 0.33)]
    """
    if count < 1:
        raise RangeError(f"count of colours must be 1 or more, got {count}")
    rgb, middle = _sample(as_picture(picture))  # (P, 3), (P,)
    lab = rgb_to_oklab(rgb)
    eye = (0.25 + np.minimum(np.hypot(lab[:, 1], lab[:, 2]) / 0.2, 1.0)) * (0.4 + middle)
    cell_of, cells, weights = _histogram(lab)
    cluster_of = _cluster(cells, weights, count=min(2 * count, 24))[cell_of]  # (P,)
    total, eye_total = len(rgb), float(eye.sum())
    found = []
    for cluster in np.unique(cluster_of):
        inside = cluster_of == cluster
        pixel_fraction = float(inside.sum()) / total
        if pixel_fraction >= _MINIMUM or total < 1 / _MINIMUM:
            color = _typical(rgb[inside], lab[inside])
            score = float(eye[inside].sum()) / eye_total
            found.append(DominantColor(rgb=color, name=name_color(color), score=score, pixel_fraction=pixel_fraction))
    found.sort(key=lambda color: (-color.score, color.rgb))
    return Colors(tuple(found[:count]))


def _sample(picture: Picture8) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Pixels spread evenly over the picture, and how near the middle each lies: 1 in it, 0.1 in the corners.

    Pixels are taken as they are, since averaged ones show colours that are not there; along a sequence of low
    discrepancy, since a regular grid may fall in step with stripes.
    Source: Martin Roberts, The unreasonable effectiveness of quasirandom sequences, 2018 (R2).
    """
    height, width = picture.shape[:2]
    if height * width <= _SAMPLES:
        rows, cols = (axis.ravel() for axis in np.indices((height, width)))
    else:
        steps = np.arange(_SAMPLES)
        rows = ((0.5 + steps * 0.7548776662466927) % 1 * height).astype(np.intp)
        cols = ((0.5 + steps * 0.5698402909980532) % 1 * width).astype(np.intp)
    y, x = (rows + 0.5) / height - 0.5, (cols + 0.5) / width - 0.5
    return picture[rows, cols], np.exp(-4.6 * (y * y + x * x))


def _histogram(lab: Array) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Which cell each pixel is in; the mean colour of each cell; how many pixels it holds."""
    steps = np.rint(lab / _CELL).astype(np.int64) + 64
    keys = (steps[:, 0] * 128 + steps[:, 1]) * 128 + steps[:, 2]
    _, cell_of = np.unique(keys, return_inverse=True)
    weights = np.bincount(cell_of).astype(np.float64)
    means = np.stack([np.bincount(cell_of, lab[:, c]) for c in range(3)], axis=1) / weights[:, None]
    return cell_of, means, weights


def _cluster(cells: Array, weights: Array, *, count: int) -> NDArray[np.intp]:
    """Weighted k-means over cells (M, 3); clusters that look the same are joined. The cluster of each cell, (M,)."""
    centres = cells[[int(weights.argmax())]]
    while len(centres) < min(count, len(cells)):
        apart = _squares(cells, centres).min(axis=1)
        if apart.max() < _SAME**2:
            break
        centres = np.vstack([centres, cells[int((weights * apart).argmax())]])
    for _ in range(_ROUNDS):
        nearest = _squares(cells, centres).argmin(axis=1)
        mass = np.bincount(nearest, weights, minlength=len(centres))
        moved = np.stack(
            [np.bincount(nearest, weights * cells[:, c], minlength=len(centres)) for c in range(3)], axis=1
        )
        moved = np.where(mass[:, None] > 0, moved / np.maximum(mass, 1e-12)[:, None], centres)
        if np.abs(moved - centres).max() < 1e-4:
            break
        centres = moved
    nearest = _squares(cells, centres).argmin(axis=1)
    joined = _merge(centres, np.bincount(nearest, weights, minlength=len(centres)))
    return np.asarray(joined[nearest], np.intp)


def _merge(centres: Array, mass: Array) -> NDArray[np.intp]:
    """Join the nearest two clusters until none look the same: the new number of each."""
    now = np.arange(len(centres))
    centres, mass = centres.copy(), mass.copy()
    while True:
        apart = _squares(centres, centres)
        gone = mass <= 0
        apart[gone] = apart[:, gone] = np.inf
        np.fill_diagonal(apart, np.inf)
        a, b = np.unravel_index(int(apart.argmin()), apart.shape)
        if not apart[a, b] < _SAME**2:
            return now
        centres[a] = (centres[a] * mass[a] + centres[b] * mass[b]) / (mass[a] + mass[b])
        mass[a], mass[b] = mass[a] + mass[b], 0.0
        now[now == b] = a


def _typical(rgb: Array, lab: Array) -> tuple[int, int, int]:
    """The pixel's colour nearest to the mean of its cluster: one that is in the picture."""
    r, g, b = rgb[int(((lab - lab.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    return int(r), int(g), int(b)


def _squares(a: Array, b: Array) -> NDArray[np.float64]:
    """(M, K): squared distance of each row of a to each row of b."""
    out: NDArray[np.float64] = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    return np.maximum(out, 0.0, out=out)
