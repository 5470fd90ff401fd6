"""The routes of Google's dialect, each under its three forms of path."""

import json
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from szem.serve.middleware.observe import trace_of
from szem.serve.openapi import json_answer, json_body
from szem.serve.protojson import M, parse_json, read_message, write_message
from szem.serve.settings import ServeSettings
from szem.serve.state import state_of
from szem.serve.status import FieldsError, Violation
from szem.serve.vision import checks
from szem.serve.vision.annotate import Annotator
from szem.serve.vision.files import annotate_file
from szem.serve.vision.operations import Operations, operation_to_json
from szem.serve.vision.records import Record
from szem.serve.vision.schema import (
    AsyncBatchAnnotateFilesRequest,
    AsyncBatchAnnotateImagesRequest,
    BatchAnnotateFilesRequest,
    BatchAnnotateFilesResponse,
    BatchAnnotateImagesRequest,
    BatchAnnotateImagesResponse,
)
from szem.serve.vision.versions import default_parent, version_of

__all__ = ["BODIES", "build_vision_routes"]

_PARENTS = ("", "/projects/{project}", "/projects/{project}/locations/{location}")
_OPERATION_PARENTS = (*_PARENTS, "/locations/{location}")
_MOST_LISTED = 100
_LONGEST_PART = 100  # of a parent: what the database has room for


def build_vision_routes() -> APIRouter:
    """Everything under `/v1` that is Google's. Only the shortest form of each path is in the OpenAPI description."""
    router = APIRouter(prefix="/v1", tags=["Cloud Vision v1"])
    for verb, (endpoint, body, answer) in _POSTS.items():
        extra = {"requestBody": json_body(body, example=_EXAMPLES.get(verb))}
        if answer is not None:
            extra["responses"] = {"200": json_answer(answer)}
        for parent in _PARENTS:
            _add(router, "POST", f"{parent}/{verb}", endpoint, shown=not parent, extra=extra)
    for parent in _OPERATION_PARENTS:
        _add(router, "GET", f"{parent}/operations", list_operations, shown=not parent)
        _add(router, "GET", f"{parent}/operations/{{operation}}", get_operation, shown=not parent)
        _add(router, "POST", f"{parent}/operations/{{operation}}:cancel", cancel_operation, shown=not parent)
        _add(router, "DELETE", f"{parent}/operations/{{operation}}", delete_operation, shown=not parent)
    return router


def _add(
    router: APIRouter, method: str, path: str, endpoint: Any, *, shown: bool, extra: dict[str, Any] | None = None
) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        response_class=JSONResponse,
        include_in_schema=shown,
        openapi_extra=extra,
    )


async def annotate_images(request: Request) -> JSONResponse:
    """Answer for up to 16 pictures. Body: BatchAnnotateImagesRequest."""
    settings, annotator = _settings(request), _annotator(request)
    message = await _read(request, BatchAnnotateImagesRequest)
    checks.parent_of(_parent(request), message.parent)
    checks.check_images(message, settings)
    trace_of(request.scope).pictures += len(message.requests)
    answers = await annotator.annotate_all(message.requests)
    return _answer(request, BatchAnnotateImagesResponse(responses=answers))


async def annotate_files(request: Request) -> JSONResponse:
    """Answer for up to 5 pages of a PDF, TIFF or GIF. Body: BatchAnnotateFilesRequest."""
    settings, annotator = _settings(request), _annotator(request)
    message = await _read(request, BatchAnnotateFilesRequest)
    checks.parent_of(_parent(request), message.parent)
    checks.check_files(message, settings)
    answers = [await annotate_file(annotator, one, place=f"requests[{n}]") for n, one in enumerate(message.requests)]
    trace_of(request.scope).pictures += sum(len(answer.responses) for answer in answers)
    return _answer(request, BatchAnnotateFilesResponse(responses=tuple(answers)))


async def start_images(request: Request) -> JSONResponse:
    """Start an operation over up to 2,000 pictures. Body: AsyncBatchAnnotateImagesRequest."""
    operations = _operations(request)
    message = await _read(request, AsyncBatchAnnotateImagesRequest)
    parent = checks.parent_of(_parent(request), message.parent) or default_parent(request.scope)
    checks.check_async_images(message, _settings(request))
    config = message.output_config
    if config is not None and config.gcs_destination is not None:
        await _check_prefixes(operations, [config.gcs_destination.uri])
    body = json.dumps(write_message(message))
    record = await operations.add(kind="images", body=body, parent=parent, owner=_owner(request))
    return JSONResponse(_operation(request, record))


async def start_files(request: Request) -> JSONResponse:
    """Start an operation over files of pages. Body: AsyncBatchAnnotateFilesRequest."""
    operations = _operations(request)
    message = await _read(request, AsyncBatchAnnotateFilesRequest)
    parent = checks.parent_of(_parent(request), message.parent) or default_parent(request.scope)
    checks.check_async_files(message, _settings(request))
    outputs = (one.output_config for one in message.requests if one.output_config is not None)
    await _check_prefixes(operations, [out.gcs_destination.uri for out in outputs if out.gcs_destination is not None])
    body = json.dumps(write_message(message))
    record = await operations.add(kind="files", body=body, parent=parent, owner=_owner(request))
    return JSONResponse(_operation(request, record))


async def list_operations(request: Request) -> JSONResponse:
    """The operations of this caller, the newest first."""
    operations = _operations(request)
    query = request.query_params
    size = _page_size(query.get("pageSize", ""))
    done = _done_filter(query.get("filter", ""))
    parent, owner, token = _parent(request), _owner(request), query.get("pageToken", "")
    rows, more = await operations.ask(
        lambda records: records.page(parent=parent, owner=owner, size=size, token=token, done=done)
    )
    body: dict[str, Any] = {}
    if rows:
        body["operations"] = [_operation(request, row) for row in rows]
    if more:
        body["nextPageToken"] = more
    return JSONResponse(body)


async def get_operation(request: Request, operation: str) -> JSONResponse:
    """One operation: how far it is, or how it ended."""
    operations = _operations(request)
    parent, owner = _parent(request), _owner(request)
    record = await operations.ask(lambda records: records.get(operation, parent=parent, owner=owner))
    return JSONResponse(_operation(request, record))


async def cancel_operation(request: Request, operation: str) -> JSONResponse:
    """Ask an operation to stop; what it has written stays."""
    operations = _operations(request)
    parent, owner = _parent(request), _owner(request)
    await operations.ask(lambda records: records.cancel(operation, parent=parent, owner=owner))
    return JSONResponse({})


async def delete_operation(request: Request, operation: str) -> JSONResponse:
    """Forget an operation; one that runs goes on unseen."""
    operations = _operations(request)
    parent, owner = _parent(request), _owner(request)
    await operations.ask(lambda records: records.delete(operation, parent=parent, owner=owner))
    return JSONResponse({})


# Verb -> endpoint, its body, its answer (None: an operation).
_POSTS: dict[str, tuple[Any, type, type | None]] = {
    "images:annotate": (annotate_images, BatchAnnotateImagesRequest, BatchAnnotateImagesResponse),
    "files:annotate": (annotate_files, BatchAnnotateFilesRequest, BatchAnnotateFilesResponse),
    "images:asyncBatchAnnotate": (start_images, AsyncBatchAnnotateImagesRequest, None),
    "files:asyncBatchAnnotate": (start_files, AsyncBatchAnnotateFilesRequest, None),
}
BODIES = tuple(kind for _, *kinds in _POSTS.values() for kind in kinds if kind is not None)
_EXAMPLES = {
    "images:annotate": {
        "requests": [{"image": {"content": "BASE64"}, "features": [{"type": "LABEL_DETECTION", "maxResults": 5}]}]
    }
}


async def _read(request: Request, kind: type[M]) -> M:
    """Read a body; on a thread, for it may be large."""
    body = await request.body()
    annotator = _annotator(request)
    return await annotator.dispatcher.run(lambda: read_message(kind, parse_json(body)))


async def _check_prefixes(operations: Operations, prefixes: list[str]) -> None:
    def check() -> None:
        for prefix in prefixes:
            operations.folders.check_prefix(prefix)

    await operations.annotator.dispatcher.run(check)


def _answer(request: Request, message: Any) -> JSONResponse:
    settings = _settings(request)
    keep_zeros = settings.keep_zeros or "zeros=keep" in _alt(request)
    return JSONResponse(write_message(message, enums_as_int=_enums_as_int(request), keep_zeros=keep_zeros))


def _operation(request: Request, record: Record) -> dict[str, Any]:
    return operation_to_json(record, enums_as_int=_enums_as_int(request), version=version_of(request.scope))


def _alt(request: Request) -> list[str]:
    """The parts of `$alt=json;enum-encoding=int`; the client percent-encodes the dollar and the semicolon."""
    query = parse_qs(request.scope["query_string"].decode("latin-1"))
    return [part.strip() for value in query.get("$alt", query.get("alt", [])) for part in value.split(";")]


def _enums_as_int(request: Request) -> bool:
    return "enum-encoding=int" in _alt(request)


def _parent(request: Request) -> str:
    """What stands before the verb in the path."""
    values = request.path_params
    parts = [f"{handler}s/{values[handler]}" for handler in ("project", "location") if handler in values]
    if not all(part.isprintable() and len(part) <= _LONGEST_PART for part in parts):
        fault = Violation("parent", "the path must read projects/PROJECT or projects/PROJECT/locations/LOCATION")
        raise FieldsError(f"parent: {fault.description}", violations=[fault])
    return "/".join(parts)


def _page_size(text: str) -> int:
    if not text:
        return 50
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        fault = Violation("pageSize", f"must be a number from 0, got {text[:20]!r}")
        raise FieldsError(f"pageSize: {fault.description}", violations=[fault])
    return min(int(text), _MOST_LISTED) or 50


def _done_filter(text: str) -> bool | None:
    plain = text.replace(" ", "").lower()
    if plain in ("", "done=true", "done=false"):
        return None if not plain else plain == "done=true"
    fault = Violation("filter", f"must be done=true or done=false, got {text[:60]!r}")
    raise FieldsError(f"filter: {fault.description}", violations=[fault])


def _owner(request: Request) -> str:
    return str(request.scope["state"].get("caller", ""))


def _settings(request: Request) -> ServeSettings:
    return state_of(request, "settings", ServeSettings)


def _annotator(request: Request) -> Annotator:
    return state_of(request, "annotator", Annotator)


def _operations(request: Request) -> Operations:
    return state_of(request, "operations", Operations)
