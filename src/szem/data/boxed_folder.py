"""A folder of pictures with boxes in whichever of the common forms: COCO JSON, Pascal VOC XML, YOLO text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from szem.data.boxes import BoxedPicture, BoxSet, read_coco, read_voc, read_yolo
from szem.errors import FileMissingError, TrainError

__all__ = ["only_split", "read_boxed", "rename_classes"]


def read_boxed(path: Path) -> BoxSet:
    """Read pictures with boxes; the form is found out.

    Args:
        path: A COCO JSON file; or a folder with `instances.json` (or one other .json), with `Annotations/*.xml`, or
            with `images/` and `labels/`.
    Raises:
        FileMissingError: none of these.
        FormatError, TrainError: as the readers of `data.boxes`.
    """
    if path.is_file():
        return read_coco(path)
    if not path.is_dir():
        raise FileMissingError(f"{path}: no such folder or file; give COCO JSON, or a folder of VOC XML or YOLO text")
    found = sorted(path.glob("*.json"))
    named = [file for file in found if file.name == "instances.json"] or found
    if len(named) == 1:
        return read_coco(named[0])
    if (path / "Annotations").is_dir() or any(path.glob("*.xml")):
        return read_voc(path)
    if (path / "images").is_dir() and (path / "labels").is_dir():
        return read_yolo(path)
    raise FileMissingError(
        f"{path}: no boxes found; it needs one COCO .json, or Annotations/*.xml (VOC), or images/ and labels/ (YOLO)"
    )


def only_split(boxes: BoxSet, split: str) -> BoxSet:
    """The pictures of one split; all of them where `split` is empty or none is marked.

    Raises:
        TrainError: there are splits, but not this one.
    """
    marks = {picture.split for picture in boxes.pictures}
    if not split or marks == {""}:
        return boxes
    if split not in marks:
        raise TrainError(f"no pictures of split {split!r}; there are {', '.join(sorted(marks))}")
    return replace(boxes, pictures=tuple(p for p in boxes.pictures if p.split == split))


def rename_classes(boxes: BoxSet, classes: Sequence[str], other_names: Mapping[str, str]) -> BoxSet:
    """The same pictures with the classes of another set; boxes of classes it does not have are left out.

    Args:
        boxes: Of any classes.
        classes: The wanted ones.
        other_names: What this set calls them -> what they are called in `classes`.
    """
    places = {name: place for place, name in enumerate(classes)}
    to_new = np.array([places.get(other_names.get(name, name), -1) for name in boxes.classes], np.int64)
    return BoxSet(tuple(classes), tuple(_renamed(picture, to_new) for picture in boxes.pictures), boxes.broken)


def _renamed(picture: BoxedPicture, to_new: np.ndarray) -> BoxedPicture:
    labels = to_new[picture.labels]
    known = labels >= 0
    return replace(
        picture,
        boxes_xyxy=picture.boxes_xyxy[known],
        labels=labels[known],
        is_hard=picture.is_hard[known],
        polygons=tuple(p for p, keep in zip(picture.polygons, known, strict=False) if keep),
    )
