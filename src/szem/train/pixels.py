"""Pictures with a label for every pixel: read once, kept as bytes, cut and changed anew for every step.

This file does not know about networks; what it gives is numpy.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8
from szem.errors import FileMissingError, ShapeError, SzemError, TrainError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture

__all__ = ["IGNORED", "Broken", "Change", "PixelSet", "cut_sample", "read_classes", "read_pixel_set"]

IGNORED = 255
"""The label of pixels that neither teach nor count."""


@dataclass(frozen=True)
class Broken:
    """A file that could not be used, and why."""

    name: str
    reason: str


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
    for image, label in _pairs(folder, split):
        try:
            picture = read_picture(folder / "images" / image)
            mask = _read_label(folder / "labels" / label)
            if mask.shape != picture.shape[:2]:
                raise ShapeError(f"{label}: is {mask.shape}, its picture {picture.shape[:2]}; they must agree")
        except SzemError as error:
            broken.append(Broken(image, str(error)))
            continue
        names.append(image)
        pictures.append(picture)
        labels.append(np.where(mask < classes, mask, np.uint8(IGNORED)))
    if not names:
        raise TrainError(
            f"{folder}: no picture with labels" + (f" in split {split!r}" if split else "") + _first(broken)
        )
    return PixelSet(tuple(names), tuple(pictures), tuple(labels), tuple(broken))


def _first(broken: Sequence[Broken]) -> str:
    return f"; {len(broken)} were broken, the first: {broken[0].reason}" if broken else "; expected images/, labels/"


def _pairs(folder: Path, split: str | None) -> list[tuple[str, str]]:
    index = folder / "index.csv"
    if index.is_file():
        with index.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [(r["image"], r["label"]) for r in rows if split is None or r.get("split") == split]
    if not (folder / "images").is_dir():
        raise FileMissingError(f"{folder}: has neither index.csv nor images/; see docs/train.md for the layout")
    found = sorted(p for p in (folder / "images").iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    return [(p.name, f"{p.stem}.png") for p in found]


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


@dataclass(frozen=True, kw_only=True)
class Change:
    """How a sample is changed at random before it teaches."""

    height_px: int  # of the piece that is cut out
    width_px: int
    scale_low: float = 0.75  # the picture is scaled by something between these two first
    scale_high: float = 1.5
    stretch: float = 0.1  # the width by this share more or less
    flip: bool = True
    light: float = 0.3  # brightness, contrast and saturation by this share more or less
    hue: float = 0.05  # share by which red and blue are pulled apart


def cut_sample(
    picture: Picture8, label: NDArray[np.uint8], change: Change, rng: np.random.Generator
) -> tuple[Picture8, NDArray[np.uint8]]:
    """One piece of a picture and of its labels, scaled, cut, flipped and relit at random.

    Args:
        picture: (H, W, 3) uint8.
        label: (H, W) uint8.
        change: What may change.
        rng: Where chance comes from.
    Returns:
        (h, w, 3) uint8 and (h, w) uint8; where the picture does not reach, its border is repeated and not counted.
    """
    height, width = label.shape
    scale = float(np.exp(rng.uniform(np.log(change.scale_low), np.log(change.scale_high))))
    x_scale = scale * (1 + rng.uniform(-change.stretch, change.stretch))
    size = (max(8, round(width * x_scale)), max(8, round(height * scale)))
    top = _offset(size[1], change.height_px, rng)
    left = _offset(size[0], change.width_px, rng)
    # one warp scales and cuts at once: only pixels that are wanted are computed
    to_source = np.array(
        [
            [width / size[0], 0, (left + 0.5) * width / size[0] - 0.5],
            [0, height / size[1], (top + 0.5) * height / size[1] - 0.5],
        ]
    )
    if change.flip and rng.random() < 0.5:
        to_source[0, 2] += to_source[0, 0] * (change.width_px - 1)
        to_source[0, 0] *= -1
    out = (change.width_px, change.height_px)
    smooth = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(picture, to_source, out, flags=smooth, borderMode=cv2.BORDER_REPLICATE)
    near = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    mask = cv2.warpAffine(label, to_source, out, flags=near, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORED)
    return _relight(piece.astype(np.uint8, copy=False), change, rng), mask.astype(np.uint8, copy=False)


def _offset(side_px: int, cut_px: int, rng: np.random.Generator) -> float:
    """Where the cut begins; a picture smaller than the cut lies anywhere inside it."""
    low, high = sorted((0, side_px - cut_px))
    return float(rng.integers(low, high + 1))


def _relight(picture: Picture8, change: Change, rng: np.random.Generator) -> Picture8:
    if change.light == 0:
        return picture
    bright, contrast, colour = 1 + rng.uniform(-change.light, change.light, 3)
    pull = rng.uniform(-change.hue, change.hue)
    mean = float(picture.mean())
    # colour' = grey + colour (c - grey); then contrast about the mean; then brightness: one 3×3 matrix and an offset
    grey = np.array([0.299, 0.587, 0.114])
    mix = colour * np.eye(3) + (1 - colour) * np.tile(grey, (3, 1))
    mix = np.diag([1 + pull, 1.0, 1 - pull]) @ mix * contrast * bright
    offset = mean * (1 - contrast) * bright
    out: Picture8 = np.clip(cv2.transform(picture, np.c_[mix, np.full(3, offset)]), 0, 255).astype(np.uint8)
    return out
