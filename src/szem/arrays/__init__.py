"""Layouts, ranges and checks of arrays: what a picture, an image, a box and a sound are.

Pictures are `(H, W, 3)` uint8 RGB. Images (inside the kernels) are grey `(H, W)` or colour `(H, W, C)`, uint8 or
float32. Boxes are `(N, 4)` float32 `xyxy` in pixels. Sound is `(T,)` float32 mono with its rate in Hz.
"""

from szem.arrays.checks import (
    check_boxes_xyxy,
    check_image,
    check_picture,
    check_sound,
)
from szem.arrays.convert import array_to_image, array_to_picture
from szem.arrays.layouts import Array, Picture8, picture_to_unit, pictures_to_nchw
from szem.arrays.values import FrozenMapping, Value, count_names, lock

__all__ = [
    "Array",
    "FrozenMapping",
    "Picture8",
    "Value",
    "array_to_image",
    "array_to_picture",
    "check_boxes_xyxy",
    "check_image",
    "check_picture",
    "check_sound",
    "count_names",
    "lock",
    "picture_to_unit",
    "pictures_to_nchw",
]
