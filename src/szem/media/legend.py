"""What is said about a picture, as rows under headings, and a card of them drawn below the picture.

The same rows make the terminal's answer, the table of a CSV file and this card, so that all three say the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from szem.arrays import Picture8, check_picture
from szem.errors import RangeError
from szem.media.drawing import RGB, fit_text, font_of, paste_chip, text_px, write_text

__all__ = ["Row", "Section", "draw_legend"]

_GROUND: RGB = (18, 20, 26)
_INK: RGB = (236, 238, 242)
_FAINT: RGB = (150, 156, 168)
_TRACK: RGB = (44, 48, 58)
_ACCENT: RGB = (86, 180, 233)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of an answer."""

    name: str
    value: float | None = None  # 0..1, shown as a bar and in per cent
    note: str = ""
    rgb: RGB | None = None  # shown as a swatch
    box_xyxy: tuple[float, float, float, float] | None = None  # in pixels of the picture

    def __post_init__(self) -> None:
        if self.value is not None and not 0 <= self.value <= 1:
            raise RangeError(f"the value of row {self.name!r} must be in 0..1, got {self.value}")


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows under one heading."""

    name: str  # its name in `szem.tasks.look.look_parts`
    title: str
    rows: tuple[Row, ...]


def draw_legend(picture: Picture8, sections: Sequence[Section], *, most_rows: int = 5) -> Picture8:
    """Add a card below a picture that shows the first rows of each section, in as many columns as have room.

    Args:
        picture: (H, W, 3) uint8 RGB.
        sections: What to show; those without rows are left out.
        most_rows: Of each section.
    Returns:
        (H + card, W, 3) uint8 RGB; the picture itself is unchanged. Too narrow a picture gets no card.
    """
    height, width = check_picture(picture).shape[:2]
    shown = [section for section in sections if section.rows]
    size = min(text_px(picture), max(12, width // 26))
    line, pad = round(size * 1.75), size
    columns = min(len(shown), max(1, width // (size * 15)))
    if not shown or width < size * 9:
        return picture.copy()
    stacks = _deal(shown, columns, most_rows)
    tall = max(sum(1.4 + min(len(s.rows), most_rows) for s in stack) + 0.5 * (len(stack) - 1) for stack in stacks)
    canvas = Image.new("RGB", (width, height + math.ceil(tall * line) + 2 * pad), _GROUND)
    canvas.paste(Image.fromarray(picture), (0, 0))
    margin = (width - pad) / columns
    for index, stack in enumerate(stacks):
        left, y = pad + margin * index, float(height + pad)
        for section in stack:
            y = _draw_section(canvas, section, left, y, margin - pad, size, line, most_rows) + 0.5 * line
    return np.array(canvas)


def _deal(sections: Sequence[Section], columns: int, most_rows: int) -> list[list[Section]]:
    """Sections into columns, each to the shortest so far."""
    stacks: list[list[Section]] = [[] for _ in range(columns)]
    heights = [0.0] * columns
    for section in sections:
        at = heights.index(min(heights))
        stacks[at].append(section)
        heights[at] += 1.9 + min(len(section.rows), most_rows)
    return stacks


def _draw_section(
    canvas: Image.Image, section: Section, left: float, y: float, margin: float, size: int, line: int, most_rows: int
) -> float:
    """Draw one section; returns where it ends."""
    draw = ImageDraw.Draw(canvas)
    small = max(10, round(size * 0.82))
    write_text(draw, left, y + line * 0.5, fit_text(section.title.upper(), small, margin), small, _FAINT)
    y += 1.4 * line
    for row in section.rows[:most_rows]:
        x, middle = left, y + line * 0.35
        if row.rgb is not None:
            paste_chip(
                canvas, round(x), round(middle - size * 0.55), round(size * 1.1), round(size * 1.1), 3, row.rgb
            )
            x += size * 1.6
        number = "" if row.value is None else f"{row.value:.0%}"
        number_width = font_of(size).getlength(number)
        write_text(draw, left + margin - number_width, middle, number, size, _INK)
        name = fit_text(row.name, size, left + margin - x - number_width - size * 0.6)
        write_text(draw, x, middle, name, size, _INK)
        note_x = x + font_of(size).getlength(name) + size * 0.6
        if (
            font_of(small).getlength(row.note) <= left + margin - note_x - number_width - size * 0.6
        ):  # whole or not at all
            write_text(draw, note_x, middle, row.note, small, _FAINT)
        if row.value is not None:
            thin, top = max(2, size // 6), round(middle + size * 0.72)
            paste_chip(canvas, round(left), top, round(margin), thin, thin / 2, _TRACK)
            paste_chip(canvas, round(left), top, round(margin * row.value), thin, thin / 2, row.rgb or _ACCENT)
        y += line
    return y
