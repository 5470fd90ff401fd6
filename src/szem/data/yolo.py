"""YOLO text: a line per object in `labels/NAME.txt` for `images/NAME.jpg`; classes and splits of `data.yaml`.

As Ultralytics reads it: a line is a class and a box, a polygon (its box counts), or a box and a confidence. This file
does not know other forms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.data.box_set import (
    BoxedPicture,
    BoxSet,
    Polygons,
    box_picture,
    check_box_set,
    describe_fault,
    split_of_folder,
)
from szem.data.broken import Broken
from szem.errors import FileMissingError, FormatError, MissingExtraError, SzemError
from szem.media.decoding import read_picture_size
from szem.media.pictures import PICTURE_SUFFIXES

__all__ = ["YAML_NAMES", "read_darknet", "read_yolo", "read_yolo_yaml"]

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_BEYOND = 0.02  # so far a coordinate may lie outside of the picture, by rounding


@dataclass(frozen=True)
class _About:
    """What `data.yaml` says."""

    names: tuple[str, ...] = ()
    places: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # split -> folders or lists of pictures
    has_points: bool = False  # lines end with the points of a pose


@dataclass(frozen=True)
class _Rows:
    """The lines of one label file."""

    fractions: NDArray[np.float32]  # (N, 4) x0, y0, x1, y1 in fractions of the sides
    labels: NDArray[np.int64]
    polygons: tuple[NDArray[np.float32] | None, ...]  # (n, 2) in fractions


def read_yolo(folder: Path, *, classes: Sequence[str] | None = None) -> BoxSet:
    """Read YOLO text: `labels/NAME.txt` for `images/NAME.*`, lines of `class x y w h` in fractions of the sides.

    With a `data.yaml` in the folder, its names, splits and places count. Without, pictures in `images/train`,
    `images/val` and the like, or in `train/images`, `valid/images`, have that split.

    Args:
        folder: Holds data.yaml; or images/ and labels/ (the same folders inside both are followed), and perhaps
            classes.txt or obj.names.
        classes: Their names; by default those of data.yaml, the lines of `classes.txt` or `obj.names`, else numbers.
    Raises:
        FileMissingError: no pictures where they should be.
        FormatError: data.yaml cannot be read.
        TrainError: not one usable picture.
    """
    yaml = next((folder / name for name in YAML_NAMES if (folder / name).is_file()), None)
    if yaml is not None:
        return read_yolo_yaml(yaml, classes=classes)
    homes = {split_of_folder(p.name): p for p in _folders(folder) if (p / "images").is_dir()}
    homes.pop("", None)
    if (folder / "images").is_dir():
        homes = {"": folder}
    if not homes:
        raise FileMissingError(f"{folder}: no images/; YOLO data has images/ and labels/, or a data.yaml")
    files = {split: _pictures_in(home / "images") for split, home in homes.items()}
    rows, broken = _read_rows(files, images_of=[home / "images" for home in homes.values()], has_points=False)
    return _boxes(folder, rows, broken, tuple(classes or ()) or _names_beside(folder))


def read_yolo_yaml(path: Path, *, classes: Sequence[str] | None = None) -> BoxSet:
    """Read the dataset that a `data.yaml` describes.

    Paths of another computer, and Roboflow's `../train/images`, are looked for beside the file.

    Args:
        path: The file.
        classes: Other names than the file's.
    Raises:
        FileMissingError: no such file, or none of its folders.
        FormatError: not YAML, or without names.
        MissingExtraError: PyYAML is not installed.
        TrainError: not one usable picture.
    """
    about = _read_about(path)
    broken: list[Broken] = []
    files: dict[str, list[Path]] = {}
    seen: set[Path] = set()
    for split in ("test", "val", "train"):  # a picture that is named twice is never trained on
        found = [file for place in about.places.get(split, ()) for file in _pictures_at(place, path.parent, broken)]
        files[split] = [file for file in dict.fromkeys(found) if file not in seen]
        if len(files[split]) < len(set(found)):
            broken.append(Broken(path.name, f"{split} has pictures of another split; they stay there"))
        seen.update(found)
    if not any(files.values()):
        raise FileMissingError(f"{path}: no pictures where it says (train, val, test); correct `path` in it")
    rows, faults = _read_rows(files, images_of=[], has_points=about.has_points)
    return _boxes(path, rows, broken + faults, tuple(classes or ()) or about.names)


def read_darknet(path: Path) -> BoxSet:
    """Read the dataset that Darknet's `obj.data` describes, as CVAT's "YOLO 1.1" export has it.

    Args:
        path: `obj.data`: lines `train = data/train.txt`, `valid = …`, `names = data/obj.names`; the lists name
            pictures, whose label files lie beside them.
    Raises:
        FileMissingError: none of its lists or pictures.
        FormatError: it names no classes.
        TrainError: not one usable picture.
    """
    pairs = (line.partition("=") for line in _lines(path))
    fields = {key.strip().lower(): value.strip() for key, _, value in pairs}
    homes = [path.parent]
    names = _resolve(fields.get("names", ""), homes) if fields.get("names") else None
    if names is None or not names.is_file():
        raise FormatError(f"{path}: has no `names`, a file with a class a line; add it")
    broken: list[Broken] = []
    files: dict[str, list[Path]] = {}
    for key, value in fields.items():
        place = _resolve(value, homes) if split_of_folder(key) and value else None
        if place is not None:
            files[split_of_folder(key)] = _pictures_at(place, path.parent, broken)
    if not any(files.values()):
        raise FileMissingError(f"{path}: no pictures where it says (train, valid); correct its paths")
    if len(files) == 1:  # a task without subsets: all its pictures are called train
        files = {"": next(iter(files.values()))}
    rows, faults = _read_rows(files, images_of=[path.parent], has_points=False, beside=True)
    return _boxes(path, rows, broken + faults, tuple(_lines(names)))


def _boxes(where: Path, rows: list[tuple[Path, str, _Rows]], broken: list[Broken], names: tuple[str, ...]) -> BoxSet:
    highest = max((int(row.labels.max()) for _, _, row in rows if len(row.labels)), default=-1)
    names = names or tuple(str(n) for n in range(highest + 1))
    unknown = sorted({int(n) for _, _, row in rows for n in row.labels[row.labels >= len(names)]})
    if unknown:
        listed = ", ".join(map(str, unknown[:20]))
        broken.insert(0, Broken(where.name, f"classes {listed} have no name (there are {len(names)}); left out"))
    pictures: list[BoxedPicture] = []
    for file, split, row in sorted(rows, key=lambda r: r[0]):
        try:
            size = read_picture_size(file)
            keep = row.labels < len(names)
            broken += [Broken(file.name, f"class {n} has no name") for n in row.labels[~keep]]
            sides = np.array([size.width_px, size.height_px], np.float32)
            polygons: list[Polygons] = [
                (ring * sides,) if ring is not None else ()
                for ring, is_kept in zip(row.polygons, keep, strict=True)
                if is_kept
            ]
            boxes = row.fractions[keep] * np.tile(sides, 2)
            labels = row.labels[keep].tolist()
            hard = [False] * len(labels)
            pictures.append(box_picture(file, size, boxes, labels, hard, polygons=tuple(polygons), split=split))
        except SzemError as error:
            broken.append(Broken(file.name, describe_fault(error)))
    return check_box_set(where, names, pictures, broken)


# Where pictures and their labels lie -----------------------------------------------------------------------------


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")) if folder.is_dir() else []


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())


def _pictures_at(place: Path, home: Path, broken: list[Broken]) -> list[Path]:
    """The pictures of a folder, or of a text file that lists them."""
    if place.is_dir():
        return _pictures_in(place)
    found = []
    for line in _lines(place):
        file = _resolve(line, (place.parent, home))
        if file is None or not file.is_file():
            broken.append(Broken(place.name, f"no such picture: {line[:100]!r}"))
        else:
            found.append(file)
    return found


def _resolve(text: str, homes: Sequence[Path]) -> Path | None:
    """What a path of a dataset means here: as it is, beside the file, or its last parts beside the file."""
    plain = PureWindowsPath(text.strip())  # takes both kinds of slashes
    is_absolute = plain.is_absolute() or bool(plain.drive) or text.strip().startswith("/")
    if is_absolute and Path(text.strip()).exists():
        return Path(text.strip())
    parts = [part for part in plain.parts if part not in ("", plain.anchor, "/", "\\")]
    if not is_absolute:
        for home in homes:
            if home.joinpath(*parts).exists():
                return home.joinpath(*parts)
    inner = [part for part in parts if part not in (".", "..")]
    for first in range(len(inner)):
        for home in homes:
            if home.joinpath(*inner[first:]).exists():
                return home.joinpath(*inner[first:])
    return homes[0] if not inner and not is_absolute else None


def _label_file(picture: Path, images_of: Sequence[Path]) -> Path:
    """Where the lines of a picture lie: `labels/` in place of the last `images/` of its path, else beside it."""
    for images in images_of:
        if picture.is_relative_to(images):
            return images.parent / "labels" / picture.relative_to(images).with_suffix(".txt")
    parts = list(picture.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place].lower() == "images":
            parts[place] = "labels"
            return Path(*parts).with_suffix(".txt")
    return picture.with_suffix(".txt")


# data.yaml ---------------------------------------------------------------------------------------------------------


def _read_about(path: Path) -> _About:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError('reading data.yaml needs PyYAML; pip install ".[train]" in its folder') from error
    try:
        # BaseLoader: every value stays the text that it is; "no" and "on" are classes, not booleans
        data: Any = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError as error:
        raise FileMissingError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise FormatError(f"{path}: not YAML ({' '.join(str(error).split())[:200]}); export it anew") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path}: not the YAML of a dataset; it needs `names`, `train` and `val`")
    homes = [path.parent]
    if isinstance(data.get("path"), str) and (home := _resolve(data["path"], homes)) is not None:
        homes.insert(0, home)
    places = {}
    for key, value in data.items():
        split = split_of_folder(str(key))
        listed = value if isinstance(value, list) else [value]
        found = [_resolve(text, homes) for text in listed if isinstance(text, str) and text.strip()]
        if split and any(found):
            places[split] = tuple(place for place in found if place is not None)
    return _About(_names_of(path, data.get("names"), data.get("nc")), places, "kpt_shape" in data)


def _names_of(path: Path, names: Any, count: Any) -> tuple[str, ...]:
    """Names in order: a list, or a table of places that may have gaps."""
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(name.strip() for name in names)
    if isinstance(names, dict) and names:
        try:
            numbered = {int(place): str(name).strip() for place, name in names.items()}
        except ValueError as error:
            raise FormatError(f"{path}: `names` must be numbered from 0, got {list(names)[:5]}") from error
        if min(numbered) < 0 or max(numbered) > 100_000:
            raise FormatError(f"{path}: `names` must be numbered from 0, got {min(numbered)} to {max(numbered)}")
        return tuple(numbered.get(place, str(place)) for place in range(max(numbered) + 1))
    if names is None and isinstance(count, str) and count.isdigit() and int(count) <= 100_000:
        return tuple(str(n) for n in range(int(count)))
    raise FormatError(f"{path}: has no `names`, a list of the classes in order; add it")


def _names_beside(folder: Path) -> tuple[str, ...]:
    for name in ("classes.txt", "obj.names"):
        for file in (folder / name, folder / "labels" / name):
            if file.is_file():
                return tuple(_lines(file))
    return ()


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error


# Lines -------------------------------------------------------------------------------------------------------------


def _read_rows(
    files: Mapping[str, Sequence[Path]], *, images_of: Sequence[Path], has_points: bool, beside: bool = False
) -> tuple[list[tuple[Path, str, _Rows]], list[Broken]]:
    broken: list[Broken] = []
    rows = []
    for split, pictures in files.items():
        for file in pictures:
            own = split
            if not own:
                home = next(images for images in images_of if file.is_relative_to(images))
                own = next((s for part in file.relative_to(home).parts[:-1] if (s := split_of_folder(part))), "")
            try:
                label_file = file.with_suffix(".txt") if beside else _label_file(file, images_of)
                rows.append((file, own, _rows(label_file, broken, has_points=has_points)))
            except (OSError, SzemError, ValueError) as error:
                broken.append(Broken(file.name, describe_fault(error)))
    return rows, broken


def _rows(path: Path, broken: list[Broken], *, has_points: bool) -> _Rows:
    fractions, labels, polygons = [], [], []
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""  # no file: nothing in the picture
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            label, corners, ring = _row(line.split(), has_points=has_points)
        except (ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, FormatError) else f"not `class x y w h`: {line.strip()[:60]!r}"
            broken.append(Broken(f"{path.name}:{number}", reason))
            continue
        labels.append(label)
        fractions.append(corners)
        polygons.append(ring)
    boxes = np.asarray(fractions, np.float32).reshape(-1, 4)
    return _Rows(boxes, np.asarray(labels, np.int64), tuple(polygons))


def _row(parts: list[str], *, has_points: bool) -> tuple[int, tuple[float, ...], NDArray[np.float32] | None]:
    """Class, corners in fractions, and the outline where the line has one.

    Raises:
        FormatError: the numbers mean none of the known forms.
        ValueError, OverflowError: they are no numbers.
    """
    number, values = float(parts[0]), [float(value) for value in parts[1:]]
    if number != int(number) or not 0 <= number < 1e6:
        raise FormatError(f"the class must be a number from 0, got {parts[0]!r}")
    if not np.isfinite(values).all():
        raise FormatError("a coordinate is not a finite number")
    count = len(values)
    if count in (4, 5) or (has_points and count > 5):  # 5: a confidence at the end
        x, y, w, h = values[:4]
        if not (w > 0 and h > 0):
            raise FormatError(f"an empty box of {w:g}×{h:g}")
        corners, ring = (x - w / 2, y - h / 2, x + w / 2, y + h / 2), None
        low, high = min(x, y, w, h), max(x, y, w, h)
    elif count >= 6 and count % 2 == 0:
        ring = np.asarray(values, np.float32).reshape(-1, 2)
        corners = (*ring.min(axis=0).tolist(), *ring.max(axis=0).tolist())
        low, high = min(values), max(values)
        if not (corners[2] > corners[0] and corners[3] > corners[1]):
            raise FormatError("a polygon without area")
    else:
        raise FormatError(f"{count} numbers after the class: neither a box (4, or 5 with a confidence) nor a polygon")
    if low < -_BEYOND or high > 1 + _BEYOND:
        raise FormatError(f"coordinates must be fractions of the sides, 0 to 1, got {low:g} to {high:g}")
    return int(number), corners, ring
