"""Boxes: checked once, filtered, drawn, reported."""

import json

import numpy as np
import pytest

from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.results.boxes import Boxes

FIELDS: dict[str, object] = {
    "boxes_xyxy": np.array([[10, 20, 60, 50], [0, 0, 200, 30]], np.float32),
    "scores": np.array([0.9, 0.4], np.float32),
    "indices": np.array([1, 0]),
    "classes": ("cat", "dog"),
    "width": 100,
    "height": 80,
    "model": "toy",
}


def boxes(**changes: object) -> Boxes:
    return Boxes(**(FIELDS | changes))  # type: ignore[arg-type]


def test_boxes_are_cut_at_the_picture() -> None:
    np.testing.assert_array_equal(boxes().boxes_xyxy[1], [0, 0, 100, 30])


BAD = [
    ({"scores": np.array([0.9])}, ShapeError, "a score and a class each"),
    ({"scores": np.array([0.9, 1.1])}, RangeError, "0..1"),
    ({"scores": np.array([0.9, np.nan])}, RangeError, "0..1"),
    ({"indices": np.array([0, 2])}, RangeError, "2 classes"),
    ({"indices": np.array([0.0, 1.0])}, DTypeError, "whole"),
    ({"boxes_xyxy": np.array([[5, 5, 1, 9], [0, 0, 1, 1]])}, RangeError, "x0 <= x1"),
    ({"width": 0}, RangeError, "pixels"),
]


@pytest.mark.parametrize(("changes", "error", "match"), BAD)
def test_what_does_not_fit_is_refused(changes: dict[str, object], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        boxes(**changes)


def test_single_boxes_come_in_order() -> None:
    dog, cat = boxes()
    assert (dog.label, dog.index, dog.box_xyxy) == ("dog", 1, (10.0, 20.0, 60.0, 50.0))
    assert cat.label == "cat"
    assert boxes()[1] == cat


def test_keep_filters_by_class_and_score() -> None:
    assert boxes().keep(classes=["cat"]).labels == ("cat",)
    assert boxes().keep(score=0.5).labels == ("dog",)
    assert len(boxes().keep(classes=["cat"], score=0.5)) == 0
    with pytest.raises(UnknownNameError, match="cow"):
        boxes().keep(classes=["cow"])


def test_drawing_marks_the_box_and_leaves_the_picture_alone() -> None:
    picture = np.full((80, 100, 3), 100, np.uint8)
    drawn = boxes().keep(classes=["dog"]).draw(picture)
    assert (drawn[49, 30:40] != 100).any()
    assert (drawn[60:, :] == 100).all()
    assert (picture == 100).all()
    with pytest.raises(ShapeError, match="50×40"):
        boxes().draw(np.zeros((40, 50, 3), np.uint8))


def test_the_dictionary_is_json_and_none_is_fine() -> None:
    plain = json.loads(json.dumps(boxes().to_dict()))
    assert plain["boxes"][0] == {"label": "dog", "index": 1, "score": 0.9, "box_xyxy": [10.0, 20.0, 60.0, 50.0]}
    none = boxes(boxes_xyxy=np.zeros((0, 4)), scores=np.zeros(0), indices=np.zeros(0, int))
    assert none.to_dict()["boxes"] == []
    assert len(none.draw(np.zeros((80, 100, 3), np.uint8))) == 80
