"""Turn a picture into a network's input, and remember which part of the picture went in.

Networks from elsewhere do not say how they want their pictures, so there is a stated default (`IMAGENET`, as most
networks exported from torch were trained), and it can be changed.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from szem.arrays import Array, Picture8, check_picture
from szem.errors import RangeError
from szem.runtime.cards import PictureInput
from szem.runtime.graph_run import PictureLayout

__all__ = ["Preparation", "Prepared", "cut_crop", "prepare", "prepare_crop"]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a picture becomes numbers: `(value - mean) / scale`, value in 0..255, per colour."""

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # ImageNet's, as torch exports mostly want it
    scale: tuple[float, float, float] = (58.395, 57.12, 57.375)
    resize: str = "centre-crop"  # or stretch, letterbox
    crop: float = 1.0  # share of the shorter side that a centre crop keeps
    bgr: bool = False

    def __post_init__(self) -> None:
        if 0 in self.scale or not np.isfinite((*self.mean, *self.scale)).all():
            raise RangeError(f"mean and scale must be finite and scale not 0, got {self.mean} and {self.scale}")

    @classmethod
    def of_card(cls, card: PictureInput) -> "Preparation":
        """As a model's card says."""
        return cls(mean=card.mean, scale=card.scale, resize=card.resize, crop=card.crop, bgr=card.colours == "BGR")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network's input, and the part of the picture it shows."""

    values: Array  # the network's whole input
    picture: Picture8  # (rows, columns, 3) what went in, before the numbers were scaled
    crop_xyxy: tuple[float, float, float, float]  # in pixels of the picture; outside of it for letterbox bars

    def to_picture(self, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
        """Input pixels (first and last included) as a rectangle in the picture."""
        height, width = self.picture.shape[:2]
        x0, y0, x1, y1 = self.crop_xyxy
        sx, sy = (x1 - x0) / width, (y1 - y0) / height
        left, top, right, bottom = box
        return (x0 + left * sx, y0 + top * sy, x0 + (right + 1) * sx, y0 + (bottom + 1) * sy)


def prepare(picture: Picture8, layout: PictureLayout, size: tuple[int, int], how: Preparation) -> Prepared:
    """Cut, scale and normalise a picture.

    Args:
        picture: (H, W, 3) uint8.
        layout: The input that takes it.
        size: Rows and columns of that input.
        how: The numbers.
    """
    check_picture(picture)
    box = _crop_box(picture.shape[0], picture.shape[1], size, how)
    small = _cut(picture, box, size)
    return Prepared(prepare_crop(small, layout, how), small, box)


def cut_crop(picture: Picture8, size: tuple[int, int], how: Preparation) -> Picture8:
    """Cut and scale a picture to a size, as it goes into a network, without scaling its numbers."""
    check_picture(picture)
    return _cut(picture, _crop_box(picture.shape[0], picture.shape[1], size, how), size)


def prepare_crop(small: Picture8, layout: PictureLayout, how: Preparation) -> Array:
    """Normalise a picture that already has the input's size, and lay it out as the input wants it."""
    values = small.astype(np.float32)
    mean, scale = np.array(how.mean, np.float32), np.array(how.scale, np.float32)
    if how.bgr:
        values = values[..., ::-1]
    if layout.channels == 1:
        grey = values @ np.array((0.299, 0.587, 0.114), np.float32)
        values, mean, scale = grey[..., None], mean.mean(keepdims=True), scale.mean(keepdims=True)
    values = (values - mean) / scale
    if layout.channels == 4:
        values = np.concatenate([values, np.ones_like(values[..., :1])], axis=2)
    if layout.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(np.repeat(values[None], layout.batch or 1, axis=0))


def _crop_box(height: int, width: int, size: tuple[int, int], how: Preparation) -> tuple[float, float, float, float]:
    rows, columns = size
    if how.resize == "stretch":
        return (0.0, 0.0, float(width), float(height))
    if how.resize == "letterbox":
        factor = max(height / rows, width / columns)
    else:
        factor = min(height / rows, width / columns) * how.crop
    h, w = rows * factor, columns * factor
    x, y = (width - w) / 2, (height - h) / 2
    if how.resize != "letterbox":  # whole pixels
        x, y = max(round(x), 0), max(round(y), 0)
        w, h = min(max(round(w), 1), width - x), min(max(round(h), 1), height - y)
    return (float(x), float(y), float(x + w), float(y + h))


def _cut(picture: Picture8, box: tuple[float, float, float, float], size: tuple[int, int]) -> Picture8:
    rows, columns = size
    x0, y0, x1, y1 = box
    height, width = picture.shape[:2]
    if x0 < 0 or y0 < 0:  # letterbox: the picture inside, grey around
        inner = (max(round(height * rows / (y1 - y0)), 1), max(round(width * columns / (x1 - x0)), 1))
        canvas = np.full((rows, columns, 3), 114, np.uint8)
        top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
        canvas[top : top + inner[0], left : left + inner[1]] = _scale(picture, inner)
        return canvas
    return _scale(picture[round(y0) : round(y1), round(x0) : round(x1)], size)


def _scale(picture: Picture8, size: tuple[int, int]) -> Picture8:
    smaller = size[0] < picture.shape[0] or size[1] < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    out: Picture8 = cv2.resize(np.ascontiguousarray(picture), (size[1], size[0]), interpolation=how)
    return out
