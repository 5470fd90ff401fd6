"""szem's own routes, `/v1/szem/*`: every task's full result as JSON, and what the studio needs."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, JSONResponse, Response

from szem.errors import NotFoundError, UnknownNameError
from szem.kernels.library import KERNELS, KernelRecipe
from szem.media.pictures import encode_picture
from szem.media.samples import SAMPLES, read_sample, sample_path
from szem.serve.handlers.generate import GenerateRequest, describe_painter, draw_sentence
from szem.serve.handlers.lipread import LipreadRequest, read_film
from szem.serve.handlers.listen import ListenRequest, listen_to_sound
from szem.serve.handlers.search import SearchRequest, search_pictures
from szem.serve.handlers.tasks import TASKS, FilterRequest, TaskRoute, filter_picture
from szem.serve.messages import Image
from szem.serve.middleware.observe import trace_of
from szem.serve.openapi import json_body, upload_body
from szem.serve.protojson import parse_json, read_message
from szem.serve.state import engine_of, pictures_of
from szem.serve.status import FieldsError
from szem.serve.uploads import read_upload

__all__ = ["build_own_routes"]

M = TypeVar("M")
_DAY = {"cache-control": "public, max-age=86400"}


def build_own_routes() -> APIRouter:
    """The routes under `/v1/szem`."""
    router = APIRouter(prefix="/v1/szem", tags=["szem"])
    router.add_api_route("/samples", list_samples, methods=["GET"])
    router.add_api_route("/samples/{name}.png", get_sample, methods=["GET"], response_class=Response)
    router.add_api_route("/kernels", list_kernels, methods=["GET"])
    for name, task in TASKS.items():
        router.add_api_route(
            f"/{name}",
            _task_route(task),
            methods=["POST"],
            name=name,
            summary=task.about,
            response_class=JSONResponse,
            openapi_extra=upload_body(task.request),
        )
    router.add_api_route(
        "/lipread",
        lipread_film,
        methods=["POST"],
        response_class=JSONResponse,
        openapi_extra=upload_body(LipreadRequest),
    )
    router.add_api_route(
        "/filter",
        apply_filter,
        methods=["POST"],
        response_class=Response,
        openapi_extra=upload_body(FilterRequest),
        responses={200: {"content": {"image/png": {}}}},
    )
    router.add_api_route("/generate", get_painter, methods=["GET"], response_class=JSONResponse)
    router.add_api_route(
        "/generate",
        generate,
        methods=["POST"],
        response_class=JSONResponse,
        openapi_extra={"requestBody": json_body(GenerateRequest, example={"text": "a yellow flower", "n": 2})},
    )
    router.add_api_route(
        "/listen",
        listen,
        methods=["POST"],
        response_class=JSONResponse,
        openapi_extra=upload_body(ListenRequest),
    )
    router.add_api_route(
        "/search",
        search,
        methods=["POST"],
        response_class=JSONResponse,
        openapi_extra={"requestBody": json_body(SearchRequest)},
    )
    return router


def _task_route(task: TaskRoute) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        pictures = pictures_of(request)
        message: Any = await read_upload(request, task.request, pictures.engine)
        trace_of(request.scope).pictures += 1
        async with pictures.opened(message.image or Image(), place="") as picture:
            height, width = picture.shape[:2]
            found = await task.run(pictures.engine, picture, message)
        if isinstance(found, bytes):
            return Response(found, media_type="image/png")
        return JSONResponse({"picture": {"width": width, "height": height}, **found})

    return answer


async def apply_filter(request: Request) -> Response:
    """Apply a convolution kernel to a picture; the answer is a PNG file."""
    pictures = pictures_of(request)
    message = await read_upload(request, FilterRequest, pictures.engine)
    trace_of(request.scope).pictures += 1
    async with pictures.opened(message.image or Image(), place="") as picture:
        data = await filter_picture(pictures.engine, picture, message)
    return Response(data, media_type="image/png")


async def listen(request: Request) -> JSONResponse:
    """What is heard in a sound or film, from when to when; with curves=true also level and scores."""
    pictures = pictures_of(request)
    message = await read_upload(request, ListenRequest, pictures.engine)
    data = message.sound.content if message.sound is not None else b""
    if not data:
        raise FieldsError('no sound came; send the file as the body, or JSON: {"sound": {"content": BASE64}}')
    trace_of(request.scope).pictures += 1
    return JSONResponse(await listen_to_sound(pictures.engine, data, message))


async def get_painter(request: Request) -> JSONResponse:
    """What can be drawn: kinds and colours, and sentences to begin with."""
    return JSONResponse(await describe_painter(engine_of(request)))


async def generate(request: Request) -> JSONResponse:
    """Draw pictures for a sentence about a flower or a bird, or a film from one sentence to another."""
    message = await _message(request, GenerateRequest)
    return JSONResponse(await draw_sentence(engine_of(request), message))


async def search(request: Request) -> JSONResponse:
    """Order pictures by how well they fit a sentence."""
    message = await _message(request, SearchRequest)
    trace_of(request.scope).pictures += len(message.images)
    return JSONResponse(await search_pictures(pictures_of(request), message))


async def _message(request: Request, kind: type[M]) -> M:
    body = await request.body()
    return await engine_of(request).run(lambda: read_message(kind, parse_json(body)))


async def lipread_film(request: Request) -> Response:
    """What is said in a film, read from lips, sound or both, with what the networks saw."""
    pictures = pictures_of(request)
    message = await read_upload(request, LipreadRequest, pictures.engine)
    film = message.video.content if message.video is not None else b""
    if not film:
        raise FieldsError('no film came; send the file as the body, or JSON: {"video": {"content": BASE64}}')
    trace_of(request.scope).pictures += 1
    return JSONResponse(await read_film(pictures.engine, film, message))


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
    return Response(encode_picture(read_sample(name)), media_type="image/png", headers=_DAY)


def list_kernels() -> dict[str, Any]:
    """The named kernels of szem.kernels: name, family, text, parameters and the weights that their defaults give."""
    return {"kernels": [_kernel_row(name, recipe) for name, recipe in KERNELS.items()]}


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
