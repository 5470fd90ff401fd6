"""A folder of pictures with boxes as the common tools export it.

COCO, Pascal VOC, YOLO, Roboflow, LabelMe, CVAT, Label Studio, and tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from szem.data.box_set import BoxedPicture, BoxSet, join_box_sets, split_of_folder
from szem.data.class_names import refuse_unknown_classes
from szem.data.coco import is_coco, read_coco, read_json
from szem.data.csv_boxes import is_csv_boxes, read_csv_boxes
from szem.data.cvat import is_cvat, read_cvat
from szem.data.label_studio import is_label_studio, read_label_studio
from szem.data.labelme import is_labelme, read_labelme
from szem.data.voc import read_voc
from szem.data.yolo import YAML_NAMES, read_darknet, read_yolo, read_yolo_yaml
from szem.errors import FileMissingError, FormatError, TrainError

__all__ = ["map_classes", "only_split", "read_boxed", "recognize_boxed", "rename_classes", "without_held_out"]

_ROBOFLOW = "_annotations.coco.json"
_ROBOFLOW_CSV = "_annotations.csv"


def read_boxed(path: Path, *, classes: Mapping[str, str] | None = None) -> BoxSet:
    """Read pictures with boxes; the form is found out.

    Args:
        path: A COCO JSON file, a `data.yaml`; or a folder with `instances.json` (or one other .json of COCO's), with
            COCO's own `annotations/instances_*.json`, with Roboflow's `train/`, `valid/`, `test/`, with
            `Annotations/*.xml`, with `data.yaml` or Darknet's `obj.data`, with `images/` and `labels/`, with CVAT's
            `annotations.xml`, with Label Studio's JSON, with a table of boxes, or with LabelMe's files.
        classes: As of `map_classes`.
    Raises:
        FileMissingError: none of these.
        FormatError, TrainError: as the readers of `data.boxes`.
        UnknownNameError: `classes` names one that the data has not.
    """
    found = recognize_boxed(path)[1]
    return map_classes(found, classes) if classes else found


def recognize_boxed(path: Path) -> tuple[str, BoxSet]:
    """The name of the form that a file or folder has, and what is in it; as `read_boxed`."""
    if path.is_file():
        return _recognize_file(path)
    if not path.is_dir():
        raise FileMissingError(f"{path}: no such folder or file; give COCO JSON, or a folder of VOC XML or YOLO text")
    for form, reader in _READERS:
        found = reader(path)
        if found is not None:
            return form, found
    raise FileMissingError(
        f"{path}: no boxes found; it needs COCO .json, Annotations/*.xml (VOC), data.yaml or images/ and labels/ "
        "(YOLO), train/ and valid/ (Roboflow), annotations.xml (CVAT), Label Studio's JSON, a .csv of boxes, or "
        "LabelMe's .json beside the pictures"
    )


def _recognize_file(path: Path) -> tuple[str, BoxSet]:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return "YOLO", read_yolo_yaml(path)
    if suffix == ".data":
        return "YOLO (Darknet)", read_darknet(path)
    if suffix == ".xml":
        return "CVAT", read_cvat(path)
    if suffix in (".csv", ".tsv"):
        return "CSV", read_csv_boxes(path)
    data = read_json(path)
    if is_labelme(data):
        raise FormatError(f"{path}: one file of LabelMe's, which has one for each picture; give their folder")
    return ("Label Studio", read_label_studio(path)) if is_label_studio(data) else ("COCO", read_coco(path))


def map_classes(boxes: BoxSet, names: Mapping[str, str]) -> BoxSet:
    """The same pictures with classes of other names; those that get one name are one class, "" leaves a class out.

    Raises:
        UnknownNameError: the data has no such class.
    """
    refuse_unknown_classes(names, boxes.classes)
    wanted = tuple(dict.fromkeys(new for name in boxes.classes if (new := names.get(name, name))))
    left_out = "".join(boxes.classes) + "?"  # a name that no class has
    return rename_classes(boxes, wanted, {name: names.get(name, name) or left_out for name in boxes.classes})


def _one_file(check: Callable[[Path], bool], read: Callable[[Path], BoxSet], *patterns: str) -> "_Reader":
    """Of the one file of a folder that a check accepts."""

    def read_one(path: Path) -> BoxSet | None:
        files = [file for pattern in patterns for file in sorted(path.glob(pattern)) if check(file)]
        return read(files[0]) if len(files) == 1 else None

    return read_one


def _is_label_studio_file(path: Path) -> bool:
    try:
        return is_label_studio(read_json(path))
    except FormatError:
        return False


def _one_coco(path: Path) -> BoxSet | None:
    """`instances.json`, or the one COCO file that lies there."""
    named = path / "instances.json"
    files = [named] if named.is_file() else sorted(path.glob("*.json"))
    return read_coco(files[0]) if len(files) == 1 and (files[0] == named or is_coco(read_json(files[0]))) else None


def _coco_folders(path: Path) -> BoxSet | None:
    """`annotations/instances_train2017.json` with the pictures in `train2017/` or `images/train2017/`."""
    home = path / "annotations"
    files = sorted(home.glob("instances*.json")) or [f for f in sorted(home.glob("*.json")) if is_coco(read_json(f))]
    parts = {}
    for file in files:
        mark = file.stem.removeprefix("instances").strip("_-")
        places = [path / mark, path / "images" / mark, path / "images", path] if mark else [path / "images", path]
        images = next(place for place in places if place.is_dir())
        whole = "" if mark == "default" else mark  # CVAT's name of a task without subsets
        parts[split_of_folder(mark) or whole] = read_coco(file, images=images)
    return join_box_sets(parts) if parts else None


def _by_split(read: Callable[[Path], BoxSet], pattern: str) -> Callable[[Path], BoxSet | None]:
    """Of Roboflow's folders `train/`, `valid/`, `test/`, where they hold files of this pattern."""

    def read_all(path: Path) -> BoxSet | None:
        homes = {split_of_folder(p.name): p for p in sorted(path.iterdir()) if p.is_dir() and any(p.glob(pattern))}
        parts = {split: read(home) for split, home in homes.items() if split}
        return join_box_sets(parts) if parts else None

    return read_all


def _one_voc(path: Path) -> BoxSet | None:
    has_files = any(not is_cvat(file) for file in path.glob("*.xml"))
    return read_voc(path) if (path / "Annotations").is_dir() or has_files else None


def _one_yolo(path: Path) -> BoxSet | None:
    has_yaml = any((path / name).is_file() for name in YAML_NAMES)
    halves = [path, *(p for p in path.iterdir() if p.is_dir() and split_of_folder(p.name))]
    is_yolo = any((half / "images").is_dir() and (half / "labels").is_dir() for half in halves)
    return read_yolo(path) if has_yaml or is_yolo else None


def _all_labelme(path: Path) -> BoxSet | None:
    first = next(iter(sorted(path.rglob("*.json"))), None)
    return read_labelme(path) if first is not None and is_labelme(read_json(first)) else None


_Reader = Callable[[Path], BoxSet | None]
_READERS: tuple[tuple[str, _Reader], ...] = (
    ("COCO", _one_coco),
    ("Label Studio", _one_file(_is_label_studio_file, read_label_studio, "*.json")),
    ("COCO", _coco_folders),
    ("COCO (Roboflow)", _by_split(lambda home: read_coco(home / _ROBOFLOW), _ROBOFLOW)),
    ("CVAT", _one_file(is_cvat, read_cvat, "*.xml")),
    ("Pascal VOC", _one_voc),
    ("YOLO (Darknet)", _one_file(lambda _: True, read_darknet, "*.data")),
    ("YOLO", _one_yolo),
    ("Pascal VOC (Roboflow)", _by_split(read_voc, "*.xml")),
    ("CSV (Roboflow)", _by_split(lambda home: read_csv_boxes(home / _ROBOFLOW_CSV), _ROBOFLOW_CSV)),
    ("CSV", _one_file(is_csv_boxes, read_csv_boxes, "*.csv", "*.tsv")),
    ("LabelMe", _all_labelme),
)


def only_split(boxes: BoxSet, split: str) -> BoxSet:
    """The pictures of one split; all of them where `split` is empty or none is marked.

    Raises:
        TrainError: there are splits, but not this one.
    """
    marks = {picture.split for picture in boxes.pictures}
    if not split or marks == {""}:
        return boxes
    if split not in marks:
        raise TrainError(f"no pictures of split {split!r}; there are {', '.join(sorted(marks))}")
    return replace(boxes, pictures=tuple(p for p in boxes.pictures if p.split == split))


def without_held_out(boxes: BoxSet) -> BoxSet:
    """The pictures that may be trained on: none of a split called val or test, whatever its spelling.

    Raises:
        TrainError: nothing is left.
    """
    kept = tuple(p for p in boxes.pictures if split_of_folder(p.split) not in ("val", "test"))
    if not kept:
        raise TrainError("all pictures belong to val or test; mark some as train")
    return replace(boxes, pictures=kept)


def rename_classes(boxes: BoxSet, classes: Sequence[str], other_names: Mapping[str, str]) -> BoxSet:
    """The same pictures with the classes of another set; boxes of classes it does not have are left out.

    Args:
        boxes: Of any classes.
        classes: The wanted ones.
        other_names: What this set calls them -> what they are called in `classes`.
    """
    places = {name: place for place, name in enumerate(classes)}
    to_new = np.array([places.get(other_names.get(name, name), -1) for name in boxes.classes], np.int64)
    return BoxSet(tuple(classes), tuple(_renamed(picture, to_new) for picture in boxes.pictures), boxes.broken)


def _renamed(picture: BoxedPicture, to_new: np.ndarray) -> BoxedPicture:
    labels = to_new[picture.labels]
    known = labels >= 0
    return replace(
        picture,
        boxes_xyxy=picture.boxes_xyxy[known],
        labels=labels[known],
        is_hard=picture.is_hard[known],
        polygons=tuple(p for p, keep in zip(picture.polygons, known, strict=False) if keep),
    )
