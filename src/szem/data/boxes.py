"""Pictures with boxes, and perhaps polygons: COCO JSON, Pascal VOC XML, YOLO text.

All three become one `BoxSet`: classes from 0, boxes as x0, y0, x1, y1 in pixels. Pictures are not decoded here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.data.broken import Broken, told
from szem.errors import FileMissingError, FormatError, MissingExtraError, SzemError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = ["BoxSet", "BoxedPicture", "Polygons", "read_coco", "read_voc", "read_yolo"]

Polygons = tuple[NDArray[np.float32], ...]
"""Rings of one object, each (n, 2) as x, y in pixels."""


@dataclass(frozen=True)
class BoxedPicture:
    """One picture's file and what is in it."""

    path: Path
    width_px: int
    height_px: int
    boxes_xyxy: NDArray[np.float32]  # (N, 4)
    labels: NDArray[np.int64]  # (N,) places in `BoxSet.classes`
    is_hard: NDArray[np.bool_]  # (N,) crowds and difficult ones: neither taught nor counted
    polygons: tuple[Polygons, ...] = ()  # one per box, or none at all
    split: str = ""


@dataclass(frozen=True)
class BoxSet:
    """Pictures with boxes."""

    classes: tuple[str, ...]
    pictures: tuple[BoxedPicture, ...]
    broken: tuple[Broken, ...] = field(default=())


def read_coco(path: Path, *, images: Path | None = None) -> BoxSet:
    """Read a COCO JSON file.

    Args:
        path: `instances.json` or the like.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FileMissingError: no such file.
        FormatError: not JSON, or without COCO's three lists.
        TrainError: not one usable picture.
    """
    data = _read_json(path)
    if not isinstance(data, dict) or not all(isinstance(data.get(k), list) for k in _COCO_LISTS):
        raise FormatError(f"{path}: not COCO JSON; it needs the lists {', '.join(_COCO_LISTS)}")
    folder = images or (path.parent / "images" if (path.parent / "images").is_dir() else path.parent)
    categories = sorted(data["categories"], key=lambda c: c["id"])
    place = {category["id"]: index for index, category in enumerate(categories)}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in data["annotations"]:
        by_image.setdefault(annotation.get("image_id"), []).append(annotation)
    broken: list[Broken] = []
    pictures = []
    for image in data["images"]:
        name = str(image.get("file_name", image.get("id", "?")))
        try:
            pictures.append(_coco_picture(image, by_image.get(image.get("id"), []), folder, place, broken))
        except (SzemError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(name, _reason(error)))
    return _checked(path, tuple(str(c["name"]) for c in categories), pictures, broken)


_COCO_LISTS = ("images", "annotations", "categories")


def _coco_picture(
    image: dict[str, Any],
    annotations: Sequence[dict[str, Any]],
    folder: Path,
    place: dict[Any, int],
    broken: list[Broken],
) -> BoxedPicture:
    file = folder / image["file_name"]
    width, height = _size_of(file)
    # boxes are in pixels of the size the JSON states; the file may have been made smaller since
    x_scale, y_scale = width / float(image["width"]), height / float(image["height"])
    scale = np.array([x_scale, y_scale], np.float32)
    boxes, labels, hard, polygons = [], [], [], []
    for annotation in annotations:
        x, y, w, h = (float(v) for v in annotation["bbox"])
        if annotation["category_id"] not in place or w <= 0 or h <= 0:
            broken.append(Broken(file.name, f"annotation {annotation.get('id')} has no such class or an empty box"))
            continue
        boxes.append((x * x_scale, y * y_scale, (x + w) * x_scale, (y + h) * y_scale))
        labels.append(place[annotation["category_id"]])
        hard.append(bool(annotation.get("iscrowd")) or bool(annotation.get("difficult")))
        rings = annotation.get("segmentation")
        if isinstance(rings, list) and rings:
            polygons.append(tuple(np.asarray(r, np.float32).reshape(-1, 2) * scale for r in rings if len(r) >= 6))
        else:
            polygons.append(())
    split = str(image.get("split", ""))
    return _boxed(file, width, height, boxes, labels, hard, polygons=tuple(polygons), split=split)


def read_voc(folder: Path, *, images: Path | None = None, classes: Sequence[str] | None = None) -> BoxSet:
    """Read Pascal VOC XML: a file per picture in `Annotations/` (or in the folder itself).

    Args:
        folder: Holds Annotations/ and JPEGImages/ (or images/).
        images: Folder of the pictures, where it is another.
        classes: Their order; by default all that occur, by name.
    Raises:
        FileMissingError: no XML files.
        TrainError: not one usable picture.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import parse as parse_xml
    except ImportError as error:
        raise MissingExtraError('reading VOC needs defusedxml; pip install "szem[train]"') from error
    home = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    files = sorted(home.glob("*.xml"))
    if not files:
        raise FileMissingError(f"{home}: no .xml files; Pascal VOC has one for each picture")
    places = [images] if images else [folder / "JPEGImages", folder / "images", folder]
    broken: list[Broken] = []
    read: list[tuple[Path, list[tuple[str, tuple[float, ...], bool]]]] = []
    for file in files:
        try:
            root = parse_xml(file).getroot()
            found = _beside(places, root.findtext("filename") or file.stem, file.stem)
            read.append((found, [_voc_object(node) for node in root.iter("object")]))
        except (SzemError, ParseError, DefusedXmlException, OSError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, _reason(error)))
    names = tuple(classes) if classes else tuple(sorted({name for _, objects in read for name, _, _ in objects}))
    pictures = []
    for file, objects in read:
        try:
            width, height = _size_of(file)
            known = [o for o in objects if o[0] in names]
            broken += [Broken(file.name, f"unknown class {o[0]!r}") for o in objects if o[0] not in names]
            boxes, labels = [o[1] for o in known], [names.index(o[0]) for o in known]
            pictures.append(_boxed(file, width, height, boxes, labels, [o[2] for o in known]))
        except SzemError as error:
            broken.append(Broken(file.name, _reason(error)))
    return _checked(folder, names, pictures, broken)


def _voc_object(node: Element) -> tuple[str, tuple[float, ...], bool]:
    box = node.find("bndbox")
    name = node.findtext("name")
    if box is None or not name:
        raise FormatError("an object without name or bndbox")
    corners = tuple(float(box.findtext(k) or "nan") for k in ("xmin", "ymin", "xmax", "ymax"))
    # VOC counts pixels from 1 and includes the last one
    return name, (corners[0] - 1, corners[1] - 1, corners[2], corners[3]), node.findtext("difficult") == "1"


def read_yolo(folder: Path, *, classes: Sequence[str] | None = None) -> BoxSet:
    """Read YOLO text: `labels/NAME.txt` for `images/NAME.*`, lines of `class x y w h` as shares of the sides.

    Args:
        folder: Holds images/ and labels/ (the same folders inside both are followed), and classes.txt.
        classes: Their names; by default the lines of `classes.txt` or `obj.names`, else numbers.
    Raises:
        FileMissingError: no images/.
        TrainError: not one usable picture.
    """
    images = folder / "images"
    if not images.is_dir():
        raise FileMissingError(f"{folder}: no images/; YOLO data has images/ and labels/ side by side")
    broken: list[Broken] = []
    rows: list[tuple[Path, NDArray[np.float32], NDArray[np.int64]]] = []
    for file in sorted(p for p in images.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES):
        text = folder / "labels" / file.relative_to(images).with_suffix(".txt")
        try:
            rows.append((file, *_yolo_rows(text, broken)))
        except (OSError, ValueError) as error:
            broken.append(Broken(file.name, _reason(error)))
    highest = max((int(labels.max()) for _, _, labels in rows if len(labels)), default=-1)
    names = tuple(classes) if classes else _yolo_names(folder, highest + 1)
    pictures = []
    for file, shares, labels in rows:
        try:
            width, height = _size_of(file)
            keep = labels < len(names)
            broken += [Broken(file.name, f"class {n} has no name") for n in labels[~keep]]
            middle, half = shares[keep, :2], shares[keep, 2:] / 2
            boxes = np.concatenate([middle - half, middle + half], 1) * np.array([width, height] * 2, np.float32)
            pictures.append(_boxed(file, width, height, boxes.tolist(), labels[keep].tolist(), [False] * keep.sum()))
        except SzemError as error:
            broken.append(Broken(file.name, _reason(error)))
    return _checked(folder, names, pictures, broken)


def _yolo_rows(path: Path, broken: list[Broken]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    shares, labels = [], []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []  # no file: nothing in the picture
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            label, box = int(parts[0]), [float(v) for v in parts[1:5]]
        except ValueError:
            label, box = -1, []
        if len(box) != 4 or label < 0 or not all(np.isfinite(box)) or min(box[2:]) <= 0:
            broken.append(Broken(f"{path.name}:{number}", f"not `class x y w h`: {line.strip()[:60]!r}"))
            continue
        labels.append(label)
        shares.append(box)
    return np.asarray(shares, np.float32).reshape(-1, 4), np.asarray(labels, np.int64)


def _yolo_names(folder: Path, at_least: int) -> tuple[str, ...]:
    for name in ("classes.txt", "obj.names"):
        if (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    return tuple(str(n) for n in range(at_least))


def _boxed(
    file: Path,
    width: int,
    height: int,
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int],
    hard: Sequence[bool],
    *,
    polygons: tuple[Polygons, ...] = (),
    split: str = "",
) -> BoxedPicture:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    if not np.isfinite(array).all():
        raise FormatError("a box has a corner that is not a number")
    array = array.clip(0, np.array([width, height, width, height], np.float32))
    return BoxedPicture(
        file, width, height, array, np.asarray(labels, np.int64), np.asarray(hard, bool), polygons, split
    )


def _beside(folders: Sequence[Path], name: str, stem: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
        found = [p for p in folder.glob(f"{stem}.*") if p.suffix.lower() in PICTURE_SUFFIXES]
        if found:
            return found[0]
    raise FileMissingError(f"its picture {name} is not in {', '.join(str(f) for f in folders)}")


def _size_of(file: Path) -> tuple[int, int]:
    """Width and height from the header; the pixels are not decoded."""
    try:
        with Image.open(file) as opened:
            return opened.size
    except FileNotFoundError as error:
        raise FileMissingError(f"{file.name}: no such picture") from error
    except OSError as error:
        raise FormatError(f"{file.name}: not a picture ({error})") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileMissingError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: not JSON ({error})") from error


def _checked(where: Path, names: tuple[str, ...], pictures: list[BoxedPicture], broken: list[Broken]) -> BoxSet:
    if not pictures:
        raise TrainError(f"{where}: not one usable picture. {told(broken)}")
    return BoxSet(names, tuple(pictures), tuple(broken))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, SzemError) else f"{type(error).__name__}: {error}"
