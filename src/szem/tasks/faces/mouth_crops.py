"""Follow one mouth through a video and cut steady grey pictures of it.

A face is found, then followed by its points; the detectors look again every second, or when it is lost. Place, turn
and size of each cut are smoothed over the frames around it: the turn and size of the head change slowly, and the cut
hangs on the nose, which speech does not move, so that the lips move within it. Frames pass through; only a small
piece of each is kept. This file does not know what is read from the lips.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.errors import RangeError, ShapeError
from szem.media.frames import Frame
from szem.media.video import VideoSource, read_video
from szem.results.faces import Faces
from szem.results.mouth import MouthTrack
from szem.tasks.faces.blazeface import overlaps
from szem.tasks.faces.detect import FaceDetector, open_faces

__all__ = ["CROP_SIZE", "Chosen", "follow_mouth", "track_mouth"]

CROP_SIZE = (48, 80)  # rows and columns of a cut
_CROP_EYES = 1.3  # width of a cut, in the eyes' distance
_PIECE_EYES = 2.4  # side of the piece of a frame that is kept until its cut is known, likewise
_PIECE_PX = 320  # largest side of such a piece
_LOOK_S = 1.0  # the detectors look again so often
_LOST = 0.5  # presence below which a face is lost
_SAME_FACE_OVERLAP = 0.35  # a face that overlaps less with where it was has been lost, too
_STEADY_S = {"place": 0.04, "turn": 0.12, "size": 0.2, "hang": 0.4}  # standard deviations of the smoothing
_BASE = np.array([2, 164, 98, 327])  # where the nose meets the lip
_LIPS = np.array([61, 291, 61, 291, 0, 17, 13, 14])  # corners, and the middles of their edges
_EYES = (np.array([33, 133, 159, 145]), np.array([263, 362, 386, 374]))

Chosen = str | int | tuple[float, float]
"""Which face: "largest"; its number, counted from the left in the first frame with that many; a point that lies on
it."""


def track_mouth(
    video: VideoSource | Iterable[Frame],
    *,
    face: Chosen = "largest",
    finder: FaceDetector | None = None,
    crop_size: tuple[int, int] = CROP_SIZE,
) -> MouthTrack:
    """Follow the mouth of one face through a video.

    Args:
        video: A file, an open binary file, or frames.
        face: Which face, where there are several.
        finder: An open face finder; the shipped one if left out.
        crop_size: Rows and columns of the cuts.
    Returns:
        One entry for each frame; frames without the face are marked as not valid: all, where there are never so many
        faces as to have one of this number.
    Raises:
        MediaError, FileMissingError: the video cannot be read.
        RangeError: no such way of choosing a face.
    """
    source: Any = video
    is_file = isinstance(video, str | os.PathLike) or hasattr(video, "read")
    frames: Iterable[Frame] = read_video(source) if is_file else source
    return follow_mouth(
        ((frame.time_s, frame.picture) for frame in frames), face=face, finder=finder, crop_size=crop_size
    )


def follow_mouth(
    pictures: Iterable[tuple[float, Picture8]],
    *,
    face: Chosen = "largest",
    finder: FaceDetector | None = None,
    crop_size: tuple[int, int] = CROP_SIZE,
) -> MouthTrack:
    """As `track_mouth`, from times in seconds and upright pictures of one size.

    Raises:
        ShapeError: the pictures' sizes differ, or there is none.
        RangeError: no such way of choosing a face.
    """
    if not (
        face == "largest" or (isinstance(face, int) and face >= 0) or (isinstance(face, tuple) and len(face) == 2)
    ):
        raise RangeError(f'face must be "largest", a number from 0 on or a point (x, y), got {face!r}')
    follower = _Follower(finder or open_faces(), face)
    seen = [follower.look(time_s, picture) for time_s, picture in pictures]
    if not seen:
        raise ShapeError("a video must have frames; got none")
    return _cut_all(seen, follower.size, crop_size)


@dataclass(frozen=True, eq=False)
class _Seen:
    """One frame: where the mouth is in it, and a piece around it."""

    time_s: float
    faces: int
    valid: bool
    box_xyxy: NDArray[np.float32]
    lips_xy: NDArray[np.float32]  # (20, 2)
    base_xy: NDArray[np.float64]  # (2,) where the nose meets the lip
    middle_xy: NDArray[np.float64]  # (2,) of the lips
    angle: float  # radians clockwise, of the eyes' line
    eyes_px: float
    piece: NDArray[np.uint8]  # (s, s) grey
    to_piece: NDArray[np.float64]  # (3,) scale, and what is added to x and y


class _Follower:
    """Looks at frame after frame and remembers the face it follows."""

    def __init__(self, finder: FaceDetector, face: Chosen) -> None:
        self._finder, self._face = finder, face
        self._at: Faces | None = None  # the one face followed
        self._last: _Seen | None = None
        self._looked_s, self._count = -np.inf, 0
        self.size = (0, 0)

    def look(self, time_s: float, picture: Picture8) -> _Seen:
        """Find the face in the next frame."""
        height, width = picture.shape[:2]
        if self.size == (0, 0):
            self.size = (width, height)
        if self.size != (width, height):
            raise ShapeError(
                f"frames of a video must be of one size, got {width}×{height} after {self.size[0]}×{self.size[1]}"
            )
        followed = None if self._at is None else self._still_there(self._finder.follow(picture, self._at))
        if followed is None or time_s - self._looked_s >= _LOOK_S:
            followed = self._look_anew(picture, followed, is_first=self._last is None)
            self._looked_s = time_s
        self._at = followed
        self._last = self._note(time_s, picture, followed)
        return self._last

    def _still_there(self, now: Faces) -> Faces | None:
        assert self._at is not None
        jumped = overlaps(self._at.boxes_xyxy[0], now.boxes_xyxy)[0] < _SAME_FACE_OVERLAP
        return None if jumped or now.presence[0] < _LOST else now

    def _look_anew(self, picture: Picture8, followed: Faces | None, *, is_first: bool) -> Faces | None:
        found = self._finder(picture, turned=is_first)
        self._count = len(found)
        if not len(found):
            return followed
        if followed is not None:
            near = overlaps(followed.boxes_xyxy[0], found.boxes_xyxy)
            return found.take(np.array([near.argmax()])) if near.max() >= _SAME_FACE_OVERLAP else followed
        chosen = self._choose(found)
        return None if chosen is None else found.take(np.array([chosen]))

    def _choose(self, found: Faces) -> int | None:
        middles = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
        sides = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
        if self._last is not None and self._last.eyes_px > 0:  # it was lost: the one nearest to where it was
            return int(np.linalg.norm(middles - self._last.middle_xy, axis=1).argmin())
        if isinstance(self._face, tuple):
            return int(np.linalg.norm(middles - np.array(self._face), axis=1).argmin())
        if isinstance(self._face, int):
            order = middles[:, 0].argsort(kind="stable")
            return int(order[self._face]) if self._face < len(order) else None
        return int(sides.prod(axis=1).argmax())

    def _note(self, time_s: float, picture: Picture8, followed: Faces | None) -> _Seen:
        last = self._last
        if followed is None:
            # The crop stays where the mouth was last: a network sees a still piece, not a jump.
            nothing = last if last is not None else _nothing(self.size)
            piece, to_piece = _cut_piece(picture, nothing.middle_xy, nothing.eyes_px)
            return _Seen(
                time_s,
                self._count,
                False,
                np.zeros(4, np.float32),
                nothing.lips_xy,
                nothing.base_xy,
                nothing.middle_xy,
                nothing.angle,
                nothing.eyes_px,
                piece,
                to_piece,
            )
        mesh = followed.mesh_xyz[0].astype(np.float64)
        lips = followed.points_xy[0, 48:68]
        across = mesh[_EYES[1]].mean(axis=0) - mesh[_EYES[0]].mean(axis=0)
        middle = mesh[_LIPS, :2].mean(axis=0)
        eyes_px = float(np.linalg.norm(across))  # in depth too: a head turned aside stays as large
        piece, to_piece = _cut_piece(picture, middle, eyes_px)
        return _Seen(
            time_s,
            max(self._count, 1),
            True,
            followed.boxes_xyxy[0],
            lips,
            mesh[_BASE, :2].mean(axis=0),
            middle,
            float(np.arctan2(across[1], across[0])),
            eyes_px,
            piece,
            to_piece,
        )


def _nothing(size: tuple[int, int]) -> _Seen:
    middle = np.array([size[0] / 2, size[1] / 2])
    lips = np.tile(middle.astype(np.float32), (20, 1))
    zero = np.zeros((1, 1), np.uint8)
    return _Seen(0.0, 0, False, np.zeros(4, np.float32), lips, middle, middle, 0.0, 0.0, zero, np.array([1.0, 0, 0]))


def _cut_piece(
    picture: Picture8, middle_xy: NDArray[np.float64], eyes_px: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The square around the mouth, grey, not larger than needed, and how the frame's pixels lie in it."""
    side = max(_PIECE_EYES * eyes_px, 2.0)
    x0, y0 = (int(np.floor(v - side / 2)) for v in middle_xy)
    x1, y1 = x0 + int(np.ceil(side)), y0 + int(np.ceil(side))
    height, width = picture.shape[:2]
    inside = picture[max(0, y0) : max(0, min(y1, height)), max(0, x0) : max(0, min(x1, width))]
    if not inside.size or eyes_px <= 0:
        return np.zeros((2, 2), np.uint8), np.array([1.0, -x0, -y0])
    grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY)
    around = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(around):
        grey = cv2.copyMakeBorder(grey, *around, cv2.BORDER_REPLICATE)
    scale = min(1.0, _PIECE_PX / grey.shape[0])
    if scale < 1:
        grey = cv2.resize(grey, (_PIECE_PX, _PIECE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), np.array([scale, -x0 * scale, -y0 * scale])


def _cut_all(seen: Sequence[_Seen], size: tuple[int, int], crop_size: tuple[int, int]) -> MouthTrack:
    """Smooth where the cuts lie, and cut them."""
    times = np.array([s.time_s for s in seen])
    valid = np.array([s.valid for s in seen])
    base = _smooth(np.array([s.base_xy for s in seen]), times, valid, _STEADY_S["place"])
    hang = _smooth(np.array([_hang(s) for s in seen]), times, valid, _STEADY_S["hang"])
    eyes = _smooth(np.array([s.eyes_px for s in seen]), times, valid, _STEADY_S["size"])
    turns = np.array([(np.cos(s.angle), np.sin(s.angle)) for s in seen])
    turns = _smooth(turns, times, valid, _STEADY_S["turn"])
    angles = np.arctan2(turns[:, 1], turns[:, 0])
    rows, columns = crop_size
    crops = np.zeros((len(seen), rows, columns), np.uint8)
    corners = np.zeros((len(seen), 4, 2), np.float32)
    for place, one in enumerate(seen):
        step = _CROP_EYES * eyes[place] / columns
        turn = step * np.array([[np.cos(angles[place]), -np.sin(angles[place])]] * 2)
        turn[1] = step * np.array([np.sin(angles[place]), np.cos(angles[place])])
        middle = base[place] + turn @ hang[place] * (columns / _CROP_EYES)
        origin = middle - turn @ (columns / 2, rows / 2)
        corners[place] = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)]) @ turn.T + origin
        if eyes[place] > 0:
            crops[place] = _cut(one.piece, one.to_piece, turn, origin, crop_size)
    corners[~valid] = 0
    return MouthTrack(
        crops=crops,
        valid=valid,
        times_s=times,
        boxes_xyxy=np.array([s.box_xyxy for s in seen], np.float32),
        corners_xy=corners,
        points_xy=np.array([s.lips_xy for s in seen], np.float32),
        eyes_px=np.where(valid, eyes, 0).astype(np.float32),
        faces=np.array([s.faces for s in seen], np.int64),
        width=size[0],
        height=size[1],
    )


def _hang(seen: _Seen) -> NDArray[np.float64]:
    """Where the mouth hangs below the nose, in the face's own frame and in the eyes' distance."""
    down = seen.middle_xy - seen.base_xy
    cos, sin = np.cos(seen.angle), np.sin(seen.angle)
    return np.array([cos * down[0] + sin * down[1], cos * down[1] - sin * down[0]]) / max(seen.eyes_px, 1e-6)


def _cut(
    piece: NDArray[np.uint8],
    to_piece: NDArray[np.float64],
    turn: NDArray[np.float64],
    origin: NDArray[np.float64],
    crop_size: tuple[int, int],
) -> NDArray[np.uint8]:
    """One cut out of the piece that was kept; a fine piece is averaged first."""
    scale, shift = to_piece[0], to_piece[1:]
    way, at = turn * scale, origin * scale + shift
    step = float(np.linalg.norm(way[:, 0]))
    if step > 1.25:
        side = max(2, round(piece.shape[0] / step))
        shrink = side / piece.shape[0]
        piece = np.asarray(cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        way, at = way * shrink, at * shrink
    at = at + way @ (0.5, 0.5) - 0.5  # from points between pixels to OpenCV's, in the middle of pixels
    rows, columns = crop_size
    flags = (cv2.INTER_CUBIC if step < 0.8 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    way_at = np.column_stack([way, at])
    cut = cv2.warpAffine(piece, way_at, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def _smooth(
    values: NDArray[np.float64], times: NDArray[np.float64], valid: NDArray[np.bool_], sigma_s: float
) -> NDArray[np.float64]:
    """Each value from a line through the valid ones around it, weighted by a bell curve over time; in pieces where
    the face was lost, since it may come back elsewhere. A mean in place of a line would lag in the first frames."""
    flat = values.reshape(len(values), -1)
    out = flat.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        part, when = flat[first:end], times[first:end]
        reach = max(1, int(np.ceil(3 * sigma_s * (end - first) / max(float(np.ptp(when)), 1e-6))))
        reach = min(reach, len(part) - 1)
        sums, tilted = np.zeros_like(part), np.zeros_like(part)
        moments = np.zeros((3, len(part), 1))
        for step in range(-reach, reach + 1):
            here = slice(max(0, -step), min(len(part), len(part) - step))
            there = slice(max(0, step), min(len(part), len(part) + step))
            apart = ((when[there] - when[here]) / sigma_s)[:, None]
            weight = np.exp(-0.5 * apart**2)
            sums[here] += weight * part[there]
            tilted[here] += weight * apart * part[there]
            for power in range(3):
                moments[power, here] += weight * apart**power
        spread = moments[0] * moments[2] - moments[1] ** 2
        line = (moments[2] * sums - moments[1] * tilted) / np.maximum(spread, 1e-12)
        out[first:end] = np.where(spread > 1e-6, line, sums / moments[0])
    return out.reshape(values.shape)
