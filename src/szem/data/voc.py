"""Pascal VOC XML: a file per picture, in `Annotations/` or beside the pictures; splits of `ImageSets/Main/`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np

from szem.data.box_set import (
    BoxSet,
    box_picture,
    check_box_set,
    describe_fault,
    find_picture,
    place_points,
    split_of_folder,
)
from szem.data.broken import Broken
from szem.errors import FileMissingError, FormatError, MissingExtraError, SzemError
from szem.media.decoding import read_picture_size

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_voc"]

_Stated = tuple[float, float] | None
_Object = tuple[str, tuple[float, ...], bool]  # name, corners, whether it is difficult


def read_voc(folder: Path, *, images: Path | None = None, classes: Sequence[str] | None = None) -> BoxSet:
    """Read Pascal VOC XML.

    Args:
        folder: Holds Annotations/ and JPEGImages/ (or images/), or both kinds of files side by side.
        images: Folder of the pictures, where it is another.
        classes: Their order; by default all that occur, by name.
    Raises:
        FileMissingError: no XML files.
        MissingExtraError: defusedxml is not installed.
        TrainError: not one usable picture.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import parse as parse_xml
    except ImportError as error:
        raise MissingExtraError('reading VOC needs defusedxml; pip install ".[train]" in its folder') from error
    home = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    files = sorted(home.rglob("*.xml") if home != folder else home.glob("*.xml"))
    if not files:
        raise FileMissingError(f"{home}: no .xml files; Pascal VOC has one for each picture")
    places = [images] if images else [folder / "JPEGImages", folder / "images", folder]
    splits = _read_splits(folder)
    broken: list[Broken] = []
    read: list[tuple[Path, str, _Stated, list[_Object]]] = []
    for file in files:
        try:
            root = parse_xml(file).getroot()
            found = _picture_of(places, file.stem, (root.findtext("filename") or "").strip())
            read.append((found, splits.get(file.stem, ""), _stated(root), list(_objects(root, file, broken))))
        except (SzemError, ParseError, DefusedXmlException, OSError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))
    names = tuple(classes) if classes else tuple(sorted({o[0] for *_, objects in read for o in objects}))
    pictures = []
    for file, split, stated, objects in read:
        try:
            size = read_picture_size(file)
            known = [o for o in objects if o[0] in names]
            broken += [Broken(file.name, f"unknown class {o[0]!r}") for o in objects if o[0] not in names]
            corners = (
                place_points([o[1] for o in known], size, stated).reshape(-1, 4)
                if known
                else np.zeros((0, 4), np.float32)
            )
            labels = [names.index(o[0]) for o in known]
            pictures.append(box_picture(file, size, corners, labels, [o[2] for o in known], split=split))
        except SzemError as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return check_box_set(folder, names, pictures, broken)


def _picture_of(places: Sequence[Path], stem: str, stated: str) -> Path:
    """The picture beside it; else the one it names: files that were renamed keep their old name inside.

    Raises:
        FileMissingError: neither is there.
    """
    try:
        return find_picture(places, f"{stem}{Path(stated).suffix or '.jpg'}")
    except FileMissingError:
        if not stated:
            raise
        return find_picture(places, stated)


def _read_splits(folder: Path) -> dict[str, str]:
    """Stem -> split, of VOC's own lists; a picture that is in several keeps the first of train, val, test."""
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        file = folder / "ImageSets" / "Main" / f"{split}.txt"
        if file.is_file():
            for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
                if line.split():  # a name, which may hold spaces; some lists have a number behind it
                    for name in (line.strip(), line.split()[0]):
                        splits.setdefault(name, split_of_folder(split))
    return splits


def _stated(root: Any) -> _Stated:
    """The picture's size as the file says; None where it does not, or says 0 as some tools do."""
    try:
        width, height = (float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _objects(root: Any, file: Path, broken: list[Broken]) -> "Iterator[_Object]":
    for node in root.iter("object"):
        try:
            yield _object(node)
        except (FormatError, ValueError) as error:
            broken.append(Broken(file.name, describe_fault(error)))


def _object(node: Element) -> _Object:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise FormatError("an object without a name; add it")
    box, polygon = node.find("bndbox"), node.find("polygon")
    if box is not None:
        x0, y0, x1, y1 = (float(box.findtext(key) or "nan") for key in ("xmin", "ymin", "xmax", "ymax"))
        corners = (x0 - 1, y0 - 1, x1, y1)  # VOC counts pixels from 1 and includes the last one
    elif polygon is not None:  # x1, y1, x2, y2 … or pt/x, pt/y
        values = [float(child.text or "nan") for child in polygon.iter() if len(child) == 0 and child.text]
        points = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
        if len(points) < 3:
            raise FormatError(f"{name}: a polygon of {len(points)} points; it needs three at least")
        corners = (*points.min(axis=0), *points.max(axis=0))
    else:
        raise FormatError(f"{name}: an object without bndbox or polygon; add one")
    if not np.isfinite(corners).all():
        raise FormatError(f"{name}: a box without four numbers; correct it")
    if not (corners[2] > corners[0] and corners[3] > corners[1]):
        raise FormatError(f"{name}: an empty box; correct it")
    return name, tuple(float(value) for value in corners), (node.findtext("difficult") or "").strip() == "1"
