"""468 points of a face, and from them 68, from an upright square around it.

The square is cut turned, so that the eyes lie level; what the network says is brought back. This file does not know
how faces are found or followed.

Source: Y. Kartynnik and others, Real-time facial surface geometry from monocular video on mobile GPUs, 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.faces import MIRRORED
from szem.runtime.sessions import Session
from szem.tasks.faces.blazeface import FaceCandidates

__all__ = ["FaceMesh", "Meshes", "Square", "squares_of_candidates", "squares_of_meshes"]

MESH_POINTS = 468
SIDE_PX = 192  # of the network's input
_MARGIN = 1.5  # the square's side, as a multiple of the box's longer side
_TOGETHER = 8  # faces of one run
_EYE_CORNERS = (33, 263)  # outer ones: the picture's left, the picture's right


@dataclass(frozen=True)
class Square:
    """A square around a face, turned with it."""

    x: float  # its middle, in pixels of the picture
    y: float
    side_px: float
    angle: float  # radians by which it is turned clockwise

    def to_picture(self, input_px: int = SIDE_PX) -> NDArray[np.float64]:
        """(2, 3) from pixels of a network's input of that side to pixels of the picture."""
        step = self.side_px / input_px
        turn = step * np.array([[np.cos(self.angle), -np.sin(self.angle)], [np.sin(self.angle), np.cos(self.angle)]])
        corner = np.array([self.x, self.y]) - turn @ (input_px / 2, input_px / 2)
        return np.column_stack([turn, corner])


@dataclass(frozen=True, eq=False)
class Meshes:
    """Points of several faces, in pixels of the picture."""

    mesh_xyz: NDArray[np.float32]  # (N, 468, 3) z in pixels too, smaller is nearer
    points_xy: NDArray[np.float32]  # (N, 68, 2)
    presence: NDArray[np.float32]  # (N,) 0..1: how surely there is a face

    def __len__(self) -> int:
        return len(self.presence)

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> "Meshes":
        """Some of them, in the order given."""
        return Meshes(self.mesh_xyz[places], self.points_xy[places], self.presence[places])

    @property
    def boxes_xyxy(self) -> NDArray[np.float32]:
        """(N, 4) the boxes that hold the 468 points."""
        flat = self.mesh_xyz[..., :2]
        return np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=1).reshape(-1, 4)


class FaceMesh:
    """The network of 468 points.

    Args:
        session: A model with head `mesh`.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, picture: Picture8, squares: Sequence[Square], *, both_ways: bool = False) -> Meshes:
        """Find the points in each square.

        Args:
            picture: (H, W, 3) uint8 RGB.
            squares: Where faces are.
            both_ways: Look in a mirror too; the 68 points are the mean of both, and surer.
        """
        together = _TOGETHER // 2 if both_ways else _TOGETHER
        parts = [
            self._run(picture, squares[i : i + together], both_ways=both_ways)
            for i in range(0, len(squares), together)
        ]
        return Meshes(
            np.concatenate([p.mesh_xyz for p in parts] or [np.zeros((0, MESH_POINTS, 3), np.float32)]),
            np.concatenate([p.points_xy for p in parts] or [np.zeros((0, 68, 2), np.float32)]),
            np.concatenate([p.presence for p in parts] or [np.zeros(0, np.float32)]),
        )

    def _run(self, picture: Picture8, squares: Sequence[Square], *, both_ways: bool) -> Meshes:
        pieces = np.stack([cut_square(picture, square) for square in squares])
        n = len(pieces)
        if both_ways:
            pieces = np.concatenate([pieces, pieces[:, :, ::-1]])
        batch = np.ascontiguousarray(pieces.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        found = self.session.run(batch, roles=("mesh", "points68", "presence"))
        mesh = found["mesh"][:n].reshape(-1, MESH_POINTS, 3).astype(np.float32)
        points = found["points68"].reshape(-1, 68, 2).astype(np.float32)
        if both_ways:
            mirrored = points[n:, MIRRORED] * (-1, 1) + (SIDE_PX, 0)
            points = ((points[:n] + mirrored) / 2).astype(np.float32)
        presence = 1 / (1 + np.exp(-np.clip(found["presence"][:n].reshape(-1), -80, 80)))
        for row, square in enumerate(squares):
            way = square.to_picture().astype(np.float32)
            mesh[row, :, :2] = mesh[row, :, :2] @ way[:, :2].T + way[:, 2]
            mesh[row, :, 2] *= square.side_px / SIDE_PX
            points[row] = points[row] @ way[:, :2].T + way[:, 2]
        return Meshes(mesh, points, presence.astype(np.float32))


def cut_square(picture: Picture8, square: Square, *, side_px: int = SIDE_PX) -> Picture8:
    """The square as a network takes it: (side_px, side_px, 3); what lies outside of the picture is black."""
    way = square.to_picture(side_px)
    shrink = int(square.side_px / side_px)
    if shrink >= 2:  # average first, or fine detail would flicker
        reach = square.side_px * 0.75
        x0, y0 = max(0, int(square.x - reach)), max(0, int(square.y - reach))
        part = picture[y0 : int(square.y + reach) + 1, x0 : int(square.x + reach) + 1]
        if part.size:
            height, width = part.shape[:2]
            small_w, small_h = max(1, width // shrink), max(1, height // shrink)
            small = cv2.resize(part, (small_w, small_h), interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.uint8)
            grow = np.array([small_w / width, small_h / height])
            way = np.column_stack([way[:, :2] * grow[:, None], (way[:, 2] - (x0, y0)) * grow])
    # from points between pixels to OpenCV's, which lie in the middle of pixels
    way = np.column_stack([way[:, :2], way[:, 2] + way[:, :2] @ (0.5, 0.5) - 0.5])
    flags = (cv2.INTER_CUBIC if square.side_px < side_px else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(picture, way, (side_px, side_px), flags=flags)
    return np.asarray(piece, np.uint8)


def squares_of_candidates(found: FaceCandidates) -> list[Square]:
    """The square of each candidate, turned so that its eyes lie level."""
    squares = []
    for box, points in zip(found.boxes_xyxy.astype(float), found.points_xy.astype(float), strict=True):
        across = points[1] - points[0]
        side = max(box[2] - box[0], box[3] - box[1])
        middle = (box[:2] + box[2:]) / 2
        squares.append(
            Square(middle[0], middle[1], max(side * _MARGIN, 1.0), float(np.arctan2(across[1], across[0])))
        )
    return squares


def squares_of_meshes(mesh_xyz: NDArray[np.float32]) -> list[Square]:
    """The square of each face whose points are known, (N, 468, 3): for a second look, or for the next frame."""
    squares = []
    for flat in mesh_xyz[..., :2].astype(np.float64):
        across = flat[_EYE_CORNERS[1]] - flat[_EYE_CORNERS[0]]
        angle = float(np.arctan2(across[1], across[0]))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        level = flat @ turn
        low, high = level.min(axis=0), level.max(axis=0)
        x, y = turn @ ((low + high) / 2)
        squares.append(Square(float(x), float(y), max(float((high - low).max()) * _MARGIN, 1.0), angle))
    return squares
