"""Samples for fine-tuning an SSD on whole pictures: cropped, widened, turned, relit.

A sample is a square picture that the network sees as it will see pictures later: stretched. What is drawn instead of
photographed comes from `ssd_drawings`. This file does not know about targets or networks.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8

__all__ = ["Sample", "relight", "view"]

_HARD_BELOW = 0.35  # an object of which less is left is not counted
_GONE_BELOW = 0.02  # nor is it kept at all
_SHORT_PX = 6.0  # nor counted with a shorter side
_GREY = (127, 127, 127)


@dataclass(frozen=True, eq=False)
class Sample:
    """A square picture and what is to be found in it."""

    picture: Picture8  # (side, side, 3)
    boxes_xyxy: NDArray[np.float64]  # (N, 4) in its pixels
    labels: NDArray[np.int64]
    is_hard: NDArray[np.bool_]


def relight(picture: Picture8, rng: np.random.Generator) -> Picture8:
    """Change brightness, contrast and saturation, of three pictures in four."""
    if rng.random() < 0.25:
        return picture
    out = picture.astype(np.float32) * rng.uniform(0.65, 1.35) + rng.uniform(-25, 25)
    if rng.random() < 0.5:
        out = (out - out.mean()) * rng.uniform(0.6, 1.4) + out.mean()
    if rng.random() < 0.5:
        grey = out.mean(2, keepdims=True)
        out = grey + (out - grey) * rng.uniform(0.2, 1.6)
    if rng.random() < 0.05:
        out = out.mean(2, keepdims=True).repeat(3, 2)
    return np.clip(out, 0, 255).astype(np.uint8)


def view(
    picture: Picture8,
    boxes_xyxy: Array,
    labels: NDArray[np.int64],
    is_hard: NDArray[np.bool_],
    *,
    side_px: int,
    rng: np.random.Generator,
) -> Sample:
    """Stretch the picture, a part of it or more than it to a square; flip half of them; turn and tilt a few.

    Args:
        picture: (H, W, 3).
        boxes_xyxy: (N, 4) in its pixels.
        labels: (N,).
        is_hard: (N,) not counted.
        side_px: Of the square.
        rng: Decides.
    """
    height, width = picture.shape[:2]
    boxes = np.asarray(boxes_xyxy, np.float64)
    middle_x, middle_y, wide, high = _window(width, height, boxes, rng)
    matrix = np.array(
        [
            [side_px / wide, 0, side_px / 2 - middle_x * side_px / wide],
            [0, side_px / high, side_px / 2 - middle_y * side_px / high],
            [0, 0, 1.0],
        ]
    )
    angle = rng.normal(0, 8) * math.pi / 180 if rng.random() < 0.12 else 0.0
    if angle:
        matrix = _rotation(angle, side_px / 2) @ matrix
    if rng.random() < 0.08:  # as from above or from the side
        tilt = rng.uniform(-0.0006, 0.0006, 2)
        matrix = np.array([[1, 0, 0], [0, 1, 0], [*tilt, 1 - tilt.sum() * side_px / 2]]) @ matrix
    if rng.random() < 0.5:
        matrix = np.array([[-1, 0, side_px], [0, 1, 0], [0, 0, 1.0]]) @ matrix
    fill = tuple(int(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.5 else _GREY
    out = cv2.warpPerspective(
        picture, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )
    moved = _moved(boxes, matrix, is_turned=bool(angle))
    cut = moved.clip(0, side_px)
    sides = cut[:, 2:] - cut[:, :2]
    seen = sides.prod(1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(1), 1e-6)
    short = sides.min(1, initial=np.inf)
    kept = (short > 2) & (seen > _GONE_BELOW)
    hard = is_hard | (seen < _HARD_BELOW) | (short < _SHORT_PX)
    return Sample(np.asarray(out, np.uint8), cut[kept], labels[kept], hard[kept])


def _window(width: int, height: int, boxes: Array, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Middle and sides of what is looked at: all (3 of 10), a part (45 of 100) or more than there is."""
    kind = rng.random()
    if kind < 0.30:
        return width / 2, height / 2, width, height
    if kind < 0.75:
        scale, shape = math.sqrt(rng.uniform(0.2, 1)), np.exp(rng.uniform(-0.35, 0.35))
        wide, high = min(width, width * scale * shape), min(height, height * scale / shape)
        if len(boxes) and rng.random() < 0.7:  # about an object
            box = boxes[rng.integers(len(boxes))]
            x, y = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])
        else:
            x, y = rng.uniform(0, width), rng.uniform(0, height)
        x = np.clip(x + rng.uniform(-0.4, 0.4) * wide, wide / 2, width - wide / 2)
        y = np.clip(y + rng.uniform(-0.4, 0.4) * high, high / 2, height - high / 2)
        return float(x), float(y), wide, high
    scale, shape = rng.uniform(1, 2.0), np.exp(rng.uniform(-0.25, 0.25))
    wide, high = max(width, width * scale * shape), max(height, height * scale / shape)
    x = width / 2 + rng.uniform(-0.5, 0.5) * (wide - width)
    y = height / 2 + rng.uniform(-0.5, 0.5) * (high - height)
    return x, y, wide, high


def _rotation(angle: float, middle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    shift = middle - (c - s) * middle, middle - (s + c) * middle
    return np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1.0]])


def _moved(boxes: Array, matrix: Array, *, is_turned: bool) -> NDArray[np.float64]:
    """The boxes about the moved corners; of turned ones smaller, as objects seldom fill the corners of their box."""
    if not len(boxes):
        return np.zeros((0, 4))
    corners = np.stack([boxes[:, [0, 1]], boxes[:, [2, 1]], boxes[:, [2, 3]], boxes[:, [0, 3]]], 1).reshape(-1, 2)
    flat = np.concatenate([corners, np.ones((len(corners), 1))], 1) @ matrix.T
    points = (flat[:, :2] / flat[:, 2:]).reshape(-1, 4, 2)
    out: NDArray[np.float64] = np.concatenate([points.min(1), points.max(1)], 1)
    if is_turned:
        middle, half = (out[:, :2] + out[:, 2:]) / 2, (out[:, 2:] - out[:, :2]) / 2
        ellipse = np.sqrt((points[:, 1] - points[:, 0]) ** 2 + (points[:, 3] - points[:, 0]) ** 2) / 2
        half = (half + ellipse) / 2
        out = np.concatenate([middle - half, middle + half], 1)
    return out
