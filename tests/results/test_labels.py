"""results/labels.py: checked once, best first, drawn and written plainly."""

import json

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.results.labels import PARENT, ClassMap, Label, Labels, draw_class_map


def toy(**changes: object) -> Labels:
    fields: dict[str, object] = {
        "items": (Label("cat", 7, 0.6, "n02"), Label("dog", 3, 0.3), Label("cup", 1, 0.1)),
        "model": "toy",
    }
    return Labels(**(fields | changes))  # type: ignore[arg-type]


def test_labels_are_a_sequence_best_first() -> None:
    labels = toy()
    assert [label.name for label in labels] == ["cat", "dog", "cup"] == list(labels.names)
    assert labels.indices.tolist() == [7, 3, 1]
    assert labels.scores.tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert len(labels) == 3
    assert labels[0].id == "n02"


def test_top_keeps_the_best_and_their_maps() -> None:
    whole = ClassMap(np.ones((2, 2), np.float32), (0, 0, 4, 4))
    labels = toy(maps={7: whole, 3: whole}).top(1)
    assert labels.names == ("cat",)
    assert set(labels.maps) == {7}
    with pytest.raises(RangeError, match="at least 1"):
        labels.top(0)


def test_words_for_several_classes_stay_with_a_part_and_are_written() -> None:
    labels = toy(parents=(Label("animal", PARENT, 0.9, "n01"),))
    assert labels[1:].parents == labels.top(1).parents == labels.parents
    assert labels.to_dict()["parents"] == [{"name": "animal", "score": 0.9, "id": "n01"}]
    assert "parents" not in toy().to_dict()
    assert labels != toy()
    with pytest.raises(RangeError, match="scores must lie in"):
        toy(parents=(Label("animal", PARENT, 1.1),))


def test_labels_out_of_order_or_range_are_refused() -> None:
    with pytest.raises(RangeError, match="best first"):
        toy(items=(Label("a", 0, 0.1), Label("b", 1, 0.2)))
    with pytest.raises(RangeError, match=r"0\.\.1"):
        toy(items=(Label("a", 0, 1.5),))
    with pytest.raises(RangeError, match=r"0\.\.1"):
        toy(items=(Label("a", 0, float("nan")),))
    with pytest.raises(ShapeError, match=r"\(h, w\)"):
        toy(maps={7: ClassMap(np.ones(3, np.float32), (0, 0, 1, 1))})


def test_to_dict_is_plain_json() -> None:
    found = toy(maps={7: ClassMap(np.float32([[1, 2]]), (0, 0, 4, 4))}).to_dict()
    assert json.loads(json.dumps(found)) == found
    whole = {"map": [[1.0, 2.0]], "map_box_xyxy": [0.0, 0.0, 4.0, 4.0]}
    assert found["labels"][0] == {"name": "cat", "score": 0.6, "index": 7, "id": "n02", **whole}
    assert found["labels"][1] == {"name": "dog", "score": 0.3, "index": 3}


def test_no_labels_are_labels_too() -> None:
    assert toy(items=()).to_dict() == {"model": "toy", "labels": []}


def test_a_drawn_map_is_warm_where_the_map_is_high_and_grey_outside_it() -> None:
    picture = np.full((20, 40, 3), 100, np.uint8)
    picture[..., 0] = 160
    values = np.zeros((2, 2), np.float32)
    values[:, 1] = 5
    drawn = toy(maps={7: ClassMap(values, (10, 0, 30, 20))}).draw(picture)
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    assert len(set(drawn[5, 2].tolist())) == 1  # outside: no colour
    assert int(drawn[10, 27, 0]) - int(drawn[10, 27, 2]) > 20  # right half: warm
    assert (picture[..., 0] == 160).all()  # the picture itself is untouched


def test_a_map_without_any_positive_place_still_draws() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    assert draw_class_map(picture, ClassMap(-np.ones((3, 3), np.float32), (-4, -4, 12, 12))).shape == (8, 8, 3)


def test_drawing_without_a_map_says_how_to_get_one() -> None:
    with pytest.raises(UnknownNameError, match="maps=True"):
        toy().draw(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UnknownNameError, match="class 99"):
        toy().draw(np.zeros((4, 4, 3), np.uint8), index=99)
