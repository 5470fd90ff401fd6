"""Pictures drawn for a sentence, with the sketches they came from, and what has to be said about them.

Checked once when made, trusted afterwards. This file does not know about models or files.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value, check_picture
from szem.errors import RangeError, ShapeError
from szem.media.drawing import fit_text, font_of
from szem.results.indexing import Places, TupleResult, numbers_of, to_png

__all__ = ["GeneratedPicture", "WordInfluence", "tile_pictures"]

_GAP = 6
_GROUND, _INK = (255, 255, 255), (30, 32, 38)


@dataclass(frozen=True, eq=False, repr=False)
class GeneratedPicture(TupleResult[Picture8]):
    """What was drawn for one sentence.

    Args:
        text: The sentence.
        pictures: At least one, each (H, W, 3) uint8 RGB, all of one size.
        sketches: What stage I drew, in the same order; of another size.
        seed: From it and its place follows the noise of each picture.
        truncation: Largest magnitude of the noise.
        model: The model that drew.
        unknown: Words of the sentence that the model never learned.
        warnings: What a person should know, in sentences.
        names_subject: Whether the sentence names a flower or a bird, a part or a kind of one.
    Raises:
        RangeError: no picture, or not as many sketches.
        ShapeError: pictures of different sizes.

    >>> pictures = (np.zeros((4, 4, 3), np.uint8),)
    >>> GeneratedPicture("a red rose", pictures, pictures, 7, 1.0, "toy").seed
    7
    """

    _field = "pictures"

    text: str
    pictures: tuple[Picture8, ...] = field(repr=False)
    sketches: tuple[Picture8, ...] = field(repr=False)
    seed: int
    truncation: float
    model: str
    unknown: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    names_subject: bool = True

    def __post_init__(self) -> None:
        if not self.pictures or len(self.sketches) != len(self.pictures):
            raise RangeError(
                f"needs a picture at least and a sketch for each, got {len(self.pictures)} and {len(self.sketches)}"
            )
        for some in (self.pictures, self.sketches):
            if len({check_picture(picture).shape for picture in some}) > 1:
                raise ShapeError(f"pictures must be of one size, got {sorted({p.shape for p in some})}")
        super().__post_init__()

    def summary(self) -> str:
        """How many, for which text, and their size."""
        height, width = self.pictures[0].shape[:2]
        return f"{len(self)}: {self.text!r}, seed {self.seed}; {width}x{height}"

    def take(self, places: Places) -> Self:
        """Some of the pictures with their sketches, in the order given."""
        kept = numbers_of(places, len(self))
        return replace(
            self,
            pictures=tuple(self.pictures[i] for i in kept),
            sketches=tuple(self.sketches[i] for i in kept),
        )

    def _repr_png_(self) -> bytes:
        return to_png(self.sheet())

    def to_dict(self) -> dict[str, Any]:
        """All but the pixels, ready for JSON."""
        height, width = self.pictures[0].shape[:2]
        return {
            "model": self.model,
            "text": self.text,
            "n": len(self),
            "seed": self.seed,
            "truncation": self.truncation,
            "width": width,
            "height": height,
            "unknown": list(self.unknown),
            "warnings": list(self.warnings),
            "names_subject": self.names_subject,
        }

    def sheet(self, *, stages: bool = False, zoom: int = 1) -> Picture8:
        """All pictures side by side, the sentence below; with `stages` each sketch to the left of its picture.

        Args:
            stages: Show the sketches too, enlarged to the pictures' size.
            zoom: How many times as large.
        """
        shown: list[Picture8] = []
        size = self.pictures[0].shape[1] * zoom, self.pictures[0].shape[0] * zoom
        for sketch, picture in zip(self.sketches, self.pictures, strict=True):
            if stages:
                shown.append(np.asarray(cv2.resize(sketch, size, interpolation=cv2.INTER_NEAREST), np.uint8))
            shown.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8))
        columns = math.ceil(math.sqrt(len(self)))
        return tile_pictures(shown, columns=2 * columns if stages else columns, text=self.text)


@dataclass(frozen=True, eq=False, repr=False)
class WordInfluence(Value):
    """What one word of a sentence does to the picture."""

    word: str
    place: int  # of the word in the sentence
    change: float  # mean change of a pixel without it, as a distance in OKLab
    fraction: float  # of all words' changes, 0..1
    picture: Picture8  # the picture without the word
    where: NDArray[np.float32]  # (H, W): change of each pixel, a distance in OKLab


def tile_pictures(pictures: Sequence[Picture8], *, columns: int, text: str = "") -> Picture8:
    """Pictures of one size in rows, with a line of text below.

    >>> tile_pictures([np.zeros((8, 8, 3), np.uint8)] * 3, columns=2).shape
    (34, 34, 3)
    """
    from PIL import Image, ImageDraw

    height, width = pictures[0].shape[:2]
    columns = max(1, min(columns, len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    wide, high = columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP
    size = max(12, min(20, wide // 32))
    canvas = Image.new("RGB", (wide, high + (2 * size if text else 0)), _GROUND)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        canvas.paste(Image.fromarray(picture), (_GAP + column * (width + _GAP), _GAP + row * (height + _GAP)))
    if text:
        line = fit_text(text, size, wide - 2 * _GAP)
        ImageDraw.Draw(canvas).text((_GAP, high + size // 3), line, font=font_of(size), fill=_INK)
    return np.array(canvas)
