"""How a head is turned, from its 468 points in depth.

The line from the left to the right of the face and the line down the forehead and nose span a frame; both lie on
bone, so that speaking does not turn the head. This file does not know about pictures.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["head_angles"]

_LEFT, _RIGHT = np.array([33, 133, 234, 127, 162, 116]), np.array([263, 362, 454, 356, 389, 345])
_UPPER, _LOWER = np.array([10, 151, 9]), np.array([1, 2, 164])
_UPRIGHT_DEG = 6.8  # mean tilt of 2,336 photographed faces, which look ahead on average


def head_angles(mesh_xyz: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 468, 3) to (N, 3) degrees: roll clockwise, pan towards the picture's right, tilt upwards."""
    mesh = mesh_xyz.astype(np.float64)
    across = _unit((mesh[:, _RIGHT] - mesh[:, _LEFT]).mean(axis=1))
    down = mesh[:, _LOWER].mean(axis=1) - mesh[:, _UPPER].mean(axis=1)
    down = _unit(down - (down * across).sum(axis=1, keepdims=True) * across)
    ahead = -np.cross(across, down)  # where the face looks; z grows away from the camera
    roll = np.arctan2(across[:, 1], across[:, 0])
    pan = np.arctan2(ahead[:, 0], -ahead[:, 2])
    tilt = np.arcsin(np.clip(-ahead[:, 1], -1, 1))
    found = np.degrees(np.stack([roll, pan, tilt], axis=1))
    found[:, 2] -= _UPRIGHT_DEG
    return found.astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return found
