"""Masks on the wire: what each pixel is, as areas in numbers and as one small PNG or as COCO's run lengths.

A PNG holds numbers, not colours: 8-bit grey, each value the index of a class (or 255 in a mask of one object). So a
page reads it back from a canvas, and a frame of a camera costs a few kilobytes. Knows nothing of HTTP.
"""

import base64
import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, check_boxes_xyxy
from szem.errors import RangeError, UnknownNameError
from szem.media.drawing import RGB
from szem.media.pictures import encode_picture
from szem.results.masks import Masks, class_colors
from szem.results.rle import mask_to_rle
from szem.runtime.sessions import Session
from szem.serve.engine import Engine
from szem.serve.messages import Image
from szem.serve.protojson import Json
from szem.tasks.segmentation.instance_masks import outline_with
from szem.tasks.segmentation.segment import segment_with

__all__ = ["MOST_BOXES", "SegmentRequest", "find_masks", "map_to_dict", "outline_boxes", "segment_picture"]

MOST_BOXES = 64
_FORMS = ("png", "rle", "none")
_ANSWERS = ("json", "labels", "overlay")
_FAST_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 2]  # a frame of a camera is not kept: quick before small


@dataclass(frozen=True, kw_only=True)
class SegmentRequest:
    """A picture, and how its masks are wanted.

    `model`: things (when left out) or road, or another installed one. `boxesXyxy`: a list of [x0, y0, x1, y1] in
    pixels; for each the object in it is outlined, and the whole picture is only named if `model` is given too.
    `masks`: png, rle or none. `maxSide`: the longest side of the map in pixels, 0 for the picture's own.
    `answer`: json, or a PNG file: labels (a palette of classes) or overlay (drawn over the picture).
    """

    image: Image | None = None
    model: str = ""
    boxes_xyxy: Json | None = None
    masks: str = "png"
    max_side: int = 0
    answer: str = "json"


async def segment_picture(engine: Engine, picture: Picture8, request: SegmentRequest) -> dict[str, Any] | bytes:
    """Answer `POST /v1/szem/segment`.

    Returns:
        JSON values, or the bytes of a PNG file.
    Raises:
        RangeError, ShapeError, UnknownNameError: an option is wrong.
        UnsupportedError: the model is not installed.
    """
    _check_choice("masks", request.masks, _FORMS)
    _check_choice("answer", request.answer, _ANSWERS)
    if not 0 <= request.max_side <= 1 << 16:
        raise RangeError(f"maxSide must be 0 (the picture's own) to 65536, got {request.max_side}")
    boxes = _read_boxes(request.boxes_xyxy)
    if request.answer != "json" and boxes is not None:
        raise RangeError(f"answer={request.answer} is a picture of classes; with boxesXyxy the answer is json")
    answer: dict[str, Any] = {}
    if boxes is None or request.model:
        masks = await find_masks(engine, picture, model=request.model, max_side=request.max_side)
        if request.answer == "labels":
            return await engine.run(_label_file, masks)
        if request.answer == "overlay":
            return await engine.run(_overlay_file, masks, picture)
        answer = await engine.run(map_to_dict, masks, request.masks)
    if boxes is not None:
        answer |= await outline_boxes(engine, picture, boxes, form=request.masks)
    return answer


async def find_masks(engine: Engine, picture: Picture8, *, model: str = "", max_side: int = 0) -> Masks:
    """A class for every pixel, in a map of the picture's size, or smaller if `max_side` asks.

    Raises:
        UnknownNameError: no such model for it.
        UnsupportedError: none is installed.
    """
    session = await engine.session("segment", model)
    return await engine.run(lambda: segment_with(session, picture, map_side_px=max_side or None))


async def outline_boxes(
    engine: Engine, picture: Picture8, boxes_xyxy: NDArray[np.float32], *, form: str = "png"
) -> dict[str, Any]:
    """The mask of what is in each box, as JSON values: `outline_model`, and `outlines` in the order of the boxes.

    Args:
        engine: Has the network.
        picture: (H, W, 3) uint8 RGB.
        boxes_xyxy: (N, 4) in pixels.
        form: As in `map_to_dict`; `png` gives `mask` and the part of the picture it covers, `mask_xyxy`.
    Raises:
        UnsupportedError: no model for it is installed.
    """
    return await engine.run(_outlines, await engine.session("outline"), picture, boxes_xyxy, form)


def map_to_dict(masks: Masks, form: str = "png") -> dict[str, Any]:
    """Masks as JSON values.

    Args:
        masks: What was found.
        form: `png` adds `map`, the class of every pixel; `rle` adds to each area its run lengths; `none` neither.
    """
    height, width = masks.class_map.shape
    areas: list[dict[str, Any]] = [
        {
            "index": area.index,
            "label": area.label,
            "pixels": area.pixels,
            "share": round(area.share, 6),
            "confidence": round(area.confidence, 4),
            "color": _hex(area.rgb),
        }
        for area in masks.areas
    ]
    if form == "rle":
        for row in areas:
            row["rle"] = mask_to_rle(masks.class_map == row["index"])
    colors = class_colors(masks.classes)
    answer: dict[str, Any] = {
        "model": masks.model,
        "background": masks.background,
        "classes": [
            {"index": index, "label": label, "color": _hex(color)}
            for index, (label, color) in enumerate(zip(masks.classes, colors, strict=True))
        ],
        "areas": areas,
        "size": {"width": width, "height": height},
    }
    if form == "png":
        answer["map"] = _grey_png(masks.class_map)
    return answer


def _outlines(session: Session, picture: Picture8, boxes: NDArray[np.float32], form: str) -> dict[str, Any]:
    """One mask a box. Box by box: together the masks of a large picture would fill the memory."""
    rows: list[dict[str, Any]] = []
    for box in boxes:
        found = outline_with(session, picture, box[None])
        mask = found.masks[0]
        row: dict[str, Any] = {
            "box_xyxy": [round(float(side), 2) for side in box],
            "confidence": round(float(found.confidence[0]), 4),
            "pixels": int(mask.sum()),
        }
        if form == "rle":
            row["rle"] = mask_to_rle(mask)
        elif form == "png":
            x0, y0, x1, y1 = _frame_of(mask)
            row["mask_xyxy"] = [x0, y0, x1, y1]
            row["mask"] = _grey_png(mask[y0:y1, x0:x1].astype(np.uint8) * 255) if x1 > x0 else ""
        rows.append(row)
    return {"outline_model": session.model.name, "outlines": rows}


def _frame_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The part of a mask outside which there is nothing; all 0 where there is nothing at all."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not columns.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _read_boxes(value: object) -> NDArray[np.float32] | None:
    """Boxes out of JSON; None if none were given.

    Raises:
        ShapeError, RangeError: they are no boxes, or too many.
    """
    if value is None:
        return None
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, list) and len(row) == 4 and all(map(_is_number, row)) for row in rows):
        raise RangeError("boxesXyxy must be a list of boxes [x0, y0, x1, y1] in pixels, such as [[40, 60, 120, 220]]")
    if len(rows) > MOST_BOXES:
        raise RangeError(f"boxesXyxy: at most {MOST_BOXES} boxes at once, got {len(rows)}; ask again for the rest")
    return check_boxes_xyxy(rows)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UnknownNameError(f"{name} must be one of {', '.join(choices)}, got {value[:40]!r}")


def _overlay_file(masks: Masks, picture: Picture8) -> bytes:
    """The classes over the picture, as a PNG file of the map's size."""
    height, width = masks.class_map.shape
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return encode_picture(masks.draw(picture))


def _label_file(masks: Masks) -> bytes:
    """A palette PNG whose values are the classes, as data sets hold them."""
    out = io.BytesIO()
    masks.to_image().save(out, "PNG")
    return out.getvalue()


def _grey_png(values: NDArray[np.uint8]) -> str:
    """An 8-bit grey PNG in base64."""
    done, data = cv2.imencode(".png", values, _FAST_PNG)
    assert done
    return base64.b64encode(data.tobytes()).decode("ascii")


def _hex(rgb: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
