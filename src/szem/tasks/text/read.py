"""Read the text in a picture: lines are found, turned upright, recognised and put in order.

This file does not know about files, terminals or requests.
"""

from collections.abc import Sequence
from functools import cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import CardError, RangeError
from szem.media.pictures import PictureLike, as_pictures
from szem.results.text import Corners, Text, TextLine, TextSymbol, TextWord
from szem.runtime.sessions import OnnxFile, Session
from szem.tasks.models import ModelLike, as_session
from szem.tasks.text.languages import guess_languages
from szem.tasks.text.layout import arrange
from szem.tasks.text.recognition import DirectionNetwork, LineRecognizer, RecognizedLine
from szem.tasks.text.regions import MAX_SIDE_PX, MIN_SIDE_PX, RegionDetector, TextRegion

__all__ = ["DEFAULT_SIDE_PX", "TextReader", "read_text", "text_reader_of"]

DEFAULT_SIDE_PX = 1_600
_PARALLEL = np.cos(np.radians(20))
_ASKED = 12  # lines of one direction whose way up is asked for, the longest
_CLEAR = 0.2  # the mean answer lies so far from undecided, or both ways up are read
_TRIED = 3  # lines that are then read both ways up


def read_text(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    threshold: float = 0.5,
    side_px: int = DEFAULT_SIDE_PX,
    any_script: bool = False,
) -> Text:
    """Read the text in a picture: a page, a sign, a photograph, turned in any direction.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        threshold: Lines of a lower confidence are dropped, 0..1.
        side_px: Lines are looked for in a picture of this longer side, 320..2560; more finds smaller text.
        any_script: Read every script the network knows, Chinese and Japanese among them, not the Latin one only.
    Raises:
        MediaError, FileMissingError: the picture cannot be read.
        MissingExtraError: the networks are not installed: pip install 'szem[text]'.
        UnknownNameError: no such model.
        RangeError: `threshold` or `side_px` out of range.
    """
    reader = text_reader_of(as_session(model, task="text"))
    return reader(picture, threshold=threshold, side_px=side_px, any_script=any_script)


@cache
def text_reader_of(session: Session) -> "TextReader":
    """The text reader of an open model, made once."""
    return TextReader(session)


class TextReader:
    """A text model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
    Raises:
        CardError: the card lacks what a text reader needs.
        ChecksumError: a file of the model is not the card's.
        MissingExtraError: the package that carries the files is not installed.
    """

    def __init__(self, model: ModelLike | None = None) -> None:
        session = as_session(model, task="text")
        opened = session.model
        missing = {"core_threshold", "region_threshold", "grow"} - opened.card.constants.keys()
        if opened.card.head != "ctc" or missing:
            raise CardError(f"{opened.folder}: head {opened.card.head!r} or its constants are not a text reader's")
        self.session, self.card = session, opened.card
        self.regions = RegionDetector(
            OnnxFile(opened.part("regions"), threads=session.threads), opened.card.constants
        )
        self.direction = DirectionNetwork(OnnxFile(opened.part("direction"), threads=session.threads))
        self.recognizer = LineRecognizer(session)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a path of text is a sequence too
        self,
        pictures: PictureLike,
        *,
        threshold: float = 0.5,
        side_px: int = DEFAULT_SIDE_PX,
        any_script: bool = False,
    ) -> Text: ...
    @overload
    def __call__(
        self,
        pictures: Sequence[PictureLike],
        *,
        threshold: float = 0.5,
        side_px: int = DEFAULT_SIDE_PX,
        any_script: bool = False,
    ) -> list[Text]: ...
    def __call__(
        self,
        pictures: PictureLike | Sequence[PictureLike],
        *,
        threshold: float = 0.5,
        side_px: int = DEFAULT_SIDE_PX,
        any_script: bool = False,
    ) -> Text | list[Text]:
        """Read a picture, or each of several; the arguments are those of `read_text`.

        Raises:
            ShapeError, DTypeError: not a picture.
            RangeError: `threshold` or `side_px` out of range.
        """
        if not 0 <= threshold <= 1:
            raise RangeError(f"threshold must lie in 0..1, got {threshold}")
        if not MIN_SIDE_PX <= side_px <= MAX_SIDE_PX:
            raise RangeError(f"side_px must lie in {MIN_SIDE_PX}..{MAX_SIDE_PX}, got {side_px}")
        several, is_one = as_pictures(pictures)
        found = [self._one(picture, threshold, side_px, any_script) for picture in several]
        return found[0] if is_one else found

    def _one(self, picture: Picture8, threshold: float, side_px: int, any_script: bool) -> Text:
        regions = self.regions(picture, side_px=side_px)
        lines = []
        for corners in self._turned_upright(picture, regions):
            read = self.recognizer(picture, corners, any_script=any_script)
            if read.text.strip() and read.confidence >= threshold:
                lines.append(_to_line(read, corners))
        blocks = arrange(lines)
        height, width = picture.shape[:2]
        text = " ".join(line.text for block in blocks for line in block.lines)
        return Text(blocks=blocks, width=width, height=height, languages=guess_languages(text), model=self.card.name)

    def _turned_upright(self, picture: Picture8, regions: Sequence[TextRegion]) -> list[Corners]:
        """The corners of each region in the orientation of its text.

        A rectangle has two ways up; all lines of one direction share the one that most of them vote for. A region
        that is about as wide as high (a page number) goes with the lines of the picture's main direction.
        """
        long = sorted((r for r in regions if r.is_long), key=lambda r: -r.length_px)
        groups: list[tuple[NDArray[np.float64], list[TextRegion]]] = []
        for region in long:
            group = next((g for g in groups if abs(float(region.along_xy @ g[0])) >= _PARALLEL), None)
            if group is None:
                groups.append((_rightwards(region.along_xy), [region]))
            else:
                group[1].append(region)
        found: list[Corners] = []
        groups.sort(key=lambda g: -sum(region.length_px for region in g[1]))
        main = np.array([1.0, 0.0])
        for number, (along, members) in enumerate(groups):
            upright = along if self._is_upright(picture, [r.corners(along) for r in members]) else -along
            main = upright if number == 0 else main
            found += [region.corners(upright) for region in members]
        return found + [region.corners(main) for region in regions if not region.is_long]

    def _is_upright(self, picture: Picture8, lines: Sequence[Corners]) -> bool:
        asked = lines[:_ASKED]
        mean = float(self.direction(picture, asked).mean())
        if abs(mean - 0.5) >= _CLEAR and len(asked) > 1:
            return mean < 0.5
        tried = lines[:_TRIED]
        ways = [sum(self.recognizer(picture, np.roll(c, turn, axis=0)).confidence for c in tried) for turn in (0, 2)]
        return ways[0] >= ways[1]


def _rightwards(along_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction or its opposite, the one that points right; of steep ones, the one that points down."""
    is_steep = abs(along_xy[0]) < np.sin(np.radians(20))
    return along_xy if (along_xy[1] if is_steep else along_xy[0]) >= 0 else -along_xy


def _to_line(read: RecognizedLine, corners: Corners) -> TextLine:
    """Symbols to words, each with its part of the line: symbols meet half-way between their centres."""
    centres = read.centres
    between = (centres[1:] + centres[:-1]) / 2
    starts, ends = np.append(0.0, between), np.append(between, 1.0)
    words: list[TextWord] = []
    symbols: list[TextSymbol] = []
    for place, text in enumerate(read.symbols):
        if not text.isspace():
            part = _between(corners, starts[place], ends[place])
            symbols.append(TextSymbol(text, part, float(read.probabilities[place])))
        elif symbols:
            words.append(TextWord(tuple(symbols), "space"))
            symbols = []
    if symbols:
        words.append(TextWord(tuple(symbols)))
    return TextLine(tuple(words))


def _between(corners: Corners, start: float, end: float) -> Corners:
    """The part of a quadrangle between two places along its text."""
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    return np.stack(
        [corners[0] + top * start, corners[0] + top * end, corners[3] + bottom * end, corners[3] + bottom * start]
    ).astype(np.float32)
