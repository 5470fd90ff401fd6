"""Hostile input: whatever comes, the answer is typed, never a 500, never a hang."""

import base64
import io
import json
import zlib
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


def annotate(server: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    answer = server.post("/v1/images:annotate", content=body, headers=headers)
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "x-request-id" in answer.headers
    return answer


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"hello",
    "half": b'{"requests": [',
    "an array": b"[]",
    "a number": b"7",
    "null": b"null",
    "deep lists": b'{"requests":' + b"[" * 200_000,
    "deep objects": b'{"requests":' + b'{"image":' * 100_000,
    "deep and closed": b'{"requests":' + b"[" * 900 + b"]" * 900 + b"}",
    "NaN": b'{"requests": NaN}',
    "infinity": b'{"requests": [{"imageContext": {"cropHintsParams": {"aspectRatios": [1e999]}}}]}',
    "a huge integer": b'{"requests": [{"features": [{"type": ' + b"9" * 4000 + b"}]}]}",
    "a longer integer": b'{"requests": ' + b"9" * 100_000 + b"}",
    "many empty requests": b'{"requests": [' + b"{}," * 300_000 + b"{}]}",
    "many nulls": b'{"requests": [' + b"null," * 300_000 + b"null]}",
    "many features": b'{"requests": [{"features": [' + b'{"type": 4},' * 50_000 + b'{"type": 4}]}]}',
    "many keys": b"{" + b",".join(b'"k%d": 1' % n for n in range(50_000)) + b"}",
    "a long key": b'{"' + b"k" * 1_000_000 + b'": 1}',
    "a key twice": b'{"requests": [{}], "requests": []}',
    "wrong types": b'{"requests": {"image": []}}',
    "a type as an object": b'{"requests": [{"features": [{"type": {"a": 1}}]}]}',
    "not UTF-8": b'{"requests": "\xff\xfe"}',
    "UTF-16": '{"requests": []}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"requests": [{}]}',
    "NUL bytes": b"\0" * 1000,
    "half a surrogate": b'{"parent": "\\ud800", "requests": [{}]}',
    "control characters": b'{"requests": [{"features": [{"model": "\\u0000\\u001b[31m", "type": 4}]}]}',
    "a path in a parent": b'{"parent": "projects/../../etc", "requests": [{}]}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_gets_a_typed_answer(server: httpx.Client, name: str) -> None:
    answer = annotate(server, BODIES[name])
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert error["code"] == answer.status_code
        assert error["status"] == "INVALID_ARGUMENT"
        assert 0 < len(error["message"]) < 2000
        assert len(answer.content) < 20_000  # it does not send back what it was sent


def bomb_png() -> bytes:
    """A PNG that claims 75 M pixels and holds nothing like it."""
    out = io.BytesIO()
    Image.new("1", (8, 8)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = (8660).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def bomb_gif() -> bytes:
    """A GIF of a large canvas and very many small frames."""
    out = io.BytesIO()
    Image.new("P", (1, 1)).save(out, "GIF", save_all=True, append_images=[Image.new("P", (1, 1), n) for n in (1, 2)])
    data = bytearray(out.getvalue())
    data[6:10] = b"\xd0\x07\xd0\x07"  # 2000 × 2000
    frame = bytes(data[data.index(b"\x2c") : -1])
    return bytes(data[:-1]) + frame * 1500 + b";"


PICTURES: dict[str, bytes] = {
    "empty": b"",
    "text": b"this is no picture",
    "a PNG that claims too much": bomb_png(),
    "a GIF of many frames": bomb_gif(),
    "only a JPEG's first bytes": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "only a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
    "a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "a PDF": b"%PDF-1.7\n",
    "a ZIP": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("kind", ["IMAGE_PROPERTIES", "CROP_HINTS", "LABEL_DETECTION"])
def test_a_bad_picture_gets_a_typed_answer(server: httpx.Client, name: str, kind: str) -> None:
    content = base64.b64encode(PICTURES[name]).decode()
    body = {"requests": [{"image": {"content": content}, "features": [{"type": kind}]}]}
    answer = annotate(server, json.dumps(body).encode())
    assert answer.status_code == 200
    one = answer.json()["responses"][0]
    if name != "a GIF of many frames":  # its first frame may be read
        assert one["error"]["code"] == 3


def test_a_gif_that_asks_for_endless_work_is_refused_or_answered_soon(server: httpx.Client) -> None:
    content = base64.b64encode(bomb_gif()).decode()
    one = {
        "inputConfig": {"content": content, "mimeType": "image/gif"},
        "features": [{"type": "IMAGE_PROPERTIES"}],
        "pages": [-1],
    }
    answer = server.post("/v1/files:annotate", json={"requests": [one]}, timeout=30)
    assert answer.status_code == 200
    (page,) = answer.json()["responses"][0]["responses"]
    assert page["error"]["code"] == 3
    assert "cut the animation" in page["error"]["message"]


NAMES = (
    "requests",
    "image",
    "content",
    "source",
    "imageUri",
    "gcsImageUri",
    "features",
    "type",
    "maxResults",
    "model",
    "imageContext",
    "cropHintsParams",
    "aspectRatios",
    "labels",
    "parent",
    "inputConfig",
    "gcsSource",
    "uri",
    "mimeType",
    "pages",
    "outputConfig",
    "gcsDestination",
    "batchSize",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["LABEL_DETECTION", "IMAGE_PROPERTIES", "file:///etc/passwd", "http://127.0.0.1/", "gs://a/b", "iVBORw0KGgo="]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
ROUTES = st.sampled_from(
    [
        f"/v1{parent}/{kind}:{verb}"
        for parent in ("", "/projects/p")
        for kind in ("images", "files")
        for verb in ("annotate", "asyncBatchAnnotate")
    ]
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=ROUTES, one=VALUES, whole=st.booleans())
def test_any_json_gets_a_typed_answer(server: httpx.Client, path: str, one: Any, whole: bool) -> None:
    body = json.dumps(one if whole else {"requests": [one]})  # NaN and infinity as Python writes them
    answer = server.post(path, content=body.encode("utf-8", "surrogatepass"))
    assert answer.status_code in (200, 400, 403, 501), answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["status"] in ("INVALID_ARGUMENT", "PERMISSION_DENIED", "UNIMPLEMENTED")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200), kind=st.sampled_from(["image/png", "application/json", "multipart/form-data", "x"])
)
def test_any_upload_gets_a_typed_answer(server: httpx.Client, data: bytes, kind: str) -> None:
    answer = server.post("/v1/szem/colors", content=data, headers={"content-type": kind})
    assert answer.status_code in (200, 400), answer.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(max_size=40), query=st.text(max_size=20))
def test_any_path_gets_a_typed_answer(server: httpx.Client, path: str, query: str) -> None:
    try:
        answer = server.get(f"/v1/{path}", params={"pageToken": query, "filter": query})
    except (httpx.InvalidURL, httpx.LocalProtocolError):
        return
    assert answer.status_code in (200, 304, 400, 404, 405), answer.text


# The OpenAPI description -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_server_keeps_what_its_description_says(server: httpx.Client) -> None:
    """Schemathesis makes requests from the description; each answer must be one that the description allows."""
    schema = schemathesis.openapi.from_url(f"{str(server.base_url).rstrip('/')}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def keeps(case: Any) -> None:
            answer = case.call(timeout=30)
            case.validate_response(
                answer, checks=[status_code_conformance, content_type_conformance, response_schema_conformance]
            )
            assert answer.status_code < 500 or answer.status_code == 501, answer.text

        keeps()
