"""A drawn face whose mouth says a word: the demonstration of the studio's lips page. It shows nobody."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_HZ", "speak"]

RATE_HZ = 25
SIDES = (320, 360)  # width and height
SCALE = 2  # drawn so much larger, then reduced
MOUTH = (160, 232)  # its middle
SKIN, SHADE, HAIR, LIP, INSIDE = (228, 184, 154), (214, 166, 138), (58, 40, 30), (182, 92, 92), (52, 16, 20)
LEAD_S, SOUND_S = 0.2, 0.08  # before and after the word; of one sound
Point = tuple[float, float]
Canvas = NDArray[np.uint8]

# A sound's mouth: half its width and half its opening in pixels, how far the lips are pushed out (0..1.5), and the
# part of the opening that the upper teeth fill.
REST = (27.0, 0.0, 0.0, 0.0)
SHAPES: dict[str, tuple[float, float, float, float]] = {
    "s": (29, 1.6, 0, 1),
    "t": (28, 2.2, 0, 0.8),
    "a": (27, 10, 0, 0.5),
    "r": (22, 3.5, 0.7, 0.5),
    "k": (27, 4, 0, 0.5),
    "e": (29, 6, 0, 0.7),
    "i": (31, 3, 0, 0.9),
    "o": (18, 8, 1, 0.2),
    "u": (14, 3, 1.4, 0),
    "m": (26, -0.2, 0, 0),
    "f": (27, 1.2, 0, 1),
    "l": (27, 5, 0, 0.4),
}


def speak(sounds: str) -> list[Canvas]:
    """The frames of a word, `RATE_HZ` a second, given by its sounds: keys of `SHAPES` with blanks between."""
    shapes = [REST, REST, *(SHAPES[sound] for sound in sounds.split()), REST, REST]
    inner = LEAD_S + SOUND_S * (np.arange(len(shapes) - 4) + 0.5)
    end = LEAD_S + SOUND_S * (len(shapes) - 4)
    times = np.concatenate(([0, 0.7 * LEAD_S], inner, [end + 0.6 * LEAD_S, end + LEAD_S]))
    at = np.arange(round(times[-1] * RATE_HZ)) / RATE_HZ
    columns = [np.interp(at, times, column) for column in np.array(shapes).T]
    smooth = [np.convolve(np.pad(column, 1, mode="edge"), (0.25, 0.5, 0.25), "valid") for column in columns]
    empty = draw_empty_face()
    return [draw_mouth(empty, *shape) for shape in np.array(smooth).T.tolist()]


def ellipse(canvas: Canvas, middle: Point, radii: Point, color: tuple[int, int, int], *arc: float) -> None:
    """A filled ellipse, or with (start, end, width) a part of its line."""
    start, end, width = arc or (0, 360, 0)
    place = (round(middle[0] * SCALE), round(middle[1] * SCALE))
    axes = (max(1, round(radii[0] * SCALE)), max(1, round(radii[1] * SCALE)))
    cv2.ellipse(canvas, place, axes, 0, start, end, color, round(width * SCALE) or -1, cv2.LINE_AA)


def polygon(canvas: Canvas, points: list[Point], color: tuple[int, int, int]) -> None:
    """A filled polygon."""
    cv2.fillPoly(canvas, [np.round(np.array(points) * SCALE).astype(np.int32)], color, cv2.LINE_AA)


def draw_empty_face() -> Canvas:
    """The face without its mouth, `SCALE` times as large."""
    width, height = SIDES
    down = np.linspace(0, 1, height * SCALE)[:, None, None]
    canvas = np.zeros((height * SCALE, width * SCALE, 3), np.uint8)
    canvas[:] = (np.array([96, 118, 134]) * (1 - down) + np.array([70, 88, 104]) * down).astype(np.uint8)
    polygon(canvas, [(20, 360), (60, 315), (120, 296), (200, 296), (260, 315), (300, 360)], (58, 82, 120))
    ellipse(canvas, (160, 150), (104, 128), HAIR)
    polygon(canvas, [(128, 240), (192, 240), (198, 310), (122, 310)], (196, 150, 120))
    ellipse(canvas, (160, 172), (80, 108), SKIN)
    ellipse(canvas, (160, 78), (78, 30), HAIR)
    for side in (-1, 1):
        ellipse(canvas, (160 + side * 82, 176), (10, 20), SHADE)
        eye = (160 + side * 34, 152)
        ellipse(canvas, eye, (15, 8.5), (248, 246, 242))
        ellipse(canvas, eye, (7.5, 7.5), (84, 62, 40))
        ellipse(canvas, eye, (3.6, 3.6), (16, 12, 10))
        ellipse(canvas, (eye[0] + 2, 150), (1.6, 1.6), (255, 255, 255))
        ellipse(canvas, eye, (16, 10), (70, 46, 36), 195, 345, 2)
        ellipse(canvas, (160 + side * 35, 134), (20, 8), (62, 42, 32), 200, 340, 4)
    ellipse(canvas, (160, 196), (15, 11), (206, 156, 130))
    ellipse(canvas, (160, 193), (13, 9), (230, 188, 160))
    for x in (153, 167):
        ellipse(canvas, (x, 201), (3.4, 2.2), (130, 84, 70))
    polygon(canvas, [(157, 150), (163, 150), (166, 190), (154, 190)], (222, 176, 148))
    return canvas


def draw_mouth(face: Canvas, half_width: float, opening: float, pushed: float, teeth: float) -> Canvas:
    """The face with its mouth, (H, W, 3): an outline of two bows, within it the opening and the upper teeth."""
    canvas, (x, y) = face.copy(), MOUTH
    upper, lower, inner = 7 + 2 * pushed, 9 + 3 * pushed, 0.82 * half_width
    angles = np.linspace(0, np.pi, 40)
    bow = 1 - 0.22 * np.exp(-(((angles - np.pi / 2) / 0.22) ** 2))

    def edge(width: float, rise: NDArray[np.float64]) -> list[Point]:
        return list(zip(x - width * np.cos(angles), y + rise, strict=True))

    top = edge(half_width, -(0.8 * opening + upper * bow) * np.sin(angles) ** 0.75)
    bottom = edge(half_width, (1.2 * opening + lower) * np.sin(angles) ** 0.8)
    inner_top = edge(inner, -0.8 * opening * np.sin(angles) ** 0.8)
    inner_bottom = edge(inner, 1.2 * opening * np.sin(angles) ** 0.8)
    ellipse(canvas, (x, y + 1.2 * opening + lower + 9), (22, 5), SHADE)
    polygon(canvas, top + bottom[::-1], LIP)
    polygon(
        canvas,
        [(a, b + 2) for a, b in bottom[8:-8]] + [(a, b + 1) for a, b in inner_bottom[8:-8]][::-1],
        (200, 112, 110),
    )
    if opening > 0.7:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(inner_top + inner_bottom[::-1]) * SCALE).astype(np.int32)], 255)
        canvas[mask > 0] = INSIDE
        mask[round((y - 0.8 * opening + min(1.2 * opening, 6.5) * teeth) * SCALE) :] = 0
        canvas[mask > 0] = (240, 236, 228)
    else:
        line = np.round(np.array(inner_bottom) * SCALE).astype(np.int32)
        cv2.polylines(canvas, [line], False, (110, 44, 48), SCALE, cv2.LINE_AA)
    soft = cv2.GaussianBlur(canvas, (0, 0), 0.55 * SCALE)
    return np.asarray(cv2.resize(soft, SIDES, interpolation=cv2.INTER_AREA), np.uint8)
