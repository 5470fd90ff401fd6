"""Where a picture may be cut: one window for each shape asked for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from szem.arrays import Picture8, check_boxes_xyxy
from szem.errors import RangeError, ShapeError
from szem.media.drawing import draw_boxes
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import TupleResult

__all__ = ["Crop", "Crops"]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One window of a picture."""

    box_xyxy: tuple[int, int, int, int]  # whole pixels; picture[y0:y1, x0:x1] is the crop
    aspect_ratio: float | None  # width / height asked for; None: free, as tight as what matters allows
    confidence: float  # 0..1: how often a crop like this keeps what matters whole
    importance_fraction: float  # 0..1: fraction of what draws attention that lies inside

    def __post_init__(self) -> None:
        check_boxes_xyxy([self.box_xyxy])
        x0, y0, x1, y1 = self.box_xyxy
        if x1 <= x0 or y1 <= y0 or x0 < 0 or y0 < 0:
            raise ShapeError(f"a crop must hold at least one pixel of the picture, got {self.box_xyxy}")
        for what in ("confidence", "importance_fraction"):
            if not 0 <= getattr(self, what) <= 1:
                raise RangeError(f"{what} of a crop must be in 0..1, got {getattr(self, what)}")

    @property
    def shape_name(self) -> str:
        """How people call the shape: "1:1", "16:9", "free".

        >>> Crop(box_xyxy=(0, 0, 16, 9), aspect_ratio=16 / 9, confidence=1, importance_fraction=1).shape_name
        '16:9'
        """
        if self.aspect_ratio is None:
            return "free"
        for high in range(1, 17):
            wide = self.aspect_ratio * high
            if abs(wide - round(wide)) < 0.003 * wide and round(wide) >= 1:
                return f"{round(wide)}:{high}"
        return f"{self.aspect_ratio:.2f}:1"

    def cut(self, picture: PictureLike) -> Picture8:
        """The window of the picture, as a picture of its own."""
        x0, y0, x1, y1 = self.box_xyxy
        return as_picture(picture)[y0:y1, x0:x1].copy()


@dataclass(frozen=True, eq=False, repr=False)
class Crops(TupleResult[Crop]):
    """Crop hints of one picture, in the order the shapes were asked for."""

    _field = "crops"

    crops: tuple[Crop, ...]

    def summary(self) -> str:
        """How many, and their shapes."""
        return f"{len(self)}: {', '.join(crop.shape_name for crop in self.crops)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers: box_xyxy in pixels, aspect_ratio, shape, confidence, importance_fraction of each."""
        return {
            "crops": [
                {
                    "shape": crop.shape_name,
                    "aspect_ratio": crop.aspect_ratio,
                    "box_xyxy": list(crop.box_xyxy),
                    "confidence": round(crop.confidence, 4),
                    "importance_fraction": round(crop.importance_fraction, 4),
                }
                for crop in self.crops
            ]
        }

    def draw(self, picture: PictureLike) -> Picture8:
        """Draw a frame for each crop, named by its shape."""
        picture = as_picture(picture)
        if not self.crops:
            return picture.copy()
        boxes = np.array([crop.box_xyxy for crop in self.crops], np.float32)
        return draw_boxes(picture, boxes, labels=[crop.shape_name for crop in self.crops])
