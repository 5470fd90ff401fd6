"""The colours of a picture, the weightiest first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.media.drawing import RGB, paste_chip
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import TupleResult, canvas, to_png

__all__ = ["Colors", "DominantColor"]


@dataclass(frozen=True, kw_only=True)
class DominantColor:
    """One dominant colour.

    >>> DominantColor(rgb=(255, 128, 0), name="orange", score=0.7, pixel_fraction=0.5).hex
    '#ff8000'
    """

    rgb: RGB
    name: str
    score: float  # 0..1: how much of the attention it draws; the scores of a picture add up to at most 1
    pixel_fraction: float  # 0..1: fraction of the pixels nearer to it than to the others

    def __post_init__(self) -> None:
        if len(self.rgb) != 3 or not all(0 <= c <= 255 for c in self.rgb):
            raise RangeError(f"a colour is three whole numbers in 0..255, got {self.rgb}")
        for what in ("score", "pixel_fraction"):
            if not 0 <= getattr(self, what) <= 1:
                raise RangeError(f"{what} of a colour must be in 0..1, got {getattr(self, what)}")

    @property
    def hex(self) -> str:
        """As in style sheets: #rrggbb."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)


@dataclass(frozen=True, eq=False, repr=False)
class Colors(TupleResult[DominantColor]):
    """The dominant colours of one picture, by falling score."""

    _field = "colors"

    colors: tuple[DominantColor, ...]

    def __post_init__(self) -> None:
        scores = [color.score for color in self.colors]
        if scores != sorted(scores, reverse=True):
            raise RangeError("colours must come with the highest score first; sort them")
        super().__post_init__()

    def summary(self) -> str:
        """How many, and the first ones."""
        return f"{len(self)}: {', '.join(f'{c.name} {c.pixel_fraction:.0%}' for c in self.colors[:4])}"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(480, 80)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words: rgb, hex, name, score, pixel_fraction of each."""
        return {
            "colors": [
                {
                    "name": color.name,
                    "hex": color.hex,
                    "rgb": list(color.rgb),
                    "score": round(color.score, 4),
                    "pixel_fraction": round(color.pixel_fraction, 4),
                }
                for color in self.colors
            ]
        }

    def draw(self, picture: PictureLike) -> Picture8:
        """Lay the palette along the lower edge; each colour is as wide as its fraction of the pixels."""
        picture = as_picture(picture)
        height, width = picture.shape[:2]
        total = sum(color.pixel_fraction for color in self.colors)
        tall = max(1, round(min(height, width) * 0.08))
        margin = tall // 2
        if not total or width <= 2 * margin + 2 or height <= tall + margin:
            return picture.copy()
        canvas = Image.fromarray(picture)
        frame = (margin - 2, height - margin - tall - 2, width - 2 * margin + 4, tall + 4)
        paste_chip(canvas, *frame, 6, (255, 255, 255))
        ends = np.cumsum([0.0] + [c.pixel_fraction / total for c in self.colors]) * (width - 2 * margin) + margin
        for color, x0, x1 in zip(self.colors, ends[:-1], ends[1:], strict=True):
            paste_chip(canvas, round(x0), height - margin - tall, round(x1) - round(x0), tall, 0, color.rgb)
        return np.array(canvas)
