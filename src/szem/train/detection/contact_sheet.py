"""A picture of what a detector is about to be trained on: some pictures of every set, with their boxes and labels.

Boxes that were read wrongly (shifted classes, sides mixed up, fractions taken for pixels) are seen here at a glance,
before hours of training. This file does not know about networks or views.
"""

from collections.abc import Sequence

import numpy as np

from szem.arrays import Picture8
from szem.data.contact_sheet import TILE_PX, boxes_tile, tile_rows
from szem.media.drawing import draw_label
from szem.train.detection.training_sets import TrainingSet
from szem.train.sampling import spread_over

__all__ = ["draw_contact_sheet"]

_HEADING_PX = 40


def draw_contact_sheet(
    sets: Sequence[TrainingSet], classes: Sequence[str], *, columns: int = 7, rows: int = 2
) -> Picture8:
    """A heading and a few tiles a set, evenly spread over it.

    Args:
        sets: What it is trained on.
        classes: Names, in the order of the labels.
        columns: Tiles side by side.
        rows: Of tiles a set, at most.
    Returns:
        (H, 240 · columns, 3) uint8 RGB.
    """
    bands = []
    for one in sets:
        complete = int(one.is_complete.sum())
        heading = np.full((_HEADING_PX, TILE_PX * columns, 3), 255, np.uint8)
        text = f"{one.name}: {len(one.pictures)} pictures, every object of {complete} classes labelled"
        bands.append(draw_label(heading, text))
        tiles = [boxes_tile(picture, classes) for picture in spread_over(one.pictures, most=rows * columns)]
        bands += tile_rows(tiles, columns)
    return np.concatenate(bands)
