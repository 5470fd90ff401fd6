"""Detectors that drop duplicates themselves: their head layouts, and from their outputs to candidate boxes.

Exports with non-maximum suppression inside give finished boxes: in rows (Ultralytics with `nms=True`, YOLOv10 and
later, YOLOv7 with `--end2end`), or in an output each for boxes, scores and classes (TensorRT's EfficientNMS,
torchvision, TensorFlow's Object Detection API). This file does not know how pictures are prepared.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.errors import ModelError
from szem.runtime.outputs import Output
from szem.tasks.detection.candidates import Candidates, InputSize, order_corners

__all__ = [
    "FRACTIONS",
    "decode_efficient_nms",
    "decode_end2end",
    "decode_mmdetection",
    "decode_nms_rows",
    "decode_tensorflow",
    "fit_efficient_nms",
    "fit_end2end",
    "fit_mmdetection",
    "fit_nms_rows",
    "fit_tensorflow",
    "fit_torchvision",
    "is_nms_rows",
    "mask_coefficients",
    "to_pixels",
]

FRACTIONS = 1.5
"""Coordinates that all lie below are fractions of the sides: no box of an input is so small in pixels."""

_TENSORFLOW = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")

# Which outputs are which -----------------------------------------------------------------------------------------


def mask_coefficients(outputs: Sequence[Output]) -> int:
    """How many numbers of each row are for masks: the channels of the one output (N, channels, h, w); 0 without it.

    >>> mask_coefficients([Output("output0", (1, 300, 38)), Output("output1", (1, 32, 160, 160))])
    32
    """
    maps = [o for o in outputs if len(o.shape) == 4]
    return maps[0].shape[1] or 0 if len(maps) == 1 else 0


def fit_nms_rows(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """One output (N, boxes, 6), or (boxes, 6) of a single picture; perhaps with coefficients of masks behind."""
    masks = mask_coefficients(outputs)
    found = [o for o in outputs if len(o.shape) in (2, 3) and o.shape[-1] == 6 + masks]
    return {"rows": found[0].name} if len(found) == 1 and len(outputs) == 1 + bool(masks) else None


def is_nms_rows(rows: Array, labels: int) -> bool:
    """Whether rows of six numbers are corners, score and class: a row of a decoded YOLOv5 with one class has six too.

    Args:
        rows: (N, boxes, 6 or more) or (boxes, 6 or more).
        labels: How many classes there are.
    """
    flat = rows.reshape(-1, rows.shape[-1])
    classes = flat[:, 5]
    return bool(
        (classes == np.rint(classes)).all()
        and (classes < labels).all()
        and (flat[:, 2:4] >= flat[:, :2]).all()
        and (flat[:, 4] <= 1).all()
    )


def fit_end2end(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """One output (boxes, 7)."""
    found = [o for o in outputs if len(o.shape) == 2 and o.shape[-1] == 7]
    return {"rows": found[0].name} if len(found) == len(outputs) == 1 else None


def fit_efficient_nms(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """(N, boxes, 4), (N, boxes) scores and classes, and perhaps (N, 1) how many of them count."""
    roles = _separate(outputs, axes=3)
    return None if roles is None or _is_tensorflow(roles) else roles


def fit_tensorflow(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """As `fit_efficient_nms`, under the names of TensorFlow's Object Detection API."""
    roles = _separate(outputs, axes=3)
    return roles if roles is not None and _is_tensorflow(roles) else None


def fit_torchvision(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """(boxes, 4), (boxes,) labels and (boxes,) scores of a single picture."""
    return _separate(outputs, axes=2)


def fit_mmdetection(outputs: Sequence[Output], labels: int) -> dict[str, str] | None:  # noqa: ARG001
    """(N, boxes, 5) corners and score, (N, boxes) classes; masks beside them are left unread."""
    rows = [o for o in outputs if len(o.shape) == 3 and o.shape[-1] == 5]
    classes = [o for o in outputs if len(o.shape) == 2 and o.is_integer]
    return {"rows": rows[0].name, "classes": classes[0].name} if len(rows) == len(classes) == 1 else None


def _is_tensorflow(roles: Mapping[str, str]) -> bool:
    return _last_part(roles["boxes"]) == "detection_boxes"


def _last_part(name: str) -> str:
    """`detection_boxes` of `StatefulPartitionedCall/detection_boxes:0`."""
    return name.split(":")[0].rpartition("/")[2]


def _separate(outputs: Sequence[Output], *, axes: int) -> dict[str, str] | None:
    """Outputs for boxes, scores and classes; told apart by their names, else by what numbers they hold."""
    finished = [o for o in outputs if _last_part(o.name) in _TENSORFLOW]
    if len(finished) >= len(_TENSORFLOW) - 1:  # its other outputs are what these were made of
        outputs = finished
    boxes = [o for o in outputs if len(o.shape) == axes and o.shape[-1] == 4]
    lists = [o for o in outputs if len(o.shape) == axes - 1 and not _named(o, "num", "count", "valid")]
    scores = [o for o in lists if _named(o, "score", "conf", "prob")] or [o for o in lists if not o.is_integer]
    classes = [o for o in lists if _named(o, "class", "label", "cls")] or [o for o in lists if o.is_integer]
    scores, classes = [o for o in scores if o not in classes], [o for o in classes if o not in scores]
    counts = [o for o in outputs if len(o.shape) <= axes - 1 and _named(o, "num", "count", "valid")]
    if not len(boxes) == len(scores) == len(classes) == 1:
        return None
    roles = {"boxes": boxes[0].name, "scores": scores[0].name, "classes": classes[0].name}
    return roles | ({"count": counts[0].name} if len(counts) == 1 else {})


def _named(output: Output, *parts: str) -> bool:
    return any(part in output.name.lower() for part in parts)


# From outputs to boxes -------------------------------------------------------------------------------------------


def decode_nms_rows(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Rows of x0, y0, x1, y1, score, class; those that hold nothing have the score 0."""
    rows = outputs["rows"]
    return _keep(rows[:, :4], rows[:, 4], rows[:, 5], size, lowest)


def decode_end2end(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Rows of the picture's place in the batch, x0, y0, x1, y1, class, score; only those of the first picture."""
    rows = outputs["rows"]
    rows = rows[rows[:, 0] == 0]
    return _keep(rows[:, 1:5], rows[:, 6], rows[:, 5], size, lowest)


def decode_efficient_nms(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Corners, scores and classes, each in an output of its own; those beyond `count` hold nothing."""
    boxes, scores, classes = outputs["boxes"], outputs["scores"], outputs["classes"]
    if "count" in outputs:
        count = int(outputs["count"].reshape(-1)[0])
        boxes, scores, classes = boxes[:count], scores[:count], classes[:count]
    return _keep(boxes, scores, classes, size, lowest)


def decode_mmdetection(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """Rows of x0, y0, x1, y1, score, and classes; where a row holds nothing its class is -1 and its score 0."""
    rows = outputs["rows"]
    return _keep(rows[:, :4], rows[:, 4], outputs["classes"], size, lowest)


def decode_tensorflow(outputs: Mapping[str, Array], size: InputSize, lowest: NDArray[np.float32]) -> Candidates:
    """As `decode_efficient_nms`, with corners as y0, x0, y1, x1."""
    return decode_efficient_nms({**outputs, "boxes": outputs["boxes"][:, [1, 0, 3, 2]]}, size, lowest)


def _keep(
    boxes_xyxy: Array, scores: Array, classes: Array, size: InputSize, lowest: NDArray[np.float32]
) -> Candidates:
    """Those that reach their class's threshold; corners in pixels, or in fractions where none lies above 1.5."""
    numbers = np.rint(classes).astype(np.int64)
    held = np.isfinite(scores) & (scores >= lowest.min()) & np.isfinite(boxes_xyxy).all(axis=1)
    wrong = held & ((numbers < 0) | (numbers >= len(lowest)))
    if wrong.any():
        raise ModelError(
            f"the network gives the class {int(numbers[wrong][0])}, its labels are numbered 0 to {len(lowest) - 1}; "
            "correct the labels (a network that counts the background needs it as their first line)"
        )
    chosen = np.flatnonzero(held & (scores >= lowest[numbers.clip(0, len(lowest) - 1)]))
    boxes = to_pixels(boxes_xyxy[chosen].astype(np.float32), size)
    return Candidates(order_corners(boxes), scores[chosen].astype(np.float32).clip(0, 1), numbers[chosen])


def to_pixels(boxes: NDArray[np.float32], size: InputSize) -> NDArray[np.float32]:
    """(N, 4) in pixels of the input, where they may be fractions of its sides: those that all lie below 1.5.

    >>> to_pixels(np.float32([[0.25, 0.5, 0.5, 1.0]]), (64, 96)).tolist()
    [[24.0, 32.0, 48.0, 64.0]]
    """
    if boxes.size and float(boxes.max()) <= FRACTIONS:
        return boxes * np.array([size[1], size[0], size[1], size[0]], np.float32)
    return boxes
