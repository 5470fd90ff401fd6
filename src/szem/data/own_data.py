"""Whatever labelled data lies in a folder, recognised: boxes, classes, sounds, labels per pixel, or sentences.

The readers do the reading; here all data looks alike: items with a file, classes, a split and a group.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from szem.data.box_set import BoxSet
from szem.data.boxed_folder import map_classes, recognize_boxed
from szem.data.broken import Broken
from szem.data.folders import read_captions, read_folders
from szem.data.pixels import list_pixel_pairs, read_classes
from szem.data.sounds import LabelledSound, read_labelled_sounds, recording_of
from szem.errors import FileMissingError, UnknownNameError
from szem.media.pictures import PICTURE_SUFFIXES
from szem.media.sound import SOUND_SUFFIXES
from szem.media.video import VIDEO_SUFFIXES

__all__ = ["OwnData", "OwnItem", "read_own_data"]


@dataclass(frozen=True)
class OwnItem:
    """One picture, or one labelled sound."""

    path: Path
    labels: tuple[int, ...]  # places in `OwnData.classes`; of boxes one for each
    split: str = ""
    group: str = ""  # what it was cut from, where the data says so


@dataclass(frozen=True)
class OwnData:
    """A folder of labelled data."""

    kind: str  # boxes, classes, sounds, pixels or sentences
    form: str  # of the files, as people call it
    classes: tuple[str, ...]
    items: tuple[OwnItem, ...]
    broken: tuple[Broken, ...] = ()
    boxes: BoxSet | None = None  # of kind boxes
    sounds: tuple[LabelledSound, ...] = ()  # of kind sounds, one an item

    @property
    def splits(self) -> dict[str, int]:
        """How many items each split has; "" for those without."""
        found: dict[str, int] = {}
        for item in self.items:
            found[item.split] = found.get(item.split, 0) + 1
        return found


def read_own_data(path: Path, *, classes: Mapping[str, str] | None = None) -> OwnData:
    """Read labelled data of any form.

    Args:
        path: A folder, or a file that describes the data.
        classes: The data's name of a class -> another; "" leaves the class out.
    Raises:
        FileMissingError: no such folder, or nothing of a known form in it.
        UnknownNameError: `classes` names one that the data has not.
        FormatError, TrainError, MissingExtraError: as the readers.
    """
    if not path.exists():
        raise FileMissingError(f"{path}: no such folder; check the path")
    data = _recognize(path)
    if not classes:
        return data
    if data.boxes is not None:
        return _of_boxes(data.form, map_classes(data.boxes, classes))
    return _renamed(data, classes)


def _recognize(path: Path) -> OwnData:
    if path.is_file():
        return _of_boxes(*recognize_boxed(path))
    if (path / "classes.txt").is_file() and any((path / "labels").glob("*.png")):
        return _of_pixels(path)
    if (path / "captions.csv").is_file():
        found = read_captions(path / "captions.csv")
        splits = {row.path: row.split for row in found.rows}
        items = tuple(OwnItem(file, (), split) for file, split in splits.items())
        return OwnData("sentences", "captions.csv", (), items, found.broken)
    try:
        return _of_boxes(*recognize_boxed(path))
    except FileMissingError as error:
        without_boxes = error
    if _has_files(path, SOUND_SUFFIXES | VIDEO_SUFFIXES):
        sounds = read_labelled_sounds(path)
        places = {kind: place for place, kind in enumerate(sounds.kinds)}
        items = tuple(OwnItem(s.path, (places[s.kind],), s.split, recording_of(s)) for s in sounds.sounds)
        return OwnData("sounds", sounds.form, sounds.kinds, items, sounds.broken, sounds=sounds.sounds)
    if not _has_files(path, PICTURE_SUFFIXES):
        raise FileMissingError(f"{path}: neither pictures nor sounds in it; check the path")
    try:
        pictures = read_folders(path, fewest=1)
    except FileMissingError:
        raise without_boxes from None
    items = tuple(
        OwnItem(file, (label,), pictures.split_of(place))
        for place, (file, label) in enumerate(zip(pictures.files, pictures.labels, strict=True))
    )
    is_table = any((path / name).is_file() for name in ("index.csv", "labels.csv"))
    form = "a table of classes" if is_table else "a folder per class"
    return OwnData("classes", form, pictures.classes, items, pictures.broken)


def _has_files(path: Path, suffixes: frozenset[str] | set[str]) -> bool:
    return any(file.suffix.lower() in suffixes for file in path.rglob("*"))


def _of_boxes(form: str, boxes: BoxSet) -> OwnData:
    items = tuple(OwnItem(p.path, tuple(p.labels.tolist()), p.split) for p in boxes.pictures)
    return OwnData("boxes", form, boxes.classes, items, boxes.broken, boxes=boxes)


def _of_pixels(path: Path) -> OwnData:
    items = tuple(OwnItem(image, (), split) for image, _, split in list_pixel_pairs(path))
    return OwnData("pixels", "a class for every pixel", read_classes(path), items)


def _renamed(data: OwnData, names: Mapping[str, str]) -> OwnData:
    unknown = [name for name in names if name not in data.classes]
    if unknown:
        raise UnknownNameError(f"no class called {', '.join(unknown)}; the data has {', '.join(data.classes)}")
    renamed = [names.get(name, name) for name in data.classes]
    wanted = tuple(dict.fromkeys(name for name in renamed if name))
    place = {old: wanted.index(name) for old, name in enumerate(renamed) if name}
    kept = [k for k, item in enumerate(data.items) if not item.labels or any(label in place for label in item.labels)]
    relabel: Callable[[OwnItem], OwnItem] = lambda item: replace(  # noqa: E731
        item, labels=tuple(place[label] for label in item.labels if label in place)
    )
    items = tuple(relabel(data.items[k]) for k in kept)
    sounds = (
        tuple(replace(data.sounds[k], kind=wanted[items[at].labels[0]]) for at, k in enumerate(kept))
        if data.sounds
        else ()
    )
    return replace(data, classes=wanted, items=items, sounds=sounds)
