"""Text as Google's messages hold it: the whole first, then its words; and pages down to symbols."""

import re
from collections.abc import Sequence

from szem.results.text import Break, Corners, Text, TextBlock, TextParagraph, TextWord
from szem.serve.status import FieldsError, Violation
from szem.serve.vision.schema import AnnotateImageResponse, EntityAnnotation
from szem.serve.vision.schema_shapes import BoundingPoly, Vertex
from szem.serve.vision.schema_text import (
    BlockType,
    BreakType,
    DetectedBreak,
    DetectedLanguage,
    OcrBlock,
    OcrPage,
    OcrParagraph,
    OcrSymbol,
    OcrWord,
    TextAnnotation,
    TextProperty,
)

__all__ = ["annotate_text", "asks_for_any_script"]

_BREAKS: dict[Break, BreakType] = {
    "space": BreakType.SPACE,
    "line_wrap": BreakType.EOL_SURE_SPACE,
    "line_break": BreakType.LINE_BREAK,
}
_CODE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}\Z")
_OTHER_SCRIPTS = frozenset({"zh", "ja", "yue"})  # which the network reads besides Latin
_NOT_READ = frozenset(
    re.findall(
        r"\w+",
        """
        am ar be bg bn el fa gu he hi hy iw ka km kn ko ky lo mk ml mn mr my ne or pa ps ru sa si
        sr ta te th ti uk ur yi
        """,
    )
)


def asks_for_any_script(hints: Sequence[str]) -> bool:
    """Whether languages are hinted at that are not written in Latin letters.

    Raises:
        FieldsError: one of them is not read here, or is no language code.

    >>> asks_for_any_script(["hu", "en-GB"]), asks_for_any_script(["zh-Hans"])
    (False, True)
    """
    for number, hint in enumerate(hints):
        where = f"imageContext.languageHints[{number}]"
        if not _CODE.match(hint):
            text = f"must be a BCP-47 code such as hu or en-GB, got {hint[:40]!r}"
        elif hint.split("-")[0].lower() in _NOT_READ:
            text = f"{hint[:40]!r} is not read here: the scripts are Latin, Chinese and Japanese; leave it out"
        else:
            continue
        raise FieldsError(f"{where}: {text}", violations=[Violation(where, text)])
    return any(hint.split("-")[0].lower() in _OTHER_SCRIPTS for hint in hints)


def annotate_text(text: Text, *, confidences: bool) -> AnnotateImageResponse:
    """The answer for a picture's text; empty where it has none.

    Args:
        text: What was read.
        confidences: Give them, as Google does for DOCUMENT_TEXT_DETECTION.
    """
    if not text.blocks:
        return AnnotateImageResponse()
    return _Writer(text, confidences).answer()


class _Writer:
    def __init__(self, text: Text, confidences: bool) -> None:
        self.text, self.confidences = text, confidences

    def answer(self) -> AnnotateImageResponse:
        text = self.text
        whole = EntityAnnotation(
            locale=text.languages[0][0] if text.languages else "",
            description=text.text,
            bounding_poly=self._upright([line.corners_xy for line in text.lines]),
        )
        words = (
            EntityAnnotation(description=word.text, bounding_poly=self._poly(word.corners_xy)) for word in text.words
        )
        page = OcrPage(
            property=_languages(text.languages),
            width=text.width,
            height=text.height,
            blocks=tuple(self._block(block) for block in text),
            confidence=self._confidence(text.confidence),
        )
        return AnnotateImageResponse(
            text_annotations=(whole, *words),
            full_text_annotation=TextAnnotation(pages=(page,), text=text.text),
        )

    def _block(self, block: TextBlock) -> OcrBlock:
        return OcrBlock(
            property=_languages(block.languages),
            bounding_box=self._poly(block.corners_xy),
            paragraphs=tuple(self._paragraph(paragraph) for paragraph in block),
            block_type=BlockType.TEXT,
            confidence=self._confidence(block.confidence),
        )

    def _paragraph(self, paragraph: TextParagraph) -> OcrParagraph:
        return OcrParagraph(
            bounding_box=self._poly(paragraph.corners_xy),
            words=tuple(self._word(word) for word in paragraph.words),
            confidence=self._confidence(paragraph.confidence),
        )

    def _word(self, word: TextWord) -> OcrWord:
        symbols = [
            OcrSymbol(
                property=_break(word.break_after) if place == len(word) - 1 else None,
                bounding_box=self._poly(symbol.corners_xy),
                text=symbol.text,
                confidence=self._confidence(symbol.confidence),
            )
            for place, symbol in enumerate(word)
        ]
        return OcrWord(
            bounding_box=self._poly(word.corners_xy),
            symbols=tuple(symbols),
            confidence=self._confidence(word.confidence),
        )

    def _confidence(self, value: float) -> float:
        return value if self.confidences else 0.0

    def _poly(self, corners: Corners) -> BoundingPoly:
        """Whole pixels within the picture, in the text's own orientation."""
        return BoundingPoly(
            vertices=tuple(
                Vertex(
                    x=min(max(round(float(x)), 0), self.text.width), y=min(max(round(float(y)), 0), self.text.height)
                )
                for x, y in corners
            )
        )

    def _upright(self, corners: Sequence[Corners]) -> BoundingPoly:
        """The rectangle around everything, parallel to the picture's sides."""
        xs = [float(x) for four in corners for x in four[:, 0]]
        ys = [float(y) for four in corners for y in four[:, 1]]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        points = ((left, top), (right, top), (right, bottom), (left, bottom))
        width, height = self.text.width, self.text.height
        return BoundingPoly(
            vertices=tuple(Vertex(x=min(max(round(x), 0), width), y=min(max(round(y), 0), height)) for x, y in points)
        )


def _languages(languages: Sequence[tuple[str, float]]) -> TextProperty | None:
    found = tuple(DetectedLanguage(language_code=code, confidence=value) for code, value in languages)
    return TextProperty(detected_languages=found) if found else None


def _break(after: Break) -> TextProperty | None:
    kind = _BREAKS.get(after)
    return None if kind is None else TextProperty(detected_break=DetectedBreak(type=kind))
