"""Top-1 and top-5 of a classifier, and each class's own, on labelled pictures."""

from pathlib import Path
from typing import Any

import numpy as np

from szem.data.broken import Broken
from szem.data.folders import FolderSet, read_folders
from szem.data.tables import find_column, read_table
from szem.errors import FileMissingError, FormatError, RangeError, SzemError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.score import Confusion, Measurement, Reliability
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import mean_of
from szem.tasks.classification.classify import Classifier
from szem.tasks.eval_run import EvalRun

__all__ = ["evaluate_classify", "labelled_pictures"]

_MOST_CLASSES = 40  # of a confusion matrix and of classes that are reported one by one


def evaluate_classify(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
    """Fraction of pictures whose class is the best, or among the five best; of each class the fraction that is found.

    The folder is read by `labelled_pictures`.
    """
    run = run or EvalRun()
    classifier = Classifier(Session(model, threads=1))
    pairs = labelled_pictures(folder, model.labels, split, run=run)

    def measure(pair: tuple[Path, int]) -> dict[str, Any]:
        labels = classifier([read_picture(pair[0])], top=5)[0]
        return {"indices": [int(i) for i in labels.indices], "score": float(labels[0].score)}

    done = run.each(pairs, measure, key=lambda pair: pair[0], doing="pictures")
    truth = np.array([label for (_, label), _ in done])
    best = np.array([r["indices"][0] for _, r in done])
    right = best == truth
    run.reliability = Reliability(np.array([r["score"] for _, r in done], np.float32), right)
    out = [
        mean_of("top-1", right),
        mean_of("top-5", [label in r["indices"] for (_, label), r in done]),
        Measurement("calibration error", run.reliability.calibration_error(), len(done)),
    ]
    present = np.unique(truth)
    if len(present) > _MOST_CLASSES:
        return out
    rows = np.unique(np.concatenate([truth, best]))
    counts = np.array([[int(((truth == a) & (best == b)).sum()) for b in rows] for a in present])
    run.confusion = Confusion(
        tuple(model.labels[i] for i in present), tuple(model.labels[i] for i in rows), counts.astype(np.int64)
    )
    return out + [mean_of(f"recall {model.labels[i]}", right[truth == i]) for i in present]


def labelled_pictures(
    folder: Path, names: tuple[str, ...], split: str = "all", *, run: EvalRun | None = None
) -> list[tuple[Path, int]]:
    """Pictures with the index of their class.

    Either `index.csv` (image, class_index; the pictures in `images/` or beside it), or whatever `read_folders` takes,
    with classes called as the labels. Pictures of classes that the model has not are left out and listed.

    Args:
        folder: The data.
        names: The labels, to know a folder's class by.
        split: `all`; a split that the data marks; `even` or `odd`: every second one, counted from 0 in the order of
            the index; `held-back:5`: of each class every fifth one that can be read, as the recipe `classify` holds
            them back.
        run: Says what the data's classes are called here, and takes what is left out.
    Raises:
        UnknownNameError: an unknown split, or no class is the model's.
        FormatError: the index cannot be understood.
        FileMissingError: no picture with a known class.
    """
    run = run or EvalRun()
    ways = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
    way, _, every = split.partition(":")
    index = folder / "index.csv"
    if index.is_file() and "class_index" in read_table(index)[0]:
        pairs, marks = _by_index(index, len(names))
    else:
        pairs, marks = _by_name(read_folders(folder, fewest=1), names, run)
    known = sorted({mark for mark in marks if mark})
    if split in known:
        return [pair for pair, mark in zip(pairs, marks, strict=True) if mark == split]
    if split not in ways and not (way == "held-back" and every.isdecimal() and int(every)):
        raise UnknownNameError(f"no split called {split!r}; there are {', '.join([*ways, *known])}, held-back:5")
    pairs = pairs[ways[split]] if split in ways else _held_back(pairs, int(every))
    if not pairs:
        raise FileMissingError(f"{folder}: no pictures with classes; give an index.csv or a folder per label")
    return pairs


def _by_index(index: Path, classes: int) -> tuple[list[tuple[Path, int]], list[str]]:
    pictures = index.parent / "images"
    base = pictures if pictures.is_dir() else index.parent
    header, lines = read_table(index)
    split = find_column(header, "split")
    found, marks = [], []
    for number, row in lines:
        try:
            name, label = row["image"], int(row["class_index"])
        except (KeyError, ValueError) as error:
            raise FormatError(f"{index}, line {number}: needs columns image and class_index (a number)") from error
        if not 0 <= label < classes:
            raise RangeError(f"{index}, line {number}: class_index must be 0..{classes - 1}, got {label}")
        found.append((base / name, label))
        marks.append(row[split].strip() if split else "")
    return found, marks


def _by_name(data: FolderSet, names: tuple[str, ...], run: EvalRun) -> tuple[list[tuple[Path, int]], list[str]]:
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    to_model = [places.get(run.name_of(name), -1) for name in data.classes]
    run.broken += data.broken
    counts = np.bincount(data.labels, minlength=len(data.classes))
    for name, place, count in zip(data.classes, to_model, counts, strict=True):
        if place < 0:
            run.broken.append(Broken(name, f"not a class of the model; its {count} pictures are left out"))
    if max(to_model) < 0:
        raise UnknownNameError(
            f"no class of the data ({', '.join(data.classes[:6])}) is one of the model's ({', '.join(names[:6])}…); "
            "--classes a=b says that the data's a is its b"
        )
    kept = [k for k, label in enumerate(data.labels) if to_model[label] >= 0]
    return [(data.files[k], to_model[data.labels[k]]) for k in kept], [data.split_of(k) for k in kept]


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
