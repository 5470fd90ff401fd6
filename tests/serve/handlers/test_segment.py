"""Masks over HTTP: what the package finds, as areas, as one small PNG, as run lengths, and as outlines in boxes."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import szem
from szem.arrays.rle import rle_to_mask
from szem.media.pictures import read_picture

ROUTE = "/v1/szem/segment"
BOX = [60.0, 20.0, 400.0, 290.0]


def _ask(server: httpx.Client, data: bytes, **options: object) -> dict[str, Any]:
    answer = server.post(ROUTE, params={k: str(v) for k, v in options.items()}, content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _grey(text: str) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert image.mode == "L"
    return np.asarray(image)


@pytest.mark.parametrize("model", ["things", "road"])
def test_the_map_is_what_the_package_finds(server: httpx.Client, cat: bytes, model: str) -> None:
    masks = szem.segment(read_picture(cat), model=model, threads=1)
    answer = _ask(server, cat, model=model, masks="png")
    assert np.array_equal(_grey(answer["map"]), masks.class_map)
    assert [row["label"] for row in answer["classes"]] == list(masks.classes)
    assert [(row["label"], row["pixels"]) for row in answer["areas"]] == [(a.label, a.pixels) for a in masks.areas]
    assert answer["background"] == masks.background
    assert len({row["color"] for row in answer["classes"]}) == len(masks.classes)


def test_things_is_the_model_when_none_is_named(server: httpx.Client, cat: bytes) -> None:
    assert _ask(server, cat) == _ask(server, cat, model="things")
    assert _ask(server, cat)["areas"][0]["label"] == "cat"


def test_run_lengths_hold_the_same_masks_as_the_map(server: httpx.Client, cat: bytes) -> None:
    classes = _grey(_ask(server, cat, masks="png")["map"])
    answer = _ask(server, cat)
    assert "map" not in answer
    for area in answer["areas"]:
        assert np.array_equal(rle_to_mask(area["rle"]), classes == area["index"])


def test_areas_alone_are_reported_without_masks(server: httpx.Client, cat: bytes) -> None:
    answer = _ask(server, cat, masks="none")
    assert "map" not in answer
    assert answer["areas"] == _ask(server, cat, masks="png")["areas"]


def test_a_smaller_map_covers_the_same_picture(server: httpx.Client, cat: bytes) -> None:
    whole, small = _ask(server, cat), _ask(server, cat, maxSide=100, masks="png")
    assert small["picture"] == whole["picture"] == {"width": 451, "height": 300}
    assert small["size"] == {"width": 100, "height": 67}
    assert _grey(small["map"]).shape == (67, 100)
    assert small["areas"][0]["fraction"] == pytest.approx(whole["areas"][0]["fraction"], abs=0.05)
    assert _ask(server, cat, maxSide=9999)["size"] == whole["size"]


def test_a_box_gets_the_outline_of_what_is_in_it(server: httpx.Client, cat: bytes) -> None:
    boxes = [BOX, [0.0, 0.0, 0.5, 0.5]]
    found = szem.outline(read_picture(cat), np.array(boxes, np.float32), threads=1)
    answer = _ask(server, cat, boxesXyxy=boxes, masks="png")
    assert "map" not in answer
    cat_row, nothing = answer["outlines"]
    x0, y0, x1, y1 = cat_row["mask_xyxy"]
    mask = np.zeros(found.masks[0].shape, bool)
    mask[y0:y1, x0:x1] = _grey(cat_row["mask"]) == 255
    assert mask.any()
    assert np.array_equal(mask, found.masks[0])
    assert cat_row["pixels"] == mask.sum()
    assert cat_row["confidence"] == pytest.approx(float(found.confidence[0]), abs=1e-4)
    assert (nothing["pixels"], nothing["mask"]) == (0, "")
    runs = _ask(server, cat, boxesXyxy=boxes, model="things")
    assert np.array_equal(rle_to_mask(runs["outlines"][0]["rle"]), mask)
    assert runs["areas"][0]["label"] == "cat"  # a model was named: the whole picture too


def test_boxes_come_in_json_and_in_forms_too(server: httpx.Client, cat: bytes) -> None:
    in_query = _ask(server, cat, boxesXyxy=[BOX])
    body = {"image": {"content": base64.b64encode(cat).decode()}, "boxesXyxy": [BOX]}
    assert server.post(ROUTE, json=body).json() == in_query
    form = {"files": {"image": ("cat.png", cat)}, "data": {"boxesXyxy": str([BOX])}}
    assert server.post(ROUTE, **form).json() == in_query  # type: ignore[arg-type]


def test_labels_and_overlay_are_png_files(server: httpx.Client, cat: bytes) -> None:
    picture = read_picture(cat)
    masks = szem.segment(picture, model="things", threads=1)
    labels = server.post(ROUTE, params={"answer": "labels"}, content=cat)
    assert labels.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(labels.content))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), masks.class_map)
    overlay = server.post(ROUTE, params={"answer": "overlay"}, content=cat)
    assert np.array_equal(read_picture(overlay.content), masks.draw(picture))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "nope"}, "no model called 'nope' for segment; there are"),
        ({"model": "outline"}, "no model called 'outline' for segment"),  # a model, of another task
        ({"model": "../../weights/road"}, "no model called"),  # never a path
        ({"masks": "jpeg"}, "masks must be one of rle, png, none"),
        ({"answer": "xml"}, "answer must be one of"),
        ({"answer": "overlay", "boxesXyxy": "[[1,2,3,4]]"}, "with boxesXyxy the answer is json"),
        ({"maxSide": "-1"}, "maxSide must lie in"),
        ({"maxSide": "70000"}, "maxSide must lie in"),
        ({"boxesXyxy": "1,2,3,4"}, "boxesXyxy: must be JSON"),
        ({"boxesXyxy": "[1, 2, 3, 4]"}, "'boxesXyxy[0]' (a list)"),
        ({"boxesXyxy": "[[1, 2, 3]]"}, "a list of boxes"),
        ({"boxesXyxy": "[[1, 2, 3, true]]"}, "'boxesXyxy[0][3]' (TYPE_FLOAT)"),
        ({"boxesXyxy": "[[0, 0, 1e400, 4]]"}, "boxesXyxy must lie in"),  # infinity
        ({"boxesXyxy": '{"x": 1}'}, "'boxesXyxy' (a list)"),
        ({"boxesXyxy": "[[5, 5, 1, 1]]"}, "x0 <= x1"),
        ({"boxesXyxy": str([[0, 0, 9, 9]] * 65)}, "at most 64"),
    ],
)
def test_wrong_options_are_refused(server: httpx.Client, small: bytes, query: dict[str, str], said: str) -> None:
    answer = server.post(ROUTE, params=query, content=small)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_boxes_beyond_the_picture_find_nothing_outside(server: httpx.Client, cat: bytes) -> None:
    far, no_boxes = [[5000, 5000, 6000, 6000]], _ask(server, cat, boxesXyxy=[])
    assert _ask(server, cat, boxesXyxy=far)["outlines"][0]["pixels"] == 0
    assert no_boxes["outlines"] == []
