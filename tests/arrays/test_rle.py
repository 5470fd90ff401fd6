"""Run-length masks: COCO's own text, both ways."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from szem.arrays.rle import mask_to_rle, rle_to_mask
from szem.errors import FormatError

# masks and what pycocotools 2.0.11 packs them to
KNOWN = [
    (np.zeros((3, 4), bool), "<"),
    (np.ones((3, 4), bool), "0<"),
    (np.eye(5, dtype=bool), "0150000000"),
]


@pytest.mark.parametrize(("mask", "counts"), KNOWN, ids=["nothing", "everything", "diagonal"])
def test_the_text_is_that_of_coco(mask: np.ndarray, counts: str) -> None:
    assert mask_to_rle(mask) == {"size": list(mask.shape), "counts": counts}


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(max_examples=50, deadline=None)
def test_every_mask_comes_back(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(rle_to_mask(mask_to_rle(mask)), mask)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(max_examples=50, deadline=None)
def test_cocos_own_tools_agree(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert mask_to_rle(mask)["counts"] == theirs["counts"].decode()


def test_long_runs_take_several_characters() -> None:
    mask = np.zeros((300, 400), bool)
    mask[100:250, 37:301] = True
    np.testing.assert_array_equal(rle_to_mask(mask_to_rle(mask)), mask)


def test_plain_lists_of_runs_are_read() -> None:
    assert rle_to_mask({"size": [2, 2], "counts": [1, 2, 1]}).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("counts", [[1, 2], [5, -1], "2 2"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: object) -> None:
    with pytest.raises(FormatError, match=r"the runs hold|not a character"):
        rle_to_mask({"size": [2, 2], "counts": counts})
