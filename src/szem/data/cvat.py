"""CVAT's own XML, "CVAT for images 1.1": one file for all pictures; boxes, turned boxes, polygons and masks.

Its exports to COCO, YOLO, Pascal VOC and LabelMe are read by those readers.
"""

from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np

from szem.data.box_set import BoxSet, describe_fault, find_picture, rings_of_mask, split_of_folder
from szem.data.broken import Broken
from szem.data.labelled_shapes import LabelledShape, ShapedPicture, box_set_of_shapes, check_shape, rotate_box
from szem.errors import FormatError, MissingExtraError, SzemError, UnsupportedError

__all__ = ["is_cvat", "read_cvat"]

_MOST_PIXELS = 1 << 28  # of a mask


def is_cvat(path: Path) -> bool:
    """Whether a file begins as CVAT's XML does."""
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except OSError:
        return False
    return path.suffix.lower() == ".xml" and b"<annotations>" in head


def read_cvat(path: Path, *, images: Path | None = None) -> BoxSet:
    """Read CVAT's XML.

    Points and lines have no area: they are left out and named in `broken`.

    Args:
        path: `annotations.xml`.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FormatError: not such a file.
        UnsupportedError: tracks of a video, whose pictures are not there.
        MissingExtraError: defusedxml is not installed.
        TrainError: not one usable picture.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import parse as parse_xml
    except ImportError as error:
        raise MissingExtraError('reading CVAT needs defusedxml; pip install ".[train]" in its folder') from error
    try:
        root = parse_xml(path).getroot()
    except (ParseError, DefusedXmlException, OSError, ValueError) as error:
        raise FormatError(f"{path}: not XML ({error}); export it anew") from error
    if root.find("track") is not None:
        raise UnsupportedError(
            f'{path}: tracks of a video; export the task as "CVAT for images 1.1", with its images'
        )
    broken: list[Broken] = []
    read: list[ShapedPicture] = []
    for node in root.findall("image"):
        name = (node.get("name") or "").strip()
        try:
            read.append(_picture(node, name, path.parent, images, broken))
        except (SzemError, TypeError, ValueError) as error:
            broken.append(Broken(name or "an image without a name", describe_fault(error)))
    names = [text for label in root.iter("label") if (text := (label.findtext("name") or "").strip())]
    unknown = Counter(shape.label for one in read for shape in one.shapes if names and shape.label not in names)
    for label, count in unknown.items():
        broken.append(Broken(path.name, f"label {label!r} of {count} shapes is not among the task's labels"))
    return box_set_of_shapes(path, read, broken, names=names)


def _picture(node: Any, name: str, home: Path, images: Path | None, broken: list[Broken]) -> ShapedPicture:
    subset = (node.get("subset") or "").strip()
    places = [home / "images" / subset, home / "images", home / subset, home] if images is None else [images]
    file = find_picture(list(dict.fromkeys(places)), name)
    width, height = float(node.get("width") or 0), float(node.get("height") or 0)
    shapes = []
    for child in node:
        try:
            shapes.append(check_shape(_shape(child)))
        except (FormatError, TypeError, ValueError) as error:
            broken.append(Broken(name, describe_fault(error)))
    return ShapedPicture(file, (width, height) if width and height else None, tuple(shapes), split_of_folder(subset))


def _shape(node: Any) -> LabelledShape:
    label, kind = (node.get("label") or "").strip(), node.tag
    if kind == "box":
        x0, y0, x1, y1 = (float(node.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
        turn = float(node.get("rotation") or 0)
        if turn:
            corners = rotate_box((x0, y0, x1, y1), turn, pivot=((x0 + x1) / 2, (y0 + y1) / 2))
            return LabelledShape(label, (corners,), is_outline=True)
        return LabelledShape(label, (np.array([[x0, y0], [x1, y1]]),), is_outline=False)
    if kind == "polygon":
        points = [[float(value) for value in pair.split(",")] for pair in str(node.get("points")).split(";")]
        return LabelledShape(label, (np.array(points).reshape(-1, 2),), is_outline=True)
    if kind == "mask":
        left, top, width, height = (int(float(node.get(key))) for key in ("left", "top", "width", "height"))
        runs = [int(run) for run in str(node.get("rle")).split(",")]
        if not 0 < width * height <= _MOST_PIXELS or min(runs) < 0 or sum(runs) != width * height:
            raise FormatError(f"{label}: a mask whose runs do not fill {width}×{height} pixels; export it anew")
        mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)  # rows first, unlike COCO
        return LabelledShape(
            label, tuple(ring + np.array([left, top]) for ring in rings_of_mask(mask)), is_outline=True
        )
    raise FormatError(f"{label or kind}: a {kind} has no area; draw a box or a polygon")
