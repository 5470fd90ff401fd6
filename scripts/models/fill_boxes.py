"""From boxes to labels per pixel: each box is filled by the `outline` model, what it is unsure of is not counted.

Boxes are a tenth of the work of masks, so there are more of them. The result is a folder like any other of pictures
and label PNGs, which a recipe may learn from beside true masks (never be measured on).

    python -m scripts.models.fill_boxes --boxes DIR --split train --like MASKS --out FILLED

Source of the idea: J. Dai et al., BoxSup, 2015, arXiv:1503.01640.
"""

import argparse
import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8
from szem.data.boxes import BoxedPicture, read_coco
from szem.data.broken import Broken, describe_broken
from szem.data.pixels import IGNORED, read_classes
from szem.errors import FormatError, SzemError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture
from szem.runtime.sessions import Session
from szem.tasks.models import open_model
from szem.tasks.segmentation.instance_masks import iter_probabilities

__all__ = ["ConfidenceOf", "Filled", "fill_boxes", "fill_folder", "same_pictures"]

_THUMB_PX = 16
_SAME = 10.0  # mean difference of thumbnails; copies of one photograph differ by 1.3 at most, others by 14 and more


@dataclass(frozen=True, kw_only=True)
class ConfidenceOf:
    """When a pixel or a box counts."""

    object: float = 0.65  # chance from which a pixel is the object
    other: float = 0.3  # chance up to which it is not
    side_px: float = 20.0  # shorter side of the smallest box that is filled
    fraction: float = 0.15  # of the box that the object covers at least


@dataclass(frozen=True)
class Filled:
    """What came of a folder."""

    pictures: int
    boxes: int  # that were filled
    unsure: int  # boxes whose pixels are not counted
    known: int  # pictures left out because the masks' folder has them
    broken: tuple[Broken, ...] = ()


def fill_boxes(
    session: Session, picture: Picture8, boxed: BoxedPicture, confidence: ConfidenceOf
) -> tuple[NDArray[np.uint8], int]:
    """Labels for every pixel of a picture: 0 outside the boxes, a box's label + 1 on its object.

    Args:
        session: An `outline` model.
        picture: (H, W, 3) uint8.
        boxed: Its boxes; what lies inside hard and small ones is not counted.
        confidence: When a pixel counts.
    Returns:
        (H, W) uint8, and how many boxes were filled. Where objects overlap, the smaller is in front.
    """
    label = np.zeros(picture.shape[:2], np.uint8)
    sides = boxed.boxes_xyxy[:, 2:] - boxed.boxes_xyxy[:, :2]
    is_wanted = ~boxed.is_hard & (sides.min(1) >= confidence.side_px)
    for box in boxed.boxes_xyxy[~is_wanted]:
        x0, y0, x1, y1 = np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])
        label[int(y0) : int(y1), int(x0) : int(x1)] = IGNORED
    order = np.flatnonzero(is_wanted)[np.argsort(-sides[is_wanted].prod(1))]
    filled = 0
    for index, found in zip(order, iter_probabilities(session, picture, boxed.boxes_xyxy[order]), strict=True):
        if found is None:
            continue
        region = label[found.rows, found.columns]
        is_object = found.probability >= confidence.object
        if is_object.mean() < confidence.fraction:
            region[...] = IGNORED
            continue
        region[(found.probability > confidence.other) & ~is_object & (region == 0)] = IGNORED
        region[is_object] = boxed.labels[index] + 1
        filled += 1
    return label, filled


def fill_folder(
    boxes: Path, out: Path, *, like: Path, split: str, session: Session, confidence: ConfidenceOf | None = None
) -> Filled:
    """Write `images/`, `labels/`, `index.csv` and `classes.txt` from a folder of pictures with boxes.

    Args:
        boxes: Holds instances.json (COCO) and images/.
        out: The folder to write.
        like: A folder of true masks: its classes must be background and those of the boxes, and its own pictures, of
            any split, are left out.
        split: Of the boxes that are used.
        session: An `outline` model.
        confidence: When a pixel counts.
    Raises:
        FormatError: the classes do not agree.
    """
    classes = read_classes(like)
    found = read_coco(boxes / "instances.json")
    if (classes[0], *found.classes) != classes:
        raise FormatError(
            f"{boxes}: its classes are {found.classes[:3]}…, those of {like} {classes[:4]}…; they must agree"
        )
    pictures = [boxed for boxed in found.pictures if boxed.split == split]
    known = same_pictures([b.path for b in pictures], _pictures_in(like / "images"))
    (out / "images").mkdir(parents=True)
    (out / "labels").mkdir()
    broken, rows, filled, total = list(found.broken), [], 0, 0
    for boxed in pictures:
        if boxed.path in known:
            continue
        try:
            label, count = fill_boxes(session, read_picture(boxed.path), boxed, confidence or ConfidenceOf())
        except SzemError as error:
            broken.append(Broken(boxed.path.name, str(error)))
            continue
        filled, total = filled + count, total + len(boxed.labels)
        name = f"{boxed.path.stem}.png"
        shutil.copyfile(boxed.path, out / "images" / boxed.path.name)
        Image.fromarray(label).save(out / "labels" / name)
        rows.append((boxed.path.name, name, "train"))
    (out / "classes.txt").write_text("\n".join(classes) + "\n", encoding="utf-8")
    with (out / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "label", "split"), *rows])
    return Filled(len(rows), filled, total - filled, len(known), tuple(broken))


def same_pictures(files: Sequence[Path], others: Sequence[Path]) -> set[Path]:
    """Those of `files` that show the same photograph as one of `others`, whatever they are called.

    Pictures that cannot be read are the same as none.
    """
    ours, theirs = dict(_thumbnails(files)), dict(_thumbnails(others))
    if not ours or not theirs:
        return set()
    table = np.stack([*theirs.values()])
    return {file for file, thumb in ours.items() if np.sqrt(((table - thumb) ** 2).mean(1)).min() < _SAME}


def _thumbnails(files: Sequence[Path]) -> Iterator[tuple[Path, NDArray[np.float32]]]:
    for file in files:
        try:
            small = cv2.resize(read_picture(file), (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        except SzemError:
            continue
        yield file, small.astype(np.float32).ravel()


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and fill."""
    parser = argparse.ArgumentParser(description="Make labels per pixel from boxes, by the outline model.")
    parser.add_argument("--boxes", type=Path, required=True, help="folder with instances.json and images/")
    parser.add_argument("--split", default="train", help="which of its pictures")
    parser.add_argument("--like", type=Path, required=True, help="folder of true masks: same classes, other pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    given = parser.parse_args(argv)
    session = open_model(None, task="outline", threads=given.threads or None)
    filled = fill_folder(given.boxes, given.out, like=given.like, split=given.split, session=session)
    print(f"{filled.pictures} pictures, {filled.boxes} boxes filled, {filled.unsure} not counted,", end=" ")
    print(f"{filled.known} pictures left out that are in {given.like}. {describe_broken(filled.broken)}")


if __name__ == "__main__":
    main()
