"""Boxes, paths and labels drawn straight onto a video's planes of brightness and colour: only their own pixels cost.

The look is that of `szem.media.drawing`. Colours are BT.601's; a video in BT.709 shows them a shade off. This file
does not know what the boxes mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from szem.arrays import Array
from szem.media.drawing import RGB, chip_sides, fit_text, font_of, ink_on, paste_chip, place_label, write_text
from szem.media.frames import Planes

__all__ = ["LabelledBox", "draw_boxes_on", "draw_chip_on", "draw_path_on", "text_px_of"]

_CHIPS = 4096  # labels that are kept drawn
_DARK = 0.25  # of a colour, for the line around it


@dataclass(frozen=True)
class LabelledBox:
    """What is drawn."""

    box_xyxy: tuple[float, float, float, float]  # pixels
    text: str
    rgb: RGB


def text_px_of(planes: Planes) -> int:
    """A text size that suits the video, as `szem.media.drawing.text_px`."""
    return max(12, round((planes.width_px * planes.height_px) ** 0.5 * 0.03))


def draw_boxes_on(planes: Planes, boxes: Sequence[LabelledBox], *, taken: list[tuple[int, int, int, int]]) -> None:
    """Draw boxes and then their labels, which keep off each other where there is room.

    Args:
        planes: Written to.
        boxes: In order; later ones lie on top.
        taken: Places of labels that are there already; grows.
    """
    size = text_px_of(planes)
    line = max(2, round(size / 7))
    corners = [_pixels(box.box_xyxy, planes) for box in boxes]
    for box, (x0, y0, x1, y1) in zip(boxes, corners, strict=True):
        if x1 - x0 > 2 and y1 - y0 > 2:
            r, g, b = (round(c * _DARK) for c in box.rgb)
            _draw_frame(planes, (x0, y0, x1, y1), line + 2, to_yuv((r, g, b)))
            _draw_frame(planes, (x0 + 1, y0 + 1, x1 - 1, y1 - 1), line, to_yuv(box.rgb))
    for box, (x0, y0, x1, y1) in zip(boxes, corners, strict=True):
        if box.text and x1 - x0 > 2 and y1 - y0 > 2:
            draw_chip_on(planes, box.text, (x0, y0 - chip_sides(size)[1]), box.rgb, taken=taken, inside_y=y0)


def draw_path_on(planes: Planes, points_xy: Array, rgb: RGB, *, line_px: int = 2, closed: bool = False) -> None:
    """Draw a line through points.

    Args:
        planes: Written to.
        points_xy: (N, 2) in pixels.
        rgb: Colour.
        line_px: Width.
        closed: From the last point to the first too.
    """
    y, u, v = to_yuv(rgb)
    # Coordinates in sixteenths of a pixel, so that slow lines do not jump.
    at = np.round(np.asarray(points_xy, np.float64) * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(planes.luma, [at], closed, y, line_px, cv2.LINE_AA, 4)
    for plane, value in zip(planes.chroma, (u, v), strict=True):
        cv2.polylines(plane, [at // 2], closed, value, max(1, line_px // 2), cv2.LINE_AA, 4)


def draw_chip_on(
    planes: Planes,
    text: str,
    point_xy: tuple[float, float],
    rgb: RGB,
    *,
    taken: list[tuple[int, int, int, int]],
    inside_y: int | None = None,
) -> None:
    """Write a label on a chip; see `szem.media.drawing.place_label` for where."""
    chip = _chip(text, rgb, text_px_of(planes), planes.width_px)
    if chip is None:
        return
    tall, wide = chip.y.shape
    if tall > planes.height_px or wide > planes.width_px:
        return
    x, y = place_label(point_xy, (wide, tall), (planes.width_px, planes.height_px), taken=taken, inside_y=inside_y)
    x, y = x // 2 * 2, y // 2 * 2  # the colour planes have half the places
    _blend(planes.luma[y : y + tall, x : x + wide], chip.y, chip.alpha)
    for plane, part in zip(planes.chroma, (chip.u, chip.v), strict=True):
        _blend(plane[y // 2 : (y + tall) // 2, x // 2 : (x + wide) // 2], part, chip.alpha_half)


@lru_cache(maxsize=512)
def to_yuv(rgb: RGB) -> tuple[int, int, int]:
    """A colour as brightness 16..235 and colour differences 16..240. Source: ITU-R BT.601.

    >>> to_yuv((255, 255, 255)), to_yuv((0, 0, 0)), to_yuv((255, 0, 0))
    ((235, 128, 128), (16, 128, 128), (81, 90, 240))
    """
    r, g, b = (c / 255 for c in rgb)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    return round(16 + 219 * luma), round(128 + 112 * (b - luma) / 0.886), round(128 + 112 * (r - luma) / 0.701)


@dataclass(frozen=True, eq=False)
class _Chip:
    """A label in the video's own form, with how much of it covers what is below (0..256)."""

    y: NDArray[np.uint16]
    u: NDArray[np.uint16]
    v: NDArray[np.uint16]
    alpha: NDArray[np.uint16]
    alpha_half: NDArray[np.uint16]


@lru_cache(maxsize=_CHIPS)
def _chip(text: str, rgb: RGB, size: int, margin_px: int) -> _Chip | None:
    pad, tall = chip_sides(size)
    shown = fit_text(text, size, margin_px - 2 * pad)
    if not shown:
        return None
    wide, tall = (round(font_of(size).getlength(shown)) + 2 * pad + 1) // 2 * 2, (tall + 1) // 2 * 2
    color = Image.new("RGB", (wide, tall), rgb)
    write_text(ImageDraw.Draw(color), pad, tall / 2, shown, size, ink_on(rgb))
    cover = Image.new("RGB", (wide, tall))
    paste_chip(cover, 0, 0, wide, tall, size * 0.3, (255, 255, 255))
    r, g, b = (np.array(color, np.float32)[..., k] / 255 for k in range(3))
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    blue, red = (_halved(128 + 112 * (part - luma) / fraction) for part, fraction in ((b, 0.886), (r, 0.701)))
    alpha = np.array(cover, np.float32)[..., 0] * (256 / 255)
    parts = (16 + 219 * luma, blue, red, alpha, _halved(alpha))
    return _Chip(*(np.rint(part).astype(np.uint16) for part in parts))


def _halved(plane: Array) -> Array:
    height, width = plane.shape
    out: Array = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return out


def _blend(below: NDArray[np.uint8], above: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> None:
    below[:] = (below * (256 - alpha) + above * alpha) >> 8


def _draw_frame(planes: Planes, box: tuple[int, int, int, int], line: int, yuv: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box
    _draw_edges(planes.luma, box, line, yuv[0])
    half = (x0 // 2, y0 // 2, (x1 + 1) // 2, (y1 + 1) // 2)
    for plane, value in zip(planes.chroma, yuv[1:], strict=True):
        _draw_edges(plane, half, max(1, line // 2), value)


def _draw_edges(plane: NDArray[np.uint8], box: tuple[int, int, int, int], line: int, value: int) -> None:
    x0, y0, x1, y1 = box
    plane[y0 : min(y0 + line, y1), x0:x1] = value
    plane[max(y1 - line, y0) : y1, x0:x1] = value
    plane[y0:y1, x0 : min(x0 + line, x1)] = value
    plane[y0:y1, max(x1 - line, x0) : x1] = value


def _pixels(box: tuple[float, float, float, float], planes: Planes) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    return (
        int(min(max(round(x0), 0), planes.width_px)),
        int(min(max(round(y0), 0), planes.height_px)),
        int(min(max(round(x1), 0), planes.width_px)),
        int(min(max(round(y1), 0), planes.height_px)),
    )
