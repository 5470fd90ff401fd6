"""Turn a picture into a network's input, and remember which part of the picture went in.

The rules are those of a model's card. Networks from elsewhere do not say how they want their pictures, so there is a
stated default (ImageNet's mean and deviation, as most networks exported from torch were trained), and it can be
changed.
"""

from dataclasses import dataclass

import numpy as np

from szem.arrays import Array, Picture8
from szem.errors import RangeError
from szem.runtime.cards import PictureInput
from szem.runtime.graph_run import PictureLayout
from szem.runtime.prepare import find_window, prepare_picture

__all__ = ["PreparedInput", "cut_picture", "guess_rules", "prepare", "prepare_cut"]

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (58.395, 57.12, 57.375)

_Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PreparedInput:
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


def guess_rules(
    layout: PictureLayout, size: tuple[int, int], *, mean: _Triple | None = None, scale: _Triple | None = None
) -> PictureInput:
    """Rules for a network without a card: the middle of the picture, ImageNet's mean and deviation unless told.

    Args:
        layout: The input that takes the picture; one of whole numbers gets the pixels as they are.
        size: Rows and columns of that input.
        mean: Subtracted from each colour, 0..255.
        scale: Divides what is left.
    Raises:
        RangeError: a number that is not finite, or a scale of 0.
    """
    reported = mean is not None or scale is not None
    means = mean or ((0.0, 0.0, 0.0) if reported else IMAGENET_MEAN)
    scales = scale or ((1.0, 1.0, 1.0) if reported else IMAGENET_SCALE)
    if 0 in scales or not np.isfinite((*means, *scales)).all():
        raise RangeError(f"mean and scale must be finite and scale not 0, got {means} and {scales}")
    if layout.dtype == "uint8":
        means, scales = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return PictureInput(
        width_px=size[1],
        height_px=size[0],
        layout="NHWC" if layout.layout == "NHWC" else "NCHW",
        dtype="uint8" if layout.dtype == "uint8" else "float32",
        mean=means,
        scale=scales,
    )


def prepare(picture: Picture8, layout: PictureLayout, rules: PictureInput) -> PreparedInput:
    """Cut, scale and normalise a picture.

    Args:
        picture: (H, W, 3) uint8.
        layout: The input that takes it.
        rules: The card's `input`, or those of `guess_rules`.
    """
    small = cut_picture(picture, rules)
    window = find_window(picture.shape[0], picture.shape[1], rules)
    box = window.to_picture(0, 0, rules.width_px, rules.height_px)
    return PreparedInput(prepare_cut(small, layout, rules), small, box)


def cut_picture(picture: Picture8, rules: PictureInput) -> Picture8:
    """Cut and scale a picture as the rules say, without touching its numbers: (rows, columns, 3) uint8."""
    plain = {"mean": (0.0,) * 3, "scale": (1.0,) * 3, "dtype": "uint8", "layout": "NHWC", "colours": "RGB"}
    return prepare_picture(picture, rules.model_copy(update=plain))[0]


def prepare_cut(small: Picture8, layout: PictureLayout, rules: PictureInput) -> Array:
    """Normalise a picture that has the input's size already, and lay it out as the input wants it."""
    as_it_is = {"width_px": small.shape[1], "height_px": small.shape[0], "resize": "stretch", "crop": 1.0}
    values = prepare_picture(small, rules.model_copy(update=as_it_is))
    axis = 1 if rules.layout == "NCHW" else 3
    if layout.channels == 1:
        values = values.mean(axis=axis, keepdims=True).astype(values.dtype)
    elif layout.channels == 4:
        opaque = np.ones_like(values.take([0], axis=axis))
        values = np.concatenate([values, opaque * (255 if values.dtype == np.uint8 else 1)], axis=axis)
    return np.ascontiguousarray(np.repeat(values, layout.batch or 1, axis=0))
