"""What is drawn can be seen, stays inside, and leaves the picture it was given alone."""

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.media.drawing import (
    PALETTE,
    color_of,
    draw_boxes,
    draw_heat,
    draw_label,
    draw_masks,
    fit_text,
    font_of,
    ink_on,
)
from szem.media.legend import Row, Section, draw_legend


@pytest.fixture
def grey() -> np.ndarray:
    return np.full((120, 160, 3), 100, np.uint8)


def test_the_face_has_every_letter_of_hungarian_and_its_neighbours() -> None:
    missing = bytes(font_of(24).getmask("\uffff"))
    for letter in "áéíóöőúüűÁÉÍÓÖŐÚÜŰčšžłßøåćΩжЯ·…–—×•%€":
        assert bytes(font_of(24).getmask(letter)) != missing, letter


def test_boxes_are_drawn_where_they_are(grey: np.ndarray) -> None:
    before = grey.copy()
    out = draw_boxes(grey, np.array([[20, 30, 100, 90]]))
    assert (grey == before).all()
    assert out.shape == grey.shape
    assert tuple(out[60, 21]) == PALETTE[0]
    assert tuple(out[31, 60]) == PALETTE[0]
    assert (out[:30] == 100).all()
    assert (out[:, 100:] == 100).all()
    assert (out[40:80, 30:90] == 100).all()


def test_boxes_outside_the_picture_draw_nothing_and_break_nothing(grey: np.ndarray) -> None:
    out = draw_boxes(grey, np.array([[-50, -50, -10, -10], [500, 500, 600, 600]]), labels=["a", "b"])
    assert (out == grey).all()
    assert draw_boxes(grey, np.zeros((0, 4))).shape == grey.shape


def test_labels_do_not_cover_each_other(grey: np.ndarray) -> None:
    one = draw_boxes(grey, np.array([[20, 40, 100, 110]]), labels=["same"])
    two = draw_boxes(grey, np.array([[20, 40, 100, 110]] * 2), labels=["same", "same"])
    chip = lambda picture, rgb: (np.abs(picture.astype(int) - rgb).sum(axis=2) < 6).sum()  # noqa: E731
    assert chip(two, PALETTE[0]) > 150  # the first label is still there
    assert chip(two, PALETTE[1]) > 150
    assert chip(one, PALETTE[1]) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (12, 12), (2000, 1500)])
def test_every_size_of_picture_can_be_drawn_on(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    box = np.array([[0, 0, size[1], size[0]]])
    assert draw_boxes(picture, box, labels=["árvíztűrő tükörfúrógép"]).shape == picture.shape
    assert draw_label(picture, "a\nb\x07" * 300).shape == picture.shape
    section = Section(name="labels", title="Labels", rows=(Row(name="cat", value=0.5, rgb=(9, 9, 9), note="x" * 99),))
    assert draw_legend(picture, [section]).shape[1:] == picture.shape[1:]


def test_masks_tint_their_pixels_only(grey: np.ndarray) -> None:
    masks = np.zeros((1, 120, 160), bool)
    masks[0, 40:80, 50:110] = True
    out = draw_masks(grey, masks, colors=[(200, 0, 0)], opacity=0.5)
    assert out[60, 80].tolist() == [150, 50, 50]
    assert np.abs(out[40, 80].astype(int) - [200, 0, 0]).max() < 20
    assert (out[:38] == 100).all()
    plain = draw_masks(grey, masks, opacity=1.0, outline=False)
    assert (plain[masks[0]] == PALETTE[0]).all()
    assert (plain[~masks[0]] == 100).all()


def test_heat_is_brighter_where_it_is_hotter(grey: np.ndarray) -> None:
    heat = np.zeros((4, 4))
    heat[:, 3] = 1
    out = draw_heat(grey, heat).astype(int).sum(axis=2)
    assert out[:, 150].min() > out[:, 10].max()


def test_mistakes_are_said(grey: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="one a box"):
        draw_boxes(grey, np.zeros((1, 4)), labels=["a", "b"])
    with pytest.raises(ShapeError, match="as the picture"):
        draw_masks(grey, np.zeros((1, 5, 5), bool))
    with pytest.raises(RangeError, match=r"0\.\.1"):
        draw_masks(grey, np.zeros((1, 120, 160), bool), opacity=3)
    with pytest.raises(ShapeError, match="heat"):
        draw_heat(grey, np.zeros(3))
    with pytest.raises(RangeError, match="value"):
        Row(name="cat", value=1.5)


def test_ink_reads_on_every_colour() -> None:
    def light(rgb: tuple[int, int, int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for index in range(24):
        pair = sorted((light(color_of(index)), light(ink_on(color_of(index)))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.0, color_of(index)


def test_colours_of_neighbours_differ() -> None:
    for index in range(40):
        assert np.abs(np.subtract(color_of(index), color_of(index + 1))).sum() > 90


def test_texts_are_cut_to_their_width() -> None:
    for margin in (5, 40, 90, 400):
        assert font_of(14).getlength(fit_text("a rather long label indeed", 14, margin)) <= margin


def test_the_card_goes_below_and_leaves_the_picture_as_it_is() -> None:
    picture = np.full((200, 640, 3), 77, np.uint8)
    rows = tuple(Row(name=f"thing {n}", value=n / 10) for n in range(9))
    out = draw_legend(picture, [Section(name="a", title="A", rows=rows), Section(name="b", title="B", rows=())])
    assert (out[:200] == picture).all()
    assert out.shape[0] > 260
    assert out[200:].std() > 5
    assert (draw_legend(picture, []) == picture).all()
