"""The text in a picture: blocks, paragraphs, lines, words and symbols, each with its corners and confidence.

Corners lie in the text's own orientation: the first is where reading begins, so they rotate with the text. Checked
once when made, trusted afterwards. This file does not know about networks or files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value
from szem.errors import RangeError, ShapeError
from szem.media.drawing import color_of, draw_lines
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import TupleResult, canvas, to_png

__all__ = [
    "Break",
    "Corners",
    "Text",
    "TextBlock",
    "TextLine",
    "TextParagraph",
    "TextSymbol",
    "TextWord",
    "as_corners",
    "corners_around",
]

Break = Literal["", "space", "line_wrap", "line_break"]
"""What follows a word: nothing, a space, the end of a line within a paragraph, or the end of a paragraph."""

Corners = NDArray[np.float32]
"""(4, 2) pixels: top left, top right, bottom right, bottom left, as the text is read."""

_BREAK_TEXT: dict[Break, str] = {"": "", "space": " ", "line_wrap": "\n", "line_break": "\n"}
_SHOWN = 40  # letters in one line of a notebook


@dataclass(frozen=True, eq=False, repr=False)
class TextSymbol(Value):
    """One letter, digit or mark."""

    text: str
    corners_xy: Corners
    confidence: float  # 0..1: the recogniser's probability of it

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners_xy", as_corners(self.corners_xy))
        _check_fraction("confidence of a symbol", self.confidence)
        super().__post_init__()

    def summary(self) -> str:
        """The symbol and its confidence."""
        return f"{self.text!r}, confidence {self.confidence:.0%}"


@dataclass(frozen=True, eq=False, repr=False)
class TextWord(TupleResult[TextSymbol]):
    """One word: its symbols, and what follows it.

    Raises:
        RangeError: it has no symbol.
    """

    _field = "symbols"

    symbols: tuple[TextSymbol, ...]
    break_after: Break = ""

    def __post_init__(self) -> None:
        if not self.symbols:
            raise RangeError("a word has one symbol at least, got none")
        super().__post_init__()

    @property
    def text(self) -> str:
        """Its letters."""
        return "".join(symbol.text for symbol in self.symbols)

    @property
    def confidence(self) -> float:
        """Mean of its symbols', 0..1."""
        return _mean(symbol.confidence for symbol in self.symbols)

    @property
    def corners_xy(self) -> Corners:
        """(4, 2) from the start of its first symbol to the end of its last."""
        first, last = self.symbols[0].corners_xy, self.symbols[-1].corners_xy
        return np.stack([first[0], last[1], last[2], first[3]])

    def summary(self) -> str:
        """The word and its confidence."""
        return f"{self.text!r}, confidence {self.confidence:.0%}"


@dataclass(frozen=True, eq=False, repr=False)
class TextLine(TupleResult[TextWord]):
    """One line: its words from first to last.

    Raises:
        RangeError: it has no word.
    """

    _field = "words"

    words: tuple[TextWord, ...]

    def __post_init__(self) -> None:
        if not self.words:
            raise RangeError("a line has one word at least, got none")
        super().__post_init__()

    @property
    def text(self) -> str:
        """Its words, with single spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean of its words', 0..1."""
        return _mean(word.confidence for word in self.words)

    @property
    def corners_xy(self) -> Corners:
        """(4, 2) from the start of its first word to the end of its last."""
        first, last = self.words[0].corners_xy, self.words[-1].corners_xy
        return np.stack([first[0], last[1], last[2], first[3]])

    @property
    def angle_deg(self) -> float:
        """How far it is turned clockwise, −180..180."""
        along = self.corners_xy[1] - self.corners_xy[0]
        return float(np.degrees(np.arctan2(along[1], along[0])))

    def summary(self) -> str:
        """The beginning of the line and its confidence."""
        return f"{_short(self.text)!r}, confidence {self.confidence:.0%}"


@dataclass(frozen=True, eq=False, repr=False)
class TextParagraph(TupleResult[TextLine]):
    """Lines that belong together."""

    _field = "lines"

    lines: tuple[TextLine, ...]

    @property
    def words(self) -> tuple[TextWord, ...]:
        """All its words."""
        return tuple(word for line in self.lines for word in line)

    @property
    def text(self) -> str:
        """Its lines."""
        return _joined(self.words)

    @property
    def confidence(self) -> float:
        """Mean of its lines', 0..1."""
        return _mean(line.confidence for line in self.lines)

    @property
    def corners_xy(self) -> Corners:
        """(4, 2) the rectangle around its lines, turned as they are."""
        return corners_around([line.corners_xy for line in self.lines])

    def summary(self) -> str:
        """How many lines, and the beginning."""
        return f"{len(self)} lines, {_short(self.text)!r}"


@dataclass(frozen=True, eq=False, repr=False)
class TextBlock(TupleResult[TextParagraph]):
    """A column, heading or caption: paragraphs one below the other."""

    _field = "paragraphs"

    paragraphs: tuple[TextParagraph, ...]
    languages: tuple[tuple[str, float], ...] = ()  # BCP-47 code and confidence, as in `Text`

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """All its lines."""
        return tuple(line for paragraph in self.paragraphs for line in paragraph)

    @property
    def text(self) -> str:
        """Its paragraphs."""
        return _joined(word for paragraph in self.paragraphs for word in paragraph.words)

    @property
    def confidence(self) -> float:
        """Mean of its lines', 0..1."""
        return _mean(line.confidence for line in self.lines)

    @property
    def corners_xy(self) -> Corners:
        """(4, 2) the rectangle around its lines, turned as they are."""
        return corners_around([line.corners_xy for line in self.lines])

    def summary(self) -> str:
        """How many paragraphs, and the beginning."""
        return f"{len(self)} paragraphs, {_short(self.text)!r}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Text(TupleResult[TextBlock]):
    """The text in a picture, in reading order; `len(text)` is the number of blocks, 0 where there is no text.

    Raises:
        RangeError: a picture without pixels, or confidences outside 0..1.
    """

    _field = "blocks"

    blocks: tuple[TextBlock, ...]
    width: int  # of the picture, in pixels
    height: int
    languages: tuple[tuple[str, float], ...] = ()  # BCP-47 code and confidence; empty where there is too little text
    model: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise RangeError(f"the picture must have pixels, got {self.width}×{self.height}")
        for code, confidence in self.languages:
            _check_fraction(f"confidence of language {code!r}", confidence)
        super().__post_init__()

    def summary(self) -> str:
        """How many lines, and the beginning."""
        return f"{len(self.lines)} lines, {_short(self.text)!r}" if self.lines else "no text"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.width, self.height)))

    def __str__(self) -> str:
        return self.text

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """All lines, in reading order."""
        return tuple(line for block in self.blocks for line in block.lines)

    @property
    def words(self) -> tuple[TextWord, ...]:
        """All words, in reading order."""
        return tuple(word for line in self.lines for word in line)

    @property
    def text(self) -> str:
        """Everything, a line of the picture on a line."""
        return _joined(self.words)

    @property
    def confidence(self) -> float:
        """Mean of the lines', 0..1; 0 where there is no text."""
        return _mean(line.confidence for line in self.lines)

    def draw(self, picture: PictureLike) -> Picture8:
        """Draw a frame around each line, a colour to a block.

        Args:
            picture: What `as_picture` takes, of the size the text belongs to.
        Raises:
            ShapeError: another size.
        """
        picture = as_picture(picture)
        if picture.shape[:2] != (self.height, self.width):
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the text is of one of "
                f"{self.width}×{self.height}; give that one"
            )
        for place, block in enumerate(self.blocks):
            frames = [line.corners_xy for line in block.lines]
            picture = draw_lines(picture, frames, closed=[True] * len(frames), color=color_of(place))
        return picture

    def to_dict(self, *, symbols: bool = False) -> dict[str, Any]:
        """JSON types.

        Args:
            symbols: Each word's symbols too.
        """
        return {
            "model": self.model,
            "width": self.width,
            "height": self.height,
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "languages": [{"code": code, "confidence": round(value, 4)} for code, value in self.languages],
            "blocks": [
                {
                    **_place(block),
                    "languages": [{"code": code, "confidence": round(value, 4)} for code, value in block.languages],
                    "paragraphs": [
                        {
                            **_place(paragraph),
                            "lines": [
                                {
                                    **_place(line),
                                    "text": line.text,
                                    "words": [_word_to_dict(word, symbols=symbols) for word in line],
                                }
                                for line in paragraph
                            ],
                        }
                        for paragraph in block
                    ],
                }
                for block in self.blocks
            ],
        }


def as_corners(corners: Any) -> Corners:
    """Four points as an array.

    Raises:
        ShapeError: not four points.
        RangeError: not finite.
    """
    points = np.asarray(corners, np.float32)
    if points.shape != (4, 2):
        raise ShapeError(f"corners must be (4, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise RangeError("corners must be finite")
    return points


def corners_around(several: Sequence[Corners]) -> Corners:
    """The smallest rectangle around quadrangles that is turned as the first of them is.

    >>> square = np.array([[0, 0], [2, 0], [2, 1], [0, 1]], np.float32)
    >>> corners_around([square, square + np.array([1, 4])]).tolist()
    [[0.0, 0.0], [3.0, 0.0], [3.0, 5.0], [0.0, 5.0]]
    """
    along = several[0][1].astype(np.float64) - several[0][0]
    length = float(np.hypot(*along))
    cos, sin = along / length if length > 0 else (1.0, 0.0)
    turn = np.array([[cos, -sin], [sin, cos]])  # to the picture, from a frame in which the text lies level
    level = np.concatenate(several).astype(np.float64) @ turn
    (x0, y0), (x1, y1) = level.min(axis=0), level.max(axis=0)
    return (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) @ turn.T).astype(np.float32)


def _place(part: TextBlock | TextParagraph | TextLine | TextWord | TextSymbol) -> dict[str, Any]:
    return {
        "corners_xy": [[round(float(v), 1) for v in point] for point in part.corners_xy],
        "confidence": round(part.confidence, 4),
    }


def _word_to_dict(word: TextWord, *, symbols: bool) -> dict[str, Any]:
    row: dict[str, Any] = {**_place(word), "text": word.text, "break_after": word.break_after}
    if symbols:
        row["symbols"] = [{**_place(symbol), "text": symbol.text} for symbol in word]
    return row


def _joined(words: Iterable[TextWord]) -> str:
    return "".join(word.text + _BREAK_TEXT[word.break_after] for word in words).rstrip("\n")


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _check_fraction(what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RangeError(f"{what} must be in 0..1, got {value}")
