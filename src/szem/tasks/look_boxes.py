"""What `look` says of things and where they are: opened once, its rows for people.

The table of tasks in `look` holds one line that names these two functions.
"""

from collections.abc import Callable
from typing import Any

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.boxes import class_color
from szem.results.masks import Masks
from szem.results.seen_boxes import SeenBoxes

__all__ = ["box_rows", "open_boxes"]


def open_boxes() -> Callable[[Picture8, dict[str, Any]], SeenBoxes]:
    """Open the detector; masks that an earlier task has found give the boxes their outlines.

    Raises:
        UnknownNameError: there is none.
    """
    from szem.runtime.sessions import open_model
    from szem.tasks.detect import Detector

    detector = Detector(open_model(task="detect"))

    def run(picture: Picture8, shared: dict[str, Any]) -> SeenBoxes:
        masks = shared.get("masks")
        return SeenBoxes(boxes=detector([picture])[0], masks=masks if isinstance(masks, Masks) else None)

    return run


def box_rows(seen: SeenBoxes) -> list[Row]:
    """A row a box, best first."""
    rows = []
    for box in seen.boxes:
        x0, y0, x1, y1 = box.box_xyxy
        note = f"{x1 - x0:.0f}×{y1 - y0:.0f} at {x0:.0f}, {y0:.0f}"
        rgb = class_color(seen.boxes.classes, box.index)
        rows.append(Row(name=box.label, value=box.score, note=note, rgb=rgb, box_xyxy=box.box_xyxy))
    return rows
