"""Colours, crops and sharpness against pictures whose truth is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from szem.errors import RangeError, ShapeError
from szem.media.samples import SAMPLES, read_sample
from szem.results.colors import Colors, DominantColor
from szem.results.crops import Crop, Crops
from szem.tasks.appearance.color_names import COLOR_NAMES, name_color
from szem.tasks.appearance.crop_hints import crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.appearance.saliency import salience_map
from szem.tasks.appearance.sharpness import measure_picture

SMALL = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def composed(x: int, y: int, *, height: int = 240, width: int = 400, side: int = 70, seed: int = 0) -> np.ndarray:
    """A red disc in a blue square on grainy ground; its box is (x, y, x + side, y + side)."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.normal(120, 40, (height, width, 3)), (0, 0), 3)
    picture = np.clip(ground, 0, 255).astype(np.uint8)
    picture[y : y + side, x : x + side] = (30, 60, 170)
    return cv2.circle(picture, (x + side // 2, y + side // 2), side // 3, (230, 40, 30), -1, cv2.LINE_AA)


# Colours


def test_flat_colours_are_found_exactly() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[:, :100], picture[:, 100:300], picture[:, 300:] = (200, 30, 40), (0, 0, 255), (250, 250, 250)
    found = {color.rgb: color.pixel_fraction for color in dominant_colors(picture).colors}
    assert set(found) == {(200, 30, 40), (0, 0, 255), (250, 250, 250)}
    assert found[0, 0, 255] == pytest.approx(0.5, abs=0.005)
    assert found[200, 30, 40] == pytest.approx(0.25, abs=0.005)


def test_stripes_of_one_pixel_are_two_colours_not_their_mean() -> None:
    picture = np.zeros((800, 800, 3), np.uint8)
    picture[:, ::2] = (255, 0, 0)
    picture[:, 1::2] = (0, 160, 0)
    found = dominant_colors(picture).colors
    assert {color.rgb for color in found} == {(255, 0, 0), (0, 160, 0)}
    assert all(color.pixel_fraction == pytest.approx(0.5, abs=0.02) for color in found)


def test_vivid_colours_in_the_middle_weigh_more_than_their_area() -> None:
    red = next(color for color in dominant_colors(composed(165, 85)).colors if color.name == "red")
    assert red.score > 2 * red.pixel_fraction


@settings(deadline=None, max_examples=40)
@given(SMALL, st.integers(1, 12))
def test_colours_of_any_picture_are_fractions(picture: np.ndarray, count: int) -> None:
    colors = dominant_colors(picture, count=count).colors
    assert 1 <= len(colors) <= count
    assert sum(c.pixel_fraction for c in colors) <= 1 + 1e-9
    assert sum(c.score for c in colors) <= 1 + 1e-6
    flat = {tuple(int(v) for v in rgb) for rgb in picture.reshape(-1, 3)}
    assert all(c.rgb in flat for c in colors)
    assert dominant_colors(picture, count=count) == Colors(colors)


def test_every_word_names_its_own_colour() -> None:
    for word, rgb in COLOR_NAMES.items():
        assert name_color(rgb) == word


def test_colours_refuse_nonsense() -> None:
    with pytest.raises(RangeError, match="1 or more"):
        dominant_colors(read_sample("coins"), count=0)
    with pytest.raises(RangeError, match="highest score first"):
        Colors(tuple(DominantColor(rgb=(0, 0, 0), name="black", score=s, pixel_fraction=0.1) for s in (0.1, 0.2)))
    with pytest.raises(RangeError, match="three whole numbers"):
        DominantColor(rgb=(0, 0, 300), name="blue", score=0.1, pixel_fraction=0.1)


def test_the_palette_is_drawn_along_the_lower_edge() -> None:
    picture = np.full((100, 200, 3), (200, 30, 40), np.uint8)
    picture[:, 100:] = (0, 0, 255)
    out = dominant_colors(picture).draw(picture)
    assert (out[:80] == picture[:80]).all()
    assert not (out[80:] == picture[80:]).all()


# Crops


@pytest.mark.parametrize("place", [(5, 5), (165, 85), (325, 165), (325, 5), (5, 165), (240, 60)])
@pytest.mark.parametrize("ratio", [1.0, 0.75, 9 / 16, 16 / 9, 3.0])
def test_a_crop_never_cuts_what_stands_out(place: tuple[int, int], ratio: float) -> None:
    x, y = place
    (crop,) = crop_hints(composed(x, y), aspect_ratios=[ratio]).crops
    x0, y0, x1, y1 = crop.box_xyxy
    assert x0 <= x
    assert y0 <= y
    assert x1 >= x + 70
    assert y1 >= y + 70


@pytest.mark.parametrize("place", [(165, 85), (250, 130), (60, 40)])
def test_a_free_crop_holds_what_stands_out_and_little_else(place: tuple[int, int]) -> None:
    x, y = place
    (crop,) = crop_hints(composed(x, y), aspect_ratios=[None]).crops
    x0, y0, x1, y1 = crop.box_xyxy
    assert x0 <= x
    assert y0 <= y
    assert x1 >= x + 70
    assert y1 >= y + 70
    assert (x1 - x0) * (y1 - y0) < 0.85 * 240 * 400


@settings(deadline=None, max_examples=40)
@given(SMALL, st.lists(st.floats(0.01, 100), min_size=1, max_size=4))
def test_crops_of_any_picture_have_the_shape_asked_for(picture: np.ndarray, ratios: list[float]) -> None:
    height, width = picture.shape[:2]
    for crop, ratio in zip(crop_hints(picture, aspect_ratios=ratios).crops, ratios, strict=True):
        x0, y0, x1, y1 = crop.box_xyxy
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        wide, high = x1 - x0, y1 - y0
        assert wide == width or high == height  # as large as the shape allows
        assert abs(wide - ratio * high) <= max(1, ratio) or wide == 1 or high == 1


def test_a_crop_follows_the_network_where_the_picture_says_nothing() -> None:
    plain = np.full((100, 300, 3), 128, np.uint8)
    attention = np.zeros((7, 21))
    attention[2:5, 17:20] = 1
    (crop,) = crop_hints(plain, aspect_ratios=[1], attention=attention).crops
    assert crop.box_xyxy[0] > 150
    (middle,) = crop_hints(plain, aspect_ratios=[1]).crops
    assert middle.box_xyxy == (100, 0, 200, 100)


def test_the_whole_picture_keeps_all_and_is_certain() -> None:
    (crop,) = crop_hints(composed(5, 5), aspect_ratios=[400 / 240]).crops
    assert crop.box_xyxy == (0, 0, 400, 240)
    assert (crop.confidence, crop.importance_fraction) == (1.0, 1.0)


def test_more_kept_means_more_confidence() -> None:
    crops = crop_hints(composed(165, 85), aspect_ratios=[1.5, 1.0, 0.3, 0.1]).crops
    assert [c.confidence for c in crops] == sorted((c.confidence for c in crops), reverse=True)


def test_crops_refuse_nonsense_and_cut() -> None:
    picture = composed(10, 10)
    for ratio in (0.0, -1.0, float("nan"), float("inf"), 1000.0):
        with pytest.raises(RangeError, match="aspect ratio"):
            crop_hints(picture, aspect_ratios=[ratio])
    with pytest.raises(ShapeError, match="attention"):
        salience_map(picture, attention=np.zeros(3))
    with pytest.raises(ShapeError, match="at least one pixel"):
        Crop(box_xyxy=(5, 5, 5, 9), aspect_ratio=None, confidence=1, importance_fraction=1)
    crop = Crop(box_xyxy=(10, 20, 40, 30), aspect_ratio=3.0, confidence=1, importance_fraction=1)
    assert crop.cut(picture).shape == (10, 30, 3)
    assert Crops(()).draw(picture).shape == picture.shape


@pytest.mark.parametrize(
    ("ratio", "name"), [(1.0, "1:1"), (1.91, "21:11"), (4 / 3, "4:3"), (0.5625, "9:16"), (None, "free")]
)
def test_shapes_are_called_as_people_call_them(ratio: float | None, name: str) -> None:
    assert Crop(box_xyxy=(0, 0, 1, 1), aspect_ratio=ratio, confidence=1, importance_fraction=1).shape_name == name


# Sharpness


@pytest.mark.parametrize("name", SAMPLES)
def test_blur_is_reported_in_words_and_in_pixels(name: str) -> None:
    picture = read_sample(name)
    assert measure_picture(picture).word == "sharp"
    assert measure_picture(cv2.GaussianBlur(picture, (0, 0), 1.8)).word == "soft"
    assert measure_picture(cv2.GaussianBlur(picture, (0, 0), 4)).word == "blurred"
    smears = [measure_picture(cv2.GaussianBlur(picture, (0, 0), s)).blur_px for s in (2, 3, 4, 6)]
    assert smears == pytest.approx([2, 3, 4, 6], rel=0.25)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_size_does_not_matter_once_larger_than_the_measuring_size(name: str) -> None:
    picture = cv2.GaussianBlur(read_sample(name), (0, 0), 1.5)
    large = [measure_picture(cv2.resize(picture, None, fx=f, fy=f, interpolation=cv2.INTER_CUBIC)) for f in (2.5, 5)]
    assert large[0].blur_px == pytest.approx(large[1].blur_px, rel=0.1)
    assert large[0].laplacian_variance == pytest.approx(large[1].laplacian_variance, rel=0.25)
    assert large[0].word == large[1].word


def test_noise_does_not_make_a_blurred_picture_sharp() -> None:
    rng = np.random.default_rng(7)
    for name in ("astronaut", "coffee", "cat"):
        blurred = cv2.GaussianBlur(read_sample(name), (0, 0), 4).astype(float)
        noisy = np.clip(blurred + rng.normal(0, 5, blurred.shape), 0, 255).astype(np.uint8)
        assert measure_picture(noisy).word != "sharp"


def test_a_sharp_object_on_a_blurred_ground_is_sharp() -> None:
    ground = cv2.GaussianBlur(read_sample("coffee"), (0, 0), 5)
    ground[100:300, 200:400] = read_sample("astronaut")[50:250, 150:350]
    assert measure_picture(ground).word == "sharp"


def test_measures_of_known_pictures() -> None:
    flat = measure_picture(np.full((50, 60, 3), 128, np.uint8))
    assert (flat.word, flat.blur_px, flat.sharpness) == ("flat", None, 0.0)
    numbers = (flat.laplacian_variance, flat.tenengrad, flat.edge_fraction, flat.contrast)
    assert numbers == pytest.approx((0, 0, 0, 0), abs=1e-6)
    assert flat.brightness == pytest.approx(128 / 255, abs=1e-6)
    assert flat.exposure == "low contrast"
    half = np.zeros((40, 40, 3), np.uint8)
    half[:, 20:] = 255
    seen = measure_picture(half)
    assert (seen.clipped_dark, seen.clipped_bright, seen.contrast) == (0.5, 0.5, 0.5)
    assert seen.tenengrad == pytest.approx(0.25 * 2 / 40)  # two columns of slope 1/2
    assert seen.edge_fraction == pytest.approx(2 / 40)
    assert measure_picture(np.zeros((9, 9, 3), np.uint8)).exposure == "dark"
    assert measure_picture(np.full((9, 9, 3), 250, np.uint8)).exposure == "bright"


@settings(deadline=None, max_examples=40)
@given(SMALL)
def test_any_picture_can_be_measured(picture: np.ndarray) -> None:
    reported = measure_picture(picture).to_dict()
    assert all(np.isfinite(value) for value in reported.values() if isinstance(value, float))
