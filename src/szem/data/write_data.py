"""Labelled data written in another form, or with other splits: files are copied as they are, labels written anew."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from szem.data.box_set import BoxedPicture, BoxSet
from szem.data.broken import Broken
from szem.data.own_data import OwnData
from szem.data.sounds import read_clip
from szem.errors import OverwriteError, SzemError, UnknownNameError
from szem.files import write_json, write_text
from szem.media.sound import write_sound

__all__ = ["FORMS", "write_data"]

FORMS = {
    "boxes": ("coco", "yolo", "voc", "csv"),
    "classes": ("folders", "csv"),
    "sounds": ("folders", "csv"),
}
"""Kind of data -> the forms it can be written in; the first one is the default."""


def write_data(
    data: OwnData, folder: Path, *, form: str = "", splits: Sequence[str] = (), keep: Sequence[int] = ()
) -> tuple[Broken, ...]:
    """Write data into a new folder.

    Args:
        data: From `read_own_data`.
        folder: New or empty.
        form: One of `FORMS` for this kind of data; the first one if left out.
        splits: Of each item, in place of its own.
        keep: Places of the items to write; all if left out.
    Returns:
        What could not be written.
    Raises:
        UnknownNameError: no such form for this kind of data.
        OverwriteError: the folder holds something.
        StoreError: a file cannot be written.
    """
    forms = FORMS.get(data.kind, ())
    form = form or (forms[0] if forms else "")
    if form not in forms:
        raise UnknownNameError(
            f"{data.kind} are not written as {form or 'anything'}; there are {', '.join(forms) or 'none'}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OverwriteError(f"{folder}: holds something already; choose a new folder")
    kept = list(keep) or list(range(len(data.items)))
    given = [splits[k] if splits else data.items[k].split for k in kept]
    folder.mkdir(parents=True, exist_ok=True)
    if data.boxes is not None:
        pictures = tuple(replace(data.boxes.pictures[k], split=split) for k, split in zip(kept, given, strict=True))
        _BOXES[form](BoxSet(data.boxes.classes, pictures), folder)
        return ()
    return _write_files(data, kept, given, folder, as_table=form == "csv")


def _write_files(
    data: OwnData, kept: Sequence[int], splits: Sequence[str], folder: Path, *, as_table: bool
) -> tuple[Broken, ...]:
    """Pictures or sounds of classes, as a folder per class (inside one per split) or as a table."""
    broken: list[Broken] = []
    taken: set[Path] = set()
    lines = []
    inner = "audio" if data.kind == "sounds" else "images"
    for k, split in zip(kept, splits, strict=True):
        item = data.items[k]
        name = data.classes[item.labels[0]] if item.labels else ""
        home = folder / inner if as_table else folder / split / _folder_name(name)
        is_part = bool(data.sounds) and (data.sounds[k].start_s > 0 or data.sounds[k].end_s is not None)
        target = _free(home / (f"{item.path.stem}.wav" if is_part else item.path.name), taken)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if is_part:
                write_sound(target, read_clip(data.sounds[k]))
            else:
                shutil.copyfile(item.path, target)
        except (SzemError, OSError) as error:
            broken.append(Broken(item.path.name, str(error)))
            continue
        lines.append((target.name, name, split, item.group))
    if as_table:
        head = "audio,label,split,recording" if data.kind == "sounds" else "image,label,split,group"
        text = "".join(",".join(_cell(value) for value in line) + "\n" for line in lines)
        write_text(folder / "index.csv", f"{head}\n{text}")
    return tuple(broken)


def _copy_pictures(boxes: BoxSet, home: Callable[[BoxedPicture], Path]) -> list[Path]:
    """Copy the pictures; where each one lies now."""
    taken: set[Path] = set()
    targets = []
    for picture in boxes.pictures:
        target = _free(home(picture) / picture.path.name, taken, stem_only=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.path, target)
        targets.append(target)
    return targets


def _write_coco(boxes: BoxSet, folder: Path) -> None:
    targets = _copy_pictures(boxes, lambda _: folder / "images")
    annotations: list[dict[str, object]] = []
    images = []
    for number, (picture, target) in enumerate(zip(boxes.pictures, targets, strict=True), start=1):
        about = {"id": number, "file_name": target.name, "width": picture.width_px, "height": picture.height_px}
        images.append(about | ({"split": picture.split} if picture.split else {}))
        for place, (box, label, is_hard) in enumerate(
            zip(picture.boxes_xyxy.tolist(), picture.labels.tolist(), picture.is_hard.tolist(), strict=True)
        ):
            x0, y0, x1, y1 = box
            annotation: dict[str, object] = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": label + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
                "difficult": int(is_hard),
            }
            if picture.polygons and picture.polygons[place]:
                annotation["segmentation"] = [ring.reshape(-1).tolist() for ring in picture.polygons[place]]
            annotations.append(annotation)
    categories = [{"id": number, "name": name} for number, name in enumerate(boxes.classes, start=1)]
    write_json(folder / "instances.json", {"images": images, "annotations": annotations, "categories": categories})


def _write_yolo(boxes: BoxSet, folder: Path) -> None:
    targets = _copy_pictures(boxes, lambda picture: folder / "images" / (picture.split or "train"))
    for picture, target in zip(boxes.pictures, targets, strict=True):
        lines = []
        for place, (box, label) in enumerate(zip(picture.boxes_xyxy.tolist(), picture.labels.tolist(), strict=True)):
            rings = picture.polygons[place] if picture.polygons else ()
            if len(rings) == 1:  # of an object in several pieces its box is written
                ring = (rings[0] / (picture.width_px, picture.height_px)).clip(0, 1)
                values = ring.reshape(-1).tolist()
            else:
                x0, y0, x1, y1 = box
                w, h = picture.width_px, picture.height_px
                values = [(x0 + x1) / 2 / w, (y0 + y1) / 2 / h, (x1 - x0) / w, (y1 - y0) / h]
            lines.append(" ".join([str(label), *(f"{value:.6f}" for value in values)]))
        place_of = folder / "labels" / (picture.split or "train") / f"{target.stem}.txt"
        write_text(place_of, "".join(f"{line}\n" for line in lines))
    splits = dict.fromkeys(picture.split or "train" for picture in boxes.pictures)
    names = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(boxes.classes))
    places = "".join(f"{split}: images/{split}\n" for split in splits)
    write_text(folder / "data.yaml", f"path: .\n{places}names:\n{names}")


def _write_voc(boxes: BoxSet, folder: Path) -> None:
    targets = _copy_pictures(boxes, lambda _: folder / "JPEGImages")
    lists: dict[str, list[str]] = {}
    for picture, target in zip(boxes.pictures, targets, strict=True):
        root = Element("annotation")
        SubElement(root, "filename").text = target.name
        size = SubElement(root, "size")
        for key, value in (("width", picture.width_px), ("height", picture.height_px), ("depth", 3)):
            SubElement(size, key).text = str(value)
        for box, label, is_hard in zip(picture.boxes_xyxy.tolist(), picture.labels, picture.is_hard, strict=True):
            node = SubElement(root, "object")
            SubElement(node, "name").text = boxes.classes[label]
            SubElement(node, "difficult").text = str(int(is_hard))
            corners = SubElement(node, "bndbox")
            # VOC counts pixels from 1 and includes the last one.
            values = (box[0] + 1, box[1] + 1, box[2], box[3])
            for key, value in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True):
                SubElement(corners, key).text = f"{value:.3f}"
        write_text(folder / "Annotations" / f"{target.stem}.xml", tostring(root, encoding="unicode"))
        if picture.split:
            lists.setdefault(picture.split, []).append(target.stem)
    for split, stems in lists.items():
        write_text(folder / "ImageSets" / "Main" / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))


def _write_csv(boxes: BoxSet, folder: Path) -> None:
    targets = _copy_pictures(boxes, lambda _: folder / "images")
    lines = ["filename,width,height,class,xmin,ymin,xmax,ymax,split"]
    for picture, target in zip(boxes.pictures, targets, strict=True):
        about = [_cell(target.name), str(picture.width_px), str(picture.height_px)]
        rows = [
            [_cell(boxes.classes[label]), *(f"{value:.3f}" for value in box)]
            for box, label in zip(picture.boxes_xyxy.tolist(), picture.labels, strict=True)
        ]
        lines += [",".join([*about, *row, picture.split]) for row in rows or [[""] * 5]]
    write_text(folder / "boxes.csv", "\n".join(lines) + "\n")


_BOXES = {"coco": _write_coco, "yolo": _write_yolo, "voc": _write_voc, "csv": _write_csv}


def _free(target: Path, taken: set[Path], *, stem_only: bool = False) -> Path:
    """A name that no other file of this writing has; of pictures with labels beside them, no other stem."""
    number, place = 1, target
    while (place.with_suffix("") if stem_only else place) in taken:
        number += 1
        place = target.with_name(f"{target.stem}-{number}{target.suffix}")
    taken.add(place.with_suffix("") if stem_only else place)
    return place


def _folder_name(name: str) -> str:
    """A class as a folder's name."""
    return "".join("_" if c in '/\\:*?"<>|\0' else c for c in name).strip(". ") or "unnamed"


def _cell(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"\n\r;\t') else value
