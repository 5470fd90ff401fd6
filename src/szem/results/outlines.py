"""Objects with the pixels that belong to them, where a box alone is too square."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value, count_names
from szem.arrays.rle import mask_to_rle
from szem.errors import ShapeError
from szem.media.drawing import draw_masks
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import ArrayResult, canvas, to_png

__all__ = ["Outline", "Outlines"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outline(Value):
    """One object with its pixels."""

    box_xyxy: tuple[float, float, float, float]  # in pixels
    mask: NDArray[np.bool_]  # (H, W)
    confidence: float  # mean probability over the pixels of the mask
    label: str = ""  # where the boxes had names


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outlines(ArrayResult[Outline]):
    """One mask for each box, in the order of the boxes."""

    _rows = ("boxes_xyxy", "masks", "confidence", "labels")

    boxes_xyxy: NDArray[np.float32]  # (N, 4) in pixels
    masks: NDArray[np.bool_] = field(repr=False)  # (N, H, W)
    confidence: NDArray[np.float32]  # (N,) mean probability over the pixels of the mask
    model: str
    labels: tuple[str, ...] = ()  # names of the boxes; "" where they had none

    def __post_init__(self) -> None:
        n = len(self.boxes_xyxy)
        if not self.labels:
            object.__setattr__(self, "labels", ("",) * n)
        if self.masks.ndim != 3 or len(self.masks) != n or self.confidence.shape != (n,):
            raise ShapeError(f"outlines need as many masks and confidences as boxes ({n}), got {self.masks.shape}")
        if len(self.labels) != n:
            raise ShapeError(f"outlines need a label for each box ({n}) or none, got {len(self.labels)}")
        super().__post_init__()

    def item(self, place: int) -> Outline:
        """One outline."""
        x0, y0, x1, y1 = (float(v) for v in self.boxes_xyxy[place])
        return Outline(
            box_xyxy=(x0, y0, x1, y1),
            mask=self.masks[place],
            confidence=float(self.confidence[place]),
            label=self.labels[place],
        )

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """As `boxes_xyxy`: (N, 4) left, top, right, bottom."""
        return self.boxes_xyxy

    def summary(self) -> str:
        """How many of what, and the size of the picture."""
        named = count_names(label for label in self.labels if label)
        height, width = self.masks.shape[1:]
        return f"{len(self)}{': ' + named if named else ''}; {width}x{height}"

    def _repr_png_(self) -> bytes:
        height, width = self.masks.shape[1:]
        return to_png(self.draw(canvas(width, height)))

    def draw(self, picture: PictureLike, *, opacity: float = 0.5) -> Picture8:
        """Tint each object and draw its outline."""
        pixels = as_picture(picture)
        return draw_masks(pixels, self.masks, opacity=opacity) if len(self) else pixels.copy()

    def to_dict(self) -> dict[str, Any]:
        """JSON types; the masks run-length encoded."""
        return {
            "model": self.model,
            "outlines": [
                {
                    "box_xyxy": [round(float(v), 2) for v in box],
                    "confidence": round(float(confidence), 4),
                    "pixels": int(mask.sum()),
                    "rle": mask_to_rle(mask),
                }
                for box, mask, confidence in zip(self.boxes_xyxy, self.masks, self.confidence, strict=True)
            ],
        }
