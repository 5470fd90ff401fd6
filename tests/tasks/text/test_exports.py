"""hOCR and PDF hold every word at its place."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from szem.results.text import Text, TextBlock, TextLine, TextParagraph, TextSymbol, TextWord
from szem.tasks.text.hocr import to_hocr
from szem.tasks.text.pdf import to_pdf

PICTURE = np.full((100, 300, 3), 255, np.uint8)


def word(text: str, corners: list[list[float]], break_after: str = "space") -> TextWord:
    return TextWord((TextSymbol(text, np.array(corners), 0.5),), break_after)  # type: ignore[arg-type]


@pytest.fixture
def page() -> Text:
    level = TextLine(
        (
            word("tűz", [[10, 20], [60, 20], [60, 40], [10, 40]]),
            word("<&\"'>", [[70, 20], [120, 20], [120, 40], [70, 40]], "line_break"),
        )
    )
    turned = TextLine((word("fel", [[250, 90], [250, 30], [270, 30], [270, 90]], "line_break"),))
    blocks = tuple(TextBlock((TextParagraph((line,)),)) for line in (level, turned))
    return Text(blocks=blocks, width=300, height=100, languages=(("hu", 0.9),), model="text")


def test_hocr_is_html_with_the_box_of_every_word(page: Text) -> None:
    boxes: dict[str, str] = {}

    class Reader(HTMLParser):
        inside = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            known = dict(attrs)
            if known.get("class") == "ocrx_word":
                self.inside = known["title"] or ""

        def handle_data(self, data: str) -> None:
            if self.inside:
                boxes[data] = self.inside
                self.inside = ""

    text = to_hocr(page, name='o"n<e.png')
    Reader().feed(text)
    assert boxes == {
        "tűz": "bbox 10 20 60 40; x_wconf 50",
        "<&\"'>": "bbox 70 20 120 40; x_wconf 50",
        "fel": "bbox 250 30 270 90; x_wconf 50",
    }
    assert 'lang="hu"' in text
    assert "textangle 90.0" in text
    assert text.count('class="ocr_line"') == 2


def test_boxes_of_hocr_stay_within_the_picture() -> None:
    outside = TextLine((word("a", [[-5, -5], [400, -5], [400, 130], [-5, 130]], "line_break"),))
    page = Text(blocks=(TextBlock((TextParagraph((outside,)),)),), width=300, height=100)
    assert set(re.findall(r"bbox ([\d ]+)", to_hocr(page))) == {"0 0 300 100"}


def test_a_pdf_has_the_picture_and_its_words_where_they_stand(page: Text) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs the extra: pip install 'szem[pdf]'")
    document = pdfium.PdfDocument(to_pdf([(PICTURE, page), (PICTURE, page)]))
    assert len(document) == 2
    shown = document[0]
    assert shown.get_size() == (150, 50)
    text = shown.get_textpage()
    assert text.get_text_range().split() == ["tűz", "<&\"'>", "fel"]
    place = text.search("tűz").get_next()
    left, bottom, right, top = text.get_charbox(place[0])
    assert 4 < left < right < 16  # the t, at half a point to a pixel
    assert 50 - 20 < (bottom + top) / 2 < 50 - 10
    up = text.search("fel").get_next()
    left, bottom, right, top = text.get_charbox(up[0])
    assert 124 < left < right < 136
    assert 4 < bottom < 16
    assert np.asarray(shown.render(scale=1).to_pil()).min() > 250, "the letters are invisible"
