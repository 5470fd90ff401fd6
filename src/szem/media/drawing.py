"""Boxes, masks, heat and labels drawn on pictures: smooth edges, readable at any size, distinguishable to all eyes.

Each function returns a new picture and leaves the one it was given alone. This file does not know about results,
classes or scores: whoever calls it says what to write.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from szem.arrays import Array, Picture8, check_boxes_xyxy, check_picture
from szem.errors import RangeError, ShapeError

__all__ = [
    "PALETTE",
    "RGB",
    "chip_sides",
    "color_of",
    "draw_boxes",
    "draw_heat",
    "draw_label",
    "draw_lines",
    "draw_masks",
    "fit_text",
    "font_of",
    "ink_on",
    "paste_chip",
    "place_label",
    "text_px",
    "write_text",
]

RGB = tuple[int, int, int]

# Okabe and Ito, Color Universal Design (2008): told apart by colour-blind eyes too. Ordered so that neighbours differ
# in lightness as well as in hue.
PALETTE: tuple[RGB, ...] = (
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
    (235, 235, 235),  # near white, in place of black
)

# Inter SemiBold (SIL Open Font License, fonts/OFL.txt), cut to Latin with Hungarian, Greek, Cyrillic and punctuation.
FONT_FILE = Path(__file__).parent / "fonts" / "labels.ttf"
_CAP_HEIGHT = 0.727  # of the font's size
_SMOOTH = 4  # chips are drawn so many times larger and averaged down
_HEAT: tuple[RGB, ...] = ((13, 14, 28), (52, 40, 98), (118, 50, 122), (190, 69, 103), (238, 116, 74), (252, 182, 84), (255, 250, 215))  # fmt: skip  # noqa: E501


def color_of(index: int) -> RGB:
    """The colour of the n-th object; from the ninth on the eight colours come again, lighter and darker in turn.

    >>> color_of(0), color_of(8) == color_of(0)
    ((86, 180, 233), False)
    """
    base, turn = PALETTE[index % len(PALETTE)], index // len(PALETTE) % 3
    if turn == 0:
        return base
    toward = 255 if turn == 1 else 0
    r, g, b = (round(c + (toward - c) * 0.42) for c in base)
    return r, g, b


def ink_on(rgb: RGB) -> RGB:
    """Black or white, whichever is read better on a colour. Source: WCAG 2.2, contrast ratio.

    >>> ink_on((240, 228, 66)), ink_on((0, 60, 120))
    ((16, 18, 22), (255, 255, 255))
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (16, 18, 22) if (light + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


@lru_cache(maxsize=64)
def font_of(size_px: int) -> ImageFont.FreeTypeFont:
    """The bundled face in one size."""
    return ImageFont.truetype(FONT_FILE, size_px, layout_engine=ImageFont.Layout.BASIC)


def text_px(picture: Array) -> int:
    """A text size that suits a picture: 12 px at least, growing with the picture."""
    height, width = picture.shape[:2]
    return max(12, round(math.sqrt(height * width) * 0.03))


def fit_text(text: str, size_px: int, margin_px: float) -> str:
    """Cut a text so that it fits a width; control characters become spaces.

    >>> fit_text("Egyptian cat", 12, 1000), fit_text("Egyptian cat", 12, 50).endswith("…"), fit_text("cat", 12, 1)
    ('Egyptian cat', True, '')
    """
    font = font_of(size_px)
    clean = "".join(c if c.isprintable() else " " for c in text[:400]).strip()
    if font.getlength(clean) <= margin_px:
        return clean
    low, high = 0, len(clean)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(clean[:middle].rstrip() + "…") <= margin_px:
            low = middle
        else:
            high = middle - 1
    return clean[:low].rstrip() + "…" if low else ""


def write_text(draw: ImageDraw.ImageDraw, x: float, middle_y: float, text: str, size_px: int, ink: RGB) -> None:
    """Write one line whose capitals are centred on `middle_y`."""
    draw.text((x, middle_y + size_px * _CAP_HEIGHT / 2), text, font=font_of(size_px), fill=ink, anchor="ls")


def paste_chip(canvas: Image.Image, x: int, y: int, width: int, height: int, radius: float, rgb: RGB) -> None:
    """Lay a filled rectangle with smooth round corners on the canvas."""
    if width <= 0 or height <= 0:
        return
    mask = Image.new("L", (width * _SMOOTH, height * _SMOOTH), 0)
    box = (0, 0, width * _SMOOTH - 1, height * _SMOOTH - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=radius * _SMOOTH, fill=255)
    canvas.paste(rgb, (x, y), mask.resize((width, height), Image.Resampling.BOX))


def draw_label(
    picture: Picture8, text: str, *, point_xy: tuple[float, float] = (0, 0), rgb: RGB = PALETTE[0]
) -> Picture8:
    """Write a label on a chip of a colour, its upper left corner at a point, moved so that it stays inside.

    Args:
        picture: (H, W, 3) uint8 RGB.
        text: One line; cut with … where the picture is too narrow.
        point_xy: In pixels.
        rgb: Colour of the chip; the ink is black or white as reads better.

    >>> draw_label(np.zeros((40, 120, 3), np.uint8), "szem").shape
    (40, 120, 3)
    """
    canvas = Image.fromarray(check_picture(picture))
    _chip_with_text(canvas, text, point_xy, rgb, text_px(picture), taken=[])
    return np.array(canvas)


def draw_boxes(
    picture: Picture8,
    boxes_xyxy: Array,
    *,
    labels: Sequence[str] = (),
    colors: Sequence[RGB] = (),
    lines: Sequence[bool] = (),
) -> Picture8:
    """Draw boxes, each with a label that stays inside the picture and off the other labels where there is room.

    Args:
        picture: (H, W, 3) uint8 RGB.
        boxes_xyxy: (N, 4) in pixels; what lies outside the picture is not drawn.
        labels: N texts, or none.
        colors: N colours; without them the n-th box has the n-th colour of the palette.
        lines: Whether each is drawn, or only its label; without it all are.
    Raises:
        ShapeError: not as many labels, colours or lines as boxes.

    >>> draw_boxes(np.zeros((90, 90, 3), np.uint8), np.array([[10, 20, 60, 80]]), labels=["cat"]).any()
    np.True_
    """
    boxes = check_boxes_xyxy(boxes_xyxy)
    for name, given in (("labels", labels), ("colors", colors), ("lines", lines)):
        if given and len(given) != len(boxes):
            raise ShapeError(f"{name} must be one a box: {len(given)} for {len(boxes)} boxes; leave out or add some")
    height, width = check_picture(picture).shape[:2]
    size = text_px(picture)
    line = max(2, round(size / 7))
    inks = [colors[i] if colors else color_of(i) for i in range(len(boxes))]
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    for place, (box, rgb) in enumerate(zip(boxes, inks, strict=True)):
        x0, y0, x1, y1 = _pixels(box, width, height)
        if x1 > x0 and y1 > y0 and (not lines or lines[place]):
            halo = tuple(round(c * 0.25) for c in rgb)
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=halo, width=line + 2)
            inner = (x0 + 1, y0 + 1, max(x0 + 1, x1 - 2), max(y0 + 1, y1 - 2))
            draw.rectangle(inner, outline=rgb, width=line)
    taken: list[tuple[int, int, int, int]] = []
    for box, rgb, text in zip(boxes, inks, labels, strict=False):
        x0, y0, x1, y1 = _pixels(box, width, height)
        if text and x1 > x0 and y1 > y0:
            _chip_with_text(canvas, text, (x0, y0 - round(size * 1.5)), rgb, size, taken=taken, inside_y=y0)
    return np.array(canvas)


def draw_masks(
    picture: Picture8, masks: Array, *, colors: Sequence[RGB] = (), opacity: float = 0.45, outline: bool = True
) -> Picture8:
    """Tint the pixels of each mask and draw its outline.

    Args:
        picture: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool, of the picture's size; later ones lie on top.
        colors: N colours; without them the n-th mask has the n-th colour of the palette.
        opacity: 0 shows the picture alone, 1 the colour alone.
        outline: Draw the edge of each mask in full colour.
    Raises:
        ShapeError: the masks are not of the picture's size, or there are not as many colours.
        RangeError: opacity is not in 0..1.
    """
    height, width = check_picture(picture).shape[:2]
    masks = np.asarray(masks)
    if masks.ndim != 3 or masks.shape[1:] != (height, width):
        raise ShapeError(f"masks must be (N, {height}, {width}) as the picture, got {masks.shape}; resize them first")
    if colors and len(colors) != len(masks):
        raise ShapeError(f"colors must be one a mask: {len(colors)} for {len(masks)} masks")
    if not 0 <= opacity <= 1:
        raise RangeError(f"opacity must be in 0..1, got {opacity}")
    out = picture.copy()
    line = max(1, round(text_px(picture) / 9))
    for index, mask in enumerate(masks):
        rgb = colors[index] if colors else color_of(index)
        inside = mask.astype(bool)
        out[inside] = np.rint(out[inside] * (1 - opacity) + np.array(rgb) * opacity).astype(np.uint8)
        if outline:
            edges, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(out, edges, -1, rgb, line, cv2.LINE_AA)
    return out


def draw_lines(picture: Picture8, lines: Sequence[Array], *, closed: Sequence[bool] = (), color: RGB) -> Picture8:
    """Draw lines through points, each on a thin dark halo.

    Args:
        picture: (H, W, 3) uint8 RGB.
        lines: Each (n, 2) points in pixels; what lies outside the picture is not drawn.
        closed: Whether each line ends where it began.
        color: Of all of them.
    """
    out = picture.copy()
    width = max(1, round(text_px(picture) / 10))
    far = 1 << 14  # OpenCV draws no further
    paths = [np.rint(np.clip(line, -far, far) * 8).astype(np.int32) for line in lines]
    halo = tuple(round(c * 0.25) for c in color)
    for ink, wide in ((halo, width + 1), (color, width)):
        for place, path in enumerate(paths):
            is_closed = bool(closed) and closed[place]
            cv2.polylines(out, [path], is_closed, ink, wide, cv2.LINE_AA, shift=3)
    return out


def draw_heat(picture: Picture8, heat: Array, *, opacity: float = 0.6) -> Picture8:
    """Lay a map of heat over a grey copy of the picture: dark violet for 0, through red, to bright for 1.

    Args:
        picture: (H, W, 3) uint8 RGB.
        heat: (h, w) float in 0..1, of any size; it is stretched over the picture.
        opacity: 0 shows the picture alone, 1 the heat alone.
    Raises:
        ShapeError: heat is not (h, w).
        RangeError: opacity is not in 0..1.
    """
    height, width = check_picture(picture).shape[:2]
    if heat.ndim != 2 or 0 in heat.shape:
        raise ShapeError(f"heat must be (h, w), got {heat.shape}")
    if not 0 <= opacity <= 1:
        raise RangeError(f"opacity must be in 0..1, got {opacity}")
    full = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    level = np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    mixed: Picture8 = np.rint(grey * (1 - opacity) + _heat_table()[level] * opacity).astype(np.uint8)
    return mixed


@lru_cache(maxsize=1)
def _heat_table() -> Array:
    """(256, 3) float32: the heat's colour at each level."""
    at = np.linspace(0, len(_HEAT) - 1, 256)
    anchors = np.array(_HEAT, np.float32)
    return np.stack([np.interp(at, np.arange(len(_HEAT)), anchors[:, c]) for c in range(3)], axis=1).astype(
        np.float32
    )


def _pixels(box: Array, width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (float(v) for v in box)
    return (
        int(min(max(round(x0), 0), width)),
        int(min(max(round(y0), 0), height)),
        int(min(max(round(x1), 0), width)),
        int(min(max(round(y1), 0), height)),
    )


def _chip_with_text(
    canvas: Image.Image,
    text: str,
    point_xy: tuple[float, float],
    rgb: RGB,
    size: int,
    *,
    taken: list[tuple[int, int, int, int]],
    inside_y: int | None = None,
) -> None:
    """Place a label; `taken` lists the places of labels before it and grows. `inside_y` is where it goes when the
    place above is outside the picture or taken."""
    pad, tall = chip_sides(size)
    shown = fit_text(text, size, canvas.width - 2 * pad)
    if not shown or tall > canvas.height:
        return
    wide = round(font_of(size).getlength(shown)) + 2 * pad
    x, y = place_label(point_xy, (wide, tall), canvas.size, taken=taken, inside_y=inside_y)
    paste_chip(canvas, x, y, wide, tall, size * 0.3, rgb)
    write_text(ImageDraw.Draw(canvas), x + pad, y + tall / 2, shown, size, ink_on(rgb))


def chip_sides(size_px: int) -> tuple[int, int]:
    """The room beside a label's text, and the height of its chip, in pixels."""
    return round(size_px * 0.42), round(size_px * 1.5)


def place_label(
    point_xy: tuple[float, float],
    sides: tuple[int, int],
    picture: tuple[int, int],
    *,
    taken: list[tuple[int, int, int, int]],
    inside_y: int | None = None,
) -> tuple[int, int]:
    """Find a place for a label: at a point, else stepwise below `inside_y`, inside the picture and off others.

    Args:
        point_xy: Where its upper left corner should be.
        sides: Width and height of the label.
        picture: Width and height of the picture.
        taken: The places of labels before it; grows.
        inside_y: Where it goes when the place at the point is outside the picture or taken.
    """
    (wide, tall), (width, height) = sides, picture
    x = int(min(max(point_xy[0], 0), width - wide))
    tops = [point_xy[1]] + ([] if inside_y is None else [inside_y + k * (tall + 1) for k in range(6)])
    for top in tops:
        y = int(top)
        box = (x, y, x + wide, y + tall)
        if 0 <= y <= height - tall and not any(_overlap(box, other) for other in taken):
            break
    else:
        y = int(min(max(point_xy[1], 0), height - tall))
    taken.append((x, y, x + wide, y + tall))
    return x, y


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
