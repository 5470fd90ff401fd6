"""`colors`, `crops` and `measure` as requests: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.appearance.crop_hints import DEFAULT_RATIOS, crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.appearance.sharpness import measure_picture
from szem.tasks.contracts import OpenModel

__all__ = ["ColorsRequest", "CropsRequest", "MeasureRequest", "answer_colors", "answer_crops", "answer_measure"]

_MAX_COLORS = 24
_MAX_RATIOS = 16


@dataclass(frozen=True, kw_only=True)
class ColorsRequest:
    """How many colours at most (10)."""

    count: int = 10


def answer_colors(picture: Picture8, request: ColorsRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Dominant colours as `Colors.to_dict` gives them.

    Raises:
        RangeError: `count` is out of range.
    """
    if not 1 <= request.count <= _MAX_COLORS:
        raise RangeError(f"count must be 1 to {_MAX_COLORS}, got {request.count}")
    return dominant_colors(picture, count=request.count).to_dict()


@dataclass(frozen=True, kw_only=True)
class CropsRequest:
    """The width / height of each crop wanted; the usual ones when left out."""

    aspect_ratios: tuple[float, ...] = ()


def answer_crops(picture: Picture8, request: CropsRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Crops as `Crops.to_dict` gives them.

    Raises:
        RangeError: a ratio is out of range, or there are too many.
    """
    if len(request.aspect_ratios) > _MAX_RATIOS:
        raise RangeError(f"aspectRatios: at most {_MAX_RATIOS}, got {len(request.aspect_ratios)}")
    return crop_hints(picture, aspect_ratios=request.aspect_ratios or DEFAULT_RATIOS).to_dict()


@dataclass(frozen=True, kw_only=True)
class MeasureRequest:
    """No options."""


def answer_measure(picture: Picture8, request: MeasureRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Sharpness, edges and exposure as `Measures.to_dict` gives them."""
    return measure_picture(picture).to_dict()
