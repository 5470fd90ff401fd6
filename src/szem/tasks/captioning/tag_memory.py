"""Tags as something the decoder looks at beside the picture: nouns with their confidence, number and size.

This file does not know how tags are found.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.results.caption import Tag
from szem.runtime.sessions import OnnxFile
from szem.tasks.captioning.place_colors import COLOR_WORDS

__all__ = ["TagMemory", "rows_of"]

_LOWEST = 0.25  # tags of lower confidence are not shown to the decoder
_LOWEST_LABEL = 0.2  # of those that have no box
_COLORS = {color: number for number, color in enumerate(COLOR_WORDS, start=1)}


class TagMemory:
    """The part `tags` of a captioner: tags to keys and values of the decoder.

    Args:
        file: Takes `tags` and `colors` (B, T) places in its lists, counted from 1 (0: none), and `numbers` (B, T, 4);
            its metadata `names` holds the names, a line each, and `slots` the number T.
    """

    def __init__(self, file: OnnxFile) -> None:
        self._file = file
        names = file.metadata["names"].split("\n")
        self._places = {name: place for place, name in enumerate(names, start=1)}
        self._slots = int(file.metadata["slots"])

    def __call__(self, tags: Sequence[Tag]) -> Array:
        """(1, 2 * blocks, heads, slots, d) of the tags of one picture, the most important first."""
        names, numbers, colors = rows_of(tags, self._places, self._slots)
        feeds: dict[str, Array] = {"tags": names[None], "numbers": numbers[None], "colors": colors[None]}
        return self._file.run(feeds, ["memory"])[0]


def rows_of(
    tags: Sequence[Tag], places: Mapping[str, int], slots: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Tags as numbers, the largest and most confident first.

    Args:
        tags: Of one picture.
        places: Name -> number from 1; other names are left out.
        slots: Most tags.
    Returns:
        (slots,) names, 0 for none; (slots, 4) log odds, count, side and whether there is a box, each about 0 to 1;
        (slots,) colours, 0 for none.
    """
    known = [tag for tag in tags if tag.name in places]
    shown = [tag for tag in known if tag.confidence >= (_LOWEST_LABEL if tag.box is None else _LOWEST)]
    shown = sorted(shown, key=lambda tag: -tag.confidence * (0.2 + math.sqrt(tag.area)))[:slots]
    names, colors = np.zeros((2, slots), np.int64)
    numbers = np.zeros((slots, 4), np.float32)
    for slot, tag in enumerate(shown):
        names[slot], colors[slot] = places[tag.name], _COLORS.get(tag.color, 0)
        bounded = min(max(tag.confidence, 0.02), 0.98)
        log_odds = math.log(bounded / (1 - bounded))
        numbers[slot] = log_odds / 3, min(tag.count, 5) / 3, math.sqrt(tag.area), tag.box is not None
    return names, numbers, colors
