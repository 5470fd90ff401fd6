"""Google's dialect over gRPC: the same methods, limits, keys and errors as over HTTP, on a port of its own.

Needs the extra `szem[grpc]`. The server runs in the event loop of the HTTP server; pictures are decoded in the same
worker processes. Those are forked by a process that never imports this file: gRPC has threads, and forking beside
them hangs.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from szem.errors import BusyError, DeniedError, SzemError
from szem.serve.metrics import Metrics
from szem.serve.middleware.caller import CallerCheck
from szem.serve.middleware.limits import RequestGate, RequestSlot
from szem.serve.middleware.observe import Trace
from szem.serve.settings import ServeSettings
from szem.serve.status import Code, FieldsError, Violation, code_of, error_to_status, message_of
from szem.serve.vision.features import OUTLINES_MODEL
from szem.serve.vision.methods import Methods, split_name
from szem.serve.vision.operations import operation_to_json
from szem.serve.vision.protos import (
    PACKAGE,
    descriptors,
    json_to_proto,
    message_to_proto,
    parse_proto,
    proto_to_message,
)
from szem.serve.vision.records import Record
from szem.serve.vision.schema import (
    AsyncBatchAnnotateFilesRequest,
    AsyncBatchAnnotateImagesRequest,
    BatchAnnotateFilesRequest,
    BatchAnnotateImagesRequest,
    FeatureType,
)
from szem.serve.workers import ARRIVED

__all__ = ["ANNOTATOR", "OPERATIONS", "SERVICES", "GrpcServer"]

_log = logging.getLogger("szem.serve")
ANNOTATOR = f"{PACKAGE}.ImageAnnotator"
_HEALTH_S = 1.0  # how often the health service is told how the workers are
_IDLE_MS = 300_000  # a connection without a call is closed
_MOST_STREAMS = 32  # calls at once over one connection: one caller cannot take all places; its others wait with it
_LONGEST_MESSAGE = 1_000  # headers hold 8 KB by default; the details are in there too
_CODES = {Code(code.value[0]): code for code in grpc.StatusCode}
_MORE_CALLS = 16  # beyond the places: they are refused with our own words, and health is answered
_LONG = "google.longrunning"
OPERATIONS = f"{_LONG}.Operations"


SERVICES = {
    ANNOTATOR: ("BatchAnnotateImages", "BatchAnnotateFiles", "AsyncBatchAnnotateImages", "AsyncBatchAnnotateFiles"),
    OPERATIONS: ("ListOperations", "GetOperation", "CancelOperation", "DeleteOperation"),
}
"""The methods that are answered."""


@dataclass(frozen=True)
class _Asked:
    """One call: its message, the fingerprint of the caller's key, and what is noted of it."""

    body: bytes
    owner: str
    trace: Trace


_Call = Callable[[_Asked], Awaitable[Message]]


class GrpcServer:
    """The gRPC side of one server.

    Args:
        settings: The operator's choices.
        methods: What is answered.
        gate: Counts requests, those of HTTP too.
        metrics: Where requests are counted.
        fault: What keeps requests from being answered, if anything; for the health service.
    """

    def __init__(
        self,
        settings: ServeSettings,
        methods: Methods,
        gate: RequestGate,
        metrics: Metrics,
        fault: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.gate = gate
        self.metrics = metrics
        self.address = ""  # HOST:PORT, once it is taken
        self._caller = CallerCheck(settings)
        self._calls = _Calls(methods)
        self._fault = fault
        self._health = health.aio.HealthServicer()
        self._beat: asyncio.Task[None] | None = None
        self._end: asyncio.Task[None] | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Take the port and answer.

        Raises:
            DeniedError: the port is taken, or needs rights that are missing.
        """
        most = self.settings.max_grpc_bytes
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=self.settings.max_in_flight + _MORE_CALLS,
            options=[
                ("grpc.max_receive_message_length", most),
                ("grpc.max_send_message_length", -1),  # an answer that was computed is sent
                ("grpc.so_reuseport", 0),  # two servers on one port would each get some of the calls
                ("grpc.max_connection_idle_ms", _IDLE_MS),
                ("grpc.max_allowed_incoming_connections", self.settings.max_connections),
                ("grpc.max_concurrent_streams", _MOST_STREAMS),
            ],
        )
        for service, calls in self._calls.table.items():
            rows = {name: self._handler(f"/{service}/{name}", call) for name, call in calls.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, rows),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._add_reflection()
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        try:
            port = self._server.add_insecure_port(f"{host}:{self.settings.grpc_port}")
        except RuntimeError as error:
            raise DeniedError(
                f"cannot listen on {host}:{self.settings.grpc_port} for gRPC; choose another with --grpc"
            ) from error
        self.address = f"{host}:{port}"
        await self._server.start()
        self._beat = asyncio.create_task(self._keep_beating())

    def begin_end(self, grace_s: float) -> None:
        """Refuse new calls; those under way have so long."""
        if self._end is None and self._server is not None:
            self._end = asyncio.create_task(self._server.stop(grace_s))

    async def stop(self, grace_s: float) -> None:
        """End, after `grace_s` at most where the end was not begun before."""
        if self._beat is not None:
            self._beat.cancel()
            with suppress(asyncio.CancelledError):
                await self._beat
        self.begin_end(grace_s)
        if self._end is not None:
            await self._end

    def _add_reflection(self) -> None:
        pool = descriptors()
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
            pool.AddSerializedFile(file.serialized_pb)
        names = (ANNOTATOR, OPERATIONS, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool=pool)

    async def _keep_beating(self) -> None:
        serving = health_pb2.HealthCheckResponse.ServingStatus
        while True:
            now = serving.Value("NOT_SERVING" if self._fault() else "SERVING")
            for name in (health.OVERALL_HEALTH, ANNOTATOR, OPERATIONS):
                await self._health.set(name, now)
            await asyncio.sleep(_HEALTH_S)

    def _handler(self, path: str, call: _Call) -> grpc.RpcMethodHandler:
        """A handler that reads the message itself, after the caller is known to be welcome.

        To the wire a stream of one message and a single message are the same.
        """

        async def answer(messages: AsyncIterator[bytes], context: Any) -> bytes:
            return await self._answer(path, call, messages, context)

        return grpc.stream_unary_rpc_method_handler(answer)

    async def _answer(self, path: str, call: _Call, messages: AsyncIterator[bytes], context: Any) -> bytes:
        headers = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
        trace = Trace.begin(headers.get("x-request-id", ""), path)
        ARRIVED.set(time.monotonic())
        self.metrics.in_flight.inc()
        try:
            await context.send_initial_metadata((("x-request-id", trace.id),))
            owner = self._caller.check_keys(_keys_in(headers), how="the metadata x-goog-api-key")
            with self.gate.enter() as place:
                body = await self._receive(messages, place, trace)
                async with asyncio.timeout(self.settings.answer_timeout_s):
                    found = (await call(_Asked(body, owner, trace))).SerializeToString()
        except asyncio.CancelledError:  # by the caller, by its deadline, or by the end of the server
            trace.status = Code.DEADLINE_EXCEEDED if _is_overdue(context) else Code.CANCELLED
            raise
        except Exception as error:
            trace.status = code_of(error)
            if isinstance(error, SzemError | TimeoutError):
                self.metrics.refused.labels(type(error).__name__).inc()
            else:
                _log.exception("request %s failed", trace.id)
            code = _CODES[Code(trace.status)]
            await context.abort(code, message_of(error)[:_LONGEST_MESSAGE], trailing_metadata=_status_of(error))
            raise  # never reached: abort raises
        else:
            trace.bytes_out = len(found)
            return found
        finally:
            self.metrics.in_flight.dec()
            method = path.rpartition("/")[2]
            trace.note(self.metrics, protocol="grpc", method=method, route=path, client=_client_of(context))

    async def _receive(self, messages: AsyncIterator[bytes], place: RequestSlot, trace: Trace) -> bytes:
        """The one message of a call, counted; it has as long as its largest size at the slowest rate."""
        settings = self.settings
        try:
            async with asyncio.timeout(
                settings.body_stall_s + settings.max_grpc_bytes / settings.body_min_bytes_per_s
            ):
                body = await anext(aiter(messages))
        except StopAsyncIteration as error:
            raise FieldsError("the call brought no message; send one") from error
        trace.bytes_in = len(body)
        place.hold(len(body))
        place.begin()
        return body


class _Calls:
    """From bytes to answers: each method of the two services."""

    def __init__(self, methods: Methods) -> None:
        self.methods = methods
        answers: tuple[_Call, ...] = (
            self.annotate_images,
            self.annotate_files,
            self.start_images,
            self.start_files,
            self.list_operations,
            self.get_operation,
            self.cancel_operation,
            self.delete_operation,
        )
        rest = iter(answers)
        self.table = {service: {name: next(rest) for name in names} for service, names in SERVICES.items()}

    async def annotate_images(self, asked: _Asked) -> Message:
        message = await self._read(BatchAnnotateImagesRequest, asked.body)
        answer = await self.methods.annotate_images(message)
        asked.trace.pictures += len(answer.responses)
        return await self._run(message_to_proto, answer, f"{PACKAGE}.BatchAnnotateImagesResponse")

    async def annotate_files(self, asked: _Asked) -> Message:
        message = await self._read(BatchAnnotateFilesRequest, asked.body)
        answer = await self.methods.annotate_files(message)
        asked.trace.pictures += sum(len(one.responses) for one in answer.responses)
        return await self._run(message_to_proto, answer, f"{PACKAGE}.BatchAnnotateFilesResponse")

    async def start_images(self, asked: _Asked) -> Message:
        message = await self._read(AsyncBatchAnnotateImagesRequest, asked.body)
        return _operation(await self.methods.start_images(message, parent=message.parent, owner=asked.owner))

    async def start_files(self, asked: _Asked) -> Message:
        message = await self._read(AsyncBatchAnnotateFilesRequest, asked.body)
        return _operation(await self.methods.start_files(message, parent=message.parent, owner=asked.owner))

    async def list_operations(self, asked: _Asked) -> Message:
        wanted: Any = parse_proto(f"{_LONG}.ListOperationsRequest", asked.body)
        rows, more = await self.methods.list_operations(
            parent=split_name(wanted.name)[0],
            owner=asked.owner,
            size=wanted.page_size,
            token=wanted.page_token,
            filter=wanted.filter,
        )
        found = {"operations": [operation_to_json(row) for row in rows], "nextPageToken": more}
        return json_to_proto(f"{_LONG}.ListOperationsResponse", found)

    async def get_operation(self, asked: _Asked) -> Message:
        parent, id = _name_in("GetOperationRequest", asked)
        return _operation(await self.methods.get_operation(id, parent=parent, owner=asked.owner))

    async def cancel_operation(self, asked: _Asked) -> Message:
        parent, id = _name_in("CancelOperationRequest", asked)
        await self.methods.cancel_operation(id, parent=parent, owner=asked.owner)
        return json_to_proto("google.protobuf.Empty", {})

    async def delete_operation(self, asked: _Asked) -> Message:
        parent, id = _name_in("DeleteOperationRequest", asked)
        await self.methods.delete_operation(id, parent=parent, owner=asked.owner)
        return json_to_proto("google.protobuf.Empty", {})

    async def _read(self, kind: type[Any], body: bytes) -> Any:
        """Read a message, on a thread: it may be large."""
        name = f"{PACKAGE}.{kind.__name__}"
        message = await self._run(lambda: proto_to_message(kind, parse_proto(name, body)))
        _refuse_own_features(message)
        return message

    async def _run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return await self.methods.annotator.dispatcher.run(function, *arguments)


def _operation(record: Record) -> Message:
    return json_to_proto(f"{_LONG}.Operation", operation_to_json(record))


def _name_in(kind: str, asked: _Asked) -> tuple[str, str]:
    wanted: Any = parse_proto(f"{_LONG}.{kind}", asked.body)
    return split_name(wanted.name)


def _refuse_own_features(message: Any) -> None:
    """What Google's messages have no field for is not computed and then lost.

    Raises:
        FieldsError: it is asked for.
    """
    for n, one in enumerate(message.requests):
        for k, feature in enumerate(one.features):
            if feature.type == FeatureType.SZEM_SEGMENTATION or feature.model == OUTLINES_MODEL:
                text = "Google's messages have no field for masks; ask for them over HTTP"
                raise FieldsError(text, violations=[Violation(f"requests[{n}].features[{k}]", text)])


def _keys_in(headers: Mapping[str, str]) -> list[str]:
    """The keys that came with a call: the same headers as over HTTP."""
    keys = [headers[name].strip() for name in ("x-szem-key", "x-goog-api-key") if name in headers]
    kind, _, token = headers.get("authorization", "").partition(" ")
    return [*keys, token.strip()] if kind.lower() == "bearer" else keys


def _status_of(error: Exception) -> tuple[tuple[str, str | bytes], ...]:
    """Metadata behind a refusal: google.rpc.Status with its details, as Google's clients read it."""
    status = error_to_status(error)
    details = list(status.get("details", []))
    extra: tuple[tuple[str, str], ...] = ()
    if isinstance(error, BusyError):
        seconds = max(1, math.ceil(error.retry_after_s))
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"})
        extra = (("retry-after", str(seconds)),)
    packed = json_to_proto("google.rpc.Status", {**status, "details": details}).SerializeToString()
    return (("grpc-status-details-bin", packed), *extra)


def _client_of(context: Any) -> str:
    """The address of a caller: `ipv4:127.0.0.1:5000` and `ipv6:%5B::1%5D:5000` without kind and port."""
    address = str(context.peer()).partition(":")[2].rpartition(":")[0]
    return address.replace("%5B", "").replace("%5D", "").strip("[]") or "-"


def _is_overdue(context: Any) -> bool:
    left = context.time_remaining()
    return left is not None and left <= 0
