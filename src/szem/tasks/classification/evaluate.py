"""Top-1 and top-5 of a classifier, on labelled pictures."""

import csv
from collections.abc import Iterator
from pathlib import Path

from szem.errors import FileMissingError, FormatError, RangeError, SzemError, UnknownNameError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.classification.classify import Classifier

__all__ = ["evaluate_classify", "labelled_pictures"]


def evaluate_classify(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Fraction of pictures whose class is the best, or among the five best.

    The folder is read by `labelled_pictures`.
    """
    classifier = Classifier(Session(model, threads=1))
    pairs = labelled_pictures(folder, model.labels, split)
    first = fifth = 0
    for start in range(0, len(pairs), 16):
        part = pairs[start : start + 16]
        found = classifier([read_picture(path) for path, _ in part], top=5)
        for labels, (_, truth) in zip(found, part, strict=True):
            first += int(labels[0].index == truth)
            fifth += int(truth in labels.indices)
    n = len(pairs)
    return [Measurement("top-1", first / n, n), Measurement("top-5", fifth / n, n)]


def labelled_pictures(folder: Path, names: tuple[str, ...], split: str = "all") -> list[tuple[Path, int]]:
    """Pictures with the index of their class.

    Either `index.csv` (image, class_index; the pictures in `images/` or beside it), or a folder per class, called as
    the label.

    Args:
        folder: The data.
        names: The labels, to know a folder's class by.
        split: `all`; `even` or `odd`: every second one, counted from 0 in the order of the index; `held-back:5`: of
            each class every fifth one that can be read, as the recipe `classify` holds them back.
    Raises:
        UnknownNameError: an unknown split.
        FormatError: the index cannot be understood.
        FileMissingError: no picture with a known class.
    """
    ways = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
    way, _, every = split.partition(":")
    if split not in ways and not (way == "held-back" and every.isdecimal() and int(every)):
        raise UnknownNameError(f"no split called {split!r}; there are {', '.join(ways)}, held-back:5")
    index = folder / "index.csv"
    pairs = list(_by_index(index, len(names)) if index.is_file() else _by_folder(folder, names))
    pairs = pairs[ways[split]] if split in ways else _held_back(pairs, int(every))
    if not pairs:
        raise FileMissingError(f"{folder}: no pictures with classes; give an index.csv or a folder per label")
    return pairs


def _by_index(index: Path, classes: int) -> Iterator[tuple[Path, int]]:
    pictures = index.parent / "images"
    base = pictures if pictures.is_dir() else index.parent
    with index.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                name, label = row["image"], int(row["class_index"])
            except (KeyError, TypeError, ValueError) as error:
                raise FormatError(
                    f"{index}, line {number}: needs columns image and class_index (a number)"
                ) from error
            if not 0 <= label < classes:
                raise RangeError(f"{index}, line {number}: class_index must be 0..{classes - 1}, got {label}")
            yield base / name, label


def _held_back(pairs: list[tuple[Path, int]], every: int) -> list[tuple[Path, int]]:
    seen: dict[int, int] = {}
    found = []
    for path, label in pairs:
        try:
            read_picture(path)
        except SzemError:
            continue
        seen[label] = seen.get(label, 0) + 1
        if seen[label] % every == 0:
            found.append((path, label))
    return found


def _by_folder(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[Path, int]]:
    places = {name: place for place, name in enumerate(names)}
    for child in sorted(p for p in folder.iterdir() if p.is_dir() and p.name in places):
        for path in sorted(p for p in child.rglob("*") if p.is_file() and not p.name.startswith(".")):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                yield path, places[child.name]
