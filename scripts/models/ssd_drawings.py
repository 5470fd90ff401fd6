"""Drawn samples for fine-tuning an SSD: pictures that hold no object of COCO's classes, and vehicles from above.

Photographs of COCO and PASCAL VOC hardly show coins, cells, textures or printed pages; a network that has seen none
takes a coin for a clock and a cell for a frisbee. Nor do they show roofs: a car from above becomes a cell phone.
All is drawn from a random generator, so that a seed gives the same picture again. This file does not know about
views, targets or networks.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8

__all__ = ["draw_background", "draw_discs", "draw_vehicles"]

_PRINTS = ("1", "5", "10", "20", "50", "2", "R", "A", "M", "XX")
_METALS = ((1.0, 0.8, 0.5), (1.0, 0.65, 0.5), (0.9, 0.95, 1.0), (1.0, 0.9, 0.7))
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-"))


def draw_background(rng: np.random.Generator) -> Picture8:
    """A picture without any object: discs (half of them), cells, a texture, a pattern of squares or a page."""
    kind = rng.random()
    if kind < 0.5:
        return draw_discs(rng)
    height, width = int(rng.integers(220, 420)), int(rng.integers(260, 460))
    if kind < 0.65:
        grey = _cells(rng, height, width)
    elif kind < 0.8:
        grey = _texture(rng, height, width)
    elif kind < 0.9:
        grey = _squares(rng, height, width)
    else:
        grey = _page(rng, height, width)
    grey = grey + rng.normal(0, rng.uniform(0.5, 8), grey.shape)
    out = np.clip(grey, 0, 255)[..., None].repeat(3, 2)
    if rng.random() < 0.5:
        out = out * rng.uniform(0.55, 1.0, 3)
    return out.astype(np.uint8)


def draw_discs(rng: np.random.Generator) -> Picture8:
    """One to 33 discs with a rim and a relief on a plain or blotched ground, in rows or strewn."""
    height, width = int(rng.integers(220, 420)), int(rng.integers(260, 460))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = float(rng.uniform(20, 230))
    picture = ground + _noise(rng, (height, width), float(rng.uniform(1, 30))) * float(rng.uniform(5, 120))
    picture += (x / width - 0.5) * float(rng.uniform(-60, 60)) + (y / height - 0.5) * float(rng.uniform(-60, 60))
    kind, radius, wanted = int(rng.integers(4)), float(rng.uniform(10, 60)), int(rng.integers(1, 34))
    is_struck = rng.random() < 0.5
    placed: list[tuple[float, float, float]] = []
    for at_x, at_y in _places(rng, width, height, radius):
        r = radius * float(rng.uniform(0.65, 1.1))
        cx, cy = at_x + float(rng.normal(0, radius * 0.1)), at_y + float(rng.normal(0, radius * 0.1))
        if len(placed) >= wanted or any((cx - a) ** 2 + (cy - b) ** 2 < (0.95 * (r + c)) ** 2 for a, b, c in placed):
            continue
        placed.append((cx, cy, r))
        away = np.hypot(x - np.float32(cx), y - np.float32(cy))
        if is_struck:  # by hand, as ancient coins: not quite round
            turn = np.arctan2(y - np.float32(cy), x - np.float32(cx))
            away = away * (1 + rng.uniform(0, 0.08) * np.sin(2 * turn + rng.uniform(0, 7)))
            away = away * (1 + rng.uniform(0, 0.06) * np.sin(3 * turn + rng.uniform(0, 7)))
        inside = 1 / (1 + np.exp(np.minimum((away - r) * 1.5, 50)))
        tone = np.clip(ground + rng.choice([-1, 1]) * rng.uniform(20, 140), 15, 240)
        face = np.float32(tone) + _relief(rng, kind, x - np.float32(cx), y - np.float32(cy), r)
        rim = np.exp(-(((away - r * 0.92) / (r * 0.05 + 0.7)) ** 2)) * (x - cx + y - cy) / r * -40
        picture = picture * (1 - inside) + (face + rim * float(rng.uniform(0.3, 1.5))) * inside
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.3)))
    noisy = blurred + rng.normal(0, rng.uniform(1, 8), (height, width))
    out = np.clip(noisy, 0, 255)[..., None].repeat(3, 2)
    if rng.random() < 0.5:
        out = out * np.array(_METALS[rng.integers(len(_METALS))])
    return out.astype(np.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigma))


def _places(rng: np.random.Generator, width: int, height: int, radius: float) -> list[tuple[float, float]]:
    if rng.random() < 0.6:
        step = 2.4 * radius
        return [(float(x), float(y)) for y in np.arange(radius, height, step) for x in np.arange(radius, width, step)]
    return [(float(rng.uniform(0, width)), float(rng.uniform(0, height))) for _ in range(60)]


def _relief(rng: np.random.Generator, kind: int, x: Array, y: Array, r: float) -> NDArray[np.float32]:
    """Brightness of a stamped face: blotches, a number or letter, two holes of a button; `x`, `y` from its middle."""
    shape = _noise(rng, x.shape, max(1.0, r * float(rng.uniform(0.04, 0.15))))
    shape = shape / (shape.std() + 1e-6)
    if kind == 1:
        print_ = np.zeros(x.shape, np.uint8)
        at = int(-x[0, 0] - r * 0.6), int(-y[0, 0] + r * 0.4)
        font = _FONTS[rng.integers(3)]
        cv2.putText(print_, str(rng.choice(_PRINTS)), at, font, r / 22, 255, max(1, int(r / 10)))
        shape = shape * 0.4 + cv2.GaussianBlur(print_.astype(np.float32) / 255, (0, 0), 1) * 3
    elif kind == 2:
        holes = (np.hypot(x - r * 0.25, y) < r * 0.13) | (np.hypot(x + r * 0.25, y) < r * 0.13)
        shape = shape * 0.2 - holes * 4.0
    shape = shape.astype(np.float32)
    edges = cv2.Sobel(shape, cv2.CV_32F, 1, 0, ksize=3) + cv2.Sobel(shape, cv2.CV_32F, 0, 1, ksize=3)
    edges = edges / (edges.std() + 1e-6)
    return np.asarray(edges * float(rng.uniform(5, 28)) + shape * float(rng.uniform(0, 18)), np.float32)


def _cells(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Soft spots with an outline and a nucleus, as under a microscope."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = float(rng.uniform(10, 200))
    out = ground + _noise(rng, (height, width), float(rng.uniform(8, 40))) * float(rng.uniform(5, 200))
    size, sign = float(rng.uniform(6, 110)), float(rng.choice([-1, 1]))
    for _ in range(int(rng.integers(1, 40 if size < 30 else 5))):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), size * rng.uniform(0.5, 1.2)
        turn = rng.uniform(0, math.pi)
        u = (x - np.float32(cx)) * np.float32(math.cos(turn)) + (y - np.float32(cy)) * np.float32(math.sin(turn))
        v = (y - np.float32(cy)) * np.float32(math.cos(turn)) - (x - np.float32(cx)) * np.float32(math.sin(turn))
        away = np.hypot(u, v * np.float32(rng.uniform(1, 1.8)))
        body = 1 / (1 + np.exp(np.clip((away - r) * rng.uniform(0.1, 1), -50, 50)))
        rim = np.exp(-(((away - r) / (0.06 * r + 1)) ** 2))
        nucleus = np.exp(-((np.hypot(u - 0.2 * r, v) / (0.35 * r)) ** 2))
        grain = _noise(rng, (height, width), 2.0) * float(rng.uniform(0, 60))
        out = out + sign * (
            body * (rng.uniform(10, 90) + grain) + rim * rng.uniform(0, 60) + nucleus * rng.uniform(0, 50)
        )
    return np.asarray(out, np.float32)


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Noise of several scales, stretched one way (grass, wood) or not (gravel, plaster); or bricks."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    out = np.full((height, width), float(rng.uniform(50, 200)), np.float32)
    stretch = float(rng.uniform(1, 6))
    for scale in (1.0, 3.0, 9.0, 27.0):
        drawn = rng.normal(0, 1, (height, width)).astype(np.float32)
        part = cv2.GaussianBlur(drawn, (0, 0), sigmaX=scale, sigmaY=scale * stretch)
        out += part / (part.std() + 1e-6) * float(rng.uniform(2, 24))
    if rng.random() < 0.3:
        high, wide = float(rng.uniform(12, 60)), float(rng.uniform(25, 130))
        shifted = x + np.where((y // high) % 2, wide / 2, 0)
        joint = np.minimum(np.minimum(y % high, high - y % high), np.minimum(shifted % wide, wide - shifted % wide))
        out += np.where(joint < max(1.0, high / 12), float(rng.choice([-1, 1])) * rng.uniform(20, 80), 0)
    return cv2.warpAffine(out, _turn(rng, height, width), (width, height), borderMode=cv2.BORDER_REFLECT)


def _squares(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A board or a grid of lines, turned a little."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    side = float(rng.uniform(8, 70))
    if rng.random() < 0.6:
        out = (((x // side) + (y // side)) % 2) * float(rng.uniform(60, 255))
    else:
        line = np.minimum(x % side, y % side) < side * rng.uniform(0.03, 0.2)
        out = np.where(line, rng.uniform(0, 255), rng.uniform(0, 255))
    if rng.random() < 0.5:
        return np.asarray(out, np.float32)
    return cv2.warpAffine(out.astype(np.float32), _turn(rng, height, width), (width, height))


def _page(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Lines of print on paper that is lit unevenly."""
    paper, ink = float(rng.uniform(150, 255)), float(rng.uniform(0, 90))
    if rng.random() < 0.2:
        paper, ink = ink, paper
    out = np.full((height, width), int(paper), np.uint8)
    size, font = float(rng.uniform(0.25, 1.6)), int(_FONTS[rng.integers(3)])
    step = max(8, round(30 * size))
    for top in range(step, height, step):
        if rng.random() < 0.12:
            continue
        line = "".join(
            "".join(rng.choice(_LETTERS, int(rng.integers(1, 10)))) + " " for _ in range(int(rng.integers(2, 14)))
        )
        cv2.putText(
            out, line, (int(rng.uniform(0, 20)), top), font, size, ink, max(1, round(size * 1.5)), cv2.LINE_AA
        )
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    return np.asarray(out + x * float(rng.uniform(-90, 90)), np.float32)


def _turn(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    return np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 25)), 1.3), np.float64)


def draw_vehicles(rng: np.random.Generator) -> tuple[Picture8, NDArray[np.float32]]:
    """One to six cars from above on asphalt, with lane marks and shadows.

    Returns:
        (H, W, 3) and (N, 4) boxes, corners in pixels.
    """
    height, width = int(rng.integers(220, 420)), int(rng.integers(300, 560))
    asphalt = float(rng.uniform(50, 170))
    ground = (
        asphalt
        + _noise(rng, (height, width), 1.0) * 14
        + _noise(rng, (height, width), 25.0) * float(rng.uniform(20, 250))
    )
    picture = np.clip(ground, 0, 255)[..., None].repeat(3, 2).astype(np.uint8)
    for _ in range(int(rng.integers(0, 7))):
        start = rng.uniform(0, 1, 2) * (width, height)
        along = rng.normal(0, 1, 2)
        end = start + along / (np.hypot(*along) + 1e-6) * rng.uniform(15, 120)
        mark = (int(rng.uniform(170, 250)),) * 3
        cv2.line(
            picture, start.astype(int).tolist(), end.astype(int).tolist(), mark, int(rng.integers(2, 6)), cv2.LINE_AA
        )
    length = float(rng.uniform(28, 190))
    heading = float(rng.uniform(0, 2 * math.pi))
    boxes: list[NDArray[np.float32]] = []
    for _ in range(int(rng.integers(1, 7))):
        at = rng.uniform(0.05, 0.95, 2) * (width, height)
        long = length * float(rng.uniform(0.85, 1.15))
        turn = heading + float(rng.normal(0, 0.15)) + (math.pi if rng.random() < 0.5 else 0)
        box = _car_box(at, long, turn)
        if any((np.minimum(box[2:], b[2:]) > np.maximum(box[:2], b[:2])).all() for b in boxes):
            continue
        _draw_car(picture, at, long, turn, rng)
        boxes.append(box)
    out = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.2))).astype(np.float32)
    out += rng.normal(0, rng.uniform(0.5, 6), out.shape)
    limits = np.array([width, height] * 2, np.float32)
    return np.clip(out, 0, 255).astype(np.uint8), np.stack(boxes).clip(0, limits)


_WIDE = 0.44  # of a car's length


def _car_box(at: Array, length: float, turn: float) -> NDArray[np.float32]:
    across, along = abs(math.cos(turn)), abs(math.sin(turn))
    half = np.array([across * length + along * length * _WIDE, along * length + across * length * _WIDE]) / 2 * 0.97
    return np.concatenate([at - half, at + half]).astype(np.float32)


def _draw_car(picture: Picture8, at: Array, length: float, turn: float, rng: np.random.Generator) -> None:
    """Body, bonnet, two windows, roof, mirrors and lamps; coordinates along the car from -1 (front) to 1."""
    cos, sin = math.cos(turn), math.sin(turn)
    narrow = float(rng.uniform(0.8, 1))  # the roof is nearer: perspective widens one end

    def put(points: list[tuple[float, float]], colour: NDArray[np.float64]) -> None:
        flat = np.array(points) * (length / 2, length / 2 * _WIDE)
        placed = np.stack([flat[:, 0] * cos - flat[:, 1] * sin, flat[:, 0] * sin + flat[:, 1] * cos], 1) + at
        shade = tuple(int(v) for v in np.clip(colour, 0, 255))
        cv2.fillPoly(picture, [np.round(placed * 16).astype(np.int32)], shade, cv2.LINE_AA, 4)

    def band(start: float, end: float, wide_start: float, wide_end: float) -> list[tuple[float, float]]:
        return [(start, -wide_start), (end, -wide_end), (end, wide_end), (start, wide_start)]

    grey = rng.random() < 0.6
    paint = np.full(3, rng.uniform(15, 250)) if grey else rng.uniform(10, 230, 3)
    body = [
        (-1.0, -0.6), (-0.93, -0.85), (-0.6, -0.95), (0.7, -0.95), (0.95, -0.85), (1.0, -0.6),
        (1.0, 0.6), (0.95, 0.85), (0.7, 0.95), (-0.6, 0.95), (-0.93, 0.85), (-1.0, 0.6),
    ]  # fmt: skip
    put([(x * 1.03 + 0.03, y * 1.12 + 0.08) for x, y in body], np.full(3, rng.uniform(10, 45)))  # shadow
    for side in (-1, 1):
        put([(-0.32, side * 0.9), (-0.22, side * 1.12), (-0.17, side * 1.12), (-0.2, side * 0.9)], paint * 0.8)
    put(body, paint * rng.uniform(0.8, 1))
    glass = np.full(3, rng.uniform(15, 90)) + np.array([0, 6, 12])
    front, rear = float(rng.uniform(-0.45, -0.3)), float(rng.uniform(0.5, 0.92))
    put(band(front, front + 0.28, 0.82, 0.7 * narrow), glass)
    put(band(rear - 0.22, rear, 0.68 * narrow, 0.78), glass * rng.uniform(0.8, 1.6))
    for side in (-1, 1):
        put(
            [
                (front + 0.1, side * 0.86),
                (rear - 0.1, side * 0.86),
                (rear - 0.22, side * 0.74 * narrow),
                (front + 0.28, side * 0.74 * narrow),
            ],
            glass * 0.8,
        )
    put(band(front + 0.28, rear - 0.22, 0.72 * narrow, 0.72 * narrow), paint * rng.uniform(0.95, 1.15) + 8)
    lamp = np.array([230.0, 230, 210]) if rng.random() < 0.5 else np.array([200.0, 30, 30])
    for side in (-1, 1):
        put([(0.9, side * 0.55), (0.98, side * 0.5), (0.97, side * 0.8), (0.9, side * 0.85)], lamp)
