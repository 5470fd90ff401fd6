"""szem's tasks as routes: each takes one picture and gives its full result as JSON. A task that lands adds a line.

`POST /v1/szem/NAME` with a picture file as the body, as a form, or inside JSON; see `szem.serve.uploads`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.kernels import DEFAULT_MODE, parse_kernel, plan_convolution, view
from szem.media.pictures import encode_picture
from szem.results.labels import Labels
from szem.serve.engine import Engine
from szem.serve.handlers.caption import CaptionRequest, caption_picture
from szem.serve.handlers.detect import DetectRequest, detect_picture
from szem.serve.handlers.faces import FacesRequest, face_picture
from szem.serve.handlers.segment import SegmentRequest, find_masks, map_to_dict, segment_picture
from szem.serve.messages import Image
from szem.tasks.appearance.crop_hints import DEFAULT_RATIOS, crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.appearance.sharpness import measure_picture

__all__ = ["TASKS", "FilterRequest", "TaskRoute", "filter_picture"]

_MOST = 1_000
_MOST_RATIOS = 16
_MOST_FILTER_MS = 20_000.0  # of estimated time on one core
_LARGEST_KERNEL = 255  # taps on a side: more keeps a thread busy for too long


@dataclass(frozen=True, kw_only=True)
class ClassifyRequest:
    """A picture, how many labels at most (5), whether to say where each score comes from, and by which model."""

    image: Image | None = None
    top: int = 5
    maps: bool = False
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class ColorsRequest:
    """A picture, and how many colours at most (10)."""

    image: Image | None = None
    count: int = 10


@dataclass(frozen=True, kw_only=True)
class CropsRequest:
    """A picture, and the width / height of each crop wanted; none: the usual ones."""

    image: Image | None = None
    aspect_ratios: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MeasureRequest:
    """A picture."""

    image: Image | None = None


@dataclass(frozen=True, kw_only=True)
class LookRequest:
    """A picture, and how many labels at most (5)."""

    image: Image | None = None
    top: int = 5


@dataclass(frozen=True, kw_only=True)
class FilterRequest:
    """A picture and a kernel: a name ("sobel-x", "gaussian:2.5") or weights ("0 -1 0; -1 5 -1; 0 -1 0").

    Without a view the result is shown as `szem filter` shows it: by size for kernels whose weights sum to 0, else
    clipped to 0..255.
    """

    image: Image | None = None
    kernel: str = "identity"
    stride: int = 1
    dilation: int = 1
    border: str = "reflect"
    mode: str = DEFAULT_MODE
    view: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskRoute:
    """One task: its message, and what answers it."""

    about: str
    request: type
    run: Callable[[Engine, Picture8, Any], Awaitable[dict[str, Any] | bytes]]  # JSON values, or a PNG file
    options: str = ""  # an example of its options, as in a query


async def _classify(engine: Engine, picture: Picture8, request: ClassifyRequest) -> dict[str, Any]:
    _check_count("top", request.top)
    return labels_to_dict(await engine.classify(picture, top=request.top, maps=request.maps, model=request.model))


async def _colors(engine: Engine, picture: Picture8, request: ColorsRequest) -> dict[str, Any]:
    _check_count("count", request.count)
    found = await engine.run(lambda: dominant_colors(picture, count=min(request.count, 24)))
    return found.to_dict()


async def _crops(engine: Engine, picture: Picture8, request: CropsRequest) -> dict[str, Any]:
    asked = request.aspect_ratios[:_MOST_RATIOS] or DEFAULT_RATIOS
    found = await engine.run(lambda: crop_hints(picture, aspect_ratios=asked))
    return found.to_dict()


async def _measure(engine: Engine, picture: Picture8, request: MeasureRequest) -> dict[str, Any]:  # noqa: ARG001
    found = await engine.run(measure_picture, picture)
    return found.to_dict()


async def _look(engine: Engine, picture: Picture8, request: LookRequest) -> dict[str, Any]:
    _check_count("top", request.top)
    labels, boxes, masks, caption, colors, crops, measures = await asyncio.gather(
        _classify(engine, picture, ClassifyRequest(top=request.top)),
        detect_picture(engine, picture, DetectRequest()),
        _masks(engine, picture),
        caption_picture(engine, picture, CaptionRequest()),
        _colors(engine, picture, ColorsRequest()),
        _crops(engine, picture, CropsRequest()),
        _measure(engine, picture, MeasureRequest()),
    )
    return {
        **labels,
        "boxes": boxes["boxes"],
        "masks": masks,
        "caption": caption,
        **colors,
        **crops,
        "measures": measures,
    }


async def _masks(engine: Engine, picture: Picture8) -> dict[str, Any]:
    return await engine.run(map_to_dict, await find_masks(engine, picture))


TASKS: Mapping[str, TaskRoute] = {
    "look": TaskRoute(about="All that szem says about a picture.", request=LookRequest, run=_look, options="top=3"),
    "classify": TaskRoute(
        about="Name what is in a picture; with maps=true also where each score comes from.",
        request=ClassifyRequest,
        run=_classify,
        options="top=3&maps=true",
    ),
    "detect": TaskRoute(
        about="What is where in a picture: boxes with names and scores.",
        request=DetectRequest,
        run=detect_picture,
        options="threshold=0.4&classes=person,car",
    ),
    "segment": TaskRoute(
        about="What every pixel of a picture is; with boxes given, the outline of what is in each.",
        request=SegmentRequest,
        run=segment_picture,
        options="model=road",
    ),
    "caption": TaskRoute(
        about="A sentence for a picture, word by word; with rank also how well given sentences fit it.",
        request=CaptionRequest,
        run=caption_picture,
        options="n=3&attention=true&others=5",
    ),
    "faces": TaskRoute(
        about="Where faces are in a picture: boxes, 68 points of each, and how the heads are turned; never whose.",
        request=FacesRequest,
        run=face_picture,
        options="threshold=0.6&mesh=true",
    ),
    "colors": TaskRoute(
        about="The dominant colours of a picture.", request=ColorsRequest, run=_colors, options="count=5"
    ),
    "crops": TaskRoute(about="Where a picture may be cut.", request=CropsRequest, run=_crops),
    "measure": TaskRoute(about="Sharpness, edges and exposure.", request=MeasureRequest, run=_measure),
}


def labels_to_dict(found: Labels) -> dict[str, Any]:
    """Labels as JSON; beside each map the part of the picture it covers, in pixels."""
    answer = found.to_dict()
    for row in answer["labels"]:
        if row["index"] in found.maps:
            row["map_box_xyxy"] = [round(float(side), 2) for side in found.maps[row["index"]].box_xyxy]
    return answer


async def filter_picture(engine: Engine, picture: Picture8, request: FilterRequest) -> bytes:
    """Apply a kernel; the result as a PNG file.

    Raises:
        UnknownNameError, RangeError, ShapeError: the kernel or an option is wrong.
    """

    def work() -> bytes:
        kernel = parse_kernel(request.kernel)
        if max(kernel.shape) > _LARGEST_KERNEL:
            raise RangeError(
                f"a kernel for the server has at most {_LARGEST_KERNEL} taps on a side, got {kernel.shape}; "
                "use szem.convolve"
            )
        plan = plan_convolution(
            picture.shape,
            kernel,
            stride_px=request.stride,
            dilation=request.dilation,
            border=request.border,
            mode=request.mode,
        )
        if plan.cost_ms > _MOST_FILTER_MS:  # known before a pixel is computed
            raise RangeError(
                f"the server spends at most {_MOST_FILTER_MS / 1000:g} s on a picture, this would take about "
                f"{plan.cost_ms / 1000:.0f} s; use a smaller picture or kernel, or szem.convolve"
            )
        return encode_picture(view(plan.run(picture), how=request.view, kernel=kernel))

    return await engine.run(work)


def _check_count(name: str, value: int) -> None:
    if not 1 <= value <= _MOST:
        raise RangeError(f"{name} must be 1 to {_MOST}, got {value}")
