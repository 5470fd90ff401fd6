"""Faces taken out of pictures, before anything of them is kept.

A face is made into a few flat squares, which cannot be undone. In a video a place stays hidden for a moment after its
face was last found, so that one picture in which it is missed does not show it. This file does not know how faces are
found.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.tasks.faces.detect import open_faces

__all__ = ["FaceBlurrer", "blur_boxes", "open_face_blurrer"]

_THRESHOLD = 0.4  # a face that is hidden for nothing does no harm
_WIDER = 0.25  # of a face's sides, added on each: hair and ears tell too
_SQUARES = 5  # across a face
_STAYS = 8  # pictures of a video

FindBoxes = Callable[[Picture8], NDArray[np.float32]]


class FaceBlurrer:
    """Hides the faces of single pictures; `for_video` gives one for pictures that follow each other.

    Args:
        find: A picture's faces, as (N, 4) boxes.
    """

    def __init__(self, find: FindBoxes) -> None:
        self._find = find

    def __call__(self, picture: Picture8) -> Picture8:
        """A picture without its faces; the one given stays as it is."""
        return blur_boxes(picture, self._find(picture))

    def for_video(self) -> Callable[[Picture8], Picture8]:
        """For the pictures of one video, in order."""
        recent: deque[NDArray[np.float32]] = deque(maxlen=_STAYS)

        def blur(picture: Picture8) -> Picture8:
            recent.append(self._find(picture))
            return blur_boxes(picture, np.concatenate(recent))

        return blur


def open_face_blurrer() -> FaceBlurrer:
    """A blurrer with the shipped detector of faces."""
    finder = open_faces(threads=1)
    return FaceBlurrer(lambda picture: finder(picture, threshold=_THRESHOLD, turned=False).boxes_xyxy)


def blur_boxes(picture: Picture8, boxes_xyxy: NDArray[Any]) -> Picture8:
    """Make places of a picture into a few flat squares each.

    Args:
        picture: (H, W, 3) uint8.
        boxes_xyxy: (N, 4) in pixels; may reach beyond the picture.
    """
    out = picture.copy()
    height, width = picture.shape[:2]
    for x0, y0, x1, y1 in np.asarray(boxes_xyxy, np.float64).reshape(-1, 4):
        more_x, more_y = (x1 - x0) * _WIDER, (y1 - y0) * _WIDER
        left, top = max(int(x0 - more_x), 0), max(int(y0 - more_y), 0)
        right, bottom = min(int(np.ceil(x1 + more_x)), width), min(int(np.ceil(y1 + more_y)), height)
        if right <= left or bottom <= top:
            continue
        part = picture[top:bottom, left:right]
        few = cv2.resize(part, (_SQUARES, _SQUARES), interpolation=cv2.INTER_AREA)
        out[top:bottom, left:right] = cv2.resize(few, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    return out
