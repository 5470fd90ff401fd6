"""runtime/prepare.py: the card's rules for pictures, checked pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from szem.errors import ShapeError
from szem.runtime.cards import PictureInput
from szem.runtime.prepare import find_window, prepare_picture


def ramp(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)


def test_a_part_of_the_right_size_is_taken_as_it_is() -> None:
    picture = ramp(256, 300)
    rules = PictureInput(width_px=224, height_px=224, crop=0.875, layout="NHWC", dtype="uint8")
    np.testing.assert_array_equal(prepare_picture(picture, rules)[0], picture[16:240, 38:262])


def test_normalisation_and_layout_by_hand() -> None:
    picture = np.full((4, 4, 3), [10, 20, 30], np.uint8)
    rules = PictureInput(width_px=4, height_px=4, mean=(10.0, 10.0, 10.0), scale=(1.0, 2.0, 4.0))
    values = prepare_picture(picture, rules)
    assert values.shape == (1, 3, 4, 4)
    assert values.dtype == np.float32
    assert values[0, :, 0, 0].tolist() == [0.0, 5.0, 5.0]
    swapped = prepare_picture(picture, rules.model_copy(update={"colours": "BGR"}))
    assert swapped[0, :, 0, 0].tolist() == [20.0, 5.0, 0.0]


@pytest.mark.parametrize("colours", ["RGB", "BGR"])
@pytest.mark.parametrize("scale", [128.0, 57.12])  # the one goes through OpenCV in one pass, the other does not
def test_the_quick_way_gives_the_same_numbers_to_the_last_bit(colours: str, scale: float) -> None:
    mean = (123.675, 116.28, 103.53)
    rules = PictureInput(width_px=20, height_px=12, resize="stretch", mean=mean, scale=(scale,) * 3, colours=colours)  # type: ignore[arg-type]
    picture = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    part = picture if colours == "RGB" else picture[..., ::-1]
    expected = ((part.astype(np.float32) - np.asarray(mean, np.float32)) / np.float32(scale)).transpose(2, 0, 1)
    prepared = prepare_picture(picture, rules)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared[0], expected)


def test_letterbox_keeps_the_sides_in_proportion_and_pads_with_grey() -> None:
    rules = PictureInput(width_px=8, height_px=8, resize="letterbox", layout="NHWC", dtype="uint8")
    values = prepare_picture(np.zeros((4, 8, 3), np.uint8), rules)[0]
    assert (values[:2] == 127).all()
    assert (values[6:] == 127).all()
    assert (values[2:6] == 0).all()


@pytest.mark.parametrize(("height", "width"), [(30, 90), (97, 61), (1, 500), (48, 64)])
def test_a_letterboxed_picture_begins_and_ends_where_cells_do(height: int, width: int) -> None:
    rules = PictureInput(width_px=64, height_px=48, resize="letterbox", mean=(127.0,) * 3, scale=(128.0,) * 3)
    window = find_window(height, width, rules, step_px=2)
    assert not any(v % 2 for v in (window.pad_left, window.pad_top, window.in_width, window.in_height))
    assert window.in_width == 64 or window.in_height == 48
    values = prepare_picture(np.zeros((height, width, 3), np.uint8), rules, step_px=2)[0]
    inside = np.zeros((48, 64), bool)
    inside[window.pad_top :, window.pad_left :][: window.in_height, : window.in_width] = True
    assert (values[:, ~inside] == 0).all()  # a border of the mean colour
    assert (values[:, inside] == np.float32(-127 / 128)).all()


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "centre-crop"])
def test_the_input_is_found_again_in_the_picture(resize: str) -> None:
    rules = PictureInput(width_px=64, height_px=48, resize=resize)  # type: ignore[arg-type]
    window = find_window(200, 300, rules)
    x0, y0, x1, y1 = window.to_picture(
        window.pad_left, window.pad_top, window.pad_left + window.in_width, window.pad_top + window.in_height
    )
    expected = (window.left, window.top, window.left + window.width, window.top + window.height)
    assert (x0, y0, x1, y1) == pytest.approx(expected)


def test_stretch_takes_the_whole_picture() -> None:
    rules = PictureInput(width_px=2, height_px=2, resize="stretch", layout="NHWC", dtype="uint8")
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, 4:] = 200
    assert prepare_picture(picture, rules)[0, :, :, 0].tolist() == [[0, 200], [0, 200]]


def test_shrinking_averages_so_that_fine_stripes_turn_grey() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, ::2] = 255
    rules = PictureInput(width_px=8, height_px=8, layout="NHWC", dtype="uint8")
    values = prepare_picture(picture, rules)
    assert 126 <= values.min() <= values.max() <= 129


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(H, W, 3\)"):
        prepare_picture(np.zeros((4, 4), np.uint8), PictureInput(width_px=2, height_px=2))


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    resize=st.sampled_from(["centre-crop", "stretch", "letterbox"]),
    crop=st.floats(0.05, 1.0),
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_picture_becomes_the_networks_input(
    height: int, width: int, resize: str, crop: float, sides: tuple[int, int]
) -> None:
    rules = PictureInput.model_validate(
        {"width_px": sides[0], "height_px": sides[1], "resize": resize, "crop": crop, "dtype": "uint8"}
    )
    window = find_window(height, width, rules)
    assert 0 <= window.left <= window.left + window.width <= width
    assert 0 <= window.top <= window.top + window.height <= height
    picture = np.full((height, width, 3), 127, np.uint8)
    values = prepare_picture(picture, rules)
    assert values.shape == (1, 3, sides[1], sides[0])
    assert (values == 127).all()
