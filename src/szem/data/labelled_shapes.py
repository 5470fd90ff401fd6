"""From labelled shapes, as drawing tools keep them, to pictures with boxes: what several readers have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.data.box_set import BoxedPicture, BoxSet, Polygons, box_picture, check_box_set, describe_fault, place_points
from szem.data.broken import Broken
from szem.errors import FormatError, SzemError
from szem.media.decoding import read_picture_size

__all__ = ["LabelledShape", "ShapedPicture", "box_set_of_shapes", "check_shape", "rotate_box"]


@dataclass(frozen=True, eq=False)
class LabelledShape:
    """One object as it was drawn."""

    label: str
    rings: tuple[NDArray[np.float64], ...]  # each (n, 2); of a box its two corners
    is_outline: bool
    is_hard: bool = False


@dataclass(frozen=True)
class ShapedPicture:
    """A picture's file and what was drawn on it."""

    file: Path
    stated: tuple[float, float] | None  # width and height that the points mean; None: the upright picture's
    shapes: tuple[LabelledShape, ...]
    split: str = ""


def box_set_of_shapes(
    where: Path, read: Sequence[ShapedPicture], broken: list[Broken], *, names: Sequence[str] = ()
) -> BoxSet:
    """Pictures with boxes, their classes in order of name.

    Args:
        where: What was read, for errors.
        read: The pictures.
        broken: What could not be used so far; more is added.
        names: Classes that the tool lists beside those that occur.
    Raises:
        TrainError: not one usable picture.
    """
    classes = tuple(sorted({*names, *(shape.label for one in read for shape in one.shapes)}))
    pictures: list[BoxedPicture] = []
    for one in read:
        try:
            size = read_picture_size(one.file)
            boxes, polygons = [], []
            for shape in one.shapes:
                placed: Polygons = tuple(place_points(ring, size, one.stated) for ring in shape.rings)
                points = np.concatenate(placed)
                boxes.append((*points.min(axis=0), *points.max(axis=0)))
                polygons.append(placed if shape.is_outline else ())
            labels = [classes.index(shape.label) for shape in one.shapes]
            hard = [shape.is_hard for shape in one.shapes]
            pictures.append(
                box_picture(one.file, size, boxes, labels, hard, polygons=tuple(polygons), split=one.split)
            )
        except (SzemError, ValueError) as error:
            broken.append(Broken(one.file.name, describe_fault(error)))
    return check_box_set(where, classes, pictures, broken)


def check_shape(shape: LabelledShape) -> LabelledShape:
    """The same shape.

    Raises:
        FormatError: it has no label or no area, or a coordinate is not a finite number.
    """
    points = np.concatenate(shape.rings) if shape.rings else np.zeros((0, 2))
    if not shape.label:
        raise FormatError("a shape without a label; name it")
    if len(points) < 2 or not np.isfinite(points).all() or not np.ptp(points, axis=0).min() > 0:
        raise FormatError(f"{shape.label}: no area; draw it anew")
    return shape


def rotate_box(
    corners: tuple[float, float, float, float], degrees: float, *, pivot: tuple[float, float]
) -> NDArray[np.float64]:
    """The four corners of a box turned clockwise about a point: (4, 2).

    >>> rotate_box((0, 0, 2, 1), 90, pivot=(0, 0)).round(6).tolist()
    [[0.0, 0.0], [0.0, 2.0], [-1.0, 2.0], [-1.0, 0.0]]
    """
    x0, y0, x1, y1 = corners
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - pivot
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ turn + pivot + 0.0, np.float64)
