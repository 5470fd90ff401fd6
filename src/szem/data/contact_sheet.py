"""Small pictures side by side, with their labels or boxes drawn: what was read, to be looked at before training."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.data.box_set import BoxedPicture
from szem.errors import SzemError
from szem.media.drawing import color_of, draw_boxes, draw_label
from szem.media.pictures import read_picture

__all__ = ["TILE_PX", "boxes_tile", "class_tile", "sheet_of", "tile_rows"]

TILE_PX = 240
_HARD = " (not counted)"  # boxes marked difficult or crowd


def boxes_tile(boxed: BoxedPicture, classes: Sequence[str]) -> Picture8:
    """A picture with its boxes and their names: (240, 240, 3); grey with a note where it cannot be read."""
    try:
        picture = read_picture(boxed.path)
    except SzemError:
        return _unread()
    small, scale = _shrunk(picture)
    names = [classes[label] + _HARD * bool(hard) for label, hard in zip(boxed.labels, boxed.is_hard, strict=True)]
    drawn = draw_boxes(small, boxed.boxes_xyxy * scale, labels=names, colors=[color_of(int(n)) for n in boxed.labels])
    return _on_tile(drawn)


def class_tile(file: Path, name: str) -> Picture8:
    """A picture with the name of its class: (240, 240, 3); grey with a note where it cannot be read."""
    try:
        picture = read_picture(file)
    except SzemError:
        return _unread()
    return draw_label(_on_tile(_shrunk(picture)[0]), name)


def tile_rows(tiles: Sequence[Picture8], columns: int) -> list[Picture8]:
    """Tiles side by side, the last row filled with white ones: each (240, 240 · columns, 3)."""
    filled = [*tiles, *[np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)] * (-len(tiles) % columns)]
    return [np.concatenate(filled[at : at + columns], 1) for at in range(0, len(filled), columns)]


def sheet_of(tiles: Sequence[Picture8], *, columns: int = 6) -> Picture8:
    """All tiles on one sheet."""
    return np.concatenate(tile_rows(tiles, columns))


def _unread() -> Picture8:
    return draw_label(np.full((TILE_PX, TILE_PX, 3), 128, np.uint8), "cannot be read")


def _shrunk(picture: Picture8) -> tuple[Picture8, float]:
    scale = TILE_PX / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8), scale


def _on_tile(small: Picture8) -> Picture8:
    tile = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile
