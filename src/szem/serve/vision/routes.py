"""The routes of Google's dialect, each under its three forms of path."""

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from szem.serve.middleware.observe import trace_of
from szem.serve.openapi import json_answer, json_body
from szem.serve.protojson import M, parse_json, read_message, write_message
from szem.serve.settings import ServeSettings
from szem.serve.state import dispatcher_of, state_of
from szem.serve.status import FieldsError, Violation
from szem.serve.vision import checks
from szem.serve.vision.field_masks import ANYTHING, FieldMask, Shape, apply_mask, parse_mask, shape_of
from szem.serve.vision.methods import Methods, split_name
from szem.serve.vision.operations import operation_to_json
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
_OPERATION: Shape = {"name": None, "metadata": ANYTHING, "done": None, "error": ANYTHING, "response": ANYTHING}
_OPERATION_PARENTS = (*_PARENTS, "/locations/{location}")


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
    mask = _mask(request, shape_of(BatchAnnotateImagesResponse))
    message = await _read(request, BatchAnnotateImagesRequest)
    checks.parent_of(_parent(request), message.parent)
    answer = await _methods(request).annotate_images(message)
    trace_of(request.scope).pictures += len(answer.responses)
    return _answer(request, answer, mask)


async def annotate_files(request: Request) -> JSONResponse:
    """Answer for up to 5 pages of a PDF, TIFF or GIF. Body: BatchAnnotateFilesRequest."""
    mask = _mask(request, shape_of(BatchAnnotateFilesResponse))
    message = await _read(request, BatchAnnotateFilesRequest)
    checks.parent_of(_parent(request), message.parent)
    answer = await _methods(request).annotate_files(message)
    trace_of(request.scope).pictures += sum(len(one.responses) for one in answer.responses)
    return _answer(request, answer, mask)


async def start_images(request: Request) -> JSONResponse:
    """Start an operation over up to 2,000 pictures. Body: AsyncBatchAnnotateImagesRequest."""
    mask = _mask(request, _OPERATION)
    message = await _read(request, AsyncBatchAnnotateImagesRequest)
    parent = checks.parent_of(_parent(request), message.parent) or default_parent(request.scope)
    record = await _methods(request).start_images(message, parent=parent, owner=_owner(request))
    return JSONResponse(apply_mask(mask, _operation(request, record)))


async def start_files(request: Request) -> JSONResponse:
    """Start an operation over files of pages. Body: AsyncBatchAnnotateFilesRequest."""
    mask = _mask(request, _OPERATION)
    message = await _read(request, AsyncBatchAnnotateFilesRequest)
    parent = checks.parent_of(_parent(request), message.parent) or default_parent(request.scope)
    record = await _methods(request).start_files(message, parent=parent, owner=_owner(request))
    return JSONResponse(apply_mask(mask, _operation(request, record)))


async def list_operations(request: Request) -> JSONResponse:
    """The operations of this caller, the newest first."""
    mask, query = _mask(request, {"operations": _OPERATION, "nextPageToken": None}), request.query_params
    rows, more = await _methods(request).list_operations(
        parent=_parent(request),
        owner=_owner(request),
        size=_page_size(query.get("pageSize", "")),
        token=query.get("pageToken", ""),
        filter=query.get("filter", ""),
    )
    body: dict[str, Any] = {}
    if rows:
        body["operations"] = [_operation(request, row) for row in rows]
    if more:
        body["nextPageToken"] = more
    return JSONResponse(apply_mask(mask, body))


async def get_operation(request: Request, operation: str) -> JSONResponse:
    """One operation: how far it is, or how it ended."""
    mask = _mask(request, _OPERATION)
    record = await _methods(request).get_operation(operation, parent=_parent(request), owner=_owner(request))
    return JSONResponse(apply_mask(mask, _operation(request, record)))


async def cancel_operation(request: Request, operation: str) -> JSONResponse:
    """Ask an operation to stop; what it has written stays."""
    await _methods(request).cancel_operation(operation, parent=_parent(request), owner=_owner(request))
    return JSONResponse({})


async def delete_operation(request: Request, operation: str) -> JSONResponse:
    """Forget an operation; one that runs goes on unseen."""
    await _methods(request).delete_operation(operation, parent=_parent(request), owner=_owner(request))
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
    return await dispatcher_of(request).run(lambda: read_message(kind, parse_json(body)))


def _answer(request: Request, message: Any, mask: FieldMask | None) -> JSONResponse:
    settings = state_of(request, "settings", ServeSettings)
    keep_zeros = settings.keep_zeros or "zeros=keep" in _alt(request)
    body = write_message(message, enums_as_int=_enums_as_int(request), keep_zeros=keep_zeros)
    for answer in body.get("responses", ()):
        for one in (answer, *answer.get("responses", ())):
            _simplify_error(request, one)
    return JSONResponse(apply_mask(mask, body))


def _mask(request: Request, shape: Shape) -> FieldMask | None:
    """Which fields the caller wants; read before any work is done."""
    query = request.query_params
    return parse_mask(
        query.get("$fields") or query.get("fields") or request.headers.get("x-goog-fieldmask", ""), shape
    )


def _operation(request: Request, record: Record) -> dict[str, Any]:
    found = operation_to_json(record, enums_as_int=_enums_as_int(request), version=version_of(request.scope))
    _simplify_error(request, found)
    return found


def _simplify_error(request: Request, answer: dict[str, Any]) -> None:
    """Leave out the details of an error inside an answer for clients that cannot read them.

    Google's clients parse an answer as a whole, and those of Node.js, Java and Go fail at an Any of a type that they
    were not built with: google.rpc.BadRequest is none of Cloud Vision's. The message has the reason too.
    """
    client = request.headers.get("x-goog-api-client", "")
    if client and "gl-python" not in client and "error" in answer:
        answer["error"] = {key: value for key, value in answer["error"].items() if key != "details"}


def _alt(request: Request) -> list[str]:
    """The parts of `$alt=json;enum-encoding=int`; the client percent-encodes the dollar and the semicolon."""
    query = parse_qs(request.scope["query_string"].decode("latin-1"))
    return [part.strip() for value in query.get("$alt", query.get("alt", [])) for part in value.split(";")]


def _enums_as_int(request: Request) -> bool:
    return "enum-encoding=int" in _alt(request)


def _parent(request: Request) -> str:
    """What stands before the verb in the path."""
    values = request.path_params
    parts = [f"{kind}s/{values[kind]}" for kind in ("project", "location") if kind in values]
    return split_name("/".join(parts))[0]


def _page_size(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        fault = Violation("pageSize", f"must be a number from 0, got {text[:20]!r}")
        raise FieldsError(f"pageSize: {fault.description}", violations=[fault])
    return int(text)


def _owner(request: Request) -> str:
    return str(request.scope["state"].get("caller", ""))


def _methods(request: Request) -> Methods:
    return state_of(request, "methods", Methods)
