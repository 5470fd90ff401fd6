"""Boxes of a picture whose pixels have classes too: a box that its mask explains is drawn as an outline."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value
from szem.media.drawing import draw_masks
from szem.media.pictures import PictureLike, as_picture
from szem.results.boxes import Boxes, class_color
from szem.results.class_aliases import coco_name
from szem.results.indexing import canvas, to_png
from szem.results.masks import Masks

__all__ = ["OutlinedBoxes"]

_FILLED = 0.25  # fraction of a box that must be of its class before the mask counts as the object


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OutlinedBoxes(Value):
    """What is where, and the map of classes of the same picture where there is one."""

    boxes: Boxes
    masks: Masks | None = None

    def summary(self) -> str:
        """As of the boxes."""
        return self.boxes.summary()

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.boxes.width, self.boxes.height)))

    def outlines(self) -> dict[int, NDArray[np.bool_]]:
        """Place of a box -> (H, W) its pixels, for the boxes whose pixels are of their class."""
        if self.masks is None:
            return {}
        found = {}
        values = {coco_name(name): value for value, name in enumerate(self.masks.classes)}
        for place, box in enumerate(self.boxes):
            value = values.get(coco_name(box.label))
            if value is None:
                continue
            x0, y0, x1, y1 = (round(v) for v in box.box_xyxy)
            inside = self.masks.class_map[y0:y1, x0:x1] == value
            if inside.size and inside.mean() >= _FILLED:
                mask = np.zeros(self.masks.class_map.shape, bool)
                mask[y0:y1, x0:x1] = _largest(inside)
                found[place] = mask
        return found

    def draw(self, picture: PictureLike) -> Picture8:
        """Draw an outline where the pixels are known, a box where they are not; each with its name."""
        outlines = self.outlines()
        colors = [class_color(self.boxes.classes, int(i)) for i in self.boxes.indices]
        out = as_picture(picture)
        if outlines:
            layers = np.stack(list(outlines.values()))
            out = draw_masks(out, layers, colors=[colors[place] for place in outlines], opacity=0.25)
        return self.boxes.draw(out, bare=tuple(outlines))

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return self.boxes.to_dict()


def _largest(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected part with the most pixels, and those at least half as large."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    if count <= 2:
        return region
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas >= areas.max() / 2)
    out: NDArray[np.bool_] = np.isin(marks, kept)
    return out
