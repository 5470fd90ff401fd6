"""Lines become blocks and paragraphs in reading order; languages are named only where a text shows them."""

import numpy as np
import pytest

from szem.results.text import TextBlock, TextLine, TextSymbol, TextWord
from szem.tasks.text.languages import LANGUAGES, guess_languages
from szem.tasks.text.layout import arrange, reading_order


def line(text: str, x: float, y: float, *, width: float = 200, height: float = 20, angle_deg: float = 0) -> TextLine:
    """A line at a place of the level page, then turned around the page's corner."""
    words = text.split()
    step = width / len(words)
    turn = np.radians(angle_deg)
    way = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    made = []
    for place, word in enumerate(words):
        x0, x1 = x + step * place, x + step * (place + 1)
        corners = np.array([[x0, y], [x1, y], [x1, y + height], [x0, y + height]]) @ way
        made.append(TextWord((TextSymbol(word, corners, 0.9),), "space" if place < len(words) - 1 else ""))
    return TextLine(tuple(made))


def texts(blocks: tuple[TextBlock, ...]) -> list[list[str]]:
    return [[paragraph.text for paragraph in block] for block in blocks]


@pytest.mark.parametrize("angle_deg", [0, 30, 90, 180])
def test_paragraphs_are_parted_by_space_and_columns_by_gutters(angle_deg: float) -> None:
    lines = [
        line("head line", 0, 0, width=460, height=40, angle_deg=angle_deg),
        line("a b", 0, 80, angle_deg=angle_deg),
        line("c d", 0, 104, angle_deg=angle_deg),
        line("e f", 0, 128, angle_deg=angle_deg),
        line("g h", 0, 165, angle_deg=angle_deg),
        line("i j", 260, 80, angle_deg=angle_deg),
        line("k l", 260, 104, angle_deg=angle_deg),
    ]
    found = arrange([lines[i] for i in (4, 6, 1, 3, 0, 5, 2)])
    assert texts(found) == [["head line"], ["a b\nc d\ne f", "g h"], ["i j\nk l"]]


def test_pieces_of_a_line_are_joined() -> None:
    (block,) = arrange([line("total", 0, 0, width=60), line("due today", 75, 2, width=120)])
    assert block.text == "total due today"
    assert len(block.lines) == 1


def test_a_side_note_in_another_direction_is_a_block_of_its_own() -> None:
    note = line("side note", -100, 300, angle_deg=-90)  # runs up the page, right of the text
    found = arrange([line("a b", 0, 0), line("c d", 0, 24), note])
    assert sorted(block.text for block in found) == ["a b\nc d", "side note"]


def test_nothing_gives_nothing() -> None:
    assert arrange([]) == ()
    assert reading_order(np.zeros((0, 4))) == []


def test_overlapping_boxes_still_have_an_order() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 15], [2, 1, 12, 11]], float)
    assert reading_order(boxes) == [0, 2, 1]


SAMPLES = {
    "en": "She did not know what to say, for the letter had been written by someone who was not her friend.",
    "hu": "Nem tudta, mit mondjon, mert a levelet olyan valaki írta, aki nem volt a barátja.",
    "de": "Sie wusste nicht, was sie sagen sollte, denn der Brief war von jemandem, der nicht ihr Freund war.",
    "fr": "Elle ne savait pas que dire, car la lettre était de quelqu'un qui n'était pas son ami dans la ville.",
    "es": "No sabía qué decir, porque la carta era de alguien que no era su amigo en la ciudad.",
    "it": "Non sapeva che cosa dire, perché la lettera era di una persona che non era amica della famiglia.",
    "pl": "Nie wiedziała, co powiedzieć, bo list był od kogoś, kto nie był jej przyjacielem, ale się nie bała.",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_a_sentence_shows_its_language(code: str) -> None:
    assert guess_languages(SAMPLES[code])[0][0] == code


@pytest.mark.parametrize(
    "text", ["", "EXIT", "24 375 1848", "Potsdamer Platz 5", "np.zeros like coins markers value"]
)
def test_what_has_no_words_has_no_language(text: str) -> None:
    assert guess_languages(text) == ()


def test_every_language_of_the_table_is_written_in_lower_case() -> None:
    assert all(words == words.lower() for words, _ in LANGUAGES.values())
