"""Edges in both directions."""

import numpy as np
import pytest

from szem.errors import UnknownNameError
from szem.kernels import EDGE_FAMILIES, convolve, edges


@pytest.mark.parametrize("family", EDGE_FAMILIES)
@pytest.mark.parametrize("turn", range(8))
def test_the_angle_points_to_where_it_grows_brighter(family: str, turn: int) -> None:
    angle = turn * np.pi / 4
    y, x = np.mgrid[:21, :21].astype(np.float32)
    ramp = (np.cos(angle) * x + np.sin(angle) * y).astype(np.float32)
    found = edges(ramp, family)
    off = np.angle(np.exp(1j * (found.angle[5:-5, 5:-5] - angle)))
    assert np.abs(off).max() < 1e-4


def test_strength_is_the_length_of_both_answers() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 31, 3), dtype=np.uint8)
    found = edges(image, stride_px=2, border="wrap")
    across = convolve(image, "sobel-x", stride_px=2, border="wrap", mode="correlation")
    down = convolve(image, "sobel-y", stride_px=2, border="wrap", mode="correlation")
    np.testing.assert_allclose(found.magnitude, np.sqrt(across**2 + down**2), rtol=1e-5)


def test_one_direction_is_blind_to_what_the_other_sees() -> None:
    stripes = np.repeat(np.array([[0], [255]], np.uint8), 8, axis=0) * np.ones((1, 16), np.uint8)
    found = edges(stripes)
    assert not found.across.any()
    assert np.abs(found.down).max() == 4 * 255


def test_a_flat_picture_has_no_edges() -> None:
    assert not edges(np.full((9, 9), 200, np.uint8)).magnitude.any()


def test_an_unknown_family_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="scharr"):
        edges(np.zeros((4, 4), np.uint8), "canny")
