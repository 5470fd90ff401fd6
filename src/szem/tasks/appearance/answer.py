"""`colors`, `crops` and `measure` as requests: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.tasks.appearance.crop_hints import DEFAULT_RATIOS, crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.appearance.sharpness import measure_picture
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option

__all__ = ["ColorsRequest", "CropsRequest", "MeasureRequest", "answer_colors", "answer_crops", "answer_measure"]

_MAX_COLORS = 24
_MAX_RATIOS = 16


@dataclass(frozen=True, kw_only=True)
class ColorsRequest:
    """How many colours at most (10)."""

    count: int = option(10, minimum=1, maximum=_MAX_COLORS)


def answer_colors(picture: Picture8, request: ColorsRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Dominant colours as `Colors.to_dict` gives them.

    Raises:
        RangeError: `count` is out of range.
    """
    check_options(request)
    return dominant_colors(picture, count=request.count).to_dict()


@dataclass(frozen=True, kw_only=True)
class CropsRequest:
    """The width / height of each crop wanted; the usual ones when left out."""

    aspect_ratios: tuple[float, ...] = option((), minimum=0.01, maximum=100, most=_MAX_RATIOS)


def answer_crops(picture: Picture8, request: CropsRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Crops as `Crops.to_dict` gives them.

    Raises:
        RangeError: a ratio is out of range, or there are too many.
    """
    check_options(request)
    return crop_hints(picture, aspect_ratios=request.aspect_ratios or DEFAULT_RATIOS).to_dict()


@dataclass(frozen=True, kw_only=True)
class MeasureRequest:
    """No options."""


def answer_measure(picture: Picture8, request: MeasureRequest, open_model: OpenModel) -> dict[str, Any]:  # noqa: ARG001
    """Sharpness, edges and exposure as `Measures.to_dict` gives them."""
    return measure_picture(picture).to_dict()
