"""The head layouts that `detect` accepts; `szem.tasks.detection.decoders` turns each into boxes."""

import re
from collections.abc import Sequence

import numpy as np

from szem.arrays import Array
from szem.runtime.cards import PictureInput, SoundInput
from szem.runtime.heads import BYTES_BGR, UNIT, UNIT_BGR, Fit, Head, ModelFormat
from szem.runtime.outputs import Output
from szem.runtime.probe import fitting_heads, run_on_noise
from szem.runtime.sessions import OnnxFile
from szem.tasks.detection.nms_inside import (
    FRACTIONS,
    fit_efficient_nms,
    fit_end2end,
    fit_mmdetection,
    fit_nms_rows,
    fit_tensorflow,
    fit_torchvision,
    is_nms_rows,
    mask_coefficients,
)

__all__ = ["DETECT"]


def _fit_points(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    scores = _listed(outputs, labels, name="scores")
    distances = [o for o in _listed(outputs, 4, name="distances") if o not in scores[:1]]
    return _pair("scores", scores, "distances", distances)


def _fit_anchors(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    """Only by its names: otherwise `ssd`, whose boxes have the same shape, fits as well."""
    scores = [o for o in outputs if o.name == "scores" and len(o.shape) == 3 and o.shape[2] in (labels, None)]
    encodings = [o for o in outputs if o.name == "encodings" and len(o.shape) == 3 and o.shape[2] in (4, None)]
    return _pair("scores", scores, "encodings", encodings)


def _fit_ssd(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    boxes = _listed(outputs, 4, name="boxes")
    scores = [o for n in (labels, labels + 1) for o in _listed(outputs, n, name="scores") if o not in boxes[:1]]
    return _pair("boxes", boxes, "scores", scores)


def _fit_detr(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    boxes = _listed(outputs, 4, name="box|dets")
    logits = [
        o for n in (labels, labels + 1) for o in _listed(outputs, n, name="logits|labels") if o not in boxes[:1]
    ]
    return _pair("logits", logits, "boxes", boxes)


def _fit_split(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    for axis in (1, 2):
        boxes = _listed(outputs, 4, name="box|xywh|reg", axis=axis)
        scores = _listed(outputs, labels, name="score|cls|class|prob|conf", axis=axis)
        found = _pair("boxes", boxes, "scores", [o for o in scores if o not in boxes[:1]])
        if found is not None:
            return found
    return None


def _are_middles(boxes: Array) -> bool:
    """Whether (N, places, 4) are middles and sides: as corners, some would lie the wrong way round."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return bool(sides.min() < -0.01 * np.abs(boxes).max())


def _listed(outputs: Sequence[Output], wide: int, *, name: str, axis: int = 2) -> list[Output]:
    """Outputs (N, places, wide), or (N, wide, places) with axis 1; of several those of that name (an expression)."""
    found = [o for o in outputs if len(o.shape) == 3 and o.shape[axis] in (wide, None)]
    return [o for o in found if re.search(name, o.name.lower())] or found if len(found) > 1 else found


def _pair(first: str, ones: list[Output], second: str, others: list[Output]) -> dict[str, str] | None:
    return {first: ones[0].name, second: others[0].name} if len(ones) == len(others) == 1 else None


def _fit_rows(more: int, *axes: int) -> Fit:
    """One output (N, places, more + classes) where axis 2 is allowed, or (N, more + classes, places) where axis 1 is.

    Networks that segment as well give the coefficients of their masks behind the classes; they are left unread.
    """

    def fit(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
        width = more + labels
        wanted = (width, width + mask_coefficients(outputs), None)
        found = [o for o in outputs if len(o.shape) == 3 and any(o.shape[axis] in wanted for axis in axes)]
        return {"predictions": found[0].name} if len(found) == 1 else None

    return fit


def _fit_fastestdet(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:
    maps = [o for o in outputs if len(o.shape) == 4 and o.shape[1] in (5 + labels, None)]
    return {"predictions": maps[0].name} if len(maps) == 1 else None


def _choose(opened: OnnxFile, rules: PictureInput | SoundInput, labels: int) -> str:
    """Shapes settle most; where two layouts share them, the numbers or the names of the outputs decide."""
    assert isinstance(rules, PictureInput)
    values = run_on_noise(opened, rules)
    fitting = fitting_heads(DETECT, opened, values, labels, docs="docs/detect.md")
    if "anchors" in fitting:
        return "anchors"
    finished = fitting.get("nms-rows")
    if finished is not None:
        if len(fitting) == 1 or is_nms_rows(values[finished["rows"]], labels):
            return "nms-rows"
        del fitting["nms-rows"]
    rows = fitting.get("yolov5")
    if rows is not None and {"yolox", "yolov5"} <= fitting.keys():
        centers = values[rows["predictions"]][0, :, :2]
        # decoded centers are spread over the input; raw YOLOX offsets lie within a few cells of their own
        return "yolov5" if float(centers.max()) > rules.width_px / 4 else "yolox"
    pair = fitting.get("ssd")
    if pair is not None:
        if "points" in fitting and any("distance" in name.lower() for name in values):
            return "points"
        scores, boxes = values[pair["scores"]], values[pair["boxes"]]
        is_fractions = float(boxes.max()) <= FRACTIONS
        if "yolov8-split" in fitting and _are_middles(boxes) and (scores.min() >= 0 or not is_fractions):
            return "yolov8-split"
        return "ssd" if float(scores.min()) >= 0 and float(scores.max()) <= 1 else "detr"
    return next(iter(fitting))


DETECT = ModelFormat(
    task="detect",
    resize="letterbox",
    choose=_choose,
    heads={
        "anchors": Head(
            about="szem's own: (N, anchors, classes) `scores` 0..1 and (N, anchors, 4) `encodings` that move the "
            "anchor boxes of SSD MobileNetV3; strides 16 to 512",
            fit=_fit_anchors,
        ),
        "points": Head(
            about="that of szem 1.0: (N, places, classes) scores 0..1 and (N, places, 4) distances to the left, "
            "upper, right and lower side in pixels; the places of strides 8, 16, 32 one after the other",
            fit=_fit_points,
        ),
        "yolox": Head(
            about="YOLOX not decoded: (N, places, 5 + classes) middle in cells, logarithm of the sides in strides, "
            "objectness, class scores; strides 8, 16, 32",
            fit=_fit_rows(5, 2),
            scaling=BYTES_BGR,
        ),
        "yolov5": Head(
            about="YOLOv5 style, decoded: (N, places, 5 + classes) middle and sides in pixels of the input, "
            "objectness, class scores",
            fit=_fit_rows(5, 2),
            scaling=UNIT,
        ),
        "yolov8": Head(
            about="YOLOv8 style: (N, 4 + classes, places) or (N, places, 4 + classes) middle and sides in pixels of "
            "the input or fractions of its sides, class scores",
            fit=_fit_rows(4, 1, 2),
            scaling=UNIT,
        ),
        "yolov8-split": Head(
            about="YOLOv8 style in two outputs: (N, 4, places) or (N, places, 4) middle and sides in pixels of the "
            "input or fractions of its sides, and (N, classes, places) or (N, places, classes) scores",
            fit=_fit_split,
            scaling=UNIT,
        ),
        "ssd": Head(
            about="SSD: (N, places, 4) boxes as x0, y0, x1, y1 in fractions of the sides, and (N, places, classes) "
            "scores 0..1, or one more with the background first",
            fit=_fit_ssd,
        ),
        "detr": Head(
            about="DETR style: (N, queries, classes + 1) logits with nothing last, or (N, queries, classes) before "
            "sigmoid; (N, queries, 4) boxes as middle and sides in fractions of the sides",
            fit=_fit_detr,
        ),
        "fastestdet": Head(
            about="FastestDet: (N, 5 + classes, h, w) objectness, offset of the middle, sides, class scores",
            fit=_fit_fastestdet,
            scaling=UNIT_BGR,
        ),
        "nms-rows": Head(
            about="duplicates dropped inside: (N, boxes, 6) or (boxes, 6) rows of x0, y0, x1, y1 in pixels of the "
            "input, score, class (Ultralytics with nms=True, YOLOv10 and later)",
            fit=fit_nms_rows,
            scaling=UNIT,
        ),
        "end2end": Head(
            about="duplicates dropped inside: (boxes, 7) rows of place in the batch, x0, y0, x1, y1, class, score "
            "(YOLOv7 with --end2end)",
            fit=fit_end2end,
            scaling=UNIT,
        ),
        "efficient-nms": Head(
            about="duplicates dropped inside: (N, boxes, 4) corners in pixels, (N, boxes) scores, (N, boxes) classes "
            "from 0, and perhaps (N, 1) their number (TensorRT's EfficientNMS)",
            fit=fit_efficient_nms,
            scaling=UNIT,
        ),
        "mmdetection": Head(
            about="duplicates dropped inside: (N, boxes, 5) x0, y0, x1, y1 in pixels of the input and score, and "
            "(N, boxes) classes from 0 (MMDetection through MMDeploy)",
            fit=fit_mmdetection,
        ),
        "tensorflow": Head(
            about="duplicates dropped inside: (N, boxes, 4) y0, x0, y1, x1 in fractions of the sides, (N, boxes) "
            "scores, (N, boxes) classes from 1 (TensorFlow's Object Detection API)",
            fit=fit_tensorflow,
            scaling=UNIT,
        ),
        "torchvision": Head(
            about="duplicates dropped inside: (boxes, 4) corners in pixels, (boxes,) labels from 1, (boxes,) scores "
            "of one picture (torchvision)",
            fit=fit_torchvision,
            scaling=UNIT,
        ),
    },
)
