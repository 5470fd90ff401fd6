"""Which object is where, frame by frame, and the track of each object through time.

Checked once when made, trusted afterwards. This file does not know how objects are tracked.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, Value, count_names
from szem.errors import RangeError, ShapeError
from szem.media.drawing import RGB, color_of, draw_boxes
from szem.media.pictures import PictureLike, as_picture
from szem.results.boxes import Boxes
from szem.results.indexing import TupleResult, canvas, to_png

__all__ = ["Track", "TrackedBoxes", "Tracks"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrackedBoxes(Value):
    """The boxes of one frame, each with the number of the object it shows."""

    boxes: Boxes
    ids: NDArray[np.int64] = field(repr=False)  # (N,) from 1 on; the same object keeps its number
    seen: NDArray[np.bool_] = field(repr=False)  # (N,) False: not detected in this frame, propagated from before
    index: int = 0  # of the frame
    time_s: float = 0.0

    def __post_init__(self) -> None:
        n = len(self.boxes)
        ids, seen = np.asarray(self.ids, np.int64), np.asarray(self.seen, np.bool_)
        if ids.shape != (n,) or seen.shape != (n,):
            raise ShapeError(f"{n} boxes need as many numbers, got {ids.shape} and {seen.shape}")
        if len(set(ids.tolist())) != n:
            raise RangeError(f"an object has one box a frame, got the numbers {sorted(ids.tolist())}")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "seen", seen)
        super().__post_init__()

    def summary(self) -> str:
        """The frame, how many of what, and the size of the picture."""
        return f"frame {self.index}, {self.time_s:.2f} s: {self.boxes.summary()}"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.boxes.width, self.boxes.height)))

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written at each box: the class and the object's number."""
        return tuple(f"{label} {number}" for label, number in zip(self.boxes.labels, self.ids, strict=True))

    @property
    def colors(self) -> tuple[RGB, ...]:
        """A colour for each box: the same for an object as long as its track lasts."""
        return tuple(color_of(int(number) - 1) for number in self.ids)

    def draw(self, picture: PictureLike) -> Picture8:
        """Draw the boxes with class and number."""
        return draw_boxes(as_picture(picture), self.boxes.boxes_xyxy, labels=self.texts, colors=self.colors)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        rows = self.boxes.to_dict()
        for row, number, seen in zip(rows["boxes"], self.ids, self.seen, strict=True):
            row["id"] = int(number)
            row["seen"] = bool(seen)
        return {"frame": self.index, "time_s": round(self.time_s, 4), **rows}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Track(Value):
    """One object followed through time."""

    id: int
    label: str
    frames: NDArray[np.int64] = field(repr=False)  # (n,) indices, rising
    times_s: NDArray[np.float64] = field(repr=False)  # (n,)
    boxes_xyxy: NDArray[np.float32] = field(repr=False)  # (n, 4) in pixels
    scores: NDArray[np.float32] = field(repr=False)  # (n,) 0..1

    def __post_init__(self) -> None:
        n = len(self.frames)
        shapes = (self.times_s.shape, self.boxes_xyxy.shape, self.scores.shape)
        if n == 0 or shapes != ((n,), (n, 4), (n,)):
            raise ShapeError(f"a track needs as many times, boxes and scores as frames ({n}), got {shapes}")
        if (np.diff(self.frames) <= 0).any():
            raise RangeError(f"a track's frames must rise, got {self.frames}")
        super().__post_init__()

    def summary(self) -> str:
        """What, which, and when."""
        return f"{self.label} {self.id}, {self.times_s[0]:.2f} to {self.times_s[-1]:.2f} s, {len(self.frames)} frames"

    @property
    def duration_s(self) -> float:
        """From its first to its last frame."""
        return float(self.times_s[-1] - self.times_s[0])

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "id": self.id,
            "label": self.label,
            "score": round(float(self.scores.mean()), 4),
            "first_s": round(float(self.times_s[0]), 4),
            "last_s": round(float(self.times_s[-1]), 4),
            "path": [
                {"frame": int(f), "time_s": round(float(t), 4), "box_xyxy": [round(float(v), 2) for v in box]}
                for f, t, box in zip(self.frames, self.times_s, self.boxes_xyxy, strict=True)
            ],
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Tracks(TupleResult[Track]):
    """All objects of a video, by number."""

    items: tuple[Track, ...]
    model: str

    def __post_init__(self) -> None:
        ids = [track.id for track in self.items]
        if ids != sorted(set(ids)):
            raise RangeError(f"tracks must come by rising number, each once, got {ids}")
        super().__post_init__()

    def summary(self) -> str:
        """How many of what."""
        named = count_names(track.label for track in self.items)
        return f"{len(self)}{': ' + named if named else ''}"

    @property
    def counts(self) -> dict[str, int]:
        """How many objects of each class there were, the most frequent first."""
        names = [track.label for track in self.items]
        return {name: names.count(name) for name in sorted(set(names), key=lambda n: (-names.count(n), n))}

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"model": self.model, "counts": self.counts, "tracks": [track.to_dict() for track in self.items]}
