"""szem's own routes, `/v1/szem/*`: one for each task of the registry, kernels, and the bundled pictures."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import Any

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from szem.errors import NotFoundError, RangeError, UnknownNameError
from szem.kernels.library import KERNELS, KernelRecipe
from szem.kernels.text import parse_kernel
from szem.media.pictures import encode_picture
from szem.media.samples import SAMPLES, read_sample, sample_path
from szem.serve.handlers.filter import LARGEST_KERNEL, FilterRequest
from szem.serve.handlers.tasks import FIELDS, hand_to_worker, message_of
from szem.serve.jobs import answer_filter, describe_task
from szem.serve.messages import Image
from szem.serve.middleware.observe import trace_of
from szem.serve.openapi import json_body, upload_body
from szem.serve.protojson import parse_json, read_message
from szem.serve.state import dispatcher_of, pictures_of
from szem.serve.uploads import read_upload
from szem.tasks.registry import TASKS, TaskSpec

__all__ = ["OWN_MESSAGES", "build_own_routes"]

_DAY = {"cache-control": "public, max-age=86400"}
_ROWS = tuple(row for row in TASKS.values() if row.request is not None)
OWN_MESSAGES: tuple[type, ...] = (FilterRequest, *(message_of(row) for row in _ROWS))
"""The messages of these routes, for the OpenAPI description."""


def build_own_routes() -> APIRouter:
    """The routes under `/v1/szem`."""
    router = APIRouter(prefix="/v1/szem", tags=["szem"])
    router.add_api_route("/samples", list_samples, methods=["GET"])
    router.add_api_route("/samples/{name}.png", get_sample, methods=["GET"], response_class=Response)
    router.add_api_route("/kernels", list_kernels, methods=["GET"])
    router.add_api_route(
        "/filter",
        apply_filter,
        methods=["POST"],
        response_class=Response,
        openapi_extra=upload_body(FilterRequest),
        responses={200: {"content": {"image/png": {}}}},
    )
    for row in _ROWS:
        _add_task(router, row)
    return router


def _add_task(router: APIRouter, row: TaskSpec) -> None:
    message = message_of(row)
    is_file = row.takes in FIELDS and row.takes != "pictures"
    extra = upload_body(message) if is_file else {"requestBody": json_body(message)}
    router.add_api_route(
        f"/{row.name}",
        _answer(row, is_file=is_file),
        methods=["POST"],
        name=row.name,
        summary=row.summary,
        response_class=JSONResponse,
        openapi_extra=extra,
    )
    if row.request is not None and row.request.describe:
        router.add_api_route(
            f"/{row.name}",
            _describe(row),
            methods=["GET"],
            name=f"describe {row.name}",
            summary=f"What can be asked of {row.name}.",
            response_class=JSONResponse,
        )


def _answer(row: TaskSpec, *, is_file: bool) -> Callable[[Request], Awaitable[Response]]:
    kind = message_of(row)

    async def answer(request: Request) -> Response:
        dispatcher = dispatcher_of(request)
        if is_file:
            message: Any = await read_upload(request, kind, dispatcher)
        else:
            body = await request.body()
            message = await dispatcher.run(lambda: read_message(kind, parse_json(body)))
        trace_of(request.scope).pictures += len(message.images) if row.takes == "pictures" else int(is_file)
        return _response(await hand_to_worker(row, pictures_of(request), message))

    return answer


def _describe(row: TaskSpec) -> Callable[[Request], Awaitable[Response]]:
    known: list[tuple[str, bytes]] = []
    asking = asyncio.Lock()

    async def describe(request: Request) -> Response:
        async with asking:  # a GET costs something once: opening the network
            if not known:
                known.append(await dispatcher_of(request).work(describe_task, row.name))
        return _response(known[0])

    return describe


async def apply_filter(request: Request) -> Response:
    """Apply a convolution kernel to a picture; the answer is a PNG file."""
    dispatcher = dispatcher_of(request)
    message = await read_upload(request, FilterRequest, dispatcher)
    trace_of(request.scope).pictures += 1
    async with pictures_of(request).loaded(message.image or Image(), place="") as file:
        return _response(await dispatcher.work(answer_filter, file, replace(message, image=None)))


def _response(answer: tuple[str, bytes]) -> Response:
    """What a worker answered, as it is."""
    media_type, body = answer
    return Response(body, media_type=media_type)


@cache
def list_samples() -> dict[str, Any]:
    """The bundled pictures: name, title, credit, url, width and height in pixels."""
    rows = []
    for sample in SAMPLES.values():
        height, width = read_sample(sample.name).shape[:2]
        rows.append(
            {
                "name": sample.name,
                "title": sample.title,
                "credit": sample.credit,
                "url": f"/v1/szem/samples/{sample.name}.png",
                "width": width,
                "height": height,
            }
        )
    return {"samples": rows}


def get_sample(name: str) -> Response:
    """One bundled picture as PNG."""
    try:
        path = sample_path(name)
    except UnknownNameError as error:
        raise NotFoundError(str(error)) from error
    if path.suffix == ".png":
        return FileResponse(path, media_type="image/png", headers=_DAY)
    return Response(_sample_as_png(name), media_type="image/png", headers=_DAY)


@cache  # there are few; a page asks for all of them
def _sample_as_png(name: str) -> bytes:
    return encode_picture(read_sample(name))


def list_kernels(name: str = Query("", max_length=200)) -> dict[str, Any]:
    """The named kernels of szem.kernels: name, family, text, parameters and the weights that their defaults give.

    With `name`, that one alone; it may carry parameters, as in "gaussian:2.5".
    """
    if not name:
        return {"kernels": [_kernel_row(one, recipe) for one, recipe in KERNELS.items()]}
    base, _, parameters = name.partition(":")
    if base not in KERNELS:
        raise NotFoundError(f"no kernel is called {base!r}; GET /v1/szem/kernels lists the names")
    row = _kernel_row(base, KERNELS[base])
    if parameters:
        kernel = parse_kernel(name)
        if max(kernel.shape) > LARGEST_KERNEL:
            raise RangeError(
                f"weights are listed for kernels of at most {LARGEST_KERNEL} taps on a side, got {kernel.shape}; "
                "use szem.kernels.parse_kernel"
            )
        row |= {"name": name, "weights": kernel.weights.tolist()}
    return {"kernels": [row]}


def _kernel_row(name: str, recipe: KernelRecipe) -> dict[str, Any]:
    parameters = [{"name": p.name, "default": p.default, "low": p.low, "high": p.high} for p in recipe.parameters]
    return {
        "name": name,
        "family": _FAMILIES.get(name, name.partition("-")[0]),
        "text": recipe.about,
        "parameters": parameters,
        "weights": recipe.make(name).weights.tolist(),
    }


# Where the name does not begin with its family.
_FAMILIES = {
    **dict.fromkeys(("identity", "sharpen", "unsharp", "emboss"), "basic"),
    **dict.fromkeys(("box", "gaussian", "motion"), "blur"),
    **dict.fromkeys(("outline", "laplacian", "log", "dog"), "edges"),
}
