"""Arrays as people hold them, to pictures and images; a guess is refused with the call that decides it."""

import numpy as np
import pytest

from szem.arrays import array_to_image, array_to_picture
from szem.errors import DTypeError, RangeError, ShapeError

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "tolerance"),
    [
        (RGB.astype(np.uint16) * 257, 0),
        (RGB / 255, 0),  # float64
        ((RGB.astype(np.uint16) * 257).astype(">u2"), 0),  # the other order of bytes
        ((RGB / 255).astype(">f4"), 0),
        (RGB[..., ::-1][..., ::-1], 0),  # not contiguous
        (np.asfortranarray(RGB), 0),
        ((RGB / 255).astype(np.float32), 0),
        ((RGB / 255).astype(np.float16), 1),
        (np.dstack([RGB, np.full((5, 7), 255, np.uint8)]), 0),  # opaque RGBA
        (np.dstack([RGB / 255, np.ones((5, 7))]), 0),
    ],
)
def test_every_depth_gives_the_same_picture(array: np.ndarray, tolerance: int) -> None:
    found = array_to_picture(array)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert np.abs(found.astype(int) - RGB).max() <= tolerance


def test_a_picture_passes_without_a_copy() -> None:
    assert array_to_picture(RGB) is RGB


def test_grey_arrays_become_grey_pictures() -> None:
    for grey in (RGB[..., 1], RGB[..., 1:2]):
        assert (array_to_picture(grey) == RGB[..., 1:2]).all()


def test_a_mask_becomes_black_and_white() -> None:
    assert array_to_picture(np.array([[True, False]]))[..., 0].tolist() == [[255, 0]]


def test_transparent_pixels_lie_over_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 0, 128, 255
    assert array_to_picture(rgba)[0, :, 0].tolist() == [255, 127, 0]


@pytest.mark.parametrize(
    ("array", "error", "match"),
    [
        (RGB.astype(np.float32), RangeError, r"picture / 255"),
        (RGB.astype(np.float32) * 9, RangeError, r"np\.ptp"),
        (RGB / 127.5 - 1, RangeError, r"-1 to .*np\.ptp"),
        (RGB.astype(np.int64), DTypeError, r"astype\(np\.uint8\)"),
        (RGB.astype(np.int32) * 1000, DTypeError, r"np\.ptp"),
        (np.where(RGB[0, 0] == RGB, np.nan, 0.5), RangeError, "nan_to_num"),
        (np.full((2, 2), np.inf), RangeError, "nan_to_num"),
        (RGB.astype(complex), DTypeError, r"np\.abs"),
        (np.array([["a"]]), DTypeError, "read_picture"),
        (np.moveaxis(RGB, -1, 0), ShapeError, r"np\.moveaxis\(picture, 0, -1\)"),
        (RGB[None], ShapeError, "for picture in batch"),
        (RGB[..., :2], ShapeError, r"picture\[\.\.\., 0\]"),
        (np.zeros((5, 6, 8)), ShapeError, r"0, 1, 2"),
        (RGB[:0], ShapeError, "empty"),
        (RGB[0, 0, 0], ShapeError, "rows and columns"),
        (np.ma.masked_greater(RGB, 100), DTypeError, r"filled"),
    ],
)
def test_what_would_be_a_guess_is_refused_with_the_call_that_decides(
    array: np.ndarray, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        array_to_picture(array)


def test_an_image_keeps_its_numbers() -> None:
    assert array_to_image(np.array([[-5, 70000]])).tolist() == [[-5.0, 70000.0]]
    assert array_to_image(RGB) is RGB
    with pytest.raises(ShapeError, match="H, W"):
        array_to_image(np.zeros((0, 4)))
