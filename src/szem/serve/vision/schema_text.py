"""The text of a picture as Google's messages hold it: pages, blocks, paragraphs, words, symbols.

Source: googleapis, google/cloud/vision/v1/text_annotation.proto.
"""

from dataclasses import dataclass
from enum import IntEnum

from szem.serve.vision.schema_shapes import BoundingPoly

__all__ = [
    "BlockType",
    "BreakType",
    "DetectedBreak",
    "DetectedLanguage",
    "OcrBlock",
    "OcrPage",
    "OcrParagraph",
    "OcrSymbol",
    "OcrWord",
    "TextAnnotation",
    "TextProperty",
]


class BreakType(IntEnum):
    """What follows a symbol."""

    UNKNOWN = 0
    SPACE = 1
    SURE_SPACE = 2
    EOL_SURE_SPACE = 3
    HYPHEN = 4
    LINE_BREAK = 5


class BlockType(IntEnum):
    """What a block holds."""

    UNKNOWN = 0
    TEXT = 1
    TABLE = 2
    PICTURE = 3
    RULER = 4
    BARCODE = 5


@dataclass(frozen=True, kw_only=True)
class DetectedLanguage:
    """A language, as BCP-47."""

    language_code: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DetectedBreak:
    """The start or end of a piece of text."""

    type: BreakType = BreakType.UNKNOWN
    is_prefix: bool = False


@dataclass(frozen=True, kw_only=True)
class TextProperty:
    """What is known of a piece of text besides its place."""

    detected_languages: tuple[DetectedLanguage, ...] = ()
    detected_break: DetectedBreak | None = None


@dataclass(frozen=True, kw_only=True)
class OcrSymbol:
    """One letter or mark."""

    property: TextProperty | None = None
    bounding_box: BoundingPoly | None = None
    text: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OcrWord:
    """One word."""

    property: TextProperty | None = None
    bounding_box: BoundingPoly | None = None
    symbols: tuple[OcrSymbol, ...] = ()
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OcrParagraph:
    """Lines that belong together."""

    property: TextProperty | None = None
    bounding_box: BoundingPoly | None = None
    words: tuple[OcrWord, ...] = ()
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OcrBlock:
    """Paragraphs that stand together."""

    property: TextProperty | None = None
    bounding_box: BoundingPoly | None = None
    paragraphs: tuple[OcrParagraph, ...] = ()
    block_type: BlockType = BlockType.UNKNOWN
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OcrPage:
    """The whole picture."""

    property: TextProperty | None = None
    width: int = 0
    height: int = 0
    blocks: tuple[OcrBlock, ...] = ()
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TextAnnotation:
    """Everything that was read."""

    pages: tuple[OcrPage, ...] = ()
    text: str = ""
