"""The pictures a detector is trained on: several sets with classes of their own, some labelled in part or not at all.

All become pictures whose labels are places in one list of classes. For each set it is known of which classes every
object has a label; elsewhere the absence of a label says nothing. This file does not know about networks.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.data.boxed_folder import only_split, read_boxed, rename_classes, without_held_out
from szem.data.boxes import BoxedPicture
from szem.data.broken import Broken
from szem.errors import FileMissingError, SzemError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.results.class_aliases import CLASS_ALIASES
from szem.runtime.sessions import cores
from szem.train.sampling import spread_over

__all__ = ["TrainingSet", "hold_back", "read_set", "read_unlabelled", "spec_parts"]


@dataclass(frozen=True)
class TrainingSet:
    """Pictures of one origin."""

    name: str  # of its folder or file
    pictures: tuple[BoxedPicture, ...]
    is_complete: NDArray[np.bool_]  # (C,) classes of which every object has a label
    broken: tuple[Broken, ...] = ()


def read_set(
    spec: str,
    classes: Sequence[str],
    *,
    is_complete: bool = True,
    most: int = 0,
    names: Mapping[str, str] | None = None,
) -> TrainingSet:
    """Read pictures with boxes and give their labels the places of `classes`.

    Args:
        spec: A folder or file as of `read_boxed`, perhaps with `:SPLIT` behind it; without, all but what the data
            marks as held out.
        classes: The wanted ones; boxes of others are left out. Names of COCO and PASCAL VOC stand for each other.
        is_complete: Whether every object of the set's classes has a label.
        most: So many pictures at most, evenly spread; 0 for all.
        names: As of `map_classes`.
    Raises:
        FileMissingError, FormatError, TrainError: as of `read_boxed` and `only_split`; or no class is wanted.
    """
    path, split = spec_parts(spec)
    boxes = read_boxed(path, classes=names)
    boxes = only_split(boxes, split) if split else without_held_out(boxes)
    # one name of a class may stand in this set, the other in the list: whichever the list has
    other = {name: alias for name, alias in _both_ways() if alias in classes and name not in classes}
    known = {other.get(name, name) for name in boxes.classes} & set(classes)
    if not known:
        raise TrainError(
            f"{path}: none of its classes ({', '.join(boxes.classes[:4])}…) is one of {', '.join(classes[:4])}…"
        )
    pictures = list(rename_classes(boxes, classes, other).pictures)
    if most:
        pictures = spread_over(pictures, most=most)
    readable, unreadable = _read_all(pictures)
    complete = np.array([is_complete and name in known for name in classes])
    return TrainingSet(path.name, readable, complete, (*boxes.broken, *unreadable))


def read_unlabelled(folder: Path, classes: Sequence[str], *, most: int) -> TrainingSet:
    """Pictures without boxes, for a teacher to label.

    Args:
        folder: Holds pictures, or `images/` with pictures.
        classes: How many `is_complete` speaks of.
        most: So many at most, evenly spread.
    Raises:
        FileMissingError: no pictures there.
    """
    home = folder / "images" if (folder / "images").is_dir() else folder
    files = sorted(p for p in home.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise FileMissingError(f"{home}: no pictures; give a folder of pictures")
    pictures = []
    for file in spread_over(files, most=most):
        with Image.open(file) as opened:
            width, height = opened.size
        empty = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
        pictures.append(BoxedPicture(file, width, height, *empty))
    return TrainingSet(folder.name, tuple(pictures), np.zeros(len(classes), bool))


def _read_all(pictures: Sequence[BoxedPicture]) -> tuple[tuple[BoxedPicture, ...], tuple[Broken, ...]]:
    """The pictures that can be decoded, and the others: a size can be read of many a file that is cut short."""

    def reason(one: BoxedPicture) -> str:
        try:
            read_picture(one.path)
        except SzemError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(cores()) as pool:
        reasons = list(pool.map(reason, pictures))
    good = tuple(one for one, why in zip(pictures, reasons, strict=True) if not why)
    return good, tuple(Broken(one.path.name, why) for one, why in zip(pictures, reasons, strict=True) if why)


def spec_parts(spec: str) -> tuple[Path, str]:
    """`PATH:SPLIT` or `PATH`.

    >>> spec_parts("coco_mini:train2017")
    (PosixPath('coco_mini'), 'train2017')
    """
    path, colon, split = spec.rpartition(":")
    return (Path(path), split) if colon else (Path(spec), "")


def hold_back(one: TrainingSet, *, every: int) -> tuple[TrainingSet, list[BoxedPicture]]:
    """The set without every so many-th picture, and these."""
    held = [picture for n, picture in enumerate(one.pictures) if n % every == every - 1]
    kept = tuple(picture for n, picture in enumerate(one.pictures) if n % every != every - 1)
    return replace(one, pictures=kept), held


def _both_ways() -> list[tuple[str, str]]:
    return [pair for alias, name in CLASS_ALIASES.items() for pair in ((alias, name), (name, alias))]
