"""Sentences for one picture: words with their probabilities and attention, most probable sentence first.

Checked once when made, trusted afterwards. This file does not know about models or files.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import RangeError, ShapeError
from szem.media.drawing import RGB, fit_text, font_of, text_px
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import TupleResult, to_png

__all__ = ["Caption", "Sentence", "Word"]

_MIN_WIDTH_PX = 480  # of a drawn picture
_GROUND, _LIGHT, _SOFT = (18, 19, 23), (245, 245, 245), (160, 163, 172)


@dataclass(frozen=True, eq=False, repr=False)
class Word(Value):
    """One word of a sentence."""

    text: str
    probability: float  # that this word comes next, 0..1
    attention: NDArray[np.float32] | None = None  # (h, w) over the whole picture, sums to 1; None: not asked for
    others: tuple[tuple[str, float], ...] = ()  # alternatives with their probabilities, most probable first

    def __post_init__(self) -> None:
        _check_fraction(f"probability of {self.text!r}", self.probability)
        if self.attention is not None and (self.attention.ndim != 2 or 0 in self.attention.shape):
            raise ShapeError(f"attention of {self.text!r} must be (h, w), got {self.attention.shape}")
        super().__post_init__()


@dataclass(frozen=True, eq=False, repr=False)
class Sentence(TupleResult[Word]):
    """One sentence: its words, and the probability of exactly these words."""

    _field = "words"

    words: tuple[Word, ...]
    probability: float  # of the whole sentence, its end included, 0..1
    ending: Word | None = None  # the end mark: its probability and the alternatives

    def __post_init__(self) -> None:
        _check_fraction("a sentence's probability", self.probability)
        super().__post_init__()

    def summary(self) -> str:
        """The words and the probability."""
        return f"{self.text!r}, probability {self.probability:.2g}"

    @property
    def text(self) -> str:
        """The words as one string."""
        return _join(word.text for word in self.words)


@dataclass(frozen=True, eq=False, repr=False)
class Caption(TupleResult[Sentence]):
    """What a picture shows, in a sentence; further sentences after the best.

    Args:
        sentences: At least one, the best first.
        confidence: 0..1, how often sentences like the first were right on pictures held out.
        model: The model that said so.

    >>> best = Sentence((Word("a", 0.5), Word("dog", 0.8)), probability=0.3)
    >>> Caption((best,), confidence=0.7, model="toy").text
    'a dog'
    """

    _field = "sentences"

    sentences: tuple[Sentence, ...]
    confidence: float
    model: str

    def __post_init__(self) -> None:
        if not self.sentences:
            raise RangeError("a caption needs one sentence at least, got none")
        _check_fraction("confidence", self.confidence)
        super().__post_init__()

    def summary(self) -> str:
        """The best sentence, its confidence, and how many more there are."""
        more = f", {len(self) - 1} more" if len(self) > 1 else ""
        return f"{self.text!r}, confidence {self.confidence:.0%}{more}"

    def _repr_png_(self) -> bytes:
        return to_png(self._drawn_card(_MIN_WIDTH_PX))

    @property
    def text(self) -> str:
        """The best sentence."""
        return self.sentences[0].text

    @property
    def is_confident(self) -> bool:
        """Whether the sentence is more likely right than wrong."""
        return self.confidence >= 0.5

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

    def draw(self, picture: PictureLike) -> Picture8:
        """The picture with a card of its sentences below; small ones are enlarged so that the card has room.

        Args:
            picture: What `as_picture` takes.
        """
        picture = as_picture(picture)
        height, width = picture.shape[:2]
        grow = _MIN_WIDTH_PX / width
        if grow > 1:
            size = (_MIN_WIDTH_PX, max(1, min(round(height * grow), 4 * _MIN_WIDTH_PX)))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        return np.concatenate((picture, self._drawn_card(picture.shape[1])), axis=0)

    def _drawn_card(self, width: int) -> Picture8:
        lines = [(f"confidence {self.confidence:.0%}" + ("" if self.is_confident else ", not sure"), _SOFT)]
        for place, sentence in enumerate(self.sentences):
            lines.append((sentence.text, _LIGHT if place == 0 else _SOFT))
        return _card(lines, width)

    def draw_attention(self, picture: PictureLike, *, columns: int = 4, side_px: int = 240) -> Picture8:
        """A sheet with the picture once for each word of the best sentence, light where the network looked.

        Args:
            picture: What `as_picture` takes.
            columns: Pictures in a row.
            side_px: Longer side of one picture.
        Returns:
            (H', W', 3) uint8, new.
        Raises:
            RangeError: the words carry no attention, or `columns` or `side_px` is too small.
        """
        words = [word for word in self.sentences[0].words if word.attention is not None]
        if not words:
            raise RangeError("the caption carries no attention; ask for it: attention=True")
        if columns < 1 or side_px < 32:
            raise RangeError(f"columns must be 1 and side_px 32 at least, got {columns} and {side_px}")
        picture = as_picture(picture)
        height, width = picture.shape[:2]
        scale = side_px / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small: Picture8 = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        tiles = [_tile(small, None, self.text, 1.0)]
        tiles += [_tile(small, word.attention, word.text, word.probability) for word in words]
        blank = np.full_like(tiles[0], 255)
        columns = min(columns, len(tiles))
        tiles += [blank] * (-len(tiles) % columns)
        rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
        return np.concatenate(rows, axis=0)


def _tile(picture: Picture8, attention: NDArray[np.float32] | None, text: str, probability: float) -> Picture8:
    """The picture with a strip below that holds a word."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    shown = picture
    if attention is not None:
        full: Array = cv2.resize(attention, (width, height), interpolation=cv2.INTER_CUBIC)
        minimum, most = float(attention.min()), float(attention.max())
        light = np.clip((full - minimum) / max(most - minimum, 1e-9), 0, 1)[..., None]
        shown = np.rint(picture * (0.25 + 0.75 * light)).astype(np.uint8)
    size = max(14, text_px(picture))
    strip, gap = round(size * 1.8), 6
    canvas = Image.new("RGB", (width + 2 * gap, height + strip + gap), (255, 255, 255))
    canvas.paste(Image.fromarray(shown), (gap, gap))
    label = text if attention is None else f"{text}  {probability:.0%}"
    draw = ImageDraw.Draw(canvas)
    draw.text((gap, gap + height + 4), fit_text(label, size, width), font=font_of(size), fill=(30, 32, 38))
    return np.array(canvas)


def _card(lines: Sequence[tuple[str, RGB]], width: int) -> Picture8:
    """Lines of text on a dark ground, broken where they are too long."""
    from PIL import Image, ImageDraw

    size = max(16, round(width / 34))
    font, margin = font_of(size), round(size * 1.2)
    broken: list[tuple[str, RGB]] = []
    for text, ink in lines:
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width - 2 * margin:
                broken.append((line, ink))
                longer = word
            line = longer
        broken.append((line, ink))
    canvas = Image.new("RGB", (width, 2 * margin + round(1.5 * size * len(broken))), _GROUND)
    draw = ImageDraw.Draw(canvas)
    for place, (line, ink) in enumerate(broken):
        draw.text((margin, margin + round(1.5 * size * place)), fit_text(line, size, width), font=font, fill=ink)
    return np.array(canvas)


def _sentence_to_dict(sentence: Sentence) -> dict[str, Any]:
    row: dict[str, Any] = {
        "text": sentence.text,
        "probability": sentence.probability,
        "words": [_word_to_dict(word) for word in sentence.words],
    }
    if sentence.ending is not None:
        row["ending"] = _word_to_dict(sentence.ending)
    return row


def _word_to_dict(word: Word) -> dict[str, Any]:
    row: dict[str, Any] = {"text": word.text, "probability": round(word.probability, 6)}
    if word.attention is not None:
        row["attention"] = np.round(word.attention.astype(np.float64), 4).tolist()
    if word.others:
        row["others"] = [{"text": text, "probability": round(probability, 6)} for text, probability in word.others]
    return row


def _join(words: Iterator[str] | Any) -> str:
    out = ""
    for word in words:
        out += word if word[:1] == "'" or word == "n't" else f" {word}"
    return out.strip()


def _check_fraction(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise RangeError(f"{name} must lie in 0..1, got {value}")
