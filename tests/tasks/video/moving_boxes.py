"""Scenes of moving boxes whose truth is known, and what a middling detector would say of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes

CLASSES = ("car", "person", "bus")
WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True)
class Mover:
    """A thing: its centre as a function of time, its size, its class, and when it is there."""

    centre: Callable[[float], tuple[float, float]]
    size: tuple[float, float]
    index: int = 0
    begins_s: float = 0.0
    ends_s: float = 99.0

    def box(self, time_s: float) -> NDArray[np.float64]:
        x, y = self.centre(time_s)
        w, h = self.size
        return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


def straight(x: float, y: float, vx: float, vy: float = 0.0) -> Callable[[float], tuple[float, float]]:
    return lambda t: (x + vx * t, y + vy * t)


@dataclass(frozen=True)
class Detection:
    """What is there in one frame, and what is found of it."""

    time_s: float
    truth: dict[int, NDArray[np.float64]]  # thing -> box
    found: Boxes


@dataclass(frozen=True, kw_only=True)
class Eye:
    """How good the detector is."""

    noise: float = 0.03  # of sides and centre, as a share of the size
    misses: float = 0.05  # share of boxes not found
    false_alarms: float = 0.1  # a frame
    hidden: Callable[[int, float], float] = lambda obj, time_s: 0.0  # share of a thing behind something
    wrong_class: float = 0.0


def look(movers: list[Mover], *, seconds: float, rate_hz: float, eye: Eye, seed: int = 0) -> Iterator[Detection]:
    """Frame by frame; a thing half hidden has a doubtful score, one hidden by more than 0.6 is not found."""
    rng = np.random.default_rng(seed)
    for k in range(int(seconds * rate_hz)):
        t = k / rate_hz
        truth: dict[int, NDArray[np.float64]] = {}
        rows: list[tuple[NDArray[np.float64], float, int]] = []
        for obj, mover in enumerate(movers):
            box = mover.box(t)
            inside = box[2] > 8 and box[3] > 8 and box[0] < WIDTH - 8 and box[1] < HEIGHT - 8
            if not (mover.begins_s <= t < mover.ends_s and inside):
                continue
            hidden = eye.hidden(obj, t)
            if hidden <= 0.3:
                truth[obj] = box
            if hidden > 0.6 or rng.random() < eye.misses:
                continue
            score = float(np.clip(rng.normal(0.75 - hidden, 0.08), 0.12, 0.99))
            size = np.sqrt(mover.size[0] * mover.size[1])
            index = int(rng.integers(len(CLASSES))) if rng.random() < eye.wrong_class else mover.index
            rows.append((box + rng.normal(0, eye.noise * size, 4), score, index))
        for _ in range(rng.poisson(eye.false_alarms)):
            x, y = rng.uniform(0, WIDTH - 60), rng.uniform(0, HEIGHT - 60)
            rows.append((np.array([x, y, x + 50, y + 50]), float(rng.uniform(0.1, 0.7)), 0))
        boxes = np.array([row[0] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        found = Boxes(
            boxes_xyxy=boxes.astype(np.float32),
            scores=np.array([row[1] for row in rows], np.float32),
            indices=np.array([row[2] for row in rows], np.int64),
            classes=CLASSES,
            width=WIDTH,
            height=HEIGHT,
            model="scene",
        )
        yield Detection(t, truth, found)


@dataclass
class Tally:
    """How well things were followed."""

    switches: int = 0  # a thing's number changed
    shared: int = 0  # a number that was another thing's before
    missed: int = 0  # a thing without a box
    present: int = 0
    overlap: float = 0.0  # mean, of the boxes that were there

    @property
    def recall(self) -> float:
        return 1 - self.missed / max(self.present, 1)


def tally(detections: list[Detection], frames: list[TrackedBoxes]) -> Tally:
    """Match each frame's boxes with the truth (the greatest overlap first) and count."""
    last: dict[int, int] = {}
    owner: dict[int, int] = {}
    out, overlaps = Tally(), []
    for detection, frame in zip(detections, frames, strict=True):
        objects = list(detection.truth)
        limits = np.array([WIDTH, HEIGHT] * 2)
        table = iou(
            np.array([detection.truth[t].clip(0, limits) for t in objects]).reshape(-1, 4), frame.boxes.boxes_xyxy
        )
        out.present += len(objects)
        done: set[int] = set()
        while table.size and table.max() >= 0.4:
            i, j = np.unravel_index(int(table.argmax()), table.shape)
            overlaps.append(float(table[i, j]))
            obj, number = objects[int(i)], int(frame.ids[int(j)])
            out.switches += last.get(obj, number) != number
            out.shared += owner.setdefault(number, obj) != obj
            last[obj] = number
            done.add(obj)
            table[i], table[:, j] = 0, 0
        out.missed += len(objects) - len(done)
    out.overlap = float(np.mean(overlaps)) if overlaps else 0.0
    return out


def iou(a: NDArray[np.float64], b: NDArray[np.float32]) -> NDArray[np.float64]:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)
