"""szem's own routes, `/v1/szem/*`: every task's full result as JSON, and what the studio needs."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from szem.errors import NotFoundError, UnknownNameError
from szem.kernels.library import KERNELS, Recipe
from szem.media.pictures import encode_picture
from szem.media.samples import SAMPLES, read_sample, sample_path

__all__ = ["build_own_routes"]

_DAY = {"cache-control": "public, max-age=86400"}


def build_own_routes() -> APIRouter:
    """The routes under `/v1/szem`."""
    router = APIRouter(prefix="/v1/szem", tags=["szem"])
    router.add_api_route("/samples", list_samples, methods=["GET"])
    router.add_api_route("/samples/{name}.png", get_sample, methods=["GET"], response_class=Response)
    router.add_api_route("/kernels", list_kernels, methods=["GET"])
    return router


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


def _kernel_row(name: str, recipe: Recipe) -> dict[str, Any]:
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
