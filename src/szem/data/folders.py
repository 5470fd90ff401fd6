"""Pictures with one class each: `cats/1.jpg`, `dogs/2.jpg`, or a table — and tables of pictures with sentences."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from szem.data.box_set import find_picture, split_of_folder
from szem.data.broken import Broken, describe_broken
from szem.data.class_names import refuse_unknown_classes
from szem.data.tables import find_column, read_table
from szem.errors import FileMissingError, FormatError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = ["CaptionSet", "Captioned", "FolderSet", "read_captions", "read_folders", "rename_folder_classes"]

_COUNTS = {1: "one", 2: "two"}
_ONE_HOT = "_classes.csv"  # Roboflow's
_TABLES = ("index.csv", "labels.csv", _ONE_HOT)


@dataclass(frozen=True)
class FolderSet:
    """Picture files and the class of each."""

    classes: tuple[str, ...]  # names of folders or of a table, in order
    files: tuple[Path, ...]
    labels: tuple[int, ...]  # places in `classes`
    broken: tuple[Broken, ...] = field(default=())
    splits: tuple[str, ...] = ()  # train, val or test of each file; empty where the data marks none

    def split_of(self, place: int) -> str:
        """The split of a file; "" where the data marks none."""
        return self.splits[place] if self.splits else ""


def read_folders(folder: Path, *, fewest: int = 2) -> FolderSet:
    """Read pictures with one class each.

    A folder per class, searched on all levels; these folders inside `train/`, `val/` (or valid), `test/`; or a table:
    `index.csv`, `labels.csv` (columns image and label, perhaps split), or Roboflow's `_classes.csv` in each split.
    Pictures are not decoded here; files of other kinds are listed as broken.

    Args:
        folder: Of the data.
        fewest: So many classes at least; two can be told apart.
    Raises:
        FileMissingError: no such folder.
        FormatError: the table cannot be read.
        TrainError: fewer classes with pictures.
    """
    if not folder.is_dir():
        raise FileMissingError(f"{folder}: no such folder")
    homes = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    by_split = {home: split_of_folder(home.name) for home in homes}
    is_split = any(by_split.values()) and all(split or home.name == "images" for home, split in by_split.items())
    broken: list[Broken] = []
    rows: list[tuple[Path, str, str]] = []  # file, class, split
    tables = [(home, split) for home, split in by_split.items() if split and (home / _ONE_HOT).is_file()]
    table = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    if tables:
        for home, split in tables:
            rows += [(file, name, split) for file, name, _ in _table_rows(home / _ONE_HOT, broken)]
    elif table is not None:
        rows = _table_rows(table, broken)
    elif is_split:
        for home, split in by_split.items():
            rows += [(file, name, split) for file, name in _class_rows(home, broken, within=f"{home.name}/")]
    else:
        rows = [(file, name, "") for file, name in _class_rows(folder, broken)]
    classes = tuple(sorted({name for _, name, _ in rows}))
    if len(classes) < fewest:
        raise TrainError(
            f"{folder}: needs a folder for each class, {_COUNTS.get(fewest, fewest)} at least, with pictures inside; "
            f"found {', '.join(classes) or 'none'}. {describe_broken(broken)}"
        )
    place = {name: number for number, name in enumerate(classes)}
    splits = tuple(split for _, _, split in rows)
    return FolderSet(
        classes,
        tuple(file for file, _, _ in rows),
        tuple(place[name] for _, name, _ in rows),
        tuple(broken),
        splits if any(splits) else (),
    )


def rename_folder_classes(data: FolderSet, names: Mapping[str, str]) -> FolderSet:
    """The same pictures with classes of other names; those that get one name are one class, "" leaves a class out.

    Raises:
        UnknownNameError: the data has no such class.
    """
    refuse_unknown_classes(names, data.classes)
    renamed = [names.get(name, name) for name in data.classes]
    wanted = tuple(sorted({name for name in renamed if name}))
    kept = [k for k, label in enumerate(data.labels) if renamed[label]]
    return FolderSet(
        wanted,
        tuple(data.files[k] for k in kept),
        tuple(wanted.index(renamed[data.labels[k]]) for k in kept),
        data.broken,
        tuple(data.splits[k] for k in kept) if data.splits else (),
    )


def _class_rows(folder: Path, broken: list[Broken], *, within: str = "") -> list[tuple[Path, str]]:
    """The pictures of a folder that has one per class."""
    rows: list[tuple[Path, str]] = []
    for home in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        inside = sorted(p for p in home.rglob("*") if p.is_file() and not p.name.startswith("."))
        pictures = [p for p in inside if p.suffix.lower() in PICTURE_SUFFIXES]
        broken += [Broken(f"{within}{home.name}/{p.name}", "not a picture") for p in inside if p not in pictures]
        if not pictures:
            broken.append(Broken(f"{within}{home.name}", "a folder without pictures"))
        rows += [(file, home.name) for file in pictures]
    broken += [
        Broken(f"{within}{p.name}", "lies beside the class folders, not in one")
        for p in sorted(folder.iterdir())
        if p.is_file() and p.suffix.lower() in PICTURE_SUFFIXES
    ]
    return rows


def _table_rows(table: Path, broken: list[Broken]) -> list[tuple[Path, str, str]]:
    """File, class and split of each line of a table.

    Raises:
        FormatError: it has no columns for the picture and its class.
    """
    homes = [table.parent / "images", table.parent]
    header, lines = read_table(table)
    image = find_column(header, "image")
    label = find_column(header, "label")
    # Roboflow writes a column of 0 and 1 for each class.
    one_hot = [name for name in header if name != image] if label is None and table.name == _ONE_HOT else []
    if image is None or (label is None and not one_hot):
        raise FormatError(f"{table}: needs columns for the picture and its class, as image and label")
    split = find_column(header, "split")
    rows = []
    for number, line in lines:
        name = line[image].strip()
        if label is not None:
            called = line[label].strip()
        else:
            named = [one.strip() for one in one_hot if line[one].strip() not in ("", "0")]
            called = named[0] if len(named) == 1 else ""
        try:
            file = find_picture(homes, name)
        except FileMissingError as error:
            broken.append(Broken(f"{table.name}:{number}", str(error)))
            continue
        if called:
            rows.append((file, called, split_of_folder(line[split].strip()) if split else ""))
        else:
            broken.append(Broken(f"{table.name}:{number}", f"{name} has no class, or several"))
    return rows


@dataclass(frozen=True)
class Captioned:
    """A picture file and a sentence about it."""

    path: Path
    caption: str
    split: str = ""


@dataclass(frozen=True)
class CaptionSet:
    """Pictures with sentences; a picture may come several times."""

    rows: tuple[Captioned, ...]
    broken: tuple[Broken, ...] = field(default=())


def read_captions(path: Path, *, images: Path | None = None) -> CaptionSet:
    """Read a CSV file with the columns `image`, `caption` and perhaps `split`.

    Args:
        path: The file.
        images: Folder of the pictures; by default `images/` beside the file, or the file's own folder.
    Raises:
        FileMissingError: no such file.
        FormatError: a column is missing, or the text is not UTF-8.
        TrainError: not one usable row.
    """
    folder = images or (path.parent / "images" if (path.parent / "images").is_dir() else path.parent)
    rows: list[Captioned] = []
    broken: list[Broken] = []
    known: dict[str, bool] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"image", "caption"} - set(reader.fieldnames or ())
            if missing:
                raise FormatError(f"{path}: has no column {', '.join(sorted(missing))}; the first line names them")
            for number, row in enumerate(reader, start=2):
                image, caption = (row["image"] or "").strip(), (row["caption"] or "").strip()
                if image not in known:
                    known[image] = bool(image) and (folder / image).is_file()
                if not known[image]:
                    broken.append(Broken(f"line {number}", f"no picture {image!r} in {folder.name}/"))
                elif not caption:
                    broken.append(Broken(f"line {number}", f"{image} has no sentence"))
                else:
                    rows.append(Captioned(folder / image, caption, (row.get("split") or "").strip()))
    except FileNotFoundError as error:
        raise FileMissingError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    if not rows:
        raise TrainError(f"{path}: not one usable row. {describe_broken(broken)}")
    return CaptionSet(tuple(rows), tuple(broken))
