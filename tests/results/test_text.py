"""results/text.py: checked when made, equal by content, and drawn."""

import pickle

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.results.text import Text, TextBlock, TextLine, TextParagraph, TextSymbol, TextWord, corners_around

SQUARE = np.array([[0, 0], [4, 0], [4, 2], [0, 2]], np.float32)


def made() -> Text:
    symbols = tuple(TextSymbol(letter, SQUARE + np.array([4 * n, 0]), 0.5 + n / 4) for n, letter in enumerate("hi"))
    line = TextLine((TextWord(symbols, "line_break"),))
    return Text(blocks=(TextBlock((TextParagraph((line,)),)),), width=20, height=10, model="toy")


def test_it_is_equal_by_content_and_can_be_sent() -> None:
    assert made() == made()
    assert pickle.loads(pickle.dumps(made())) == made()  # noqa: S301
    assert hash(made()) == hash(made())


def test_a_word_spans_its_symbols() -> None:
    (word,) = made().words
    assert word.corners_xy.tolist() == [[0, 0], [8, 0], [8, 2], [0, 2]]
    assert word.confidence == pytest.approx(0.625)
    assert (word.text, str(made()), made().lines[0].angle_deg) == ("hi", "hi", 0)


def test_it_says_in_one_line_what_it_holds() -> None:
    assert repr(made()) == "Text(1 lines, 'hi')"
    assert repr(made().words[0]) == "TextWord('hi', confidence 62%)"
    assert repr(Text(blocks=(), width=1, height=1)) == "Text(no text)"


def test_json_has_symbols_when_asked_for() -> None:
    plain, whole = made().to_dict(), made().to_dict(symbols=True)
    word = plain["blocks"][0]["paragraphs"][0]["lines"][0]["words"][0]
    assert word == {"corners_xy": [[0, 0], [8, 0], [8, 2], [0, 2]], "confidence": 0.625, "text": "hi",
                    "break_after": "line_break"}  # fmt: skip
    assert [s["text"] for s in whole["blocks"][0]["paragraphs"][0]["lines"][0]["words"][0]["symbols"]] == ["h", "i"]


def test_frames_are_drawn_on_the_picture_it_belongs_to() -> None:
    picture = np.full((10, 20, 3), 255, np.uint8)
    assert (made().draw(picture) != picture).any()
    with pytest.raises(ShapeError, match="picture is 5×5, the text is of one of 20×10"):
        made().draw(np.zeros((5, 5, 3), np.uint8))
    assert made()._repr_png_()[1:4] == b"PNG"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TextSymbol("a", SQUARE[:3], 0.5), ShapeError, r"corners must be \(4, 2\), got \(3, 2\)"),
        (lambda: TextSymbol("a", SQUARE * np.nan, 0.5), RangeError, "corners must be finite"),
        (lambda: TextSymbol("a", SQUARE, 1.5), RangeError, "confidence of a symbol must be in 0..1, got 1.5"),
        (lambda: TextWord(()), RangeError, "a word has one symbol at least"),
        (lambda: TextLine(()), RangeError, "a line has one word at least"),
        (lambda: Text(blocks=(), width=0, height=3), RangeError, "the picture must have pixels"),
    ],
)
def test_what_cannot_be_is_refused(make: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()  # type: ignore[operator]


def test_a_rectangle_around_turned_pieces_is_turned_with_them() -> None:
    turned = SQUARE @ np.array([[0, 1], [-1, 0]], np.float32)  # runs down the page
    around = corners_around([turned, turned + np.array([0, 10])])
    assert around == pytest.approx(np.array([[0, 0], [0, 14], [-2, 14], [-2, 0]]), abs=1e-5)
