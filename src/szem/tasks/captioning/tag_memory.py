"""Tags as something the decoder looks at beside the picture: nouns with their confidence, number and size.

This file does not know how tags are found.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.results.caption import Tag
from szem.runtime.sessions import OnnxFile

__all__ = ["TagMemory"]

_LOWEST = 0.25  # tags of lower confidence are not shown to the decoder
_LOWEST_LABEL = 0.2  # of those that have no box


class TagMemory:
    """The part `tags` of a captioner: tags to keys and values of the decoder.

    Args:
        file: Takes `tags` (B, T) places in its names, counted from 1 (0: none), and `numbers` (B, T, 4); its metadata
            `names` holds the names, a line each.
    """

    def __init__(self, file: OnnxFile) -> None:
        self._file = file
        names = file.metadata["names"].split("\n")
        self._places = {name: place for place, name in enumerate(names, start=1)}
        self._slots = int(file.metadata["slots"])

    def __call__(self, tags: Sequence[Tag]) -> Array:
        """(1, 2 * blocks, heads, slots, d) of the tags of one picture, the most important first."""
        known = [tag for tag in tags if tag.name in self._places]
        shown = [tag for tag in known if tag.confidence >= (_LOWEST_LABEL if tag.box is None else _LOWEST)]
        shown = sorted(shown, key=lambda tag: -tag.confidence * (0.2 + math.sqrt(tag.area)))[: self._slots]
        places = np.zeros((1, self._slots), np.int64)
        numbers = np.zeros((1, self._slots, 4), np.float32)
        for slot, tag in enumerate(shown):
            places[0, slot], numbers[0, slot] = self._places[tag.name], _numbers(tag)
        return self._file.run({"tags": places, "numbers": numbers}, ["memory"])[0]


def _numbers(tag: Tag) -> NDArray[np.float32]:
    """Log odds, number, side and whether there is a box, each about 0 to 1."""
    bounded = min(max(tag.confidence, 0.02), 0.98)
    log_odds = math.log(bounded / (1 - bounded))
    return np.array([log_odds / 3, min(tag.count, 5) / 3, math.sqrt(tag.area), tag.box is not None], np.float32)
