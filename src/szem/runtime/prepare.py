"""From a picture to a network's input, by the rules on the model's card.

The rules are few and the same for every task; a task only says which card. This file does not know what the network
makes of it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from szem.arrays import Array, Picture8, check_picture
from szem.runtime.cards import PictureInput

__all__ = ["InputWindow", "find_window", "prepare_picture"]

_GROWING = {"bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_LINEAR}
_BORDER = 127  # grey around a letterboxed picture


@dataclass(frozen=True)
class InputWindow:
    """Which pixels of the picture the network sees, and where in its input they lie; whole pixels."""

    left: int
    top: int
    width: int
    height: int
    pad_left: int
    pad_top: int
    in_width: int
    in_height: int

    def to_picture(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """A rectangle of the network's input, in pixels of the picture; the bars of a letterbox lie outside of it.

        >>> InputWindow(10, 0, 40, 20, 0, 5, 80, 40).to_picture(0, 5, 80, 45)
        (10.0, 0.0, 50.0, 20.0)
        """
        sx, sy = self.width / self.in_width, self.height / self.in_height
        left, top = self.left - self.pad_left * sx, self.top - self.pad_top * sy
        return left + x0 * sx, top + y0 * sy, left + x1 * sx, top + y1 * sy


def find_window(height: int, width: int, rules: PictureInput, *, step_px: int = 1) -> InputWindow:
    """Find the part of a picture that goes into the network.

    Args:
        height: Of the picture.
        width: Of the picture.
        rules: The card's `input`.
        step_px: A letterboxed picture begins and ends at multiples of this, for outputs whose cells hold several
            pixels: each cell is then inside the picture or not.

    >>> w = find_window(256, 341, PictureInput(width_px=224, height_px=224, crop=0.875))
    >>> (w.left, w.top, w.width, w.height)
    (58, 16, 224, 224)
    """
    wide, high = rules.width_px, rules.height_px
    if rules.resize == "stretch":
        return InputWindow(0, 0, width, height, 0, 0, wide, high)
    if rules.resize == "stretch-crop":  # the middle, stretched
        part_w, part_h = max(1, round(width * rules.crop)), max(1, round(height * rules.crop))
        return InputWindow((width - part_w) // 2, (height - part_h) // 2, part_w, part_h, 0, 0, wide, high)
    if rules.resize == "letterbox":
        scale = min(wide / width, high / height)
        inner_w, inner_h = (
            min(most, step_px * max(1, round(side * scale / step_px)))
            for side, most in ((width, wide), (height, high))
        )
        pad_left, pad_top = (
            step_px * ((most - inner) // (2 * step_px)) for most, inner in ((wide, inner_w), (high, inner_h))
        )
        return InputWindow(0, 0, width, height, pad_left, pad_top, inner_w, inner_h)
    unit = min(width / wide, height / high) * rules.crop
    part_w, part_h = max(1, min(width, round(wide * unit))), max(1, min(height, round(high * unit)))
    return InputWindow((width - part_w) // 2, (height - part_h) // 2, part_w, part_h, 0, 0, wide, high)


def prepare_picture(picture: Picture8, rules: PictureInput, *, step_px: int = 1) -> Array:
    """Cut, scale and normalise one picture.

    Shrinking averages the pixels (no aliasing, and fast); growing interpolates as the card says. A part that already
    has the right size is taken as it is.

    Args:
        picture: (H, W, 3) uint8 RGB.
        rules: The card's `input`.
        step_px: As in `find_window`.
    Returns:
        (1, 3, h, w) or (1, h, w, 3), float32 or uint8, as the rules say.
    Raises:
        DTypeError, ShapeError: not a picture.
    """
    check_picture(picture)
    window = find_window(picture.shape[0], picture.shape[1], rules, step_px=step_px)
    part: Array = picture[window.top : window.top + window.height, window.left : window.left + window.width]
    if part.shape[:2] != (window.in_height, window.in_width):
        shrinks = window.width > window.in_width or window.height > window.in_height
        how = cv2.INTER_AREA if shrinks else _GROWING[rules.interpolation]
        part = cv2.resize(part, (window.in_width, window.in_height), interpolation=how)
    if part.shape[:2] != (rules.height_px, rules.width_px):
        canvas = np.full((rules.height_px, rules.width_px, 3), _BORDER, np.uint8)
        canvas[
            window.pad_top : window.pad_top + window.in_height, window.pad_left : window.pad_left + window.in_width
        ] = part
        part = canvas
    if _is_blob(rules):
        blob: Array = cv2.dnn.blobFromImage(part, 1 / rules.scale[0], mean=rules.mean, swapRB=rules.colours == "BGR")
        return blob
    if rules.colours == "BGR":
        part = part[..., ::-1]
    values: Array = part
    if rules.dtype == "float32":
        values = (part.astype(np.float32) - np.asarray(rules.mean, np.float32)) / np.asarray(rules.scale, np.float32)
    if rules.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None])


def _is_blob(rules: PictureInput) -> bool:
    """Whether OpenCV's one pass over the pixels gives the same numbers, to the last bit: it multiplies by the inverse
    of the scale, which is exact for powers of two."""
    same = len(set(rules.scale)) == 1 and math.frexp(rules.scale[0])[0] == 0.5
    return same and rules.dtype == "float32" and rules.layout == "NCHW"
