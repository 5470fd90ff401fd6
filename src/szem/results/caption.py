"""Sentences for one picture: words with their chances and where the network looked, likeliest sentence first.

Checked once when made, trusted afterwards. This file does not know about models or files.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, check_picture
from szem.errors import RangeError, ShapeError
from szem.media.drawing import fit_text, font_of, text_px
from szem.media.legend import Row, Section, draw_legend

__all__ = ["Caption", "Sentence", "Word"]


@dataclass(frozen=True, eq=False)
class Word:
    """One word of a sentence."""

    text: str
    chance: float  # that this word comes next, 0..1
    looked: NDArray[np.float32] | None = None  # (h, w) over the whole picture, adds up to 1; None: not told
    others: tuple[tuple[str, float], ...] = ()  # what else might have come, with chances, likeliest first

    def __post_init__(self) -> None:
        _check_share(f"chance of {self.text!r}", self.chance)
        if self.looked is not None and (self.looked.ndim != 2 or 0 in self.looked.shape):
            raise ShapeError(f"where {self.text!r} looked must be (h, w), got {self.looked.shape}")


@dataclass(frozen=True, eq=False)
class Sentence:
    """One sentence: its words, and the chance of exactly these words."""

    words: tuple[Word, ...]
    probability: float  # of the whole sentence, its end included, 0..1
    ending: Word | None = None  # the end mark: its chance and what else might have come

    def __post_init__(self) -> None:
        _check_share("a sentence's probability", self.probability)

    @property
    def text(self) -> str:
        """The words as one string."""
        return _join(word.text for word in self.words)


@dataclass(frozen=True, eq=False)
class Caption:
    """What a picture shows, in a sentence; further sentences after the best.

    Args:
        sentences: At least one, the best first.
        confidence: 0..1, how often sentences like the first were right on pictures held back from training.
        model: The model that said so.

    >>> best = Sentence((Word("a", 0.5), Word("dog", 0.8)), probability=0.3)
    >>> Caption((best,), confidence=0.7, model="toy").text
    'a dog'
    """

    sentences: tuple[Sentence, ...]
    confidence: float
    model: str

    def __post_init__(self) -> None:
        if not self.sentences:
            raise RangeError("a caption needs one sentence at least, got none")
        _check_share("confidence", self.confidence)

    @property
    def text(self) -> str:
        """The best sentence."""
        return self.sentences[0].text

    @property
    def is_sure(self) -> bool:
        """Whether the sentence is more likely right than wrong."""
        return self.confidence >= 0.5

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON."""
        return {
            "model": self.model,
            "caption": self.text,
            "confidence": round(self.confidence, 4),
            "sentences": [_sentence_to_dict(sentence) for sentence in self.sentences],
        }

    def draw(self, picture: Picture8) -> Picture8:
        """The picture with a card of its sentences below.

        Args:
            picture: (H, W, 3) uint8 RGB.
        """
        rows = [Row(name=sentence.text, value=sentence.probability) for sentence in self.sentences]
        title = "Caption" if self.is_sure else f"Caption, not sure ({self.confidence:.0%})"
        return draw_legend(check_picture(picture), (Section(name="caption", title=title, rows=tuple(rows)),))

    def draw_attention(self, picture: Picture8, *, columns: int = 4, side_px: int = 240) -> Picture8:
        """A sheet with the picture once for each word of the best sentence, light where the network looked.

        Args:
            picture: (H, W, 3) uint8 RGB.
            columns: Pictures in a row.
            side_px: Longer side of one picture.
        Returns:
            (H', W', 3) uint8, new.
        Raises:
            RangeError: the words do not tell where the network looked, or `columns` or `side_px` is too small.
        """
        words = [word for word in self.sentences[0].words if word.looked is not None]
        if not words:
            raise RangeError("the caption does not tell where the network looked; ask with attention=True")
        if columns < 1 or side_px < 32:
            raise RangeError(f"columns must be 1 and side_px 32 at least, got {columns} and {side_px}")
        height, width = check_picture(picture).shape[:2]
        scale = side_px / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small: Picture8 = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        tiles = [_tile(small, None, self.text, 1.0)]
        tiles += [_tile(small, word.looked, word.text, word.chance) for word in words]
        blank = np.full_like(tiles[0], 255)
        columns = min(columns, len(tiles))
        tiles += [blank] * (-len(tiles) % columns)
        rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
        return np.concatenate(rows, axis=0)


def _tile(picture: Picture8, looked: NDArray[np.float32] | None, text: str, chance: float) -> Picture8:
    """The picture with a strip below that holds a word."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    shown = picture
    if looked is not None:
        full: Array = cv2.resize(looked, (width, height), interpolation=cv2.INTER_CUBIC)
        light = np.clip(full / max(float(full.max()), 1e-9), 0, 1)[..., None]
        shown = np.rint(picture * (0.25 + 0.75 * light)).astype(np.uint8)
    size = max(14, text_px(picture))
    strip, gap = round(size * 1.8), 6
    canvas = Image.new("RGB", (width + 2 * gap, height + strip + gap), (255, 255, 255))
    canvas.paste(Image.fromarray(shown), (gap, gap))
    label = text if looked is None else f"{text}  {chance:.0%}"
    draw = ImageDraw.Draw(canvas)
    draw.text((gap, gap + height + 4), fit_text(label, size, width), font=font_of(size), fill=(30, 32, 38))
    return np.array(canvas)


def _sentence_to_dict(sentence: Sentence) -> dict[str, Any]:
    told: dict[str, Any] = {
        "text": sentence.text,
        "probability": sentence.probability,
        "words": [_word_to_dict(word) for word in sentence.words],
    }
    if sentence.ending is not None:
        told["ending"] = _word_to_dict(sentence.ending)
    return told


def _word_to_dict(word: Word) -> dict[str, Any]:
    told: dict[str, Any] = {"text": word.text, "chance": round(word.chance, 6)}
    if word.looked is not None:
        told["looked"] = np.round(word.looked, 4).tolist()
    if word.others:
        told["others"] = [{"text": text, "chance": round(chance, 6)} for text, chance in word.others]
    return told


def _join(words: Iterator[str] | Any) -> str:
    out = ""
    for word in words:
        out += word if word[:1] == "'" or word == "n't" else f" {word}"
    return out.strip()


def _check_share(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise RangeError(f"{name} must lie in 0..1, got {value}")
