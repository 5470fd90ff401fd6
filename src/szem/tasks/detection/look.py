"""Boxes in `szem look`."""

from typing import Any

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.boxes import Boxes, class_color
from szem.results.look import LookResult
from szem.results.masks import Masks
from szem.results.outlined_boxes import OutlinedBoxes
from szem.tasks.contracts import LookPart, OpenModel, Run
from szem.tasks.detection.detect import Detector

__all__ = ["BOXES"]


def _open_boxes(open_model: OpenModel) -> Run:
    """Open the detector; masks that an earlier task has found give the boxes their outlines. What it found is left
    for later tasks.

    Raises:
        UnknownNameError: there is none.
    """

    detector = Detector(open_model(task="detect"))

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        masks, boxes = shared.get("masks"), shared.get("boxes")
        if not isinstance(boxes, Boxes):  # the masks may have asked the same detector
            found = shared["detected"] = detector.run(detector.prepare(picture))
            boxes = detector.finish(found, (picture.shape[0], picture.shape[1]))
        return OutlinedBoxes(boxes=boxes, masks=masks if isinstance(masks, Masks) else None)

    return run


def _box_rows(seen: OutlinedBoxes) -> list[Row]:
    """A row a box, best first."""
    rows = []
    for box in seen.boxes:
        x0, y0, x1, y1 = box.box_xyxy
        note = f"{x1 - x0:.0f}×{y1 - y0:.0f} at {x0:.0f}, {y0:.0f}"
        rgb = class_color(seen.boxes.classes, box.index)
        rows.append(Row(name=box.label, value=box.score, note=note, rgb=rgb, box_xyxy=box.box_xyxy))
    return rows


BOXES = LookPart(title="Objects and where they are", open=_open_boxes, rows=_box_rows, drawn=True, after=("masks",))
