"""Label Studio's JSON and JSON-MIN exports: rectangles (turned ones too) and polygons, in percent of the picture."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from szem.data.box_set import BoxSet, describe_fault, find_picture, split_of_folder
from szem.data.broken import Broken
from szem.data.coco import read_json
from szem.data.labelled_shapes import LabelledShape, ShapedPicture, box_set_of_shapes, check_shape, rotate_box
from szem.errors import FileMissingError, FormatError, SzemError
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = ["is_label_studio", "read_label_studio"]

_LABELS = ("rectanglelabels", "polygonlabels", "labels")


def is_label_studio(data: Any) -> bool:
    """Whether parsed JSON is a list of Label Studio's tasks."""
    if not isinstance(data, list) or not data or not isinstance(data[0], dict):
        return False
    first = data[0]
    is_full = isinstance(first.get("data"), dict) and isinstance(first.get("annotations"), list)
    return is_full or ("annotation_id" in first and "annotator" in first)


def read_label_studio(path: Path, *, images: Path | None = None) -> BoxSet:
    """Read an export; of several annotations of a picture the last one that was not cancelled counts.

    Key points, brushes and ellipses are left out and named in `broken`.

    Args:
        path: The JSON file.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FormatError: not such a file.
        TrainError: not one usable picture.
    """
    data = read_json(path)
    if not is_label_studio(data):
        raise FormatError(f"{path}: not Label Studio's JSON; export the project as JSON")
    homes = [images] if images else [path.parent / "images", path.parent]
    broken: list[Broken] = []
    read: list[ShapedPicture] = []
    for number, task in enumerate(data, start=1):
        name = f"task {task.get('id', number)}" if isinstance(task, dict) else f"task {number}"
        try:
            read.append(_picture(task, homes, broken))
        except (SzemError, AttributeError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(name, describe_fault(error)))
    return box_set_of_shapes(path, read, broken)


def _picture(task: dict[str, Any], homes: Sequence[Path], broken: list[Broken]) -> ShapedPicture:
    inner = task["data"] if isinstance(task.get("data"), dict) else task
    named = [v for v in inner.values() if isinstance(v, str) and _suffix_of(v) in PICTURE_SUFFIXES]
    if not named and not task.get("file_upload"):
        raise FormatError("names no picture")
    file = _find(homes, [*named, str(task.get("file_upload") or "")])
    stated: tuple[float, float] | None = None
    shapes = []
    for region in _regions(task):
        try:
            shape, sides = _shape(region)
        except (FormatError, AttributeError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
            continue
        stated = sides
        shapes.append(shape)
    split = next((str(inner[key]) for key in ("split", "subset") if isinstance(inner.get(key), str)), "")
    return ShapedPicture(file, stated, tuple(shapes), split_of_folder(split))


def _regions(task: dict[str, Any]) -> list[Any]:
    if isinstance(task.get("annotations"), list):
        made = [one for one in task["annotations"] if isinstance(one, dict) and not one.get("was_cancelled")]
        return [region for region in (made[-1].get("result") or [] if made else []) if "value" in region]
    lists = [v for v in task.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return [region for one in lists for region in one]


def _shape(region: dict[str, Any]) -> tuple[LabelledShape, tuple[float, float]]:
    value = region["value"] if isinstance(region.get("value"), dict) else region
    labels = next((value[key] for key in _LABELS if isinstance(value.get(key), list)), None)
    sides = float(region["original_width"]), float(region["original_height"])
    label = str(labels[0]).strip() if labels else ""
    if labels and len(labels) > 1:
        raise FormatError(f"{', '.join(map(str, labels))}: several labels for one shape; keep one")
    if float(region.get("image_rotation") or 0) % 360:
        raise FormatError(f"{label}: drawn on a picture that was turned in the tool; turn it back")
    unit = np.array(sides) / 100
    if "points" in value:
        points = np.asarray(value["points"], np.float64).reshape(-1, 2) * unit
        return check_shape(LabelledShape(label, (points,), is_outline=True)), sides
    if not {"x", "y", "width", "height"} <= value.keys():
        raise FormatError(f"{label or region.get('type', 'a region')}: neither a rectangle nor a polygon")
    x0, y0 = np.array([float(value["x"]), float(value["y"])]) * unit
    x1, y1 = np.array([x0, y0]) + np.array([float(value["width"]), float(value["height"])]) * unit
    turn = float(value.get("rotation") or 0)
    if turn:  # about the upper left corner
        corners = rotate_box((x0, y0, x1, y1), turn, pivot=(x0, y0))
        return check_shape(LabelledShape(label, (corners,), is_outline=True)), sides
    return check_shape(LabelledShape(label, (np.array([[x0, y0], [x1, y1]]),), is_outline=False)), sides


def _find(homes: Sequence[Path], names: Sequence[str]) -> Path:
    """The picture of a task: its path, the last part of its address, or that without the upload's prefix.

    Raises:
        FileMissingError: none of them is there.
    """
    tried = []
    for name in filter(None, names):
        address = urlsplit(name)
        local = parse_qs(address.query).get("d", [""])[0]  # /data/local-files/?d=folder/file.jpg
        plain = unquote(local or address.path)
        last = plain.replace("\\", "/").rpartition("/")[2]
        tried += [plain.lstrip("/"), last, re.sub(r"^[0-9a-f]{8}-", "", last)]
    for name in filter(None, tried):
        try:
            return find_picture(homes, name)
        except FileMissingError:
            continue
    raise FileMissingError(f"{names[0]}: no such picture in {', '.join(home.name or '.' for home in homes)}")


def _suffix_of(text: str) -> str:
    address = urlsplit(text) if len(text) < 4000 else urlsplit("")
    return Path(parse_qs(address.query).get("d", [address.path])[0]).suffix.lower()
