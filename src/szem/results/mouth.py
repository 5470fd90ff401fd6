"""The mouth of one face through a video: where it is, and small steady pictures of it.

Checked once when made, trusted afterwards. This file does not know about networks or files.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import RangeError, ShapeError
from szem.media.drawing import color_of, draw_boxes, draw_lines
from szem.media.pictures import PictureLike, as_picture

__all__ = ["MouthTrack"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MouthTrack(Value):
    """The mouth of one face, frame by frame.

    Raises:
        ShapeError: not as many of everything as frames.
        RangeError: times that do not grow.
    """

    crops: NDArray[np.uint8] = field(repr=False)  # (T, h, w) grey, the lips level and of one size
    valid: NDArray[np.bool_] = field(repr=False)  # (T,) whether the face was seen in this frame
    times_s: NDArray[np.float64] = field(repr=False)  # (T,) from the beginning of the video
    boxes_xyxy: NDArray[np.float32] = field(
        repr=False
    )  # (T, 4) of the face, in pixels of the frame; 0 where not seen
    corners_xy: NDArray[np.float32] = field(repr=False)  # (T, 4, 2) of the crop in the frame, clockwise
    points_xy: NDArray[np.float32] = field(repr=False)  # (T, 20, 2) of the lips: iBUG's 48–67
    eyes_px: NDArray[np.float32] = field(repr=False)  # (T,) the eyes' distance, as if seen from the front
    faces: NDArray[np.int64] = field(repr=False)  # (T,) how many faces there were when it was last looked
    width: int  # of the frames, in pixels
    height: int

    def __post_init__(self) -> None:
        n = len(self.times_s)
        if self.crops.ndim != 3 or self.crops.dtype != np.uint8:
            raise ShapeError(f"crops must be (T, h, w) uint8, got {self.crops.dtype}{self.crops.shape}")
        for name in ("crops", "valid", "boxes_xyxy", "corners_xy", "points_xy", "eyes_px", "faces"):
            if len(getattr(self, name)) != n:
                raise ShapeError(f"{name} must be one a frame: {len(getattr(self, name))} for {n} frames")
        if n > 1 and not (np.diff(self.times_s) > 0).all():
            raise RangeError("times of a mouth track must grow from frame to frame")
        super().__post_init__()

    def summary(self) -> str:
        """How many frames, in how many the face was seen, and their size."""
        seen = int(np.count_nonzero(self.valid))
        return f"{len(self)} frames, face in {seen}; {self.width}x{self.height}"

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def rate_hz(self) -> float:
        """Frames a second, on average; 0 for less than two frames."""
        if len(self) < 2:
            return 0.0
        return float((len(self) - 1) / (self.times_s[-1] - self.times_s[0]))

    @property
    def seen_fraction(self) -> float:
        """0..1: in how many of the frames the face was seen."""
        return float(self.valid.mean()) if len(self) else 0.0

    def openness(self) -> NDArray[np.float32]:
        """(T,) how far the inner lips are apart, as a fraction of the eyes' distance."""
        upper, lower = self.points_xy[:, 13:16].mean(axis=1), self.points_xy[:, 17:20].mean(axis=1)
        apart: NDArray[np.float32] = np.linalg.norm(lower - upper, axis=1) / np.maximum(self.eyes_px, 1e-6)
        return apart

    def part(self, first: int, end: int) -> "MouthTrack":
        """The frames from `first` to before `end`."""
        names = ("crops", "valid", "times_s", "boxes_xyxy", "corners_xy", "points_xy", "eyes_px", "faces")
        cut: dict[str, Any] = {name: getattr(self, name)[first:end] for name in names}
        return replace(self, **cut)

    def at_rate(self, rate_hz: float) -> "MouthTrack":
        """The same time at another number of frames a second: crops in between are mixed from their neighbours, and
        averaged where there are fewer.

        Raises:
            RangeError: the rate is not positive.
        """
        if not rate_hz > 0:
            raise RangeError(f"rate_hz must be positive, got {rate_hz}")
        if len(self) < 2:
            return self
        times = np.arange(self.times_s[0], self.times_s[-1] + 1e-9, 1 / rate_hz)
        at = np.interp(times, self.times_s, np.arange(len(self)))
        near = np.rint(at).astype(np.int64)
        mixed: dict[str, Any] = {"crops": _mix(self.crops, at, max(1.0, self.rate_hz / rate_hz))}
        for name in ("boxes_xyxy", "corners_xy", "points_xy", "eyes_px"):
            mixed[name] = _mix(getattr(self, name), at, 1.0)
        rest: dict[str, Any] = {name: getattr(self, name)[near] for name in ("valid", "faces")}
        return replace(self, **mixed, **rest, times_s=times)

    def draw(self, picture: PictureLike, frame: int) -> Picture8:
        """Draw the face's box, the crop's frame and the lips on a frame of the video.

        Raises:
            ShapeError: the picture is of another size.
        """
        picture = as_picture(picture)
        if picture.shape[:2] != (self.height, self.width):
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the track is of one of "
                f"{self.width}×{self.height}; give that one"
            )
        if not self.valid[frame]:
            return picture.copy()
        lips = self.points_xy[frame]
        out = draw_lines(picture, [self.corners_xy[frame]], closed=[True], color=color_of(1))
        out = draw_lines(out, [lips[:12], lips[12:]], closed=[True, True], color=color_of(2))
        return draw_boxes(out, self.boxes_xyxy[frame : frame + 1], colors=[color_of(0)])

    def to_dict(self) -> dict[str, Any]:
        """JSON types; the crops are left out."""
        return {
            "width": self.width,
            "height": self.height,
            "rate_hz": round(self.rate_hz, 3),
            "seen_fraction": round(self.seen_fraction, 4),
            "frames": [
                {
                    "time_s": round(float(self.times_s[i]), 4),
                    "seen": bool(self.valid[i]),
                    "faces": int(self.faces[i]),
                    "box_xyxy": [round(float(v), 1) for v in self.boxes_xyxy[i]],
                    "corners_xy": [[round(float(v), 1) for v in corner] for corner in self.corners_xy[i]],
                }
                for i in range(len(self))
            ],
        }


def _mix(values: Array, at: NDArray[np.float64], wide: float) -> Array:
    """Values at places between frames: a triangle of half width `wide` frames around each."""
    n = len(values)
    reach = int(np.ceil(wide))
    flat = values.reshape(n, -1).astype(np.float32)
    out = np.zeros((len(at), flat.shape[1]), np.float32)
    total = np.zeros(len(at))
    first = np.floor(at).astype(np.int64)
    for step in range(-reach, reach + 1):
        place = first + step
        weight = np.clip(1 - np.abs(place - at) / wide, 0, None) * ((place >= 0) & (place < n))
        out += weight[:, None].astype(np.float32) * flat[np.clip(place, 0, n - 1)]
        total += weight
    out /= np.maximum(total, 1e-9)[:, None]
    if values.dtype == np.uint8:
        out = np.rint(out)
    return out.reshape(len(at), *values.shape[1:]).astype(values.dtype)
