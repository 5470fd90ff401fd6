"""`segment` as a request: options in, JSON values or a PNG file out."""

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, check_boxes_xyxy
from szem.arrays.rle import mask_to_rle
from szem.errors import RangeError, UnknownNameError
from szem.media.pictures import encode_picture
from szem.results.masks import MASK_FORMS, Masks, encode_grey_png
from szem.runtime.sessions import Session
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option
from szem.tasks.segmentation.agreement import open_agreement
from szem.tasks.segmentation.instance_masks import outline_with
from szem.tasks.segmentation.segment import segment_with

__all__ = ["MAX_BOXES", "SegmentRequest", "answer_segment", "outlines_to_dict"]

MAX_BOXES = 64
_ANSWERS = ("json", "labels", "overlay")
_MAX_SIDE_PX = 1 << 16
_MAX_COORDINATE_PX = 1e9


@dataclass(frozen=True, kw_only=True)
class SegmentRequest:
    """How masks are wanted.

    `model`: things (when left out) or road, or another installed one. `boxesXyxy`: a list of [x0, y0, x1, y1] in
    pixels; the object in each is outlined, and the whole picture is only segmented if `model` is given too.
    `masks`: rle (run lengths in each area), png (one map of classes) or none. `maxSide`: the longest side of the map
    in pixels, 0 for the picture's own. `threshold`: pixels less likely than this are unknown; the thresholds on the
    model's card when left out. `answer`: json, or a PNG file: labels (a palette of classes) or overlay (drawn over
    the picture).
    """

    model: str = option("", most=200)
    boxes_xyxy: tuple[tuple[float, ...], ...] | None = option(
        None, minimum=-_MAX_COORDINATE_PX, maximum=_MAX_COORDINATE_PX, most=MAX_BOXES
    )
    masks: str = option("rle", most=20)
    max_side: int = option(0, minimum=0, maximum=_MAX_SIDE_PX)
    threshold: float | None = option(None, minimum=0, maximum=1)
    answer: str = option("json", most=20)


def answer_segment(picture: Picture8, request: SegmentRequest, open_model: OpenModel) -> dict[str, Any] | bytes:
    """Masks as `Masks.to_dict` gives them, outlines of boxes, or a PNG file.

    Raises:
        RangeError, ShapeError, UnknownNameError: an option is wrong.
        UnsupportedError: the model is not installed.
    """
    _check_choice("masks", request.masks, MASK_FORMS)
    _check_choice("answer", request.answer, _ANSWERS)
    check_options(request)
    boxes = _check_boxes(request.boxes_xyxy)
    if request.answer != "json" and boxes is not None:
        raise RangeError(f"answer={request.answer} is a picture of classes; with boxesXyxy the answer is json")
    answer: dict[str, Any] = {}
    if boxes is None or request.model:
        session = open_model(request.model or None, task="segment")
        masks = segment_with(
            session,
            picture,
            map_side_px=request.max_side or None,
            threshold=request.threshold,
            agreement=open_agreement(session, open_model),
        )
        if request.answer == "labels":
            return _label_file(masks)
        if request.answer == "overlay":
            return _overlay_file(masks, picture)
        answer = masks.to_dict(masks=request.masks)
    if boxes is not None:
        answer |= outlines_to_dict(open_model(task="outline"), picture, boxes, form=request.masks)
    return answer


def outlines_to_dict(
    session: Session, picture: Picture8, boxes_xyxy: NDArray[np.float32], *, form: str = "png"
) -> dict[str, Any]:
    """The mask of the object in each box, as JSON values: `outline_model`, and `outlines` in the order of the boxes.

    Args:
        session: A model for outline.
        picture: (H, W, 3) uint8 RGB.
        boxes_xyxy: (N, 4) in pixels.
        form: One of `MASK_FORMS`; `png` gives `mask` and the part of the picture that it covers, `mask_xyxy`.
    """
    rows: list[dict[str, Any]] = []
    for box in boxes_xyxy:  # one at a time: the masks of all boxes of a large picture would fill the memory
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
            x0, y0, x1, y1 = _bounds_of(mask)
            row["mask_xyxy"] = [x0, y0, x1, y1]
            row["mask"] = encode_grey_png(mask[y0:y1, x0:x1].astype(np.uint8) * 255) if x1 > x0 else ""
        rows.append(row)
    return {"outline_model": session.model.name, "outlines": rows}


def _bounds_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box that holds a mask; all 0 where it is empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not columns.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _check_boxes(given: tuple[tuple[float, ...], ...] | None) -> NDArray[np.float32] | None:
    if given is None:
        return None
    if not all(len(box) == 4 and all(abs(side) < _MAX_COORDINATE_PX for side in box) for box in given):
        raise RangeError("boxesXyxy must be a list of boxes [x0, y0, x1, y1] in pixels, such as [[40, 60, 120, 220]]")
    if len(given) > MAX_BOXES:
        raise RangeError(f"boxesXyxy: at most {MAX_BOXES} boxes at once, got {len(given)}; ask again for the rest")
    return check_boxes_xyxy(given)


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
