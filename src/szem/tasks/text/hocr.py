"""Text as hOCR: an HTML page that holds every word with its box, as OCR tools exchange it.

Source: T. Breuel and others, hOCR 1.2, kba.github.io/hocr-spec/1.2.
"""

from collections.abc import Iterator
from html import escape
from importlib.metadata import version

import numpy as np

from szem.results.text import Text, TextBlock, TextLine, TextParagraph, TextWord

__all__ = ["to_hocr"]

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word"


def to_hocr(text: Text, *, name: str = "") -> str:
    """The page as hOCR.

    Args:
        text: Of one picture.
        name: Of the picture, for `image` in the page's title.
    """
    language = f' lang="{text.languages[0][0]}"' if text.languages else ""
    image = name.replace('"', "'")
    title = _title(f"image {_quoted(image)}", _page_box(text), "ppageno 0")
    lines = [
        "<!DOCTYPE html>",
        f"<html{language}>",
        "<head>",
        '<meta charset="utf-8">',
        f"<title>{escape(name) or 'text'}</title>",
        f'<meta name="ocr-system" content="szem {version("szem")}, {escape(text.model)}">',
        f'<meta name="ocr-capabilities" content="{_CAPABILITIES}">',
        "</head>",
        "<body>",
        f'<div class="ocr_page" id="page_1" title="{title}">',
        *(row for number, block in enumerate(text, start=1) for row in _block(text, block, number)),
        "</div>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _block(text: Text, block: TextBlock, number: int) -> Iterator[str]:
    yield f'<div class="ocr_carea" id="block_1_{number}" title="{_title(_box(block, text))}">'
    for place, paragraph in enumerate(block, start=1):
        yield f'<p class="ocr_par" id="par_1_{number}_{place}" title="{_title(_box(paragraph, text))}">'
        for row, line in enumerate(paragraph, start=1):
            yield _line(text, line, f"1_{number}_{place}_{row}")
        yield "</p>"
    yield "</div>"


def _line(text: Text, line: TextLine, mark: str) -> str:
    angle = -line.angle_deg  # hOCR counts against the clock
    turned = [f"textangle {angle:.1f}"] if abs(angle) >= 0.5 else []
    words = " ".join(_word(text, word, f"{mark}_{place}") for place, word in enumerate(line, start=1))
    return f'<span class="ocr_line" id="line_{mark}" title="{_title(_box(line, text), *turned)}">{words}</span>'


def _word(text: Text, word: TextWord, mark: str) -> str:
    title = _title(_box(word, text), f"x_wconf {round(100 * word.confidence)}")
    return f'<span class="ocrx_word" id="word_{mark}" title="{title}">{escape(word.text)}</span>'


def _title(*properties: str) -> str:
    return escape("; ".join(properties))


def _quoted(text: str) -> str:
    return f'"{text}"'


def _page_box(text: Text) -> str:
    return f"bbox 0 0 {text.width} {text.height}"


def _box(part: TextBlock | TextParagraph | TextLine | TextWord, text: Text) -> str:
    corners = np.clip(part.corners_xy, 0, (text.width, text.height))
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    return "bbox " + " ".join(str(int(v)) for v in (*low, *high))
