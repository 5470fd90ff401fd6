"""Cut-out people and things, and empty places to put them in: from photographs with masks, or drawn where there are
none.

This file does not know what happens in a scene.
"""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from szem.arrays import Picture8
from szem.errors import FileMissingError, UnknownNameError
from szem.media.pictures import read_picture

__all__ = ["SPLITS", "Sprite", "SpriteBox", "draw_place", "draw_sprites", "read_sprites"]

SPLITS = ("tune", "test")  # of photographs: numbers are fitted on the one and reported on the other
_MIN_PX = 60  # height of a person that is worth cutting out
_PROPS = ("bottle", "chair", "pottedplant", "tvmonitor", "bicycle", "motorbike")  # what may stand about
_MOVERS = ("dog", "cat", "car", "motorbike", "bus", "train", "horse", "sheep", "cow", "bird", "bicycle")


@dataclass(frozen=True, eq=False)
class Sprite:
    """A thing without its surroundings.

    Args:
        label: Its class.
        color: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8; 255 where the thing is.
    """

    label: str
    color: Picture8
    alpha: NDArray[np.uint8]

    def scaled(self, height_px: int, *, flip: bool = False) -> "Sprite":
        """Of another height."""
        height = max(4, height_px)
        width = max(3, round(self.color.shape[1] * height / self.color.shape[0]))
        way = cv2.INTER_AREA if height < self.color.shape[0] else cv2.INTER_LINEAR
        color = np.asarray(cv2.resize(self.color, (width, height), interpolation=way), np.uint8)
        alpha = np.asarray(cv2.resize(self.alpha, (width, height), interpolation=way), np.uint8)
        if flip:
            color, alpha = np.ascontiguousarray(color[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1])
        return Sprite(self.label, color, alpha)


@dataclass(frozen=True, eq=False)
class SpriteBox:
    """All that scenes are made of."""

    people: tuple[Sprite, ...]
    objects: tuple[Sprite, ...]  # that lie or stand about
    movers: dict[str, tuple[Sprite, ...]] = field(default_factory=dict)  # class -> animals and vehicles
    places: tuple[Picture8, ...] = ()  # photographs of places; none: they are drawn

    def mover(self, label: str, rng: np.random.Generator) -> Sprite:
        """One of a class.

        Raises:
            UnknownNameError: there is none.
        """
        choice = self.people if label == "person" else self.movers.get(label, ())
        if not choice:
            raise UnknownNameError(f"no sprite called {label!r}; there are person, {', '.join(sorted(self.movers))}")
        return choice[int(rng.integers(len(choice)))]


def read_sprites(data: Path, *, split: str) -> SpriteBox:
    """Cut people and things out of photographs: `pedestrians`, `voc_masks`, places from `camvid` and `coco`.

    Args:
        data: The folder that holds these sets.
        split: Of `SPLITS`: no photograph is in both.
    Raises:
        FileMissingError: a set is not there.
        UnknownNameError: no such split.
    """
    if split not in SPLITS:
        raise UnknownNameError(f"no split called {split!r}; there are {', '.join(SPLITS)}")
    for name in ("pedestrians", "voc_masks", "camvid", "coco"):
        if not (data / name).is_dir():
            raise FileMissingError(f"{data / name}: no such folder; scenes of photographs need it")
    part = SPLITS.index(split)
    people: list[Sprite] = []
    for mask_file in sorted((data / "pedestrians" / "masks").glob("*.png"))[part::2]:
        people += _cut_people(data / "pedestrians" / "images" / f"{mask_file.stem}.webp", mask_file)
    objects, movers = _cut_props(data / "voc_masks", split="train" if split == "tune" else "val")
    return SpriteBox(tuple(people), tuple(objects), movers, tuple(_places(data, part)))


def draw_sprites(seed: int = 0) -> SpriteBox:
    """People and bags as a child would cut them out of paper; for tests without photographs."""
    rng = np.random.default_rng([seed, 77])
    people = tuple(_draw_person(rng) for _ in range(8))
    objects = tuple(_draw_bag(rng) for _ in range(8))
    return SpriteBox(people, objects, {"car": tuple(_draw_car(rng) for _ in range(3))})


def draw_place(width: int, height: int, rng: np.random.Generator) -> Picture8:
    """A hall: a wall with doors and pictures above a floor of tiles, in perspective, with grain."""
    picture = np.zeros((height, width, 3), np.float32)
    horizon = int(height * rng.uniform(0.3, 0.45))
    wall, floor = rng.uniform(70, 210, 3), rng.uniform(70, 200, 3)
    picture[:horizon], picture[horizon:] = wall, floor
    shade = np.linspace(0.75, 1.1, width, dtype=np.float32)[None, :, None]
    for _ in range(int(rng.integers(5, 10))):  # doors, boards, windows
        w, h = (int(v) for v in rng.uniform((0.04, 0.1), (0.14, 0.28)) * (width, height))
        x, y = int(rng.uniform(0, width - w)), int(rng.uniform(0, max(horizon - h, 1)))
        cv2.rectangle(picture, (x, y), (x + w, y + h), tuple(rng.uniform(30, 240, 3)), -1)
        cv2.rectangle(picture, (x, y), (x + w, y + h), tuple(rng.uniform(20, 90, 3)), 2)
    joint = tuple((floor * rng.uniform(0.6, 0.85)).tolist())
    for k in range(1, 12):  # rows of tiles come closer together towards the horizon
        y = int(horizon + (height - horizon) * (k / 11) ** 1.8)
        cv2.line(picture, (0, y), (width, y), joint, 1, cv2.LINE_AA)
    for k in np.linspace(-2, 3, 21):
        cv2.line(
            picture, (int(width * (0.5 + (k - 0.5) * 0.35)), horizon), (int(width * k), height), joint, 1, cv2.LINE_AA
        )
    picture *= shade
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2)
    coarse = cv2.resize(rng.normal(0, 1, (9, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    picture += (14 * grain + 8 * coarse)[..., None]
    out: Picture8 = picture.clip(0, 255).astype(np.uint8)
    return out


# Photographs ------------------------------------------------------------------------------------------------------


def _cut_people(picture_file: Path, mask_file: Path) -> list[Sprite]:
    with Image.open(mask_file) as opened:
        mask = np.asarray(opened)
    picture = read_picture(picture_file)
    found = []
    for number in range(1, int(mask.max()) + 1):
        sprite = _cut("person", picture, mask == number)
        if sprite is None:
            continue
        height, width = sprite.alpha.shape
        if height >= _MIN_PX and 1.6 < height / width < 4.5:  # whole and upright
            found.append(sprite)
    return found


def _cut_props(folder: Path, *, split: str) -> tuple[list[Sprite], dict[str, tuple[Sprite, ...]]]:
    classes = (folder / "classes.txt").read_text(encoding="utf-8").split()
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    objects: list[Sprite] = []
    movers: dict[str, list[Sprite]] = {}
    wanted = {*_PROPS, *_MOVERS}
    for row in rows:
        with Image.open(folder / "labels" / row["label"]) as opened:
            labels = np.asarray(opened)
        for number in np.unique(labels):
            name = classes[number] if number < len(classes) else ""
            if name not in wanted or len(movers.get(name, ())) >= 25:
                continue
            mask = labels == number
            count, marks, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
            if count < 2:
                continue
            best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            x, y, w, h, area = (int(v) for v in stats[best])
            cut_off = x <= 1 or y <= 1 or x + w >= mask.shape[1] - 1 or y + h >= mask.shape[0] - 1
            if cut_off or area < 2500 or area < 0.35 * w * h:
                continue
            sprite = _cut(name, read_picture(folder / "images" / row["image"]), marks == best)
            if sprite is not None:
                movers.setdefault(name, []).append(sprite)
    for name in _PROPS[:4]:
        objects += movers.pop(name, [])
    return objects, {name: tuple(found) for name, found in movers.items()}


def _cut(label: str, picture: Picture8, mask: NDArray[np.bool_]) -> Sprite | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) < 20 or len(columns) < 8:
        return None
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    alpha = cv2.GaussianBlur(cv2.erode(mask[part].astype(np.uint8) * 255, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return Sprite(label, np.ascontiguousarray(picture[part]), np.asarray(alpha, np.uint8))


def _places(data: Path, part: int) -> list[Picture8]:
    """Streets and rooms without people in them."""
    places = []
    with (data / "camvid" / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == ("train", "val")[part]]
    for row in rows[:: max(1, len(rows) // 60)]:
        with Image.open(data / "camvid" / "labels" / row["label"]) as opened:
            labels = np.asarray(opened)
        if np.isin(labels, (9, 10)).mean() < 0.004:  # pedestrians, cyclists
            places.append(read_picture(data / "camvid" / "images" / row["image"]))
    content = json.loads((data / "coco" / "instances.json").read_text(encoding="utf-8"))
    sizes = {image["id"]: image["width"] * image["height"] for image in content["images"]}
    people = {c["id"] for c in content["categories"] if c["name"] in ("person", "dog", "cat")}
    inhabited = {
        a["image_id"]
        for a in content["annotations"]
        if a["category_id"] in people or a["area"] > 0.2 * sizes[a["image_id"]]  # somebody, or too near
    }
    known = {a["image_id"] for a in content["annotations"]} - inhabited
    empty = [image for image in content["images"] if image["id"] in known and image["width"] > image["height"]]
    places += [read_picture(data / "coco" / "images" / image["file_name"]) for image in empty[part::2]]
    return places


# Drawn ------------------------------------------------------------------------------------------------------------


def _canvas(width: int, height: int) -> tuple[Picture8, NDArray[np.uint8]]:
    return np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)


def _draw(shapes: Sequence[tuple[Callable[..., object], tuple[object, ...], tuple[int, ...]]], size: tuple[int, int],
          label: str, rng: np.random.Generator) -> Sprite:  # fmt: skip
    color, alpha = _canvas(*size)
    for shape, where, rgb in shapes:
        shape(color, *where, rgb, -1, cv2.LINE_AA)
        shape(alpha, *where, 255, -1, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.normal(0, 1, alpha.shape).astype(np.float32), (0, 0), 1.5)[..., None]
    shade = np.linspace(1.15, 0.75, size[0], dtype=np.float32)[None, :, None]
    lit = ((color + 18 * grain) * shade).clip(0, 255).astype(np.uint8)
    return Sprite(label, lit, alpha)


def _rgb(rng: np.random.Generator, low: int = 15, high: int = 235) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.integers(low, high, 3))


def _draw_person(rng: np.random.Generator) -> Sprite:
    width, height = 80, 220
    skin = tuple(int(v) for v in rng.uniform((120, 80, 60), (235, 195, 170)))
    coat, trousers, shoes = _rgb(rng), _rgb(rng, 10, 120), _rgb(rng, 5, 60)
    lean = int(rng.integers(4, 12))
    return _draw(
        [
            (cv2.ellipse, ((30, 170), (11, 48), lean, 0, 360), trousers),
            (cv2.ellipse, ((50, 170), (11, 48), -lean, 0, 360), trousers),
            (cv2.ellipse, ((26, 213), (12, 6), 0, 0, 360), shoes),
            (cv2.ellipse, ((54, 213), (12, 6), 0, 0, 360), shoes),
            (cv2.ellipse, ((40, 90), (25, 52), 0, 0, 360), coat),
            (cv2.ellipse, ((15, 95), (8, 42), lean, 0, 360), coat),
            (cv2.ellipse, ((65, 95), (8, 42), -lean, 0, 360), coat),
            (cv2.ellipse, ((40, 22), (14, 19), 0, 0, 360), skin),
            (cv2.ellipse, ((40, 13), (14, 10), 0, 0, 360), _rgb(rng, 10, 110)),
        ],
        (width, height),
        "person",
        rng,
    )


def _draw_bag(rng: np.random.Generator) -> Sprite:
    width, height = int(rng.integers(70, 120)), int(rng.integers(60, 110))
    body, strap = _rgb(rng), _rgb(rng, 5, 90)
    top = height // 4
    return _draw(
        [
            (cv2.ellipse, ((width // 2, top), (width // 4, top - 2), 0, 180, 360), strap),
            (cv2.rectangle, ((2, top), (width - 3, height - 3)), body),
            (cv2.rectangle, ((width // 8, top + height // 4), (width * 7 // 8, height - height // 6)), strap),
            (cv2.circle, ((width // 2, height // 2), max(3, width // 14)), _rgb(rng, 120, 250)),
        ],
        (width, height),
        "bag",
        rng,
    )


def _draw_car(rng: np.random.Generator) -> Sprite:
    body = _rgb(rng)
    wheel = 15 + int(3 * math.sin(rng.uniform(0, 3)))
    return _draw(
        [
            (cv2.ellipse, ((110, 45), (62, 38), 0, 180, 360), body),
            (cv2.rectangle, ((8, 44), (212, 84)), body),
            (cv2.rectangle, ((62, 20), (104, 44)), (150, 180, 200)),
            (cv2.rectangle, ((112, 20), (152, 44)), (150, 180, 200)),
            (cv2.circle, ((52, 86), wheel), (20, 20, 20)),
            (cv2.circle, ((170, 86), wheel), (20, 20, 20)),
        ],
        (220, 104),
        "car",
        rng,
    )
