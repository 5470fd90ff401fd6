"""Where faces may be: BlazeFace's outputs to boxes with six points, doubles joined.

Two networks look: `near` at faces that fill much of the picture, `far` at smaller ones. What they propose is checked
by the mesh (`face_mesh`). This file does not know about landmarks or turned pictures.

Source: V. Bazarevsky and others, BlazeFace: sub-millisecond neural face detection on mobile GPUs, 2019; the
networks' places as in MediaPipe's ssd_anchors_calculator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.runtime.sessions import OnnxFile

__all__ = ["BlazeFace", "FaceCandidates", "join_doubles", "overlaps"]

_STEP_PX = 32  # sides of the input are multiples of this
_MOST_GROWTH = 2.0  # a picture is enlarged at most so much for the network
_SAME = 0.3  # candidates that overlap more are of one face
# Network -> its strides and how many places each cell has.
_PLACES: Mapping[str, tuple[tuple[int, int], ...]] = {"near": ((8, 2), (16, 6)), "far": ((4, 1),)}


@dataclass(frozen=True, eq=False)
class FaceCandidates:
    """What may be faces, in pixels of the picture."""

    boxes_xyxy: NDArray[np.float32]  # (N, 4) from the brows to the chin
    points_xy: NDArray[np.float32]  # (N, 6, 2) eyes, nose, mouth, ears; the picture's left eye first
    scores: NDArray[np.float32]  # (N,) 0..1

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, places: Array) -> "FaceCandidates":
        """Some of them, in the order given."""
        return FaceCandidates(self.boxes_xyxy[places], self.points_xy[places], self.scores[places])

    @staticmethod
    def join(parts: Sequence["FaceCandidates"]) -> "FaceCandidates":
        """All of several."""
        return FaceCandidates(
            np.concatenate([p.boxes_xyxy for p in parts]),
            np.concatenate([p.points_xy for p in parts]),
            np.concatenate([p.scores for p in parts]),
        )


class BlazeFace:
    """One of the two networks.

    Args:
        kind: near or far.
        file: The network: (N, 3, H, W) in −1..1 to (N, places, 16) `points` and (N, places, 1) `scores`.
        side_px: Longest side of its input.
    """

    def __init__(self, kind: str, file: OnnxFile, *, side_px: int) -> None:
        self.kind, self.file, self.side_px = kind, file, side_px

    def __call__(self, picture: Picture8, *, lowest: float) -> FaceCandidates:
        """Look at a picture.

        Args:
            picture: (H, W, 3) uint8 RGB.
            lowest: Scores below are left out.
        """
        batch, scale = _fit(picture, self.side_px)
        points, logits = self.file.run({"picture": batch}, ["points", "scores"])
        height, width = batch.shape[2:]
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
        seen = np.flatnonzero(scores >= lowest)
        found = points[0, seen].reshape(-1, 8, 2)
        places = _anchors(self.kind, height, width)[seen]
        middles, sides = found[:, 0] + places, np.abs(found[:, 1])
        boxes = np.concatenate([middles - sides / 2, middles + sides / 2], axis=1) / scale
        corners = (found[:, 2:] + places[:, None]) / scale
        return join_doubles(
            FaceCandidates(boxes.astype(np.float32), corners.astype(np.float32), scores[seen].astype(np.float32)),
            blend=True,
        )


def join_doubles(found: FaceCandidates, *, blend: bool) -> FaceCandidates:
    """One candidate for each face, best first.

    Args:
        found: Candidates.
        blend: Take the mean of those of one face, weighted by their scores, in place of the best.
    """
    left = np.argsort(-found.scores, kind="stable")
    boxes, points, scores = [], [], []
    while len(left):
        same = overlaps(found.boxes_xyxy[left[0]], found.boxes_xyxy[left]) > _SAME
        same[0] = True
        group = left[same] if blend else left[:1]
        weights = found.scores[group] / found.scores[group].sum()
        boxes.append(weights @ found.boxes_xyxy[group])
        points.append(np.tensordot(weights, found.points_xy[group], 1))
        scores.append(found.scores[left[0]])
        left = left[~same]
    return FaceCandidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(points, np.float32).reshape(-1, 6, 2),
        np.array(scores, np.float32),
    )


def overlaps(box_xyxy: NDArray[np.float32], boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) intersection over union of a box with each of (N, 4).

    >>> overlaps(np.array([0, 0, 2, 2], np.float32), np.array([[0, 0, 2, 1], [3, 3, 4, 4]], np.float32)).tolist()
    [0.5, 0.0]
    """
    low, high = np.maximum(box_xyxy[:2], boxes_xyxy[:, :2]), np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None).prod(axis=1)
    whole = areas + max(0.0, float((box_xyxy[2:] - box_xyxy[:2]).prod())) - shared
    found: NDArray[np.float32] = shared / np.maximum(whole, 1e-6)
    return found


def _fit(picture: Picture8, side_px: int) -> tuple[NDArray[np.float32], float]:
    """The picture in the upper left of the smallest input that holds it, and by how much it was scaled."""
    height, width = picture.shape[:2]
    scale = min(side_px / max(height, width), _MOST_GROWTH)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small: Array = cv2.resize(picture, (inner_w, inner_h), interpolation=how)
    canvas = np.zeros((-(-inner_h // _STEP_PX) * _STEP_PX, -(-inner_w // _STEP_PX) * _STEP_PX, 3), np.uint8)
    canvas[:inner_h, :inner_w] = small
    batch = cv2.dnn.blobFromImage(canvas, 1 / 127.5, mean=(127.5,) * 3)
    return np.asarray(batch, np.float32), scale


@lru_cache(maxsize=64)
def _anchors(kind: str, height: int, width: int) -> NDArray[np.float32]:
    """(places, 2) the point each place of the output is reckoned from."""
    found = []
    for stride, times in _PLACES[kind]:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        middles = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * stride
        found.append(np.repeat(middles, times, axis=0))
    return np.concatenate(found).astype(np.float32)
