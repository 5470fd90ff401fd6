"""Pictures with boxes, and perhaps polygons, whatever file described them; `data.boxes` has the readers.

Boxes lie in the frame of the upright picture, as `read_picture` gives it. Pictures are not decoded here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.data.broken import Broken, describe_broken
from szem.errors import FileMissingError, FormatError, SzemError, TrainError
from szem.media.decoding import PictureSize
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = [
    "BoxSet",
    "BoxedPicture",
    "Polygons",
    "box_picture",
    "check_box_set",
    "describe_fault",
    "find_picture",
    "join_box_sets",
    "place_points",
    "rings_of_mask",
    "split_of_folder",
]

Polygons = tuple[NDArray[np.float32], ...]
"""Rings of one object, each (n, 2) as x, y in pixels."""

_ROUNDING_PX, _ROUNDING = 1.5, 0.005  # so far a corner may lie outside by rounding; of the side
_SPLITS = {
    "train": ("train", "training", "train2014", "train2017"),
    "val": ("val", "valid", "validation", "val2014", "val2017", "dev"),
    "test": ("test", "testing", "test2014", "test2017"),
}


@dataclass(frozen=True)
class BoxedPicture:
    """One picture's file and what is in it."""

    path: Path
    width_px: int  # of the upright picture
    height_px: int
    boxes_xyxy: NDArray[np.float32]  # (N, 4)
    labels: NDArray[np.int64]  # (N,) places in `BoxSet.classes`
    is_hard: NDArray[np.bool_]  # (N,) crowds and difficult ones: neither learned nor counted
    polygons: tuple[Polygons, ...] = ()  # one per box, or none at all
    split: str = ""
    outside: int = 0  # boxes that reached beyond the picture and were cut, or lay outside and were left out


@dataclass(frozen=True)
class BoxSet:
    """Pictures with boxes."""

    classes: tuple[str, ...]
    pictures: tuple[BoxedPicture, ...]
    broken: tuple[Broken, ...] = field(default=())


def split_of_folder(name: str) -> str:
    """The split that a folder's name stands for: `train`, `val`, `test`, or nothing.

    >>> split_of_folder("valid"), split_of_folder("train2017"), split_of_folder("holiday")
    ('val', 'train', '')
    """
    return next((split for split, names in _SPLITS.items() if name.lower() in names), "")


def find_picture(folders: Sequence[Path], name: str) -> Path:
    """The file that an annotation names.

    Tools write names as they lie on their own machine: with backslashes, or whole paths of another computer. The
    name is looked for as it is, then by its last part, then by its stem with another suffix.

    Args:
        folders: Where to look, in order.
        name: As the annotation has it.
    Raises:
        FileMissingError: in none of them.
    """
    plain = PureWindowsPath(name)  # takes both kinds of slashes
    last = plain.name or name
    is_inside = not plain.is_absolute() and not plain.drive and not name.startswith("/") and ".." not in plain.parts
    for folder in folders:
        tried = [folder.joinpath(*plain.parts)] if is_inside and plain.parts else []
        for file in (*tried, folder / last):
            if file.is_file():
                return file
    stem = PureWindowsPath(last).stem
    for folder in folders:
        for suffix in sorted(PICTURE_SUFFIXES):
            for file in (folder / f"{stem}{suffix}", folder / f"{stem}{suffix.upper()}"):
                if file.is_file():
                    return file
    raise FileMissingError(f"{last}: no such picture in {', '.join(folder.name or '.' for folder in folders)}")


def place_points(points_xy: Any, size: PictureSize, stated: tuple[float, float] | None) -> NDArray[np.float32]:
    """Points of an annotation in pixels of the upright picture.

    Most tools show photographs upright, and their sizes and boxes mean that picture; some state the sides as the file
    stores them. The stated sides tell which. The file may also have been made smaller or larger since.

    Args:
        points_xy: (N, 2) in pixels of the annotation.
        size: Of the picture's file.
        stated: Width and height as the annotation says; None where it does not: the upright picture's.
    Returns:
        (N, 2).
    Raises:
        FormatError: the stated sides are not positive, or a coordinate is not a finite number.

    >>> turned = PictureSize(96, 64, orientation=6)  # stored as 64 × 96
    >>> place_points([[0, 0], [32, 96]], turned, (64, 96)).tolist()
    [[96.0, 0.0], [0.0, 32.0]]
    """
    points = np.asarray(points_xy, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise FormatError("a coordinate is not a finite number; correct the annotation")
    if stated is None:
        return points.astype(np.float32)
    if not all(np.isfinite(side) and side > 0 for side in stated):
        raise FormatError(f"states a picture of {stated[0]:g}×{stated[1]:g} pixels; correct the annotation")
    upright = (size.width_px, size.height_px)
    is_stored_frame = size.orientation >= 5 and _shape_fault(stated, size.stored) < _shape_fault(stated, upright)
    frame = size.stored if is_stored_frame else upright
    points *= np.array(frame) / np.array(stated)
    return (size.to_upright(points) if is_stored_frame else points).astype(np.float32)


def rings_of_mask(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The outer outlines of a mask, each (n, 2) as x, y of the outer edges of its pixels; holes are not told apart.

    >>> rings_of_mask(np.ones((1, 2), bool))[0].tolist()
    [[0.0, 0.0], [0.0, 1.0], [2.0, 1.0], [2.0, 0.0]]
    """
    # Doubled, so that a contour through the middles of the border's pixels becomes one along their outer edges.
    doubled = np.pad(np.repeat(np.repeat(np.asarray(mask, np.uint8), 2, 0), 2, 1), 1)
    found, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.ceil((ring[:, 0].astype(np.float64) - 1) / 2) for ring in found]


def _shape_fault(stated: tuple[float, float], real: tuple[int, int]) -> float:
    """How far one aspect ratio is from another."""
    return float(abs(np.log(stated[0] / stated[1]) - np.log(real[0] / real[1])))


def box_picture(
    file: Path,
    size: PictureSize,
    boxes: Sequence[Sequence[float]] | NDArray[np.float32],
    labels: Sequence[int],
    hard: Sequence[bool],
    *,
    polygons: tuple[Polygons, ...] = (),
    split: str = "",
) -> BoxedPicture:
    """A picture with its boxes, corners in order and inside the picture; one that lies outside is left out.

    Raises:
        FormatError: a corner is not a number.
    """
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    if not np.isfinite(array).all():
        raise FormatError(f"{file.name}: a box has a corner that is not a number; correct the annotation")
    array = np.concatenate([np.minimum(array[:, :2], array[:, 2:]), np.maximum(array[:, :2], array[:, 2:])], axis=1)
    given, sides = array, np.array([size.width_px, size.height_px] * 2, np.float32)
    array = array.clip(0, sides)
    is_outside = (np.abs(given - array) > np.maximum(_ROUNDING_PX, _ROUNDING * sides)).any(1)
    kept = np.asarray((array[:, 2:] > array[:, :2]).all(1), bool)
    return BoxedPicture(
        file,
        size.width_px,
        size.height_px,
        array[kept],
        np.asarray(labels, np.int64)[kept],
        np.asarray(hard, bool)[kept],
        tuple(p for p, keep in zip(polygons, kept, strict=True) if keep) if any(polygons) else (),
        split,
        int((is_outside | ~kept).sum()),
    )


def join_box_sets(parts: Mapping[str, BoxSet]) -> BoxSet:
    """Several sets as one; classes are joined by name, in the order in which they come.

    Args:
        parts: Split -> set; its pictures without a split of their own are marked with it.
    """
    classes = tuple(dict.fromkeys(name for part in parts.values() for name in part.classes))
    pictures: list[BoxedPicture] = []
    for split, part in parts.items():
        to_joined = np.array([classes.index(name) for name in part.classes], np.int64)
        pictures += [replace(p, labels=to_joined[p.labels], split=p.split or split) for p in part.pictures]
    return BoxSet(classes, tuple(pictures), tuple(fault for part in parts.values() for fault in part.broken))


def check_box_set(where: Path, names: Sequence[str], pictures: list[BoxedPicture], broken: list[Broken]) -> BoxSet:
    """What a reader found.

    Raises:
        TrainError: not one usable picture.
    """
    if not pictures:
        raise TrainError(f"{where}: not one usable picture. {describe_broken(broken)}")
    return BoxSet(tuple(names), tuple(pictures), tuple(broken))


def describe_fault(error: Exception) -> str:
    """Why something is broken, for people."""
    return str(error) if isinstance(error, SzemError) else f"{type(error).__name__}: {error}"
