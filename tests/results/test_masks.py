"""Masks and outlines: areas, drawing, exports."""

import base64
import json

import numpy as np
import pytest

from szem.arrays.rle import rle_to_mask
from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.media.pictures import read_picture
from szem.results.masks import Masks, class_colors
from szem.results.outlines import Outlines

CLASSES = ("background", "cat", "dog")


def masks() -> Masks:
    class_map = np.zeros((20, 30), np.uint8)
    class_map[:, 20:] = 2
    class_map[5:10, 0:10] = 1
    return Masks(class_map=class_map, classes=CLASSES, model="m", confidence=(0.9, 0.8, 0.7), background="background")


def test_areas_are_counted_largest_first_without_the_background() -> None:
    areas = masks().areas
    assert [(a.label, a.pixels) for a in areas] == [("dog", 200), ("cat", 50)]
    assert areas[0].fraction == pytest.approx(1 / 3)
    assert areas[1].confidence == 0.8


def test_drawing_tints_the_classes_and_leaves_the_rest() -> None:
    picture = np.full((20, 30, 3), 100, np.uint8)
    drawn = masks().draw(picture, opacity=1.0, legend=False)
    assert tuple(drawn[12, 25]) == class_colors(CLASSES)[2]
    assert (drawn[15:, :15] == 100).all()
    assert (picture == 100).all()


def test_drawing_nothing_gives_the_picture() -> None:
    empty = Masks(class_map=np.zeros((4, 4), np.uint8), classes=CLASSES, model="m", background="background")
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(empty.draw(picture), picture)


def test_the_label_picture_holds_the_classes_themselves() -> None:
    image = masks().to_image()
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), masks().class_map)


def test_coco_json_has_a_mask_a_class_with_its_box_and_area() -> None:
    coco = json.loads(json.dumps(masks().to_coco(file_name="a.jpg", image_id=7, first_id=3)))
    dog, cat = coco["annotations"]
    assert (dog["id"], dog["image_id"], dog["category_id"], dog["area"]) == (3, 7, 3, 200)
    assert dog["bbox"] == [20, 0, 10, 20]
    np.testing.assert_array_equal(rle_to_mask(cat["segmentation"]), masks().mask_of("cat"))
    assert coco["categories"][1] == {"id": 2, "name": "cat"}


def test_the_dictionary_is_json() -> None:
    plain = json.loads(json.dumps(masks().to_dict()))
    assert plain["areas"][0]["label"] == "dog"
    assert plain["areas"][0]["color"] == plain["classes"][2]["color"]
    np.testing.assert_array_equal(rle_to_mask(plain["areas"][0]["rle"]), masks().mask_of("dog"))


def test_the_dictionary_holds_masks_in_the_form_asked_for() -> None:
    plain, bare = masks().to_dict(masks="png"), masks().to_dict(masks="none")
    np.testing.assert_array_equal(read_picture(base64.b64decode(plain["map"]))[..., 0], masks().class_map)
    assert "rle" not in plain["areas"][0]
    assert bare == {key: value for key, value in plain.items() if key != "map"}
    with pytest.raises(UnknownNameError, match="rle, png, none"):
        masks().to_dict(masks="svg")


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(RangeError, match="no class called 'horse'; there are background, cat, dog"):
        masks().mask_of("horse")


@pytest.mark.parametrize(
    ("class_map", "error", "match"),
    [
        (np.zeros((2, 2, 1), np.uint8), ShapeError, "must be"),
        (np.zeros((2, 2), np.int64), ShapeError, "must be"),
        (np.full((2, 2), 3, np.uint8), RangeError, "holds 3, there are 3 classes"),
    ],
)
def test_wrong_maps_are_refused(class_map: np.ndarray, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Masks(class_map=class_map, classes=CLASSES, model="m")


def test_outlines_are_drawn_and_reported() -> None:
    mask = np.zeros((1, 8, 8), bool)
    mask[0, 2:6, 2:6] = True
    boxes = np.array([[2, 2, 6, 6]], np.float32)
    found = Outlines(boxes_xyxy=boxes, masks=mask, confidence=np.array([0.75], np.float32), model="o")
    assert found.to_dict()["outlines"][0]["pixels"] == 16
    picture = np.zeros((8, 8, 3), np.uint8)
    assert found.draw(picture).any()
    with pytest.raises(ShapeError, match="as many masks"):
        Outlines(boxes_xyxy=boxes, masks=mask[:0], confidence=np.zeros(1, np.float32), model="o")
