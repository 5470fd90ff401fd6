"""Google's Python client in its default transport, gRPC, on an insecure channel: the same answers as over HTTP."""

import io
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import vision
from google.cloud.vision_v1.services.image_annotator.transports import ImageAnnotatorGrpcTransport
from google.longrunning import operations_pb2, operations_pb2_grpc
from PIL import Image

from szem.errors import RangeError
from szem.serve.settings import ServeSettings
from szem.serve.vision.protos import descriptors
from tests.serve.conftest import KEY, on_a_thread
from tests.serve.google_client import client_of, tiff

grpc = pytest.importorskip("grpc", reason="needs the extra: pip install 'szem[grpc]'")
pytest.importorskip("grpc_health.v1.health", reason="needs the extra: pip install 'szem[grpc]'")
SERVICES = pytest.importorskip("szem.serve.vision.grpc_server").SERVICES
Served = tuple[httpx.Client, Any]  # HTTP, and a channel
LABEL, COLORS = vision.Feature.Type.LABEL_DETECTION, vision.Feature.Type.IMAGE_PROPERTIES


@contextmanager
def served(settings: ServeSettings) -> Iterator[Served]:
    """A server on a thread: an HTTP client and a gRPC channel to it."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with (
        on_a_thread(replace(settings, grpc_port=0)) as (url, address),
        httpx.Client(base_url=url, timeout=120, trust_env=False) as client,
        grpc.insecure_channel(address, options=options) as channel,
    ):
        yield client, channel


@pytest.fixture(scope="module")
def both(settings: ServeSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    database = f"sqlite:///{tmp_path_factory.mktemp('grpc') / 'operations.sqlite3'}"
    with served(replace(settings, database=database)) as pair:
        yield pair


def client_on(channel: Any) -> vision.ImageAnnotatorClient:
    return vision.ImageAnnotatorClient(transport=ImageAnnotatorGrpcTransport(channel=channel))


@pytest.fixture(scope="module")
def client(both: Served) -> vision.ImageAnnotatorClient:
    return client_on(both[1])


@pytest.mark.parametrize(
    "feature",
    ["LABEL_DETECTION", "OBJECT_LOCALIZATION", "FACE_DETECTION", "IMAGE_PROPERTIES", "CROP_HINTS", "WEB_DETECTION"],
)
def test_the_answer_is_that_of_http(both: Served, cat: bytes, feature: str) -> None:
    request = {
        "image": {"content": cat},
        "features": [{"type_": vision.Feature.Type[feature]}],
        "image_context": {"crop_hints_params": {"aspect_ratios": [1.0, 0.5]}},
    }
    over_grpc, over_http = (one.annotate_image(request) for one in (client_on(both[1]), client_of(both[0])))
    assert _rounded(over_grpc) == _rounded(over_http)


def _rounded(message: Any) -> Any:
    """A message with floats of four digits: JSON carries seven, protocol buffers all."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return round(value, 4) if isinstance(value, float) else value

    return walk(type(message).to_dict(message))


def test_pictures_are_answered_in_order_beside_one_that_is_bad(
    client: vision.ImageAnnotatorClient, cat: bytes, small: bytes
) -> None:
    rows = [{"image": {"content": data}, "features": [{"type_": COLORS}]} for data in (cat, b"no picture", small)]
    first, bad, last = client.batch_annotate_images(requests=rows).responses
    assert first.image_properties_annotation.dominant_colors.colors
    assert last.image_properties_annotation.dominant_colors.colors
    assert bad.error.code == 3
    assert bad.error.message.startswith("Bad image data. ")
    assert "image.content" in str(bad.error.details[0].value)


def test_pages_of_a_file(client: vision.ImageAnnotatorClient) -> None:
    request = {
        "input_config": {"content": tiff(3), "mime_type": "image/tiff"},
        "features": [{"type_": COLORS}],
        "pages": [1, -1],
    }
    (answer,) = client.batch_annotate_files(requests=[request]).responses
    assert answer.total_pages == 3
    assert [page.context.page_number for page in answer.responses] == [1, 3]
    reds = [page.image_properties_annotation.dominant_colors.colors[0].color.red for page in answer.responses]
    assert reds == pytest.approx([40, 120], abs=2)


def test_an_operation_is_started_polled_listed_and_deleted(
    both: Served, inbox: Path, outbox: Path, cat: bytes
) -> None:
    (inbox / "grpc.jpg").write_bytes(cat)
    (inbox / "grpc.tiff").write_bytes(tiff(3))
    client = client_on(both[1])
    source = {"source": {"image_uri": (inbox / "grpc.jpg").as_uri()}}
    pictures = client.async_batch_annotate_images(
        requests=[{"image": source, "features": [{"type_": LABEL}]}],
        output_config={"gcs_destination": {"uri": f"{outbox.as_uri()}/grpc-"}, "batch_size": 2},
    )
    answer = pictures.result(timeout=120)
    assert answer.output_config.batch_size == 2
    assert pictures.metadata.state == vision.OperationMetadata.State.DONE
    written = json.loads((outbox / "grpc-output-1-to-1.json").read_text())
    assert written["responses"][0]["labelAnnotations"]
    pages = client.async_batch_annotate_files(
        requests=[
            {
                "input_config": {
                    "gcs_source": {"uri": (inbox / "grpc.tiff").as_uri()},
                    "mime_type": "image/tiff",
                },
                "features": [{"type_": COLORS}],
                "output_config": {"gcs_destination": {"uri": f"{outbox.as_uri()}/grpc-file-"}},
            }
        ]
    )
    assert pages.result(timeout=120).responses[0].output_config.gcs_destination.uri.endswith("/grpc-file-")
    stub = operations_pb2_grpc.OperationsStub(both[1])
    name = pages.operation.name
    listed = stub.ListOperations(
        operations_pb2.ListOperationsRequest(name="operations", filter="done=true", page_size=1)
    )
    assert [one.name for one in listed.operations] == [name]
    assert listed.next_page_token
    stub.CancelOperation(operations_pb2.CancelOperationRequest(name=name))  # it is done: nothing changes
    stub.DeleteOperation(operations_pb2.DeleteOperationRequest(name=name))
    with pytest.raises(grpc.RpcError) as gone:
        stub.GetOperation(operations_pb2.GetOperationRequest(name=name))
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError, match="must read projects/PROJECT/operations/ID"):
        stub.GetOperation(operations_pb2.GetOperationRequest(name="folders/1/operations/2"))


def test_a_request_that_breaks_a_rule_says_where(client: vision.ImageAnnotatorClient, small: bytes) -> None:
    row = {"image": {"content": small}, "features": [{"type_": LABEL, "max_results": -1}]}
    with pytest.raises(exceptions.InvalidArgument, match="must not be negative") as error:
        client.batch_annotate_images(requests=[row])
    (detail,) = error.value.details
    assert detail.field_violations[0].field == "requests[0].features[0].maxResults"
    with pytest.raises(exceptions.InvalidArgument, match="at most 16 pictures in one request, got 17"):
        client.batch_annotate_images(requests=[row | {"features": [{"type_": LABEL}]}] * 17)
    with pytest.raises(exceptions.InvalidArgument, match="ask for them over HTTP"):
        client.batch_annotate_images(requests=[row | {"features": [{"type_": 1001}]}])


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\xff\xff",  # cut off
        b"\x0b",  # a group
        b"\xff" * 20,  # no tag
        b"\x0a\x00" * 300_000,  # many empty requests: an object each
    ],
)
def test_hostile_bytes_are_refused(both: Served, body: bytes) -> None:
    ask = both[1].unary_unary("/google.cloud.vision.v1.ImageAnnotator/BatchAnnotateImages")
    with pytest.raises(grpc.RpcError) as error:
        ask(body, timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as error:
        both[1].stream_unary("/google.cloud.vision.v1.ImageAnnotator/BatchAnnotateImages")(iter(()), timeout=60)
    assert "brought no message" in error.value.details()


def test_a_message_may_have_16_mb_and_no_more(both: Served, cat: bytes) -> None:
    client = client_on(both[1])
    feature = [{"type_": COLORS}]
    padded = cat + bytes((15 << 20) - len(cat))  # a decoder stops at the end of the picture
    answer = client.annotate_image({"image": {"content": padded}, "features": feature})
    assert answer.image_properties_annotation.dominant_colors.colors
    with pytest.raises(exceptions.ResourceExhausted, match="larger than max"):
        client.annotate_image({"image": {"content": bytes(17 << 20)}, "features": feature})


def test_a_method_that_is_not_there(both: Served) -> None:
    with pytest.raises(grpc.RpcError) as error:
        both[1].unary_unary("/google.cloud.vision.v1.ProductSearch/ListProducts")(b"", timeout=60)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_ends_the_call_and_the_server_lives(both: Served, cat: bytes) -> None:
    client = client_on(both[1])
    noise = np.random.default_rng(3).integers(0, 256, (2500, 2500, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=50)
    row = {"image": {"content": out.getvalue()}, "features": [{"type_": 5}, {"type_": 19}, {"type_": 1}]}
    begun = time.monotonic()
    with pytest.raises(exceptions.DeadlineExceeded):
        client.batch_annotate_images(requests=[row], timeout=0.05, retry=Retry(predicate=lambda _: False))
    assert time.monotonic() - begun < 30
    assert client.label_detection(image=vision.Image(content=cat)).label_annotations


def test_an_id_goes_there_and_back(both: Served, small: bytes) -> None:
    body = vision.BatchAnnotateImagesRequest.serialize(
        vision.BatchAnnotateImagesRequest(requests=[{"image": {"content": small}, "features": [{"type_": COLORS}]}])
    )
    ask = both[1].unary_unary("/google.cloud.vision.v1.ImageAnnotator/BatchAnnotateImages")
    for sent, is_kept in (("mine-1", True), ("two words", False)):
        _, call = ask.with_call(body, metadata=(("x-request-id", sent),))
        back = dict(call.initial_metadata())["x-request-id"]
        assert (back == sent) is is_kept
        assert len(back) in (6, 32)


def test_health_and_reflection(both: Served) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    check = health_pb2_grpc.HealthStub(both[1]).Check
    for service in ("", "google.cloud.vision.v1.ImageAnnotator", "google.longrunning.Operations"):
        assert check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
    found = ProtoReflectionDescriptorDatabase(both[1])
    assert "google.cloud.vision.v1.ImageAnnotator" in found.get_services()
    file = found.FindFileContainingSymbol("google.cloud.vision.v1.ImageAnnotator")
    assert {method.name for method in file.service[0].method} == {
        "BatchAnnotateImages",
        "BatchAnnotateFiles",
        "AsyncBatchAnnotateImages",
        "AsyncBatchAnnotateFiles",
    }


def test_keys_and_places_are_those_of_http(tmp_path: Path, small: bytes) -> None:
    database = f"sqlite:///{tmp_path / 'operations.sqlite3'}"
    own = ServeSettings(port=0, key=KEY, studio=False, database=database, guard_store=tmp_path, api_keys=("secret",))
    with served(replace(own, max_in_flight=1)) as (http, channel):
        client = client_on(channel)
        request = partial(client.annotate_image, {"image": {"content": small}, "features": [{"type_": COLORS}]})
        with pytest.raises(exceptions.PermissionDenied, match="it in the metadata x-goog-api-key") as no:
            request()
        assert "?key=" not in no.value.message  # there is no query in a call
        for name, value in (("x-goog-api-key", "secret"), ("authorization", "Bearer secret"), ("x-szem-key", KEY)):
            assert request(metadata=((name, value),)).image_properties_annotation.dominant_colors.colors
        with pytest.raises(exceptions.PermissionDenied):
            request(metadata=(("x-goog-api-key", "wrong"),))
        counted = http.get("/metrics", headers={"x-szem-key": KEY}).text
        assert 'route="/google.cloud.vision.v1.ImageAnnotator/BatchAnnotateImages",status="7"' in counted


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def numbers_of(service: str, method: str) -> Iterator[tuple[str, Any]]:
    """Place in the JSON form, and the fields that lead there, of every number in the message of a call."""

    def walk(message: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        for field in message.fields:
            if field.message_type is not None and len(place) < 6:
                yield from walk(field.message_type, (*place, field))
            elif field.cpp_type not in (field.CPPTYPE_STRING, field.CPPTYPE_MESSAGE):
                yield (*place, field)

    kind = descriptors().FindServiceByName(service).FindMethodByName(method).input_type
    for place in walk(kind, ()):
        names = [part for f in place for part in ((f.json_name, "[]") if f.is_repeated else (f.json_name,))]
        yield ".".join(names), place


def is_float(field: Any) -> bool:
    return field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE)


def wire(place: tuple[Any, ...], value: float) -> bytes:
    """A message in which only one number is set; also one that its type does not hold."""
    field = place[-1]
    if is_float(field):
        is_single = field.cpp_type == field.CPPTYPE_FLOAT
        packed = np.array(value, np.float32 if is_single else np.float64).tobytes()
        body = varint(field.number << 3 | (5 if is_single else 1)) + packed
    else:
        body = varint(field.number << 3) + varint(int(value) & (2**64 - 1))
    for outer in reversed(place[:-1]):
        body = varint(outer.number << 3 | 2) + varint(len(body)) + body
    return body


CALLS = [(service, method) for service, methods in SERVICES.items() for method in methods]
OUTSIDE = {  # right above and below what is taken, by the end of the place
    "maxResults": (-1,),
    "batchSize": (101, -1),
    "aspectRatios.[]": (101, 0.009, -1, np.inf, np.nan),
    "pages.[]": (0,),
    "pageSize": (-1,),
}


@pytest.mark.parametrize(("service", "method"), CALLS, ids=[method for _, method in CALLS])
def test_no_number_in_a_message_is_a_fault_of_the_server(both: Served, service: str, method: str) -> None:
    ask = both[1].unary_unary(f"/{service}/{method}")
    for place, fields in numbers_of(service, method):
        outside = next((values for end, values in OUTSIDE.items() if place.endswith(end)), ())
        floats = (np.inf, -np.inf, np.nan, 1e-45) if is_float(fields[-1]) else ()
        for value in (*outside, 2**31, 2**31 - 1, -(2**31), 2**63, *floats):
            try:
                ask(wire(fields, value), timeout=60)
                code = grpc.StatusCode.OK
                text = ""
            except grpc.RpcError as error:
                code, text = error.code(), f"{error.details()} {error.trailing_metadata()}"
            fine = (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
            assert code in (fine[1:2] if any(value is one for one in outside) else fine), f"{place}={value}: {code}"
            if any(value is one for one in outside):
                assert place.split(".")[-1 - place.endswith("[]")] in text


def test_connections_and_calls_over_one_of_them_are_limited(settings: ServeSettings, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'operations.sqlite3'}"
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # HTTP/2, and no settings of ours
    with on_a_thread(replace(settings, database=database, grpc_port=0, max_connections=3)) as (_, address):
        host, _, port = address.rpartition(":")
        opened = [socket.create_connection((host, int(port)), timeout=20) for _ in range(6)]
        answers = []
        for one in opened:
            try:
                one.sendall(hello)
                answers.append(one.recv(9) + one.recv(4096))
            except OSError:  # closed on us
                answers.append(b"")
        taken = [answer for answer in answers if answer]
        assert len(taken) == 3
        settings_of = taken[0][9 : 9 + int.from_bytes(taken[0][:3], "big")]
        rows = [settings_of[n : n + 6] for n in range(0, len(settings_of), 6)]
        streams = {int.from_bytes(row[:2], "big"): int.from_bytes(row[2:], "big") for row in rows}
        assert streams[3] == 32  # SETTINGS_MAX_CONCURRENT_STREAMS
        for one in opened:
            one.close()


def test_other_machines_need_a_key() -> None:
    with pytest.raises(RangeError, match="ask for a key with --api-key"):
        ServeSettings(host="0.0.0.0", hostnames=("eye.example",), grpc_port=8778)
    assert ServeSettings(host="0.0.0.0", api_keys=("k",), grpc_port=8778).grpc_port == 8778
    with pytest.raises(RangeError, match="grpc_port must be"):
        ServeSettings(grpc_port=70_000)


def test_the_workers_process_knows_no_grpc(both: Served) -> None:
    """gRPC's threads and forking do not go together: what forks must not have it."""
    from szem.serve.dispatcher import FORK_SERVER

    assert both
    assert FORK_SERVER is not None
    process = FORK_SERVER._process
    assert process is not None
    assert "grpc" not in Path(f"/proc/{process.pid}/maps").read_text()
    assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1
