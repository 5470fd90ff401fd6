"""A drawn street, seen from a car that drives along it: houses, trees, lamp posts, cars, road, pavement and sky.

Positions are in metres in front of the eye of the driver: x to the right, y up, z ahead. Nothing is photographed;
all that is random has a seed, so the same second gives the same picture.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["street_frame"]

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Color = tuple[float, float, float]

SIDES = (480, 360)
FOCAL_PX = 420.0
HORIZON_PX = 150.0
EYE_M = 1.5
SPEED_MPS = 6.0
HOUSE_M = 14.0  # length of a house along the street
TREE_M = 9.0  # from one tree or lamp post to the next
PARKED_M = 12.0
NEAREST_M = 1.5
ROAD_M, KERB_M, FRONT_M = 3.7, 3.9, 6.6  # from the middle to the kerb, the pavement and the houses
FACADES: tuple[Color, ...] = ((168, 140, 118), (150, 108, 88), (186, 176, 160), (140, 128, 120))
PARKED: tuple[Color, ...] = ((60, 62, 66), (128, 120, 100), (36, 60, 84))


def project(x: float, y: float, z: float) -> tuple[float, float]:
    """Where a place is seen, in pixels."""
    return SIDES[0] / 2 + FOCAL_PX * x / z, HORIZON_PX - FOCAL_PX * (y - EYE_M) / z


def fill(picture: Picture, corners: Sequence[tuple[float, float]], color: Color) -> None:
    """A polygon with smooth edges."""
    cv2.fillPoly(picture, [np.round(np.array(corners) * 16).astype(np.int32)], color, cv2.LINE_AA, 4)


def shaded(color: Color, factor: float) -> Color:
    """A color made lighter or darker."""
    r, g, b = (min(max(v * factor, 0.0), 255.0) for v in color)
    return r, g, b


def soft_noise(height: int, width: int, cell_px: int, rng: np.random.Generator) -> Floats:
    """(height, width) noise that changes over `cell_px` pixels, of standard deviation 1 or less."""
    small = rng.standard_normal((max(2, height // cell_px), max(2, width // cell_px))).astype(np.float32)
    out: Floats = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return out


def facade(seed: int) -> Picture:
    """(380, 420, 3): plaster, rows of windows, a base of stone."""
    rng = np.random.default_rng(seed)
    base = np.array(FACADES[int(rng.integers(len(FACADES)))], np.float32)
    height, width = 380, 420
    grain = 5 * soft_noise(height, width, 3, rng) + 9 * soft_noise(height, width, 40, rng)
    wall = base + grain[..., None]
    for left in range(20, width - 40, 60):
        for top in range(16, height - 50, 70):
            wall[top - 3 : top + 45, left - 3 : left + 33] = base * 1.12
            wall[top : top + 42, left : left + 30] = np.array([58, 66, 76]) + rng.normal(0, 12)
            wall[top : top + 18, left : left + 30] += 22  # the sky in the upper pane
            wall[top + 20 : top + 22, left : left + 30] = base * 1.1
            wall[top : top + 42, left + 14 : left + 16] = base * 1.1
            wall[top + 45 : top + 49, left - 4 : left + 34] = base * 0.7  # the shadow of the sill
    wall[-30:] *= 0.7
    return wall.clip(0, 255).astype(np.uint8)


def draw_house(picture: Picture, side: int, start_m: float, seed: int) -> None:
    """The front of a house, from `start_m` on; what is behind the driver is cut off."""
    rng = np.random.default_rng([seed, side + 1])
    height_m, end_m = float(rng.uniform(8, 14)), start_m + HOUSE_M
    near_m = max(start_m, NEAREST_M)
    wall = facade(2 * seed + (side > 0))
    wall = wall[:, int((near_m - start_m) / HOUSE_M * wall.shape[1]) :]
    height, width = wall.shape[:2]
    x = side * FRONT_M
    seen = [project(x, y, z) for y, z in ((height_m, near_m), (height_m, end_m), (0, end_m), (0, near_m))]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, np.array(seen, np.float32))
    warped = cv2.warpPerspective(wall, matrix, SIDES)
    cover = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, SIDES)[..., None] / 255
    picture[:] = (picture * (1 - cover) + warped * cover).astype(np.uint8)


def draw_tree(picture: Picture, x: float, z: float, seed: int) -> None:
    """A trunk, and a crown of leaves that are lighter above."""
    rng = np.random.default_rng(seed)
    (foot_x, foot_y), (top_x, top_y) = project(x, 0, z), project(x, 3.15, z)
    half = FOCAL_PX * 0.18 / z
    trunk = [
        (foot_x - half, foot_y),
        (foot_x + half, foot_y),
        (top_x + 0.7 * half, top_y),
        (top_x - 0.7 * half, top_y),
    ]
    fill(picture, trunk, (70, 58, 48))
    leaf = round(16 * FOCAL_PX * 0.28 / z)
    for _ in range(260):
        angle, reach = rng.uniform(0, 2 * np.pi), math.sqrt(rng.uniform())
        px, py = project(x + 1.9 * reach * math.cos(angle), 4.76 + 2.1 * reach * math.sin(angle), z)
        color = shaded((58, 80, 42), rng.uniform(0.5, 1.1) + 0.35 * math.sin(angle) * reach)
        place, axes = (round(16 * px), round(16 * py)), (leaf, round(0.6 * leaf))
        cv2.ellipse(picture, place, axes, rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA, 4)


def draw_post(picture: Picture, x: float, z: float) -> None:
    """A lamp post of six metres."""
    half, (foot_x, foot_y), (top_x, top_y) = FOCAL_PX * 0.06 / z, project(x, 0, z), project(x, 6, z)
    sides = [
        (foot_x - half, foot_y),
        (foot_x + half, foot_y),
        (top_x + 0.7 * half, top_y),
        (top_x - 0.7 * half, top_y),
    ]
    fill(picture, sides, (70, 72, 74))


def draw_car(picture: Picture, x: float, z: float, color: Color, lamps: Color = (150, 30, 28)) -> None:
    """A car and its shadow: from behind, or with white lamps one that comes."""

    def part(points: Sequence[tuple[float, float]], of: Color) -> None:
        fill(picture, [project(x + 0.875 * across, 1.42 * up, z) for across, up in points], of)

    ground = [project(x + dx, 0, z + dz) for dx, dz in ((-1, -0.3), (1, -0.3), (0.95, 3), (-0.95, 3))]
    shadow = picture.copy()
    fill(shadow, ground, (35, 35, 38))
    picture[:] = cv2.addWeighted(shadow, 0.7, picture, 0.3, 0)
    for side in (-1, 1):
        part([(0.96 * side, 0), (0.66 * side, 0), (0.66 * side, 0.35), (0.96 * side, 0.35)], (22, 22, 24))
    body = [(-1, 0.16), (1, 0.16), (1, 0.5), (0.96, 0.62), (-0.96, 0.62), (-1, 0.5)]
    part(body, shaded(color, 0.92))
    part([(-0.92, 0.6), (0.92, 0.6), (0.74, 1), (-0.74, 1)], shaded(color, 1.05))
    part([(-0.82, 0.62), (0.82, 0.62), (0.68, 0.94), (-0.68, 0.94)], (48, 56, 66))
    part([(-0.7, 0.9), (-0.2, 0.9), (-0.45, 0.64), (-0.78, 0.64)], (96, 108, 120))  # the sky in the window
    for side in (-1, 1):
        part([(0.97 * side, 0.42), (0.68 * side, 0.42), (0.68 * side, 0.56), (0.97 * side, 0.56)], lamps)
    part([(-0.28, 0.32), (0.28, 0.32), (0.28, 0.42), (-0.28, 0.42)], (225, 225, 215))
    part([(-1, 0.16), (1, 0.16), (1, 0.26), (-1, 0.26)], (45, 45, 48))


def draw_ground(driven_m: float) -> Picture:
    """Sky, road with its lines, kerbs and pavements."""
    width, height = SIDES
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    sky = np.array([196, 212, 232], np.float32) + (ys / 195)[..., None] * np.array([28, 20, 8], np.float32)
    sky += soft_noise(height, width, 60, np.random.default_rng(9)).clip(-0.5, 2.5)[..., None] * 8
    below = ys > HORIZON_PX + 2
    z = FOCAL_PX * EYE_M / np.maximum(ys - HORIZON_PX, 1)
    x, along = (xs - width / 2) * z / FOCAL_PX, z + driven_m
    rng = np.random.default_rng(2)
    grain = 2 * cv2.GaussianBlur(rng.standard_normal((512, 512)).astype(np.float32), (0, 0), 1.2)
    grain += soft_noise(512, 512, 16, rng)
    rough = grain[(along * 20).astype(int) % 512, (x * 20 + 4000).astype(int) % 512] * np.clip(14 / z, 0.1, 1) * 5
    ground = np.full((height, width, 3), (104, 104, 108), np.float32) + rough[..., None]
    aside = np.abs(x)
    ground[(aside < 0.07) & (along % 6 < 3)] = (214, 214, 208)
    ground[np.abs(aside - 3.3) < 0.06] = (206, 206, 200)
    ground[(aside > ROAD_M) & (aside < KERB_M)] = (150, 147, 142)
    pavement = aside >= KERB_M
    ground[pavement] = np.array([162, 154, 146]) + rough[pavement][:, None]
    joints = pavement & ((along % 1.2 < 0.06) | ((aside - KERB_M) % 1 < 0.05)) & (z < 25)
    ground[joints] = (139, 132, 126)
    return np.where(below[..., None], ground, sky).clip(0, 255).astype(np.uint8)


def street_frame(time_s: float) -> Picture:
    """The street at a moment: (360, 480, 3) uint8 RGB."""
    driven_m = SPEED_MPS * time_s
    picture = draw_ground(driven_m)
    pieces: list[tuple[float, str, float, int]] = []  # distance, what, x, which one
    for side in (-1, 1):
        for k in range(9):
            which, ahead = k + int(driven_m // HOUSE_M), k * HOUSE_M - driven_m % HOUSE_M + 2
            pieces.append((ahead + HOUSE_M, "house", side, which))
            which, ahead = k + int(driven_m // TREE_M), k * TREE_M - driven_m % TREE_M + 6
            pieces.append((ahead, "tree" if (which + side) % 2 == 0 else "post", side, which))
    for k in range(7):
        which, ahead = k + int(driven_m // PARKED_M), k * PARKED_M - driven_m % PARKED_M + 4
        if which % 3:
            pieces.append((ahead, "parked", 3.0, which))
    pieces.append((13 + 3 * math.sin(0.7 * time_s), "red car", 1.75, 0))
    pieces.append((26 - 2 * math.sin(0.5 * time_s), "blue car", 1.75, 0))
    pieces.append((73 - 14 * time_s % 70, "white car", -1.75, 0))
    for ahead, what, x, which in sorted(pieces, reverse=True):
        if what == "house":
            if ahead > NEAREST_M + 0.1:
                draw_house(picture, int(x), ahead - HOUSE_M, which)
        elif ahead < 2.5:
            continue
        elif what == "tree":
            draw_tree(picture, 5.2 * x, ahead, 2 * which + (x > 0))
        elif what == "post":
            draw_post(picture, 4.3 * x, ahead)
        else:
            colors = {"red car": (150, 40, 42), "blue car": (70, 86, 120), "white car": (205, 205, 208)}
            lamps = (250, 246, 226) if what == "white car" else (150, 30, 28)
            draw_car(picture, x, ahead, colors.get(what, PARKED[which % 3]), lamps)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.6).astype(np.float32)
    grain = np.random.default_rng(round(1000 * time_s)).normal(0, 1.5, soft.shape[:2])
    return (soft + grain[..., None]).clip(0, 255).astype(np.uint8)
