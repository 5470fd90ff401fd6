"""A mask for each box: the box, somewhat wider, is stretched to the network's square; what it finds is put back.

This file does not know what the objects are; boxes come from a detector, a person or a data set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, check_boxes_xyxy, check_picture
from szem.errors import ShapeError
from szem.media.pictures import PictureLike, as_picture
from szem.results.boxes import Boxes
from szem.results.outlines import Outlines
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import Session
from szem.tasks.models import ModelLike, as_session

__all__ = ["MARGIN", "BoxProbability", "BoxesLike", "Outliner", "iter_probabilities", "outline", "outline_with"]

MARGIN = 0.2
"""Fraction of the box that is added on every side; the recipe `outline` trains with the same."""
BoxesLike = Boxes | Array | Sequence[Sequence[float]]
"""What `outline` takes as boxes."""


def outline(
    picture: PictureLike, boxes: BoxesLike, *, model: ModelLike | None = None, threads: int | None = None
) -> Outlines:
    """Find the pixels of the object in each box.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        boxes: `Boxes`, as `szem.detect` gives them, or (N, 4) left, top, right, bottom in pixels; (4,) for one.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        threads: Threads within the run; by default as many as there are cores.
    Raises:
        ShapeError, DTypeError, RangeError: not a picture, or not boxes.
        UnknownNameError: no such model.
    """
    return Outliner(model, threads=threads)(picture, boxes)


class Outliner:
    """An outline model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
        threads: Threads within the run; by default as many as there are cores.
    Raises:
        UnknownNameError: no such model.
    """

    def __init__(self, model: ModelLike | None = None, *, threads: int | None = None) -> None:
        self.session = as_session(model, task="outline", threads=threads)
        self.card = self.session.model.card

    def __call__(self, picture: PictureLike, boxes: BoxesLike) -> Outlines:
        """Find the pixels of the object in each box; the arguments are those of `outline`."""
        return outline_with(self.session, as_picture(picture), boxes)


@dataclass(frozen=True, eq=False)
class BoxProbability:
    """Where a box lies in its picture, and how likely each pixel in it is the object's."""

    rows: slice
    columns: slice
    probability: NDArray[np.float32]  # (rows, columns)


def outline_with(session: Session, picture: Picture8, boxes: BoxesLike) -> Outlines:
    """As `outline`, with a model that is open already and a checked picture.

    Raises:
        ShapeError: the boxes are of a picture of another size.
    """
    check_picture(picture)
    labels: tuple[str, ...] = ()
    if isinstance(boxes, Boxes):
        if (boxes.height, boxes.width) != picture.shape[:2]:
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the boxes are of one of "
                f"{boxes.width}×{boxes.height}; give that one, or boxes.resized(width, height)"
            )
        labels, corners = boxes.labels, boxes.boxes_xyxy
    else:
        given = np.asarray(boxes)
        corners = check_boxes_xyxy(given[None] if given.shape == (4,) else given)
    masks = np.zeros((len(corners), *picture.shape[:2]), bool)
    confidence = np.zeros(len(corners), np.float32)
    for index, inside in enumerate(iter_probabilities(session, picture, corners)):
        if inside is not None:
            found = inside.probability > 0.5
            masks[index, inside.rows, inside.columns] = found
            confidence[index] = inside.probability[found].mean() if found.any() else 0.0
    return Outlines(boxes_xyxy=corners, masks=masks, confidence=confidence, model=session.model.name, labels=labels)


def iter_probabilities(
    session: Session, picture: Picture8, boxes_xyxy: NDArray[np.float32]
) -> Iterator[BoxProbability | None]:
    """Go through the boxes one by one; None for one that is narrower than a pixel or outside of the picture.

    Args:
        session: An `outline` model.
        picture: (H, W, 3) uint8 RGB.
        boxes_xyxy: (N, 4) in pixels.
    """
    height, width = picture.shape[:2]
    wanted = session.model.card.picture
    for box in boxes_xyxy:
        if min(box[2] - box[0], box[3] - box[1]) < 1:
            yield None
            continue
        square = _square(picture, box, wanted.width_px, wanted.height_px)
        scores = session.run(prepare_picture(square, wanted), roles=["scores"])["scores"][0]  # (2, h, w)
        probability = (1 / (1 + np.exp(scores[0] - scores[1]))).astype(np.float32)
        yield _put_back(probability, box, width, height)


def _square(picture: Picture8, box: NDArray[np.float32], width_px: int, height_px: int) -> Picture8:
    """The box with its margin, stretched; beyond the picture its border is repeated."""
    x0, y0, x_step, y_step = _steps(box, width_px, height_px)
    shrink = max(x_step, y_step)
    if shrink > 2.2:  # reading every third pixel would make false edges: make the picture smaller first
        small = cv2.resize(picture, None, fx=2 / shrink, fy=2 / shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0]] * 2, np.float32)
        return _square(small.astype(np.uint8, copy=False), box * ratio, width_px, height_px)
    to_source = np.array([[x_step, 0, x0 + 0.5 * x_step - 0.5], [0, y_step, y0 + 0.5 * y_step - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, to_source, (width_px, height_px), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut.astype(np.uint8, copy=False)


def _put_back(
    probability: NDArray[np.float32], box: NDArray[np.float32], width: int, height: int
) -> BoxProbability | None:
    """The probabilities brought back to the picture's pixels inside the box."""
    x0, y0, x_step, y_step = _steps(box, probability.shape[1], probability.shape[0])
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if right <= left or bottom <= top:
        return None
    # picture pixel (x, y) reads the cell at (x + 0.5 - x0) / step - 0.5
    to_cell = np.array(
        [[1 / x_step, 0, (left + 0.5 - x0) / x_step - 0.5], [0, 1 / y_step, (top + 0.5 - y0) / y_step - 0.5]]
    )
    flags: Any = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inside = cv2.warpAffine(
        probability, to_cell, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return BoxProbability(slice(top, bottom), slice(left, right), inside.astype(np.float32, copy=False))


def _steps(box: NDArray[np.float32], columns: int, rows: int) -> tuple[float, float, float, float]:
    """Upper left corner of the box with its margin, and the distance of columns and rows of a grid over it."""
    x0, y0, x1, y1 = (float(v) for v in box)
    x_more, y_more = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    return x0 - x_more, y0 - y_more, (x1 - x0 + 2 * x_more) / columns, (y1 - y0 + 2 * y_more) / rows
