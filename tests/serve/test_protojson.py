"""proto3 JSON: what is read, what is refused and how, what is written."""

import base64
import json
from typing import Any

import pytest
from google.cloud import vision
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from szem.serve.protojson import MAX_ITEMS, parse_json, read_message, write_message
from szem.serve.status import FieldsError
from szem.serve.vision.schema import (
    AnnotateImageResponse,
    BatchAnnotateImagesRequest,
    BoundingPoly,
    Color,
    ColorInfo,
    CropHint,
    CropHintsAnnotation,
    DominantColorsAnnotation,
    EntityAnnotation,
    FeatureType,
    Image,
    ImageAnnotationContext,
    ImageProperties,
    NormalizedVertex,
    Status,
    Vertex,
)


def read(**one: Any) -> Any:
    return read_message(BatchAnnotateImagesRequest, {"requests": [one]}).requests[0]


@pytest.mark.parametrize("value", [4, "LABEL_DETECTION", "4", 4.0])
def test_enums_come_as_numbers_and_as_names(value: object) -> None:
    assert read(features=[{"type": value}]).features[0].type is FeatureType.LABEL_DETECTION


def test_a_number_of_a_later_version_is_kept() -> None:
    assert read(features=[{"type": 77}]).features[0].type == 77


@pytest.mark.parametrize("key", ["maxResults", "max_results"])
@pytest.mark.parametrize("value", [5, "5", 5.0])
def test_snake_case_and_numbers_as_text_are_read(key: str, value: object) -> None:
    assert read(features=[{key: value}]).features[0].max_results == 5


@pytest.mark.parametrize("value", [1.5, "x", True, [], {}, 2**31, "1" * 12, "--3", "٣"])
def test_what_is_no_int32_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(FieldsError, match=r"requests\[0\]\.features\[0\]\.maxResults' \(TYPE_INT32\)") as caught:
        read(features=[{"maxResults": value}])
    assert caught.value.violations[0].field == "requests[0].features[0].maxResults"


def test_null_is_the_same_as_absent() -> None:
    assert read(image=None, features=None).features == ()


@given(st.binary(max_size=80))
def test_base64_is_read_standard_and_url_safe_padded_or_not(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        for form in (text, text.rstrip("="), text[:40] + "\r\n" + text[40:]):
            assert read(image={"content": form}).image == Image(content=data)


@pytest.mark.parametrize("text", ["!", "A", "AAAA=A", "AA==AA", "data:image/png;base64,AAAA", "ééé"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(FieldsError, match="Base64 decoding failed"):
        read(image={"content": text})


def test_a_refused_data_url_names_the_remedy() -> None:
    with pytest.raises(FieldsError, match="what follows the comma"):
        read(image={"content": "data:image/png;base64,AAAA"})


def test_unknown_names_are_refused_as_google_does() -> None:
    with pytest.raises(
        FieldsError,
        match=r"""^Invalid JSON payload received\. Unknown name "foo" at 'requests\[0\]': Cannot find field\.$""",
    ):
        read(foo=1)
    with pytest.raises(FieldsError, match='Unknown name "request": Cannot find field'):
        read_message(BatchAnnotateImagesRequest, {"request": []})


def test_every_fault_is_reported_with_its_place() -> None:
    with pytest.raises(FieldsError) as caught:
        read_message(BatchAnnotateImagesRequest, {"a": 1, "requests": [{"b": 2}, 3, None, {"features": {}}]})
    assert [v.field for v in caught.value.violations] == [
        "",
        "requests[0]",
        "requests[1]",
        "requests[2]",
        "requests[3].features",
    ]


def test_huge_lists_are_refused() -> None:
    with pytest.raises(FieldsError, match="more than any limit"):
        read_message(BatchAnnotateImagesRequest, {"requests": [{}] * (MAX_ITEMS + 1)})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Expecting property name"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "thousands of digits"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{'a': 1}", "Expecting property name"),
        (b'{"a": 1} x', "Extra data"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(FieldsError, match=f"Invalid JSON payload received.*{said}"):
        parse_json(body)


def test_an_empty_body_is_an_empty_message() -> None:
    assert parse_json(b"") == {}


@pytest.mark.parametrize("value", [[], 3, "x", None, True])
def test_a_body_must_be_an_object(value: object) -> None:
    with pytest.raises(FieldsError, match="an object"):
        read_message(BatchAnnotateImagesRequest, value)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(FieldsError, match="surrogate"):
        read_message(BatchAnnotateImagesRequest, {"parent": json.loads('"\\ud800"')})


ANSWER = AnnotateImageResponse(
    label_annotations=(EntityAnnotation(mid="n02123045", description="tabby", score=0.123456789, topicality=0.5),),
    image_properties_annotation=ImageProperties(
        dominant_colors=DominantColorsAnnotation(
            colors=(ColorInfo(color=Color(red=255.0, green=0.0, blue=7.0), score=0.25, pixel_fraction=0.5),)
        )
    ),
    crop_hints_annotation=CropHintsAnnotation(
        crop_hints=(
            CropHint(
                bounding_poly=BoundingPoly(
                    vertices=(Vertex(), Vertex(x=9)),
                    normalized_vertices=(NormalizedVertex(), NormalizedVertex(x=1.0)),
                ),
                confidence=0.5,
            ),
        )
    ),
    error=Status(code=12, message="no faces"),
    context=ImageAnnotationContext(uri="file:///a.tif", page_number=2),
)


def test_zeros_are_left_out_as_proto3_does() -> None:
    poly = write_message(ANSWER)["cropHintsAnnotation"]["cropHints"][0]["boundingPoly"]
    assert poly == {"vertices": [{}, {"x": 9}], "normalizedVertices": [{}, {"x": 1.0}]}


def test_zeros_of_points_and_colours_can_be_kept() -> None:
    written = write_message(ANSWER, keep_zeros=True)
    assert written["cropHintsAnnotation"]["cropHints"][0]["boundingPoly"]["vertices"] == [
        {"x": 0, "y": 0},
        {"x": 9, "y": 0},
    ]
    assert written["imagePropertiesAnnotation"]["dominantColors"]["colors"][0]["color"]["green"] == 0.0
    assert "locale" not in written["labelAnnotations"][0]


def test_an_empty_answer_is_an_empty_object() -> None:
    assert write_message(AnnotateImageResponse()) == {}


@pytest.mark.parametrize("keep_zeros", [False, True])
def test_googles_own_parser_reads_what_is_written_and_writes_the_same(keep_zeros: bool) -> None:
    written = write_message(ANSWER, keep_zeros=keep_zeros)
    theirs = vision.AnnotateImageResponse.pb(vision.AnnotateImageResponse())
    json_format.ParseDict(written, theirs)
    again = json_format.MessageToDict(theirs)
    assert again == write_message(ANSWER)


def test_enums_are_written_as_names_or_numbers() -> None:
    message = BatchAnnotateImagesRequest(
        requests=(read(features=[{"type": 4}]), read(features=[{"type": "FACE_DETECTION"}]))
    )
    named = write_message(message)["requests"]
    numbered = write_message(message, enums_as_int=True)["requests"]
    assert [r["features"][0]["type"] for r in named] == ["LABEL_DETECTION", "FACE_DETECTION"]
    assert [r["features"][0]["type"] for r in numbered] == [4, 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["requests", "image", "content", "features", "type", "maxResults", "imageContext", "labels", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_is_a_message_or_a_typed_refusal(value: object) -> None:
    try:
        message = read_message(BatchAnnotateImagesRequest, value)
    except FieldsError:
        return
    assert read_message(BatchAnnotateImagesRequest, write_message(message)) == message
