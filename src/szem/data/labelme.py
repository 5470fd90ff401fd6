"""LabelMe JSON: a file per picture, beside it; rectangles, polygons, circles and masks, each by its box."""

from pathlib import Path
from typing import Any

import numpy as np

from szem.data.box_set import BoxSet, describe_fault, find_picture, split_of_folder
from szem.data.broken import Broken
from szem.data.coco import read_json
from szem.data.labelled_shapes import LabelledShape, ShapedPicture, box_set_of_shapes, check_shape
from szem.errors import FileMissingError, FormatError, SzemError

__all__ = ["is_labelme", "read_labelme"]


def is_labelme(data: Any) -> bool:
    """Whether parsed JSON is a file of LabelMe's."""
    return isinstance(data, dict) and isinstance(data.get("shapes"), list) and "imagePath" in data


def read_labelme(folder: Path) -> BoxSet:
    """Read the LabelMe files of a folder and of the folders in it; those called train, val, test are splits.

    Points and lines have no area: they are left out and named in `broken`.

    Raises:
        FileMissingError: no JSON files.
        TrainError: not one usable picture.
    """
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise FileMissingError(f"{folder}: no .json files; LabelMe has one for each picture")
    broken: list[Broken] = []
    read: list[ShapedPicture] = []
    for file in files:
        try:
            data = read_json(file)
            if not is_labelme(data):
                raise FormatError(f"{file.name}: not LabelMe JSON; it needs `shapes` and `imagePath`")
            split = next((s for part in file.relative_to(folder).parts[:-1] if (s := split_of_folder(part))), "")
            read.append(_picture(file, data, split, broken))
        except (SzemError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return box_set_of_shapes(folder, read, broken)


def _picture(file: Path, data: dict[str, Any], split: str, broken: list[Broken]) -> ShapedPicture:
    places = [file.parent, file.parent.parent / "images", file.parent / "images"]
    found = find_picture(places, str(data["imagePath"]))
    sides = data.get("imageWidth"), data.get("imageHeight")
    stated = (float(sides[0]), float(sides[1])) if sides[0] and sides[1] else None
    shapes = []
    for shape in data["shapes"]:
        try:
            shapes.append(_shape(shape))
        except (FormatError, AttributeError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return ShapedPicture(found, stated, tuple(shapes), split)


def _shape(shape: dict[str, Any]) -> LabelledShape:
    label, kind = str(shape["label"]).strip(), shape.get("shape_type") or "polygon"
    points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
    if kind == "circle" and len(points) == 2:  # the middle, and a point on the edge
        radius = float(np.hypot(*(points[1] - points[0])))
        points = np.array([points[0] - radius, points[0] + radius])
    elif kind not in ("rectangle", "polygon", "mask"):
        raise FormatError(f"{label}: a {kind} has no area; draw a rectangle or a polygon")
    return check_shape(LabelledShape(label, (points,), is_outline=kind == "polygon"))
