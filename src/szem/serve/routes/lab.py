"""The network lab's routes, `/v1/szem/lab/*`: open a network, look at a picture, ask for maps, sums and times."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from szem.errors import RangeError, TimeLimitError, TooLargeError
from szem.serve.handlers import lab as work
from szem.serve.handlers.lab import LAB_LIMITS, ForgottenError, LookSource
from szem.serve.handlers.lab_files import LabFiles
from szem.serve.messages import Image
from szem.serve.openapi import upload_body
from szem.serve.state import dispatcher_of
from szem.serve.uploads import read_upload
from szem.tasks.explain.receptive_field import StackLayer
from szem.tasks.option import option

__all__ = ["LabViewRequest", "build_lab_routes"]

_JSON, _PNG, _BYTES = "application/json", "image/png", "application/octet-stream"
_OPEN_S = 30.0  # for a network to be opened, which runs it once; a run is stopped between two operations after 20 s
_BINARY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
_Layer = Annotated[int, Path(ge=0, le=100_000)]
_Place = Annotated[int, Query(ge=0, le=100_000)]
Job = Callable[..., Coroutine[Any, Any, bytes]]


@dataclass(frozen=True)
class LabViewRequest:
    """A picture, and the network that is to see it."""

    image: Image | None = None
    network: str = option("", most=200)  # a name from /v1/szem/lab/networks


class _Lab:
    """The endpoints; what they are asked about runs in workers."""

    def __init__(self) -> None:
        self.files = LabFiles()
        self._searching = asyncio.Lock()

    async def networks(self, request: Request) -> JSONResponse:
        """The networks that can be looked into, and the limits for one's own."""
        rows = await dispatcher_of(request).run(self.files.networks)
        return JSONResponse({"networks": rows, "limits": asdict(LAB_LIMITS)})

    async def send_network(self, request: Request, title: str = Query("", max_length=200)) -> JSONResponse:
        """Send a network of one's own: an ONNX file as the body. Gives the name to look with."""
        body = await request.body()
        # of 150 MB: its checksum takes a thread, not the loop that all callers share
        source = await dispatcher_of(request).run(self.files.sent, body)
        try:
            await dispatcher_of(request).explore(work.open_network, source, wall_s=_OPEN_S)
        except TimeLimitError as error:
            raise TooLargeError(
                f"the network takes more than {_OPEN_S:g} s to run once; send a smaller one, or use szem explain"
            ) from error
        self.files.keep_network(source, title)
        return JSONResponse({"name": source.network})

    async def look(self, request: Request) -> Response:
        """Look at a picture with a network: its layers as a table, its answer, and a name to ask on with."""
        dispatcher = dispatcher_of(request)
        message = await read_upload(request, LabViewRequest, dispatcher)
        data = (message.image or Image()).content
        if not data:
            raise RangeError("the lab takes a picture's bytes: image.content, a form's field 'image', or the body")
        source = await dispatcher.run(self.files.begin, message.network, data)
        table, seen = await dispatcher.explore(work.describe_look, source)
        self.files.keep_input(source.name, seen)
        return Response(table, media_type=_JSON)

    async def thumbs(self, request: Request, look: str) -> Response:
        """One small map per layer: (layers, 48, 48) bytes."""
        return Response(await self._ask(request, look, work.draw_thumbnails), media_type=_BYTES)

    async def input_picture(self, look: str) -> Response:
        """What the network sees of the picture, as PNG: drawn when the look began, so that asking costs nothing."""
        return Response(self.files.input(look), media_type=_PNG)

    async def maps(self, request: Request, look: str, layer: _Layer) -> Response:
        """All maps of a layer, a byte per number. See `szem.serve.handlers.lab.pack_maps` for the layout."""
        return Response(await self._ask(request, look, work.read_maps, layer), media_type=_BYTES)

    async def neuron(
        self, request: Request, look: str, layer: _Layer, map: _Place, row: _Place, column: _Place
    ) -> Response:
        """The sum behind one number: inputs, weights, bias, activation, and what ONNX Runtime computed."""
        found = await self._ask(request, look, work.read_neuron, layer, map, row, column)
        return Response(found, media_type=_JSON)

    async def heat(
        self, request: Request, look: str, class_index: int | None = Query(None, ge=0, le=1_000_000)
    ) -> Response:
        """What mattered for a class: the occlusion map, and the class activation map where the network allows one."""
        return Response(await self._ask(request, look, work.find_attribution, class_index), media_type=_JSON)

    async def times(self, request: Request, look: str) -> Response:
        """Run the network several times and give each layer's time."""
        return Response(await self._ask(request, look, work.measure_times), media_type=_JSON)

    async def shift(self, request: Request, look: str, layer: str = Query("", max_length=300)) -> Response:
        """Move the picture by 0 to 16 pixels and measure how far maps and answer change, pooled and not."""
        return Response(await self._ask(request, look, work.measure_shifts, layer), media_type=_JSON)

    async def strongest(self, request: Request, network: str, layer: _Layer, map: _Place) -> Response:
        """What one map likes best of the gallery: pictures and the patches that its strongest neurons see."""
        source = LookSource(network)
        note, end = self.files.search(network)
        async with self._searching:  # who asks for the same finds it on disk
            try:
                found = await self._explore(request, source, work.search_strongest, layer, map, on_progress=note)
            finally:
                end()
        return Response(found, media_type=_JSON)

    async def searched(self, network: str) -> JSONResponse:
        """How far the search for the strongest pictures is: {"progress": 0 to 1, or null while there is none}."""
        return JSONResponse({"progress": self.files.searched(network)})

    async def _ask(self, request: Request, look: str, job: Job, *arguments: object) -> bytes:
        return await self._explore(request, self.files.find(look), job, *arguments)

    async def _explore(
        self, request: Request, source: LookSource, job: Job, *arguments: object, **options: Any
    ) -> bytes:
        dispatcher = dispatcher_of(request)
        try:
            return await dispatcher.explore(job, source, *arguments, **options)
        except ForgottenError:  # another worker than the one that was asked before
            return await dispatcher.explore(job, self.files.with_files(source), *arguments, **options)

    async def stack(
        self,
        request: Request,
        layers: str = Query(max_length=200, description="kernel:stride:rate for each, with commas: 3:1:1,3:1:2"),
        channels: int = Query(32, ge=1, le=256),
        side_px: int = Query(64, ge=8, le=512),
    ) -> Response:
        """Build convolutions, run them, and give what one neuron sees, parameters, and measured milliseconds."""
        parsed = tuple(_parse_stack(layers))
        found = await dispatcher_of(request).explore(work.run_stack, LookSource(""), parsed, channels, side_px)
        return Response(found, media_type=_JSON)


def build_lab_routes() -> APIRouter:
    """The routes under `/v1/szem/lab`."""
    lab = _Lab()
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
    # What runs the network is a POST: counted, limited, and no page of another origin can have a browser send it.
    for name, binary_endpoint in (("thumbs", lab.thumbs), ("layers/{layer}/maps", lab.maps)):
        router.add_api_route(
            f"{look}/{name}", binary_endpoint, methods=["POST"], response_class=Response, responses=_BINARY
        )
    router.add_api_route(f"{look}/layers/{{layer}}/neuron", lab.neuron, methods=["POST"], response_class=JSONResponse)
    for name, endpoint in (("heat", lab.heat), ("times", lab.times), ("shift", lab.shift)):
        router.add_api_route(f"{look}/{name}", endpoint, methods=["POST"], response_class=JSONResponse)
    router.add_api_route("/stack", lab.stack, methods=["POST"], response_class=JSONResponse)
    return router


def _parse_stack(text: str) -> list[StackLayer]:
    layers = []
    for part in text.split(","):
        numbers = part.split(":")
        if len(numbers) != 3 or not all(n.isascii() and n.isdecimal() and len(n) < 4 for n in numbers):
            raise RangeError(f"layers are kernel:stride:rate with commas, such as 3:1:1,3:1:2; got {part[:40]!r}")
        layers.append(StackLayer(*(int(n) for n in numbers)))
    return layers
