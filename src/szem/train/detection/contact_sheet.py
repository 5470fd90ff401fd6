"""A picture of what a detector is about to be trained on: some pictures of every set, with their boxes and labels.

Boxes that were read wrongly (shifted classes, sides mixed up, fractions taken for pixels) are seen here at a glance,
before hours of training. This file does not know about networks or views.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.data.boxes import BoxedPicture
from szem.media.drawing import color_of, draw_boxes, draw_label
from szem.media.pictures import read_picture
from szem.train.detection.training_sets import TrainingSet
from szem.train.sampling import spread_over

__all__ = ["draw_contact_sheet"]

_TILE_PX, _HEADING_PX = 240, 40
_HARD = " (not counted)"  # boxes marked difficult or crowd


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
        heading = np.full((_HEADING_PX, _TILE_PX * columns, 3), 255, np.uint8)
        text = f"{one.name}: {len(one.pictures)} pictures, every object of {complete} classes labelled"
        bands.append(draw_label(heading, text))
        tiles = [_tile(picture, classes) for picture in spread_over(one.pictures, most=rows * columns)]
        tiles += [np.full((_TILE_PX, _TILE_PX, 3), 255, np.uint8)] * (-len(tiles) % columns)
        bands += [np.concatenate(tiles[at : at + columns], 1) for at in range(0, len(tiles), columns)]
    return np.concatenate(bands)


def _tile(boxed: BoxedPicture, classes: Sequence[str]) -> Picture8:
    picture = read_picture(boxed.path)
    scale = _TILE_PX / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    names = [classes[label] + _HARD * bool(hard) for label, hard in zip(boxed.labels, boxed.is_hard, strict=True)]
    drawn = draw_boxes(small, boxed.boxes_xyxy * scale, labels=names, colors=[color_of(int(n)) for n in boxed.labels])
    tile = np.full((_TILE_PX, _TILE_PX, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = drawn
    return tile
