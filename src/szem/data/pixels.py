"""Pictures with a label for every pixel: read once, kept as bytes.

This file does not know about networks; what it gives is numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8
from szem.data.broken import Broken, describe_broken
from szem.data.tables import read_table
from szem.errors import FileMissingError, FormatError, ShapeError, SzemError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture

__all__ = ["IGNORED", "PixelSet", "list_pixel_pairs", "read_classes", "read_pixel_set"]

IGNORED = 255
"""The label of pixels that neither teach nor count."""


@dataclass(frozen=True)
class PixelSet:
    """Pictures and their labels, decoded."""

    names: tuple[str, ...]
    pictures: tuple[Picture8, ...]  # each (H, W, 3)
    labels: tuple[NDArray[np.uint8], ...]  # each (H, W); `IGNORED` where it does not count
    broken: tuple[Broken, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def part(self, indices: Sequence[int]) -> "PixelSet":
        """The pictures at these places."""
        return PixelSet(
            names=tuple(self.names[i] for i in indices),
            pictures=tuple(self.pictures[i] for i in indices),
            labels=tuple(self.labels[i] for i in indices),
        )

    def __add__(self, other: "PixelSet") -> "PixelSet":
        """These pictures, then the others."""
        return PixelSet(
            names=self.names + other.names,
            pictures=self.pictures + other.pictures,
            labels=self.labels + other.labels,
            broken=self.broken + other.broken,
        )


def read_classes(folder: Path) -> tuple[str, ...]:
    """The class names of `classes.txt`, a line each; a last line `void` is not a class.

    Raises:
        FileMissingError: there is none.
    """
    file = folder / "classes.txt"
    if not file.is_file():
        raise FileMissingError(f"{file}: missing; write the class names there, the line number being the label")
    names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple(names[:-1] if names[-1] == "void" else names)


def read_pixel_set(folder: Path, *, split: str | None, classes: int) -> PixelSet:
    """Read `images/` and `labels/*.png` of a folder; `index.csv` (image, label, split) says which belong together.

    Without `index.csv` pictures and labels of the same stem do, and there are no splits.

    Args:
        folder: Holds images/ and labels/.
        split: Only these rows; None takes all.
        classes: Labels from here up are not counted (`IGNORED`).
    Raises:
        TrainError: not one usable pair.
    """
    names, pictures, labels, broken = [], [], [], []
    for image, label, _ in list_pixel_pairs(folder, split):
        try:
            picture = read_picture(image)
            mask = _read_label(label)
            if mask.shape != picture.shape[:2]:
                raise ShapeError(f"{label.name}: is {mask.shape}, its picture {picture.shape[:2]}; they must agree")
        except SzemError as error:
            broken.append(Broken(image.name, str(error)))
            continue
        names.append(image.name)
        pictures.append(picture)
        labels.append(np.where(mask < classes, mask, np.uint8(IGNORED)))
    if not names:
        where = f" in split {split!r}" if split else ""
        raise TrainError(
            f"{folder}: no picture with labels{where}; expected images/ and labels/. {describe_broken(broken)}"
        )
    return PixelSet(tuple(names), tuple(pictures), tuple(labels), tuple(broken))


def list_pixel_pairs(folder: Path, split: str | None = None) -> list[tuple[Path, Path, str]]:
    """Picture, label file and split of every pair, as the folder lists them; nothing is read.

    Args:
        folder: Holds images/ and labels/, perhaps index.csv.
        split: Only these rows; None takes all.
    Raises:
        FileMissingError: neither index.csv nor images/.
        FormatError: the index has not its columns.
    """
    index = folder / "index.csv"
    if index.is_file():
        header, lines = read_table(index)
        if not {"image", "label"} <= set(header):
            raise FormatError(f"{index}: needs columns image and label, got {', '.join(header)}")
        return [
            (folder / "images" / row["image"], folder / "labels" / row["label"], row.get("split", ""))
            for _, row in lines
            if split is None or row.get("split") == split
        ]
    if not (folder / "images").is_dir():
        raise FileMissingError(f"{folder}: has neither index.csv nor images/; see docs/train.md for the layout")
    found = sorted(p for p in (folder / "images").iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    return [(p, folder / "labels" / f"{p.stem}.png", "") for p in found]


def _read_label(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as opened:
            if opened.mode not in ("L", "P", "1", "I;16", "I"):
                raise ShapeError(
                    f"{path.name}: {opened.mode} pixels; labels are one number per pixel (grey or palette)"
                )
            return np.asarray(opened).astype(np.uint8)
    except FileNotFoundError as error:
        raise FileMissingError(f"{path.name}: no such label file") from error
    except OSError as error:
        raise TrainError(f"{path.name}: damaged ({error})") from error
