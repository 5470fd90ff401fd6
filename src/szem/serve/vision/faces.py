"""FACE_DETECTION: faces as Google tells them, with landmarks by its names.

Left and right of a landmark are the viewer's. Feelings and headwear are not measured and stay UNKNOWN. This file
knows nothing of HTTP.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.results.faces import Face, Faces
from szem.serve.vision.geometry import box_to_poly
from szem.serve.vision.schema import FaceAnnotation, FaceLandmark, FaceLandmarkType, Likelihood, Position
from szem.tasks.appearance.sharpness import measure_picture
from szem.tasks.faces.mesh import cut_square, squares_of_meshes

__all__ = ["LANDMARKS", "annotate_faces"]

_T = FaceLandmarkType
# Landmark -> the points of the mesh whose mean it is; the two pupils come from a network of their own.
LANDMARKS: dict[FaceLandmarkType, tuple[int, ...]] = {
    _T.LEFT_EYE: (33, 133, 159, 145),
    _T.RIGHT_EYE: (362, 263, 386, 374),
    _T.LEFT_OF_LEFT_EYEBROW: (70,),
    _T.RIGHT_OF_LEFT_EYEBROW: (107,),
    _T.LEFT_OF_RIGHT_EYEBROW: (336,),
    _T.RIGHT_OF_RIGHT_EYEBROW: (300,),
    _T.MIDPOINT_BETWEEN_EYES: (168,),
    _T.NOSE_TIP: (1,),
    _T.UPPER_LIP: (0, 13),
    _T.LOWER_LIP: (14, 17),
    _T.MOUTH_LEFT: (61,),
    _T.MOUTH_RIGHT: (291,),
    _T.MOUTH_CENTER: (13, 14),
    _T.NOSE_BOTTOM_RIGHT: (327,),
    _T.NOSE_BOTTOM_LEFT: (98,),
    _T.NOSE_BOTTOM_CENTER: (2,),
    _T.LEFT_EYE_TOP_BOUNDARY: (159,),
    _T.LEFT_EYE_RIGHT_CORNER: (133,),
    _T.LEFT_EYE_BOTTOM_BOUNDARY: (145,),
    _T.LEFT_EYE_LEFT_CORNER: (33,),
    _T.RIGHT_EYE_TOP_BOUNDARY: (386,),
    _T.RIGHT_EYE_RIGHT_CORNER: (263,),
    _T.RIGHT_EYE_BOTTOM_BOUNDARY: (374,),
    _T.RIGHT_EYE_LEFT_CORNER: (362,),
    _T.LEFT_EYEBROW_UPPER_MIDPOINT: (105,),
    _T.RIGHT_EYEBROW_UPPER_MIDPOINT: (334,),
    _T.LEFT_EAR_TRAGION: (234,),
    _T.RIGHT_EAR_TRAGION: (454,),
    _T.FOREHEAD_GLABELLA: (9,),
    _T.CHIN_GNATHION: (152,),
    _T.CHIN_LEFT_GONION: (172,),
    _T.CHIN_RIGHT_GONION: (397,),
    _T.LEFT_CHEEK_CENTER: (50,),
    _T.RIGHT_CHEEK_CENTER: (280,),
}
_PUPILS = (_T.LEFT_EYE_PUPIL, _T.RIGHT_EYE_PUPIL)
_HEAD = (0.12, 0.28, 0.12, 0.04)  # what hair, ears and chin add to the skin's box: left, top, right, bottom
_WORDS = (
    Likelihood.VERY_UNLIKELY,
    Likelihood.UNLIKELY,
    Likelihood.POSSIBLE,
    Likelihood.LIKELY,
    Likelihood.VERY_LIKELY,
)
_BLUR_PX = (2.3, 3.0, 4.0, 5.2)  # smear of edges, in 1/192 of the square around a face, where each word ends
_DARK = (0.20, 0.15, 0.11, 0.07)  # brightness of the skin, likewise


def annotate_faces(picture: Picture8, faces: Faces, pupils_xy: NDArray[np.float32]) -> tuple[FaceAnnotation, ...]:
    """The faces of a picture, in the same order.

    Args:
        picture: (H, W, 3) uint8 RGB, the one the faces are of.
        faces: What was found.
        pupils_xy: (N, 2, 2) of `FaceDetector.find_pupils`.
    """
    return tuple(_annotate(picture, face, pupils, faces) for face, pupils in zip(faces, pupils_xy, strict=True))


def _annotate(picture: Picture8, face: Face, pupils_xy: NDArray[np.float32], faces: Faces) -> FaceAnnotation:
    x0, y0, x1, y1 = face.box_xyxy
    left, top, right, bottom = _HEAD
    wide, tall = x1 - x0, y1 - y0
    head = (x0 - left * wide, y0 - top * tall, x1 + right * wide, y1 + bottom * tall)
    eyes_z = face.mesh_xyz[list(LANDMARKS[_T.LEFT_EYE] + LANDMARKS[_T.RIGHT_EYE]), 2].mean()
    landmarks = []
    for kind, places in LANDMARKS.items():
        x, y, z = (float(v) for v in face.mesh_xyz[list(places)].mean(axis=0))
        landmarks.append(FaceLandmark(type=kind, position=Position(x=x, y=y, z=z - float(eyes_z))))
    for kind, eye, (x, y) in zip(_PUPILS, (_T.LEFT_EYE, _T.RIGHT_EYE), pupils_xy, strict=True):
        z = float(face.mesh_xyz[list(LANDMARKS[eye]), 2].mean() - eyes_z)  # depth of the eyelids around it
        landmarks.append(FaceLandmark(type=kind, position=Position(x=float(x), y=float(y), z=z)))
    return FaceAnnotation(
        bounding_poly=box_to_poly(head, width=faces.width, height=faces.height),
        fd_bounding_poly=box_to_poly(face.box_xyxy, width=faces.width, height=faces.height),
        landmarks=tuple(landmarks),
        roll_angle=face.roll_deg,
        pan_angle=face.pan_deg,
        tilt_angle=face.tilt_deg,
        detection_confidence=face.score,
        landmarking_confidence=face.presence,
        under_exposed_likelihood=_darkness(picture, face),
        blurred_likelihood=_blur(picture, face),
    )


def _blur(picture: Picture8, face: Face) -> Likelihood:
    """How smeared the face is, for its size: a small face is not blurred for that alone."""
    smear = measure_picture(cut_square(picture, squares_of_meshes(face.mesh_xyz[None])[0])).blur_px
    return Likelihood.UNKNOWN if smear is None else _word(smear, _BLUR_PX)


def _darkness(picture: Picture8, face: Face) -> Likelihood:
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = face.box_xyxy
    part = picture[max(0, int(y0)) : min(height, int(y1) + 1), max(0, int(x0)) : min(width, int(x1) + 1)]
    if not part.size:
        return Likelihood.UNKNOWN
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return _word(-float(grey.mean()) / 255, [-limit for limit in _DARK])


def _word(value: float, limits: Sequence[float]) -> Likelihood:
    """The word for a value: the first whose limit it stays below.

    >>> _word(2.5, (1, 2, 3, 4)).name
    'POSSIBLE'
    """
    return _WORDS[int(np.searchsorted(limits, value, side="right"))]
