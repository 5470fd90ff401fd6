"""The network lab's routes, `/v1/szem/lab/*`: open a network, look at a picture, ask for maps, sums and times."""

import base64
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from szem.arrays import Picture8
from szem.errors import RangeError, UnsupportedError
from szem.media.pictures import encode_picture, read_picture
from szem.serve.engine import picture_limits
from szem.serve.handlers.lab import LAB_LIMITS, LabHandler, LabView, check_layer, pack_maps, thumbnails
from szem.serve.messages import Image
from szem.serve.openapi import upload_body
from szem.serve.settings import ServeSettings
from szem.serve.state import dispatcher_of
from szem.serve.uploads import read_upload
from szem.tasks.explain.attribution import find_class_map, find_occlusion
from szem.tasks.explain.neuron import explain_neuron
from szem.tasks.explain.receptive_field import StackLayer, measure_stack
from szem.tasks.explain.shift_invariance import measure_shift
from szem.tasks.explain.top_activations import cut_patch

__all__ = ["LabViewRequest", "build_lab_routes"]

_PATCH_PX = 96
_MOST_INPUTS = 60_000  # numbers of one sum that are sent; a dense layer may have more
_MOST_MAP_BYTES = 64_000_000
_BINARY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


@dataclass(frozen=True)
class LabViewRequest:
    """A picture, and the network that is to see it."""

    image: Image | None = None
    network: str = ""  # a name from /v1/szem/lab/networks


class _Lab:
    """The endpoints, around one room."""

    def __init__(self, settings: ServeSettings) -> None:
        self.room = LabHandler(settings)

    async def networks(self, request: Request) -> JSONResponse:
        """The networks that can be looked into, and the limits for one's own."""
        rows = await dispatcher_of(request).run(self.room.networks)
        return JSONResponse({"networks": rows, "limits": asdict(LAB_LIMITS)})

    async def send_network(self, request: Request, title: str = Query("", max_length=200)) -> JSONResponse:
        """Send a network of one's own: an ONNX file as the body. Gives the name to look with."""
        data = await request.body()
        name = await dispatcher_of(request).run(self.room.send, title, data)
        return JSONResponse({"name": name})

    async def look(self, request: Request) -> JSONResponse:
        """Look at a picture with a network: its layers as a table, its answer, and a name to ask on with."""
        dispatcher = dispatcher_of(request)
        message = await read_upload(request, LabViewRequest, dispatcher)
        data = (message.image or Image()).content
        if not data:
            raise RangeError("the lab takes a picture's bytes: image.content, a form's field 'image', or the body")
        picture = await dispatcher.run(lambda: read_picture(data, limits=picture_limits(dispatcher.settings)))
        found = await dispatcher.run(self.room.look, message.network, picture, data)
        return JSONResponse(await dispatcher.run(_describe, found))

    async def thumbs(self, request: Request, look: str) -> Response:
        """One small map per layer: (layers, 48, 48) bytes."""
        found = self.room.find(look)
        data = await dispatcher_of(request).run(lambda: thumbnails(found).tobytes())
        return Response(data, media_type="application/octet-stream")

    async def input_picture(self, request: Request, look: str) -> Response:
        """What the network sees of the picture, as PNG."""
        found = self.room.find(look)
        data = await dispatcher_of(request).run(lambda: encode_picture(found.prepared.picture))
        return Response(data, media_type="image/png")

    async def maps(self, request: Request, look: str, layer: int) -> Response:
        """All maps of a layer, a byte per number. See `szem.serve.handlers.lab.pack_maps` for the layout."""
        found = self.room.find(look)
        data = await dispatcher_of(request).run(_maps, found, layer)
        return Response(data, media_type="application/octet-stream")

    async def neuron(self, request: Request, look: str, layer: int, map: int, row: int, column: int) -> JSONResponse:
        """The sum behind one number: inputs, weights, bias, activation, and what ONNX Runtime computed."""
        found = self.room.find(look)
        return JSONResponse(await dispatcher_of(request).run(_neuron, found, layer, map, row, column))

    async def heat(
        self, request: Request, look: str, class_index: int | None = Query(None, ge=0, le=1_000_000)
    ) -> JSONResponse:
        """What mattered for a class: the occlusion map, and the class activation map where the network allows one."""
        found = self.room.find(look)
        return JSONResponse(await dispatcher_of(request).run(_heat, found, class_index))

    async def times(self, request: Request, look: str) -> JSONResponse:
        """Run the network several times and give each layer's time."""
        found = self.room.find(look)
        rows, timing = await dispatcher_of(request).run(found.explorer.measure, found.prepared.values)
        times = [{"index": row.index, "time_ms": row.time_ms, "share": row.share} for row in rows]
        return JSONResponse(
            {"layers": times, "total_ms": timing.total_ms, "other_ms": timing.other_ms, "runs": timing.runs}
        )

    async def shift(self, request: Request, look: str, layer: str = Query("", max_length=300)) -> JSONResponse:
        """Move the picture by 0 to 16 pixels and measure how far maps and answer change, pooled and not."""
        found = self.room.find(look)
        curve = await dispatcher_of(request).run(
            lambda: measure_shift(found.explorer, found.picture, layer=layer or None).to_dict()
        )
        return JSONResponse(curve)

    async def strongest(
        self, request: Request, network: str, layer: int, map: int = Query(ge=0, le=100_000)
    ) -> JSONResponse:
        """What one map likes best of the gallery: pictures and the patches that its strongest neurons see."""
        return JSONResponse(await dispatcher_of(request).run(self._strongest, network, layer, map))

    async def searched(self, network: str) -> JSONResponse:
        """How far the search for the strongest pictures is: {"share": 0 to 1, or null while there is none}."""
        return JSONResponse({"share": self.room.searched(network)})

    def _strongest(self, network: str, layer: int, map_index: int) -> dict[str, Any]:
        explorer = self.room.open(network)
        check_layer(explorer, layer)
        row = explorer.rows[layer]
        if map_index >= row.output_shape[0]:
            raise RangeError(f"{row.name} has maps 0 to {row.output_shape[0] - 1}, got {map_index}")
        found = self.room.strongest(network)
        entries = []
        for rank, picture_index in enumerate(found.pictures[row.name][map_index]):
            if picture_index < 0:
                continue
            y, x = (int(v) for v in found.places[row.name][map_index][rank])
            picture = read_picture(found.files[picture_index])
            patch = cut_patch(explorer, picture, layer, row=y, column=x)
            entries.append(
                {
                    "value": float(found.scores[row.name][map_index][rank]),
                    "row": y,
                    "column": x,
                    "patch": _data_url(patch),
                    "picture": _data_url(picture),
                }
            )
        return {"pictures": len(found.files) - len(found.skipped), "strongest": entries}

    async def stack(
        self,
        request: Request,
        layers: str = Query(max_length=200, description="kernel:stride:rate for each, with commas: 3:1:1,3:1:2"),
        channels: int = Query(32, ge=1, le=256),
        side_px: int = Query(64, ge=8, le=512),
    ) -> JSONResponse:
        """Build convolutions, run them, and give what one neuron sees, parameters, and measured milliseconds."""
        parsed = _parse_stack(layers)
        report = await dispatcher_of(request).run(
            lambda: measure_stack(parsed, channels=channels, side_px=side_px).to_dict()
        )
        return JSONResponse(report)


def build_lab_routes(settings: ServeSettings) -> APIRouter:
    """The routes under `/v1/szem/lab`."""
    lab = _Lab(settings)
    router = APIRouter(prefix="/v1/szem/lab", tags=["network lab"])
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    router.add_api_route("/networks", lab.networks, methods=["GET"], response_class=JSONResponse)
    router.add_api_route(
        "/networks",
        lab.send_network,
        methods=["POST"],
        response_class=JSONResponse,
        openapi_extra={"requestBody": {"content": binary}},
    )
    router.add_api_route(
        "/networks/{network}/layers/{layer}/strongest",
        lab.strongest,
        methods=["POST"],
        response_class=JSONResponse,
    )
    router.add_api_route("/networks/{network}/search", lab.searched, methods=["GET"], response_class=JSONResponse)
    router.add_api_route(
        "/looks", lab.look, methods=["POST"], response_class=JSONResponse, openapi_extra=upload_body(LabViewRequest)
    )
    look = "/looks/{look}"
    router.add_api_route(f"{look}/input.png", lab.input_picture, methods=["GET"], response_class=Response)
    router.add_api_route(f"{look}/thumbs", lab.thumbs, methods=["GET"], response_class=Response, responses=_BINARY)
    router.add_api_route(
        f"{look}/layers/{{layer}}/maps", lab.maps, methods=["GET"], response_class=Response, responses=_BINARY
    )
    router.add_api_route(f"{look}/layers/{{layer}}/neuron", lab.neuron, methods=["GET"], response_class=JSONResponse)
    for name, endpoint in (("heat", lab.heat), ("times", lab.times), ("shift", lab.shift)):
        router.add_api_route(f"{look}/{name}", endpoint, methods=["POST"], response_class=JSONResponse)
    router.add_api_route("/stack", lab.stack, methods=["POST"], response_class=JSONResponse)
    return router


def _describe(look: LabView) -> dict[str, Any]:
    explorer, prepared = look.explorer, look.prepared
    return {
        "look": look.name,
        "network": look.network,
        "title": explorer.name,
        "picture_size": look.picture_size,
        "input_size": explorer.size,
        "crop_xyxy": prepared.crop_xyxy,
        "answer": [
            {"class_index": index, "name": name, "probability": p}
            for index, name, p in explorer.top(prepared.values, count=5)
        ],
        "parameters": sum(row.parameters for row in explorer.rows),
        "multiplications": sum(row.multiplications for row in explorer.rows),
        "layers": [asdict(row) for row in explorer.rows],
    }


def _maps(look: LabView, layer: int) -> bytes:
    check_layer(look.explorer, layer)
    found = look.explorer.layers[layer]
    size = int(np.prod([float(side) for side in found.row.output_shape]))
    if size > _MOST_MAP_BYTES:
        raise UnsupportedError(
            f"{found.row.name} has {size:,} numbers, the studio shows up to {_MOST_MAP_BYTES:,}; "
            "use szem explain --layer, or a smaller input"
        )
    return pack_maps(look.explorer.maps(look.prepared.values, [found])[found.row.name])


def _neuron(look: LabView, layer: int, map_index: int, row: int, column: int) -> dict[str, Any]:
    check_layer(look.explorer, layer)
    found = explain_neuron(look.explorer, look.prepared, layer, map=map_index, row=row, column=column)
    plain = found.to_dict()
    if found.inputs.size > _MOST_INPUTS:
        plain |= {"inputs": None, "weights": None, "inside": None}
    plain["input_count"] = int(found.inputs.size)
    return plain


def _heat(look: LabView, class_index: int | None) -> dict[str, Any]:
    occlusion = find_occlusion(look.explorer, look.prepared, class_index=class_index)
    answer: dict[str, Any] = {
        "name": look.explorer.label(occlusion.class_index),
        "occlusion": occlusion.to_dict(),
        "class_map": None,
        "why_no_class_map": "",
    }
    try:
        found = find_class_map(look.explorer, look.prepared, class_index=occlusion.class_index)
    except UnsupportedError as error:
        answer["why_no_class_map"] = str(error)
    else:
        answer["class_map"] = found.to_dict()
    return answer


def _data_url(picture: Picture8) -> str:
    """A small JPEG inside the answer."""
    height, width = picture.shape[:2]
    factor = _PATCH_PX / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=how).astype(np.uint8)
    data = encode_picture(small, suffix=".jpg", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def _parse_stack(text: str) -> list[StackLayer]:
    layers = []
    for part in text.split(","):
        numbers = part.split(":")
        if len(numbers) != 3 or not all(n.isascii() and n.isdecimal() and len(n) < 4 for n in numbers):
            raise RangeError(f"layers are kernel:stride:rate with commas, such as 3:1:1,3:1:2; got {part[:40]!r}")
        layers.append(StackLayer(*(int(n) for n in numbers)))
    return layers
