"""What the outputs of each detection head mean: from a network's numbers to candidate boxes in pixels of its input.

One decoder a layout of `szem.tasks.detection.heads.DETECT`. Candidates below their class's threshold are left out
here, before any arithmetic on boxes. Doubles are dropped elsewhere, unless the layout gives none (`is_final`).
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import ModelError
from szem.tasks.detection.anchors import anchor_boxes, move_anchors
from szem.tasks.detection.candidates import Candidates, Decoder, InputSize, order_corners
from szem.tasks.detection.nms_inside import (
    decode_efficient_nms,
    decode_end2end,
    decode_mmdetection,
    decode_nms_rows,
    decode_tensorflow,
    to_pixels,
)

__all__ = ["DECODERS", "grid_points"]

STRIDES_PX = (8, 16, 32)
"""Of the levels whose places the layouts `points` and `yolox` list one after the other."""


@lru_cache(maxsize=64)
def grid_points(height_px: int, width_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The places of all levels one after the other, row by row: the middle of each cell, and its stride.

    Returns:
        (P, 2) x, y in pixels and (P,).

    >>> grid_points(32, 64)[0][[0, 1, 32, 40]].tolist()
    [[4.0, 4.0], [12.0, 4.0], [8.0, 8.0], [16.0, 16.0]]
    """
    points, strides = [], []
    for stride in STRIDES_PX:
        rows, columns = -(-height_px // stride), -(-width_px // stride)
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        points.append((np.stack([x, y], -1).reshape(-1, 2) + np.float32(0.5)) * stride)
        strides.append(np.full(rows * columns, stride, np.float32))
    return np.concatenate(points), np.concatenate(strides)


def _places(count: int, size: InputSize, layout: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points, strides = grid_points(*size)
    if count != len(points):
        raise ModelError(
            f"head layout {layout!r} needs {len(points)} places for an input of {size[1]}×{size[0]} "
            f"(strides 8, 16, 32), the network gives {count}; choose another layout"
        )
    return points, strides


def _pick(scores: Array, lowest: NDArray[np.float32]) -> tuple[Array, NDArray[np.int64], NDArray[np.float32]]:
    """Places and classes of the scores that reach their class's threshold, and these scores."""
    if scores.ndim != 2 or scores.shape[1] != len(lowest):
        raise ModelError(f"the network gives scores {scores.shape}, its labels are {len(lowest)}; correct the labels")
    likely = np.flatnonzero(scores.max(1) >= lowest.min())  # most places hold nothing: one pass settles them
    rows, classes = np.nonzero(scores[likely] >= lowest)
    places = likely[rows]
    return places, classes.astype(np.int64), scores[places, classes].astype(np.float32).clip(0, 1)


def _corners(middles_xywh: Array) -> NDArray[np.float32]:
    """(N, 4) middle and sides to corners."""
    half = np.abs(middles_xywh[:, 2:]) / 2
    boxes: NDArray[np.float32] = np.concatenate([middles_xywh[:, :2] - half, middles_xywh[:, :2] + half], 1)
    return boxes.astype(np.float32, copy=False)


def _decode_points(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Scores, and distances from each place to the left, upper, right and lower side, in pixels."""
    points, _ = _places(len(outputs["scores"]), size, "points")
    places, classes, scores = _pick(outputs["scores"], lowest)
    distances = outputs["distances"][places]
    at = points[places]
    boxes = np.concatenate([at - distances[:, :2], at + distances[:, 2:]], 1)
    return Candidates(order_corners(boxes), scores, classes)


def _decode_anchors(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Scores, and what moves the anchor boxes of `anchors` to the objects."""
    anchors = anchor_boxes(*size)
    if len(outputs["scores"]) != len(anchors):
        raise ModelError(
            f"head layout 'anchors' needs {len(anchors)} anchors for an input of {size[1]}×{size[0]}, the network "
            f"gives {len(outputs['scores'])}; choose another layout"
        )
    places, classes, scores = _pick(outputs["scores"], lowest)
    return Candidates(move_anchors(anchors[places], outputs["encodings"][places]), scores, classes)


def _decode_yolox(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Middle in cells from the place's corner, logarithm of the sides in strides, objectness, class scores.

    Source: Z. Ge et al., YOLOX, 2021, arXiv:2107.08430; ONNX exports leave the decoding out by default.
    """
    rows = outputs["predictions"]
    points, strides = _places(len(rows), size, "yolox")
    places, classes, scores = _pick(rows[:, 4:5] * rows[:, 5:], lowest)
    stride = strides[places, None]
    corner = points[places] - stride / 2
    middle = corner + rows[places, :2] * stride
    sides = np.exp(np.minimum(rows[places, 2:4], 20)) * stride
    return Candidates(_corners(np.concatenate([middle, sides], 1)), scores, classes)


def _decode_yolov5(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Middle and sides in pixels or fractions, objectness, class scores, perhaps coefficients of masks."""
    rows = outputs["predictions"]
    places, classes, scores = _pick(rows[:, 4:5] * rows[:, 5 : 5 + len(lowest)], lowest)
    return Candidates(_corners(to_pixels(rows[places, :4], size)), scores, classes)


def _decode_yolov8(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """(4 + classes, places) or the other way round: middle and sides in pixels or fractions, class scores.

    Of both sides the shorter one is that of the classes, unless only the other has their number.
    """
    rows, width = outputs["predictions"], 4 + len(lowest)
    if rows.shape[1] != width and (rows.shape[0] == width or rows.shape[0] < rows.shape[1]):
        rows = rows.T
    places, classes, scores = _pick(rows[:, 4:width], lowest)
    return Candidates(_corners(to_pixels(rows[places, :4], size)), scores, classes)


def _decode_split(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """(places, 4) middle and sides and (places, classes) scores, or both the other way round.

    Scores beyond 0..1 are taken for those before the sigmoid.
    """
    boxes, scores = outputs["boxes"], outputs["scores"]
    if boxes.ndim == 2 and boxes.shape[1] != 4:
        boxes, scores = boxes.T, scores.T
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        scores = 1 / (1 + np.exp(-scores.astype(np.float32)))
    places, classes, best = _pick(scores, lowest)
    return Candidates(_corners(to_pixels(boxes[places], size)), best, classes)


def _decode_ssd(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Corners in fractions of the sides or pixels, class scores, perhaps with a background before them."""
    scores = outputs["scores"]
    if scores.ndim == 2 and scores.shape[1] == len(lowest) + 1:
        scores = scores[:, 1:]
    places, classes, best = _pick(scores, lowest)
    return Candidates(order_corners(to_pixels(outputs["boxes"][places], size)), best, classes)


def _decode_detr(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Logits with "nothing" last (softmax) or without it (sigmoid); middle and sides as shares of the input.

    Source: N. Carion et al., DETR, 2020, arXiv:2005.12872, section 3; sigmoid: X. Zhu et al., Deformable DETR, 2020.
    """
    logits = outputs["logits"].astype(np.float32)
    if logits.ndim == 2 and logits.shape[1] == len(lowest) + 1:
        lifted = np.exp(logits - logits.max(1, keepdims=True))
        scores = (lifted / lifted.sum(1, keepdims=True))[:, :-1]
    else:
        scores = 1 / (1 + np.exp(-logits))
    places, classes, best = _pick(scores, lowest)
    height, width = size
    sides = np.array([width, height, width, height], np.float32)
    return Candidates(_corners(outputs["boxes"][places] * sides), best, classes)


def _decode_fastestdet(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """(5 + classes, h, w): objectness, offset of the middle in cells (tanh), sides as shares (sigmoid), classes.

    The score is objectness^0.6 · class^0.4. Source: X. Ma, FastestDet, 2022, its test.py.
    """
    maps = outputs["predictions"].astype(np.float32)
    depth, h, w = maps.shape
    rows = maps.reshape(depth, h * w).T  # (h·w, 5 + C)
    score = np.clip(rows[:, :1], 0, 1) ** 0.6 * np.clip(rows[:, 5:], 0, 1) ** 0.4
    places, classes, best = _pick(score, lowest)
    chosen = rows[places]
    y, x = np.divmod(places, w)
    middle = np.stack([(x + np.tanh(chosen[:, 1])) / w, (y + np.tanh(chosen[:, 2])) / h], 1)
    sides = 1 / (1 + np.exp(-chosen[:, 3:5]))
    height, width = size
    scale = np.array([width, height, width, height], np.float32)
    return Candidates(_corners(np.concatenate([middle, sides], 1) * scale), best, classes)


_SEPARATE = ("boxes", "scores", "classes")

DECODERS: Mapping[str, Decoder] = {
    "anchors": Decoder(("scores", "encodings"), _decode_anchors),
    "points": Decoder(("scores", "distances"), _decode_points),
    "yolox": Decoder(("predictions",), _decode_yolox),
    "yolov5": Decoder(("predictions",), _decode_yolov5),
    "yolov8": Decoder(("predictions",), _decode_yolov8),
    "yolov8-split": Decoder(("boxes", "scores"), _decode_split),
    "ssd": Decoder(("boxes", "scores"), _decode_ssd),
    "detr": Decoder(("logits", "boxes"), _decode_detr, is_final=True),
    "fastestdet": Decoder(("predictions",), _decode_fastestdet),
    "nms-rows": Decoder(("rows",), decode_nms_rows, is_final=True, axes={"rows": 2}),
    "end2end": Decoder(("rows",), decode_end2end, is_final=True, axes={"rows": 2}),
    "efficient-nms": Decoder(_SEPARATE, decode_efficient_nms, is_final=True, optional=("count",)),
    "mmdetection": Decoder(("rows", "classes"), decode_mmdetection, is_final=True),
    "torchvision": Decoder(
        _SEPARATE,
        decode_efficient_nms,
        is_final=True,
        axes={"boxes": 2, "scores": 1, "classes": 1},
        counts_background=True,
    ),
    "tensorflow": Decoder(_SEPARATE, decode_tensorflow, is_final=True, optional=("count",), counts_background=True),
}
