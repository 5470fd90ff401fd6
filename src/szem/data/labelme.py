"""LabelMe JSON: a file per picture, beside it; rectangles, polygons, circles and masks, each by its box."""

from pathlib import Path
from typing import Any

import numpy as np

from szem.data.box_set import (
    BoxedPicture,
    BoxSet,
    Polygons,
    box_picture,
    check_box_set,
    describe_fault,
    find_picture,
    place_points,
    split_of_folder,
)
from szem.data.broken import Broken
from szem.data.coco import read_json
from szem.errors import FileMissingError, FormatError, SzemError
from szem.media.decoding import read_picture_size

__all__ = ["is_labelme", "read_labelme"]

_Shape = tuple[str, np.ndarray, bool]  # label, (n, 2) points, whether they are an outline


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
    read: list[tuple[Path, dict[str, Any], list[_Shape]]] = []
    for file in files:
        try:
            data = read_json(file)
            if not is_labelme(data):
                raise FormatError(f"{file.name}: not LabelMe JSON; it needs `shapes` and `imagePath`")
            read.append((file, data, _shapes(data, file, broken)))
        except SzemError as error:
            broken.append(Broken(file.name, describe_fault(error)))
    names = tuple(sorted({label for _, _, shapes in read for label, _, _ in shapes}))
    pictures = []
    for file, data, shapes in read:
        try:
            split = next((s for part in file.relative_to(folder).parts[:-1] if (s := split_of_folder(part))), "")
            pictures.append(_picture(file, data, shapes, names, split))
        except (SzemError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return check_box_set(folder, names, pictures, broken)


def _picture(
    file: Path, data: dict[str, Any], shapes: list[_Shape], names: tuple[str, ...], split: str
) -> BoxedPicture:
    places = [file.parent, file.parent.parent / "images", file.parent / "images"]
    found = find_picture(places, str(data["imagePath"]))
    size = read_picture_size(found)
    sides = data.get("imageWidth"), data.get("imageHeight")
    stated = (float(sides[0]), float(sides[1])) if sides[0] and sides[1] else None
    boxes, labels = [], []
    polygons: list[Polygons] = []
    for label, points, is_outline in shapes:
        placed = place_points(points, size, stated)
        boxes.append((*placed.min(axis=0), *placed.max(axis=0)))
        labels.append(names.index(label))
        polygons.append((placed,) if is_outline else ())
    return box_picture(found, size, boxes, labels, [False] * len(labels), polygons=tuple(polygons), split=split)


def _shapes(data: dict[str, Any], file: Path, broken: list[Broken]) -> list[_Shape]:
    shapes = []
    for shape in data["shapes"]:
        try:
            shapes.append(_shape(shape))
        except (FormatError, AttributeError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return shapes


def _shape(shape: dict[str, Any]) -> _Shape:
    label, kind = str(shape["label"]).strip(), shape.get("shape_type") or "polygon"
    points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
    if kind == "circle" and len(points) == 2:  # the middle, and a point on the edge
        radius = float(np.hypot(*(points[1] - points[0])))
        points = np.array([points[0] - radius, points[0] + radius])
    elif kind not in ("rectangle", "polygon", "mask"):
        raise FormatError(f"{label}: a {kind} has no area; draw a rectangle or a polygon")
    if len(points) < 2 or not label or not np.isfinite(points).all() or not np.ptp(points, axis=0).min() > 0:
        raise FormatError(f"{label or 'a shape without a label'}: no area; draw it anew")
    return label, points, kind == "polygon"
