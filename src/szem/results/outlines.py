"""Objects with the pixels that belong to them, where a box alone is too square."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import ShapeError
from szem.media.drawing import draw_masks
from szem.results.rle import mask_to_rle

__all__ = ["Outlines"]


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """One mask a box."""

    boxes_xyxy: NDArray[np.float32]  # (N, 4) in pixels
    masks: NDArray[np.bool_] = field(repr=False)  # (N, H, W)
    confidence: NDArray[np.float32]  # (N,) mean probability over the pixels of the mask
    model: str

    def __post_init__(self) -> None:
        n = len(self.boxes_xyxy)
        if self.masks.ndim != 3 or len(self.masks) != n or self.confidence.shape != (n,):
            raise ShapeError(f"outlines need as many masks and confidences as boxes ({n}), got {self.masks.shape}")

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def draw(self, picture: Picture8, *, opacity: float = 0.5) -> Picture8:
        """Tint each object and draw its outline."""
        return draw_masks(picture, self.masks, opacity=opacity) if len(self) else picture.copy()

    def to_dict(self) -> dict[str, Any]:
        """JSON types; the masks run-length encoded."""
        return {
            "model": self.model,
            "outlines": [
                {
                    "box_xyxy": [round(float(v), 2) for v in box],
                    "confidence": round(float(chance), 4),
                    "pixels": int(mask.sum()),
                    "rle": mask_to_rle(mask),
                }
                for box, mask, chance in zip(self.boxes_xyxy, self.masks, self.confidence, strict=True)
            ],
        }
