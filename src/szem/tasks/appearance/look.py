"""Dominant colours, crop hints and sharpness in `szem look`; none of them needs a model."""

from szem.media.legend import Row
from szem.results.colors import Colors
from szem.results.crops import Crops
from szem.results.measures import Measures
from szem.tasks.appearance.crop_hints import crop_hints
from szem.tasks.appearance.dominant_colors import dominant_colors
from szem.tasks.appearance.sharpness import measure_picture
from szem.tasks.contracts import LookPart, OpenModel, Run

__all__ = ["COLORS", "CROPS", "SHARPNESS"]


def _open_colors(open_model: OpenModel) -> Run:  # noqa: ARG001
    return lambda picture, shared: dominant_colors(picture)  # noqa: ARG005


def _color_rows(colors: Colors) -> list[Row]:
    return [Row(name=c.name, value=c.pixel_fraction, note=c.hex, rgb=c.rgb) for c in colors.colors]


def _open_crops(open_model: OpenModel) -> Run:  # noqa: ARG001
    return lambda picture, shared: crop_hints(picture, attention=shared.get("attention"))


def _crop_rows(crops: Crops) -> list[Row]:
    rows = []
    for crop in crops.crops:
        x0, y0, x1, y1 = crop.box_xyxy
        note = f"{x1 - x0}×{y1 - y0} at {x0}, {y0}"
        rows.append(Row(name=crop.shape_name, value=crop.importance_fraction, note=note, box_xyxy=crop.box_xyxy))
    return rows


def _open_sharpness(open_model: OpenModel) -> Run:  # noqa: ARG001
    return lambda picture, shared: measure_picture(picture)  # noqa: ARG005


def _measure_rows(measures: Measures) -> list[Row]:
    blur = "no edges to measure" if measures.blur_px is None else f"edges blurred over {measures.blur_px:.1f} px"
    return [
        Row(name=measures.word, value=measures.sharpness, note=blur),
        Row(name=f"{measures.exposure} light", value=measures.brightness, note=f"contrast {measures.contrast:.2f}"),
        Row(name="edges", value=measures.edge_fraction, note="fraction of the pixels"),
    ]


COLORS = LookPart(title="Colours", open=_open_colors, rows=_color_rows)
CROPS = LookPart(
    title="Crop hints and what they keep", open=_open_crops, rows=_crop_rows, drawn=True, after=("labels",)
)
SHARPNESS = LookPart(title="Sharpness and light", open=_open_sharpness, rows=_measure_rows)
