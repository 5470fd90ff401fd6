"""Sentences for one picture, the one with the highest confidence first: words with their probabilities and attention,
and the tags they were checked against.

Checked once when made, trusted afterwards. This file does not know about models or files.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import RangeError, ShapeError
from szem.media.drawing import RGB, fit_text, font_of, text_px
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import TupleResult, to_png

__all__ = ["Caption", "Sentence", "Source", "Tag", "Word"]

Source = Literal["model", "tags", "none"]
"""Where a caption comes from: the captioning network, confident tags alone, or nowhere: there is none."""

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
    confidence: float = 0.0  # 0..1, how often such sentences were right on pictures held out

    def __post_init__(self) -> None:
        _check_fraction("a sentence's probability", self.probability)
        _check_fraction("a sentence's confidence", self.confidence)
        super().__post_init__()

    def summary(self) -> str:
        """The words and the confidence."""
        return f"{self.text!r}, confidence {self.confidence:.0%}"

    @property
    def text(self) -> str:
        """The words as one string."""
        return _join(word.text for word in self.words)


@dataclass(frozen=True, eq=False, repr=False)
class Tag(Value):
    """One kind of object that is in the picture, with a calibrated confidence."""

    name: str  # a noun: "cat"
    confidence: float  # 0..1
    count: int = 1  # how many were seen
    box: tuple[float, float, float, float] | None = (
        None  # of the best: fractions of the sides; None: nobody knows where
    )
    color: str = ""  # of most of its middle; empty where no colour has most of it
    detail: str = ""  # what the classifier calls it more closely: "Egyptian Mau"

    def __post_init__(self) -> None:
        _check_fraction(f"confidence of {self.name!r}", self.confidence)
        if self.count < 1:
            raise RangeError(f"a tag counts one object at least, got {self.count} of {self.name!r}")
        super().__post_init__()

    @property
    def area(self) -> float:
        """Fraction of the picture that the best box covers; 0 where there is none."""
        return 0.0 if self.box is None else (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True, eq=False, repr=False)
class Caption(TupleResult[Sentence]):
    """What a picture shows, in a sentence; or a plainer sentence, or none, where the network does not know.

    Args:
        sentences: The best first; none where nothing is said. Ordered by their confidence.
        confidence: 0..1, that of the first sentence; of the best guess where nothing is said.
        model: The model that said so.
        source: "model": the network's sentence. "tags": the network was not confident, the sentence is made from
            tags. "none": not a single tag is confident; there is no caption.
        tags: What is in the picture by detector and classifier, the most confident first.
        guesses: What the network would have said where its sentence is not used.

    >>> best = Sentence((Word("a", 0.5), Word("dog", 0.8)), probability=0.3)
    >>> Caption((best,), confidence=0.7, model="toy").text
    'a dog'
    >>> Caption((), confidence=0.1, model="toy", source="none")
    Caption(none, confidence 10%)
    """

    _field = "sentences"

    sentences: tuple[Sentence, ...]
    confidence: float
    model: str
    source: Source = "model"
    tags: tuple[Tag, ...] = ()
    guesses: tuple[Sentence, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.sentences) == (self.source == "none"):
            raise RangeError(f"a caption of source {self.source!r} cannot have {len(self.sentences)} sentences")
        _check_fraction("confidence", self.confidence)
        super().__post_init__()

    def summary(self) -> str:
        """The best sentence, its confidence, and how many more there are."""
        if not self.sentences:
            return f"none, confidence {self.confidence:.0%}"
        more = f", {len(self) - 1} more" if len(self) > 1 else ""
        origin = ", from tags" if self.source == "tags" else ""
        return f"{self.text!r}, confidence {self.confidence:.0%}{origin}{more}"

    def _repr_png_(self) -> bytes:
        return to_png(self._drawn_card(_MIN_WIDTH_PX))

    @property
    def text(self) -> str:
        """The best sentence; empty where there is none."""
        return self.sentences[0].text if self.sentences else ""

    @property
    def is_confident(self) -> bool:
        """Whether there is a sentence that is more likely right than wrong."""
        return bool(self.sentences) and self.confidence >= 0.5

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON; `caption` is null where there is none."""
        return {
            "model": self.model,
            "caption": self.text or None,
            "source": self.source,
            "confidence": round(self.confidence, 4),
            "tags": [_tag_to_dict(tag) for tag in self.tags],
            "sentences": [_sentence_to_dict(sentence) for sentence in self.sentences],
            "guesses": [_sentence_to_dict(sentence) for sentence in self.guesses],
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
        origin = {"tags": ", from tags", "none": ", too low for a caption"}.get(self.source, "")
        lines = [(f"confidence {self.confidence:.0%}{origin}", _SOFT)]
        for place, sentence in enumerate(self.sentences):
            lines.append((sentence.text, _LIGHT if place == 0 else _SOFT))
        if not self.sentences:
            lines.append(("no caption", _LIGHT))
        return _card(lines, width)

    def draw_attention(self, picture: PictureLike, *, columns: int = 4, side_px: int = 240) -> Picture8:
        """A sheet with the picture once for each word of the network's best sentence, light where the network looked.

        Args:
            picture: What `as_picture` takes.
            columns: Pictures in a row.
            side_px: Longer side of one picture.
        Returns:
            (H', W', 3) uint8, new.
        Raises:
            RangeError: the words carry no attention, or `columns` or `side_px` is too small.
        """
        said = (self.guesses or self.sentences)[:1]
        words = [word for sentence in said for word in sentence.words if word.attention is not None]
        if not words:
            raise RangeError("the caption carries no attention; ask for it: attention=True")
        if columns < 1 or side_px < 32:
            raise RangeError(f"columns must be 1 and side_px 32 at least, got {columns} and {side_px}")
        picture = as_picture(picture)
        height, width = picture.shape[:2]
        scale = side_px / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small: Picture8 = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        tiles = [_tile(small, None, said[0].text, 1.0)]
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
        "confidence": round(sentence.confidence, 4),
        "probability": sentence.probability,
        "words": [_word_to_dict(word) for word in sentence.words],
    }
    if sentence.ending is not None:
        row["ending"] = _word_to_dict(sentence.ending)
    return row


def _tag_to_dict(tag: Tag) -> dict[str, Any]:
    row: dict[str, Any] = {"name": tag.name, "confidence": round(tag.confidence, 4), "count": tag.count}
    if tag.box is not None:
        row["box"] = [round(v, 4) for v in tag.box]
    if tag.color:
        row["color"] = tag.color
    if tag.detail:
        row["detail"] = tag.detail
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
