"""Words for colours: the nearest of a table, as the eye sees nearness."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from szem.media.drawing import RGB
from szem.media.oklab import rgb_to_oklab

__all__ = ["COLOR_NAMES", "name_color", "nearest_name"]

# Word -> a colour most people would call so. Plain words first; no trade names.
COLOR_NAMES: dict[str, RGB] = {
    "black": (8, 8, 8),
    "near black": (30, 30, 30),
    "charcoal": (54, 54, 54),
    "dark grey": (86, 86, 86),
    "grey": (126, 126, 126),
    "mid grey": (154, 154, 154),
    "silver": (184, 184, 184),
    "light grey": (214, 214, 214),
    "off white": (240, 238, 234),
    "white": (255, 255, 255),
    "cream": (240, 226, 190),
    "beige": (222, 202, 168),
    "sand": (208, 180, 138),
    "tan": (190, 152, 112),
    "taupe": (142, 124, 110),
    "khaki": (178, 170, 110),
    "maroon": (100, 16, 22),
    "dark red": (144, 20, 24),
    "red": (214, 30, 36),
    "brick": (166, 60, 44),
    "salmon": (240, 146, 122),
    "coral": (246, 106, 82),
    "pink": (246, 178, 194),
    "hot pink": (240, 84, 156),
    "rose": (200, 90, 112),
    "dusty rose": (190, 142, 138),
    "espresso": (44, 26, 18),
    "dark brown": (72, 44, 28),
    "brown": (112, 70, 40),
    "chestnut": (140, 78, 52),
    "light brown": (162, 122, 90),
    "copper": (190, 108, 62),
    "rust": (180, 78, 26),
    "orange red": (250, 76, 16),
    "orange": (246, 140, 24),
    "peach": (252, 200, 164),
    "ochre": (200, 148, 44),
    "gold": (232, 188, 50),
    "yellow": (250, 230, 40),
    "pale yellow": (250, 242, 160),
    "mustard": (172, 142, 30),
    "olive": (116, 118, 40),
    "dark olive": (62, 64, 28),
    "lime": (170, 220, 40),
    "green": (40, 150, 50),
    "dark green": (18, 74, 34),
    "bright green": (30, 240, 70),
    "light green": (120, 200, 110),
    "pale green": (182, 222, 176),
    "sage": (142, 162, 128),
    "moss": (90, 114, 60),
    "mint": (140, 226, 186),
    "emerald": (20, 168, 112),
    "teal": (18, 124, 126),
    "dark teal": (18, 66, 72),
    "turquoise": (64, 208, 200),
    "cyan": (40, 216, 240),
    "sky blue": (126, 194, 238),
    "pale blue": (194, 218, 238),
    "slate": (98, 114, 134),
    "dark slate": (54, 66, 82),
    "blue grey": (136, 164, 184),
    "steel blue": (84, 130, 176),
    "blue": (30, 92, 206),
    "deep blue": (16, 24, 220),
    "dusk blue": (40, 66, 108),
    "navy": (16, 32, 74),
    "midnight": (12, 20, 42),
    "indigo": (68, 42, 140),
    "violet": (122, 72, 208),
    "lavender": (192, 178, 228),
    "purple": (128, 40, 140),
    "dark purple": (62, 24, 72),
    "mauve": (156, 118, 150),
    "plum": (106, 50, 84),
    "magenta": (214, 36, 184),
    "burgundy": (94, 20, 50),
}
# Lightness counts for less than hue: a darker red is a red, a grey of the same lightness is not.
_WEIGHTS = np.array([1.0, 2.2, 2.2], np.float32)


def name_color(rgb: RGB) -> str:
    """The word for a colour.

    >>> name_color((250, 10, 20)), name_color((20, 30, 90)), name_color((127, 127, 127))
    ('red', 'navy', 'grey')
    """
    return list(COLOR_NAMES)[int(nearest_name(np.array(rgb, np.uint8), list(COLOR_NAMES)))]


def nearest_name(rgb: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.intp]:
    """Which of some names of the table is nearest to each colour: (..., 3) to (...), places in `names`."""
    every = list(COLOR_NAMES)
    anchors = _anchors()[[every.index(name) for name in names]]
    lab = rgb_to_oklab(rgb) * _WEIGHTS
    apart = np.stack([((lab - anchor) ** 2).sum(axis=-1) for anchor in anchors], axis=-1)
    return np.asarray(apart.argmin(axis=-1), np.intp)


@lru_cache(maxsize=1)
def _anchors() -> NDArray[np.float32]:
    return rgb_to_oklab(np.array(list(COLOR_NAMES.values()), np.uint8)) * _WEIGHTS
