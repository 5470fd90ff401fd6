"""Folders by class: `cats/1.jpg`, `dogs/2.jpg` — and CSV files of pictures with sentences."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from szem.data.broken import Broken, describe_broken
from szem.errors import FileMissingError, FormatError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = ["CaptionSet", "Captioned", "FolderSet", "read_captions", "read_folders"]


@dataclass(frozen=True)
class FolderSet:
    """Picture files and the class of each."""

    classes: tuple[str, ...]  # the folders' names, in order
    files: tuple[Path, ...]
    labels: tuple[int, ...]  # places in `classes`
    broken: tuple[Broken, ...] = field(default=())


def read_folders(folder: Path) -> FolderSet:
    """Read a folder whose subfolders are the classes; they are searched on all levels.

    Pictures are not decoded here; files of other kinds are listed as broken.

    Raises:
        FileMissingError: no such folder.
        TrainError: fewer than two classes with pictures.
    """
    if not folder.is_dir():
        raise FileMissingError(f"{folder}: no such folder")
    files: list[Path] = []
    labels: list[int] = []
    broken: list[Broken] = []
    classes: list[str] = []
    for home in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        inside = sorted(p for p in home.rglob("*") if p.is_file() and not p.name.startswith("."))
        pictures = [p for p in inside if p.suffix.lower() in PICTURE_SUFFIXES]
        broken += [Broken(f"{home.name}/{p.name}", "not a picture") for p in inside if p not in pictures]
        if not pictures:
            broken.append(Broken(home.name, "a folder without pictures"))
            continue
        files += pictures
        labels += [len(classes)] * len(pictures)
        classes.append(home.name)
    broken += [
        Broken(p.name, "lies beside the class folders, not in one")
        for p in sorted(folder.iterdir())
        if p.is_file() and p.suffix.lower() in PICTURE_SUFFIXES
    ]
    if len(classes) < 2:
        raise TrainError(
            f"{folder}: needs a folder for each class, two at least, with pictures inside; found "
            f"{', '.join(classes) or 'none'}. {describe_broken(broken)}"
        )
    return FolderSet(tuple(classes), tuple(files), tuple(labels), tuple(broken))


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
