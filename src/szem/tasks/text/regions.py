"""Where lines of text are: a network's map of the probability that a pixel belongs to the core of a line, and from it
a rectangle around each line, turned as the line is. This file does not know which way up a line is, nor what it says.

Source: M. Liao and others, Real-time scene text detection with differentiable binarization, 2020, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.runtime.sessions import OnnxFile

__all__ = ["MAX_SIDE_PX", "MIN_SIDE_PX", "RegionDetector", "TextRegion"]

MIN_SIDE_PX = 320
MAX_SIDE_PX = 2560  # a map of the largest sides takes about 10 s of one core and 1.6 GB
_STEP_PX = 32  # the network halves the sides five times
_GROWN = 2.0  # a small picture is enlarged so many times at most
_SHORT_PX = 640  # the shorter side to which small pictures are enlarged
_MOST = 1_000  # regions of one picture
_THIN_PX = 3.0  # cores thinner than this are specks

# ImageNet's mean and deviation, in the order in which PP-OCR applies them: to blue first.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_SCALE = np.array([0.229, 0.224, 0.225], np.float32) * 255


@dataclass(frozen=True)
class TextRegion:
    """A turned rectangle, in pixels of the picture."""

    centre_xy: NDArray[np.float64]
    along_xy: NDArray[np.float64]  # of length 1, along the longer side
    length_px: float
    height_px: float
    score: float  # 0..1: mean of the map over the core

    @property
    def is_long(self) -> bool:
        """Whether its longer side is its reading direction beyond doubt."""
        return self.length_px > 2 * self.height_px

    def corners(self, along_xy: NDArray[np.float64]) -> NDArray[np.float32]:
        """(4, 2) where the text reads in a direction, which is that of one of the sides, or nearly."""
        flips = abs(float(along_xy @ self.along_xy)) < np.sqrt(0.5)
        length, height = (self.height_px, self.length_px) if flips else (self.length_px, self.height_px)
        side = np.array([-self.along_xy[1], self.along_xy[0]]) if flips else self.along_xy
        side = side if side @ along_xy >= 0 else -side
        down = np.array([-side[1], side[0]])
        half, drop = side * length / 2, down * height / 2
        middle = self.centre_xy
        return np.stack(
            [middle - half - drop, middle + half - drop, middle + half + drop, middle - half + drop]
        ).astype(np.float32)


class RegionDetector:
    """The network that finds lines.

    Args:
        file: Takes (1, 3, H, W), sides divisible by 32, and gives (1, 1, H, W) probabilities.
        constants: Of the card: `core_threshold`, from which on a pixel belongs to a core; `region_threshold`, the
            lowest mean of a core; `grow`, how far the rectangle around a core is grown to that of the line.
    """

    def __init__(self, file: OnnxFile, constants: Mapping[str, float]) -> None:
        self.file = file
        self._input, self._output = file.inputs[0].name, file.outputs[0].name
        self.core_threshold = constants["core_threshold"]
        self.region_threshold = constants["region_threshold"]
        self.grow = constants["grow"]

    def __call__(self, picture: Picture8, *, side_px: int) -> list[TextRegion]:
        """Find lines.

        Args:
            picture: (H, W, 3) uint8 RGB.
            side_px: A larger picture is shrunk to this longer side first.
        """
        height, width = picture.shape[:2]
        map_ = self._map(picture, side_px)
        grow_xy = np.array([width / map_.shape[1], height / map_.shape[0]])
        core = (map_ > self.core_threshold).astype(np.uint8)
        contours, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        contours = sorted(contours, key=cv2.contourArea, reverse=True)[:_MOST]
        regions = (self._region(contour, map_, grow_xy) for contour in contours)
        return [region for region in regions if region is not None]

    def _map(self, picture: Picture8, side_px: int) -> NDArray[np.float32]:
        height, width = picture.shape[:2]
        grow = min(max(_SHORT_PX / min(height, width), 1.0), _GROWN)
        scale = min(grow, side_px / max(height, width))
        sides = [max(_STEP_PX, round(side * scale / _STEP_PX) * _STEP_PX) for side in (width, height)]
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(picture, (sides[0], sides[1]), interpolation=way)
        values = (small[:, :, ::-1].astype(np.float32) - _MEAN) / _SCALE  # blue first
        batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
        found: NDArray[np.float32] = self.file.run({self._input: batch}, [self._output])[0][0, 0]
        return found

    def _region(
        self, contour: NDArray[Any], map_: NDArray[np.float32], grow_xy: NDArray[np.float64]
    ) -> TextRegion | None:
        (x, y), (w, h), angle_deg = cv2.minAreaRect(contour)
        if min(w, h) < _THIN_PX:
            return None
        score = _mean_inside(contour, map_)
        if score < self.region_threshold:
            return None
        # Cores are shrunk from the lines by area / perimeter times a ratio: grow them back (equation 10).
        margin = self.grow * w * h / (2 * (w + h))
        angle = np.radians(angle_deg)
        sides = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        spans = sides * np.array([[w + 2 * margin], [h + 2 * margin]]) * grow_xy  # both sides, in the picture
        lengths = np.hypot(spans[:, 0], spans[:, 1])
        longer = int(lengths[1] > lengths[0])
        return TextRegion(
            centre_xy=(np.array([x, y]) + 0.5) * grow_xy,
            along_xy=spans[longer] / lengths[longer],
            length_px=float(lengths[longer]),
            height_px=float(lengths[1 - longer]),
            score=score,
        )


def _mean_inside(contour: NDArray[Any], map_: NDArray[np.float32]) -> float:
    x, y, w, h = cv2.boundingRect(contour)
    inside = np.zeros((h, w), np.uint8)
    cv2.drawContours(inside, [contour], -1, 1, cv2.FILLED, offset=(-x, -y))
    return float(map_[y : y + h, x : x + w][inside > 0].mean())
