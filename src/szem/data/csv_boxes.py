"""Boxes in a table, a line each: TensorFlow's and Roboflow's columns, RetinaNet's without a header, and the like."""

from pathlib import Path

import numpy as np

from szem.data.box_set import BoxSet, describe_fault, find_picture, split_of_folder
from szem.data.broken import Broken
from szem.data.labelled_shapes import LabelledShape, ShapedPicture, box_set_of_shapes, check_shape
from szem.data.tables import find_column, read_table
from szem.errors import FormatError, SzemError

__all__ = ["is_csv_boxes", "read_csv_boxes"]

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SIDES = ("box_x", "box_y", "box_width", "box_height")
_RETINANET = ("image", *_CORNERS, "label")  # its lines have no header


def is_csv_boxes(path: Path) -> bool:
    """Whether a file is a table of boxes."""
    try:
        header, _ = read_table(path)
    except SzemError:
        return False
    return _is_retinanet(header) or _columns(header) is not None


def read_csv_boxes(path: Path, *, images: Path | None = None) -> BoxSet:
    """Read a table of boxes in pixels; a line without a box is a picture without objects.

    Args:
        path: Columns for picture, class and corners (xmin, ymin, xmax, ymax, or x, y, w, h), perhaps width, height
            and split, under their usual names; or RetinaNet's: path, x1, y1, x2, y2, class, without a header.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FileMissingError, FormatError: as `read_table`; or it has not these columns.
        TrainError: not one usable picture.
    """
    header, lines = read_table(path)
    if _is_retinanet(header):
        header, lines = read_table(path, header=_RETINANET)
    columns = _columns(header)
    if columns is None:
        raise FormatError(
            f"{path}: needs columns for picture, class and corners, as filename, class, xmin, ymin, xmax, ymax"
        )
    homes = [images] if images else [path.parent / "images", path.parent]
    broken: list[Broken] = []
    shapes: dict[str, list[LabelledShape]] = {}
    about: dict[str, tuple[tuple[float, float] | None, str]] = {}
    for number, line in lines:
        name = line[columns["image"]].strip()
        shapes.setdefault(name, [])
        try:
            about.setdefault(
                name, (_stated(line, columns), split_of_folder(line.get(columns.get("split", ""), "").strip()))
            )
            shape = _shape(line, columns)
            if shape is not None:
                shapes[name].append(check_shape(shape))
        except (SzemError, ValueError) as error:
            broken.append(Broken(f"{path.name}:{number}", describe_fault(error)))
    read = []
    for name, drawn in shapes.items():
        try:
            stated, split = about.get(name, (None, ""))
            read.append(ShapedPicture(find_picture(homes, name), stated, tuple(drawn), split))
        except SzemError as error:
            broken.append(Broken(name, describe_fault(error)))
    return box_set_of_shapes(path, read, broken)


def _is_retinanet(header: list[str]) -> bool:
    return len(header) == 6 and all(_is_number(cell) for cell in header[1:5]) and not _is_number(header[5])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _columns(header: list[str]) -> dict[str, str] | None:
    """What each column holds; None where the table is not one of boxes."""
    found = {
        what: name for what in ("image", "label", "split", "width", "height") if (name := find_column(header, what))
    }
    for box in (_CORNERS, _SIDES):
        names = {what: find_column(header, what) for what in box}
        if {"image", "label"} <= found.keys() and all(names.values()):
            return found | {what: name for what, name in names.items() if name}
    return None


def _stated(line: dict[str, str], columns: dict[str, str]) -> tuple[float, float] | None:
    sides = [line[columns[side]].strip() for side in ("width", "height") if side in columns]
    return (float(sides[0]), float(sides[1])) if len(sides) == 2 and all(sides) else None


def _shape(line: dict[str, str], columns: dict[str, str]) -> LabelledShape | None:
    kind = _CORNERS if "xmin" in columns else _SIDES
    cells = [line[columns[what]].strip() for what in kind]
    label = line[columns["label"]].strip()
    if not any(cells) and not label:
        return None
    a, b, c, d = (float(cell) for cell in cells)
    corners = (a, b, c, d) if kind is _CORNERS else (a, b, a + c, b + d)
    return LabelledShape(label, (np.array(corners).reshape(2, 2),), is_outline=False)
