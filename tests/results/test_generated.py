"""Pictures drawn for a sentence: checked when made, shown on a sheet."""

import json

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.results.generated import GeneratedPicture, tile_pictures


def picture(side: int, value: int = 0) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def drawn(count: int) -> GeneratedPicture:
    pictures = tuple(picture(16, 10 * n) for n in range(count))
    return GeneratedPicture(
        "a red rose", pictures, tuple(picture(8, 10 * n) for n in range(count)), 7, 0.8, "toy", ("quux",), ("!",)
    )


def test_all_but_the_pixels_become_json() -> None:
    parts = json.loads(json.dumps(drawn(3).to_dict()))
    assert parts["n"] == len(drawn(3)) == len(list(drawn(3))) == 3
    assert (parts["seed"], parts["truncation"], parts["unknown"], parts["width"]) == (7, 0.8, ["quux"], 16)


@pytest.mark.parametrize(
    ("count", "stages", "columns", "rows"), [(1, False, 1, 1), (9, False, 3, 3), (5, True, 6, 2)]
)
def test_a_sheet_has_every_picture_once(count: int, stages: bool, columns: int, rows: int) -> None:
    sheet = drawn(count).sheet(stages=stages)
    assert sheet.shape[1] == columns * 22 + 6
    assert sheet.shape[0] > rows * 22 + 6  # and the sentence below
    for n in range(count):
        place = 2 * n + 1 if stages else n
        row, column = divmod(place, columns)
        assert (sheet[row * 22 + 6 : row * 22 + 22, column * 22 + 6 : column * 22 + 22] == 10 * n).all()


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(RangeError, match="a sketch for each"):
        GeneratedPicture("x", (picture(4),), (), 0, 1.0, "toy")
    with pytest.raises(RangeError, match="a picture at least"):
        GeneratedPicture("x", (), (), 0, 1.0, "toy")
    with pytest.raises(ShapeError, match="one size"):
        GeneratedPicture("x", (picture(4), picture(5)), (picture(2), picture(2)), 0, 1.0, "toy")


def test_tiles_fill_rows() -> None:
    assert tile_pictures([picture(8)] * 5, columns=3).shape == (34, 48, 3)
