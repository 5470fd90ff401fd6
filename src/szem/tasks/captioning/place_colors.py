"""Which colours are at which place of a picture, in the words that captions use. This file does not know networks."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.tasks.appearance.color_names import COLOR_NAMES, nearest_name

__all__ = ["COLOR_WORDS", "color_fractions", "main_color"]

COLOR_WORDS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "tan")
"""The words; people's other spellings and shades are taken to one of them by `WORD_COLORS`."""

# Fine name -> the words that people may use for it, the first the most usual.
_WORDS_OF = {
    "black": "black", "near black": "black", "charcoal": "black grey", "dark grey": "grey black",
    "grey": "grey", "mid grey": "grey white", "silver": "grey white", "light grey": "grey white",
    "off white": "white", "white": "white", "cream": "white tan yellow", "beige": "tan white brown",
    "sand": "tan brown white yellow", "tan": "tan brown", "taupe": "brown grey tan", "khaki": "tan green brown",
    "maroon": "red brown", "dark red": "red", "red": "red", "brick": "red brown orange", "salmon": "pink orange red",
    "coral": "red orange pink", "pink": "pink", "hot pink": "pink", "rose": "pink red",
    "dusty rose": "pink brown tan", "espresso": "brown black", "dark brown": "brown black", "brown": "brown",
    "chestnut": "brown red", "light brown": "brown tan", "copper": "brown orange", "rust": "orange brown red",
    "orange red": "orange red", "orange": "orange", "peach": "pink orange tan", "ochre": "yellow brown orange",
    "gold": "yellow orange", "yellow": "yellow", "pale yellow": "yellow white", "mustard": "yellow brown",
    "olive": "green brown", "dark olive": "green black brown", "lime": "green yellow", "green": "green",
    "dark green": "green black", "bright green": "green", "light green": "green", "pale green": "green white",
    "sage": "green grey", "moss": "green", "mint": "green", "emerald": "green", "teal": "blue green",
    "dark teal": "blue green black", "turquoise": "blue green", "cyan": "blue", "sky blue": "blue",
    "pale blue": "blue white", "slate": "grey blue", "dark slate": "grey blue black", "blue grey": "grey blue white",
    "steel blue": "blue", "blue": "blue", "deep blue": "blue", "dusk blue": "blue", "navy": "blue black",
    "midnight": "black blue", "indigo": "purple blue", "violet": "purple", "lavender": "purple pink white",
    "purple": "purple", "dark purple": "purple black", "mauve": "purple pink", "plum": "purple red",
    "magenta": "pink purple", "burgundy": "red purple",
}  # fmt: skip
_SIDE = 72  # pixels of the square in which colours are counted
_LEVELS = 32  # of a channel, in the table of words


def color_fractions(picture: Picture8, side: int) -> NDArray[np.float32]:
    """How much of each place could be called by each colour.

    Args:
        picture: (H, W, 3) uint8, RGB.
        side: Places in a row and in a column, which divide the picture evenly.
    Returns:
        (side * side, words) fractions; a pixel counts for every word that people may use for it.

    >>> red = np.zeros((8, 8, 3), np.uint8) + np.array([214, 30, 36], np.uint8)
    >>> color_fractions(red, 2)[:, COLOR_WORDS.index("red")].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    pixels = max(1, _SIDE // side) * side
    small = np.asarray(cv2.resize(picture, (pixels, pixels), interpolation=cv2.INTER_AREA), np.uint8)
    may_be = _words_of_rgb(small)  # (p, p, words)
    cells = may_be.reshape(side, pixels // side, side, pixels // side, -1)
    return np.asarray(cells.mean(axis=(1, 3)), np.float32).reshape(side * side, -1)


def main_color(picture: Picture8, box_xyxy: tuple[float, float, float, float]) -> tuple[str, float]:
    """The colour of the middle of a box and the fraction of the middle that it covers.

    Args:
        picture: (H, W, 3) uint8, RGB.
        box_xyxy: Fractions of the picture's sides.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box_xyxy
    middle_x, middle_y, half_x, half_y = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 4, (y1 - y0) / 4
    top, bottom = int((middle_y - half_y) * height), int((middle_y + half_y) * height)
    left, right = int((middle_x - half_x) * width), int((middle_x + half_x) * width)
    middle = picture[top : max(top + 1, bottom), left : max(left + 1, right)]
    small = np.asarray(cv2.resize(middle, (24, 24), interpolation=cv2.INTER_AREA), np.uint8)
    usual = _table()[1][_index(small)]
    counts = np.bincount(usual.ravel(), minlength=len(COLOR_WORDS))
    best = int(counts.argmax())
    return COLOR_WORDS[best], float(counts[best] / counts.sum())


def _words_of_rgb(rgb: Array) -> NDArray[np.bool_]:
    return np.asarray(_table()[0][_index(rgb)])


def _index(rgb: Array) -> NDArray[np.int64]:
    levels = rgb.astype(np.int64) * _LEVELS // 256
    return np.asarray((levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2])


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """For each cell of the colour cube the words it may be called, and the most usual."""
    grid = (np.indices((_LEVELS,) * 3).reshape(3, -1).T * 256 + 128) // _LEVELS
    names = list(COLOR_NAMES)
    fine = nearest_name(grid.astype(np.uint8), names)
    words = [_WORDS_OF.get(name, "").split() for name in names]
    may_be = np.array([[word in some for word in COLOR_WORDS] for some in words])
    usual = np.array([COLOR_WORDS.index(some[0]) if some else 0 for some in words])
    return may_be[fine], usual[fine]
