"""`fields=`: what is named is sent and nothing else, what no answer has is refused before any work is done."""

import base64
import json
from typing import Any

import httpx
import pytest

from szem.serve.status import FieldsError
from szem.serve.vision.field_masks import ANYTHING, apply_mask, parse_mask, shape_of
from szem.serve.vision.schema import BatchAnnotateImagesResponse

WHOLE = {"a": [{"b": 1, "c": {"d": 2, "e": 3}}, {"b": 4}], "f": {"d": 5, "g": 6}, "h": 7}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", WHOLE),
        ("*", WHOLE),
        ("h", {"h": 7}),
        ("h,nothing", {"h": 7}),
        ("a/b", {"a": [{"b": 1}, {"b": 4}]}),
        ("a.c.d", {"a": [{"c": {"d": 2}}, {}]}),
        ("a(b,c/e),h", {"a": [{"b": 1, "c": {"e": 3}}, {"b": 4}], "h": 7}),
        (" a ( b ) , h ", {"a": [{"b": 1}, {"b": 4}], "h": 7}),
        ("a/b,a/c/d", {"a": [{"b": 1, "c": {"d": 2}}, {"b": 4}]}),
        ("f,f/d", {"f": {"d": 5, "g": 6}}),  # all of it was asked for already
        ("f/d,f", {"f": {"d": 5, "g": 6}}),
        ("*/d", {"a": [{}, {}], "f": {"d": 5}, "h": 7}),
    ],
)
def test_what_is_named_is_kept(text: str, wanted: Any) -> None:
    assert apply_mask(parse_mask(text, ANYTHING), WHOLE) == wanted


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("responses/labels", "names 'labels', which no answer has; there are faceAnnotations"),
        ("responses/labelAnnotations/score/x", "fields of score, which has none"),
        ("responses(", "needs the name of a field where it has 'its end'"),
        ("responses(error", "lacks a closing bracket"),
        ("responses)", "has a '\\)' too many"),
        ("responses,,responses", "needs the name of a field where it has ','"),
        ("responses;", "cannot be read from ';'"),
        ("x" * 5000, "at most 4000 characters"),
        ("responses(" * 60, "names 'responses'"),
    ],
)
def test_a_mask_that_cannot_be_followed_is_refused(text: str, fault: str) -> None:
    with pytest.raises(FieldsError, match=fault) as error:
        parse_mask(text, shape_of(BatchAnnotateImagesResponse))
    assert error.value.violations[0].field == "fields"


@pytest.mark.parametrize("piece", ["a(", "a/", "a.", "*/"])
def test_depth_is_limited(piece: str) -> None:
    with pytest.raises(FieldsError, match="nested more than 20 deep"):
        parse_mask(piece * 1_900 + "a", ANYTHING)


@pytest.mark.parametrize("way", ["fields", "$fields", "header"])
def test_answers_over_http_are_cut(server: httpx.Client, small: bytes, way: str) -> None:
    mask = "responses.image_properties_annotation.dominantColors.colors(score,color/red)"
    row = {"image": {"content": base64.b64encode(small).decode()}, "features": [{"type": 7}, {"type": 9}]}
    answer = server.post(
        "/v1/images:annotate",
        content=json.dumps({"requests": [row]}),
        params={} if way == "header" else {way: mask},
        headers={"x-goog-fieldmask": mask} if way == "header" else {},
    ).json()
    (one,) = answer["responses"]
    assert set(one) == {"imagePropertiesAnnotation"}
    colors = one["imagePropertiesAnnotation"]["dominantColors"]["colors"]
    assert colors
    assert all(set(color) <= {"score", "color"} and set(color.get("color", {})) <= {"red"} for color in colors)


def test_a_wrong_mask_is_an_error_of_the_request(server: httpx.Client) -> None:
    answer = server.post("/v1/images:annotate?fields=nothing", content=b'{"requests": []}')
    assert answer.status_code == 400
    assert "there are responses" in answer.json()["error"]["message"]
    listed = server.get("/v1/operations?fields=operations(name,done)")
    assert listed.status_code == 200
    assert all(set(row) <= {"name", "done"} for row in listed.json().get("operations", []))
    assert server.get("/v1/operations?fields=operations/size").status_code == 400
