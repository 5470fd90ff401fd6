"""Single objects with their outlines, from three kinds of masks: what the outline model is trained and measured with.

Every object becomes a cut of its picture, somewhat larger than its box, with a mask of 0 and 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8
from szem.data.boxed_folder import only_split, read_boxed
from szem.data.boxes import BoxedPicture, read_coco
from szem.data.broken import Broken
from szem.data.pixels import IGNORED, read_pixel_set
from szem.errors import SzemError, TrainError, UnknownNameError
from szem.media.pictures import read_picture

__all__ = ["OutlinedObject", "read_any_outlined", "read_outlined"]

_SMALLEST_PX = 24  # shorter sides of boxes tell nothing
_LONGEST_PX = 320  # cuts are made smaller than this at once


@dataclass(frozen=True)
class OutlinedObject:
    """One object in a cut of its picture."""

    source: str  # which of the data sets
    name: str  # of the picture
    picture: Picture8  # (h, w, 3), the cut
    mask: NDArray[np.uint8]  # (h, w) 1 on the object, `IGNORED` where it does not count
    box_xyxy: NDArray[np.float32]  # (4,) within the cut


def read_outlined(data: Path, *, split: str) -> tuple[list[OutlinedObject], list[Broken]]:
    """Objects from `voc_masks` (classes with one object in the picture), `coco` (polygons) and `pedestrians`.

    Args:
        data: Holds these three folders.
        split: train or val. Where a set has no split of its own, every fifth picture is val.
    Raises:
        TrainError: not one object.
    """
    broken: list[Broken] = []
    found = [*_from_class_masks(data / "voc_masks", split, broken)]
    found += _from_polygons(data / "coco", split, broken)
    found += _from_people(data / "pedestrians", split, broken)
    if not found:
        raise TrainError(f"{data}: no outlined objects; it must hold voc_masks/, coco/ and pedestrians/")
    return found, broken


def read_any_outlined(folder: Path, *, split: str) -> tuple[list[OutlinedObject], list[Broken]]:
    """Objects of the three data sets as `read_outlined`, or of any pictures with polygons or masks.

    Args:
        folder: Holds the three, or is what `read_boxed` takes.
        split: `all`, or a split; of other data one that it marks. Their classes are the objects' sources.
    Raises:
        UnknownNameError: no such split.
        TrainError: not one object has an outline.
    """
    if (folder / "voc_masks").is_dir():
        if split not in ("train", "val", "all"):
            raise UnknownNameError(f"no split called {split!r}; outlines have train, val, all")
        parts = [read_outlined(folder, split=part) for part in ("train", "val") if split in (part, "all")]
        return [item for items, _ in parts for item in items], [fault for _, faults in parts for fault in faults]
    boxes = read_boxed(folder)
    broken = list(boxes.broken)
    try:
        boxes = only_split(boxes, "" if split == "all" else split)
    except TrainError as error:
        raise UnknownNameError(str(error)) from error
    found = [cut for boxed in boxes.pictures for cut in _cuts_of(boxed, boxes.classes, broken)]
    if not found:
        raise TrainError(
            f"{folder}: no object with an outline of {_SMALLEST_PX} pixels or more; it needs polygons or masks"
        )
    return found, broken


def _cuts_of(boxed: BoxedPicture, sources: Sequence[str], broken: list[Broken]) -> Iterator[OutlinedObject]:
    """The outlined objects of one picture.

    Args:
        boxed: With polygons.
        sources: For each class what its objects are counted under.
        broken: A picture that cannot be read is added.
    """
    if not any(boxed.polygons):
        return
    try:
        picture = read_picture(boxed.path)
    except SzemError as error:
        broken.append(Broken(boxed.path.name, str(error)))
        return
    for rings, is_hard, label in zip(boxed.polygons, boxed.is_hard, boxed.labels, strict=True):
        if rings and not is_hard:
            mask = np.zeros(picture.shape[:2], np.uint8)
            cv2.fillPoly(mask, [np.rint(ring).astype(np.int32) for ring in rings], 1)
            cut = _cut(sources[label], boxed.path.name, picture, mask)
            if cut is not None:
                yield cut


def _is_wanted(number: int, split: str) -> bool:
    return (number % 5 == 4) == (split == "val")


def _from_class_masks(folder: Path, split: str, broken: list[Broken]) -> Iterator[OutlinedObject]:
    pixels = read_pixel_set(folder, split=split, classes=21)
    broken += pixels.broken
    for name, picture, label in zip(pixels.names, pixels.pictures, pixels.labels, strict=True):
        for value in np.unique(label):
            if value in (0, IGNORED):
                continue
            region = (label == value).astype(np.uint8)
            parts, _, stats, _ = cv2.connectedComponentsWithStats(region)
            areas = np.sort(stats[1:, cv2.CC_STAT_AREA])
            if parts > 2 and areas[-1] < 0.97 * areas.sum():
                continue  # several objects, or one in pieces
            mask = np.where(label == IGNORED, np.uint8(IGNORED), region)
            cut = _cut("voc_masks", name, picture, mask)
            if cut is not None:
                yield cut


def _from_polygons(folder: Path, split: str, broken: list[Broken]) -> Iterator[OutlinedObject]:
    boxes = read_coco(folder / "instances.json")
    broken += boxes.broken
    for number, boxed in enumerate(b for b in boxes.pictures if any(b.polygons)):
        if _is_wanted(number, split):
            yield from _cuts_of(boxed, ["coco"] * len(boxes.classes), broken)


def _from_people(folder: Path, split: str, broken: list[Broken]) -> Iterator[OutlinedObject]:
    for number, path in enumerate(sorted((folder / "masks").glob("*.png"))):
        if not _is_wanted(number, split):
            continue
        try:
            picture = read_picture(folder / "images" / f"{path.stem}.webp")
        except SzemError as error:
            broken.append(Broken(path.name, str(error)))
            continue
        with Image.open(path) as opened:
            people = np.asarray(opened)
        for value in np.unique(people[people > 0]):
            cut = _cut("pedestrians", path.stem, picture, (people == value).astype(np.uint8))
            if cut is not None:
                yield cut


def _cut(source: str, name: str, picture: Picture8, mask: NDArray[np.uint8]) -> OutlinedObject | None:
    rows, columns = np.nonzero(mask == 1)
    if len(rows) == 0:
        return None
    x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    if min(x1 - x0, y1 - y0) < _SMALLEST_PX:
        return None
    height, width = mask.shape
    x_more, y_more = (x1 - x0) // 2, (y1 - y0) // 2
    left, right = max(0, x0 - x_more), min(width, x1 + x_more)
    top, bottom = max(0, y0 - y_more), min(height, y1 + y_more)
    part, region = picture[top:bottom, left:right], mask[top:bottom, left:right]
    box = np.array([x0 - left, y0 - top, x1 - left, y1 - top], np.float32)
    shrink = min(1.0, _LONGEST_PX / max(region.shape))
    if shrink < 1:
        size = (round(region.shape[1] * shrink), round(region.shape[0] * shrink))
        scale = np.array([size[0] / region.shape[1], size[1] / region.shape[0]] * 2, np.float32)
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        region = cv2.resize(region, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        box = box * scale
    return OutlinedObject(source, name, np.ascontiguousarray(part), np.ascontiguousarray(region), box)
