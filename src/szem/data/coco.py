"""COCO JSON: pictures with boxes and outlines in one file; `data.boxed_folder` knows the folders it comes in."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from szem.arrays.rle import rle_to_mask
from szem.data.box_set import (
    BoxedPicture,
    BoxSet,
    Polygons,
    box_picture,
    check_box_set,
    describe_fault,
    find_picture,
    place_points,
    rings_of_mask,
)
from szem.data.broken import Broken
from szem.errors import FileMissingError, FormatError, SzemError
from szem.media.decoding import read_picture_size

__all__ = ["is_coco", "read_coco", "read_json"]

_LISTS = ("images", "annotations", "categories")
_MOST_PIXELS = 1 << 28  # of a mask


def is_coco(data: Any) -> bool:
    """Whether parsed JSON has COCO's three lists."""
    return isinstance(data, dict) and all(isinstance(data.get(key), list) for key in _LISTS)


def read_coco(path: Path, *, images: Path | None = None) -> BoxSet:
    """Read a COCO JSON file.

    Category ids may have gaps. An annotation whose category is not listed is left out and named in `broken`.

    Args:
        path: `instances.json` or the like.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FileMissingError: no such file.
        FormatError: not JSON, without COCO's three lists, or with categories that have no id or name.
        TrainError: not one usable picture.
    """
    data = read_json(path)
    if not is_coco(data):
        raise FormatError(f"{path}: not COCO JSON; it needs the lists {', '.join(_LISTS)}")
    folders = [images] if images else [path.parent / "images", path.parent]
    names, place = _categories(path, data)
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in data["annotations"]:
        if isinstance(annotation, dict):
            by_image.setdefault(_key(annotation.get("image_id")), []).append(annotation)
    broken = _unknown_categories(path, data, place)
    pictures = []
    for image in data["images"]:
        name = str(image.get("file_name", image.get("id", "?"))) if isinstance(image, dict) else str(image)
        try:
            given = by_image.get(_key(image.get("id")), [])
            pictures.append(_picture(image, given, folders, place, broken))
        except (SzemError, AttributeError, KeyError, TypeError, ValueError) as error:
            broken.append(Broken(name, describe_fault(error)))
    return check_box_set(path, names, pictures, broken)


def _key(value: Any) -> str:
    """Ids are numbers or words; some tools write the one here and the other there."""
    return str(value)


def _categories(path: Path, data: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names in the order of their ids, and id -> place. Categories of one name are one class."""
    try:
        listed = sorted(data["categories"], key=lambda c: (isinstance(c["id"], str), c["id"]))
        named = [(_key(c["id"]), str(c["name"]), str(c.get("supercategory", ""))) for c in listed]
    except (AttributeError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: a category needs an id and a name ({describe_fault(error)}); add them") from error
    used = {_key(a.get("category_id")) for a in data["annotations"] if isinstance(a, dict)}
    above = {parent for _, name, parent in named if parent != name}
    # Roboflow lists the name of the whole dataset as a category without annotations, above all others.
    kept = [(id, name) for id, name, _ in named if id in used or name not in above]
    names = tuple(dict.fromkeys(name for _, name in kept))
    return names, {id: names.index(name) for id, name in kept}


def _unknown_categories(path: Path, data: dict[str, Any], place: dict[str, int]) -> list[Broken]:
    ids = Counter(_key(a.get("category_id")) for a in data["annotations"] if isinstance(a, dict))
    return [
        Broken(path.name, f"category id {id} of {count} annotations is not in `categories`; they are left out")
        for id, count in ids.items()
        if id not in place
    ]


def _picture(
    image: dict[str, Any],
    annotations: Sequence[dict[str, Any]],
    folders: Sequence[Path],
    place: dict[str, int],
    broken: list[Broken],
) -> BoxedPicture:
    file = find_picture(folders, str(image["file_name"]))
    size = read_picture_size(file)
    stated = (float(image["width"]), float(image["height"])) if "width" in image and "height" in image else None
    boxes, labels, hard, polygons = [], [], [], []
    for annotation in annotations:
        label, id = place.get(_key(annotation.get("category_id"))), annotation.get("id")
        if label is None:
            broken.append(Broken(file.name, f"annotation {id} has no such class"))
            continue
        try:
            rings = _rings(annotation)
            box = _box(annotation, rings)
            boxes.append(place_points([box[:2], box[2:]], size, stated).reshape(4))
            polygons.append(tuple(place_points(ring, size, stated) for ring in rings))
        except (SzemError, TypeError, ValueError) as error:
            broken.append(Broken(file.name, f"annotation {id}: {describe_fault(error)}"))
            continue
        labels.append(label)
        hard.append(bool(annotation.get("iscrowd")) or bool(annotation.get("difficult")))
    split = str(image.get("split", ""))
    return box_picture(file, size, np.array(boxes), labels, hard, polygons=_all_or_none(polygons), split=split)


def _all_or_none(polygons: list[Polygons]) -> tuple[Polygons, ...]:
    return tuple(polygons) if any(polygons) else ()


def _rings(annotation: dict[str, Any]) -> list[np.ndarray]:
    given = annotation.get("segmentation")
    if isinstance(given, dict):
        return [] if annotation.get("iscrowd") and annotation.get("bbox") else _rings_of_runs(given)
    if not isinstance(given, list):
        return []
    flat = [given] if given and not isinstance(given[0], list) else given  # some write a single ring without its list
    return [np.asarray(ring, np.float64).reshape(-1, 2) for ring in flat if len(ring) >= 6]


def _rings_of_runs(given: dict[str, Any]) -> list[np.ndarray]:
    """Outlines of a mask in run lengths, packed or not.

    Raises:
        FormatError: the runs make no mask.
    """
    try:
        height, width = (int(side) for side in given["size"])
        if not 0 < height * width <= _MOST_PIXELS:
            raise FormatError(f"a mask of {width}×{height} pixels; correct its size")
        return rings_of_mask(rle_to_mask(given))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"run lengths that make no mask ({describe_fault(error)}); export it anew") from error


def _box(annotation: dict[str, Any], rings: list[np.ndarray]) -> tuple[float, float, float, float]:
    """Corners, of `bbox` or else of the outline.

    Raises:
        FormatError: an empty box, or neither.
    """
    given = annotation.get("bbox")
    if isinstance(given, list) and len(given) == 4:
        x, y, w, h = (float(value) for value in given)
    elif rings:
        points = np.concatenate(rings)
        (x, y), (w, h) = points.min(axis=0), np.ptp(points, axis=0)
    else:
        raise FormatError("has neither a bbox of four numbers nor an outline")
    if not (w > 0 and h > 0):
        raise FormatError(f"an empty box of {w:g}×{h:g} pixels")
    return x, y, x + w, y + h


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        FileMissingError: no such file.
        FormatError: not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileMissingError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({error}); export it anew") from error
