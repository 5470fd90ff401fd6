"""The pupil of each eye, from an upright square around the eye.

The mesh follows the eyelids and not where an eye looks, so a network of its own looks at both eyes of a face. It
knows one eye only: the other is shown to it in a mirror. This file does not know how faces are found.

Source: A. Ablavatski and others, Real-time pupil tracking from monocular video for digital puppetry, 2020,
arXiv:2006.11341.
"""

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.runtime.sessions import OnnxFile
from szem.tasks.faces.mesh import Square, cut_square

__all__ = ["PupilFinder"]

_SIDE_PX = 64  # of the network's input
_MARGIN = 2.3  # the square's side, as a multiple of the distance of the eye's corners
_CORNERS = ((33, 133), (362, 263))  # of the mesh: the viewer's left eye, then the right, each from left to right
_TOGETHER = 16  # eyes of one run


class PupilFinder:
    """Finds pupils; keeps nothing between calls.

    Args:
        network: Part `iris` of a faces model: `picture` (N, 3, 64, 64) in 0..1 to `iris` (N, 1, 15), whose first two
            numbers are the middle of the iris, in pixels of the input.
    """

    def __init__(self, network: OnnxFile) -> None:
        self._network = network

    def __call__(self, picture: Picture8, mesh_xyz: NDArray[np.float32]) -> NDArray[np.float32]:
        """Find the pupils of each face.

        Args:
            picture: (H, W, 3) uint8 RGB.
            mesh_xyz: (N, 468, 3) points of the faces, as `Faces.mesh_xyz`.
        Returns:
            (N, 2, 2) x and y in pixels of the picture; the viewer's left eye first. A closed eye has one too: where
            the pupil would be.
        """
        squares = [_square_of(mesh, corners) for mesh in mesh_xyz.astype(np.float64) for corners in _CORNERS]
        out = np.zeros((len(squares), 2), np.float32)
        for start in range(0, len(squares), _TOGETHER):
            some = squares[start : start + _TOGETHER]
            pieces = np.stack([cut_square(picture, square, side_px=_SIDE_PX) for square in some])
            pieces[1::2] = pieces[1::2, :, ::-1]  # `_TOGETHER` is even, so each second one is a right eye
            batch = np.ascontiguousarray(pieces.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
            (found,) = self._network.run({"picture": batch}, ["iris"])
            middles = found.reshape(len(some), -1)[:, :2].astype(np.float64)
            middles[1::2, 0] = _SIDE_PX - middles[1::2, 0]
            for place, square in enumerate(some):
                way = square.to_picture(_SIDE_PX)
                out[start + place] = way[:, :2] @ middles[place] + way[:, 2]
        return out.reshape(len(mesh_xyz), 2, 2)


def _square_of(mesh: NDArray[np.float64], corners: tuple[int, int]) -> Square:
    """The square around an eye, turned so that its corners lie level."""
    left, right = mesh[list(corners), :2]
    across = right - left
    x, y = (left + right) / 2
    side = max(float(np.hypot(*across)) * _MARGIN, 1.0)
    return Square(float(x), float(y), side, float(np.arctan2(across[1], across[0])))
