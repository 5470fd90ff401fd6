"""Counts of things that cross lines and stay in zones.

One point of a thing's box says where the thing is, the *anchor*, and which one is the user's choice: `bottom` (where
it stands on the ground: right for people and cars seen from the side), `center`, `top`, or for zones `overlap` (half
of the box lies in it). A thing counts as across a line only once its anchor is clear of it by a fiftieth of its size,
so a box that trembles on the line counts once. This file does not know how things are found or drawn.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError, UnknownNameError
from szem.results.tracks import TrackedBoxes

__all__ = [
    "ANCHORS",
    "LineCounter",
    "PixelLine",
    "PixelZone",
    "ZoneCounter",
    "check_anchor",
    "parse_line",
    "parse_zone",
]

F = NDArray[np.float64]
ANCHORS: dict[str, Callable[[F], F]] = {  # (N, 4) boxes -> (N, 2) points
    "bottom": lambda boxes: np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]),
    "center": lambda boxes: (boxes[:, :2] + boxes[:, 2:]) / 2,
    "top": lambda boxes: np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]]),
}
_MOST_PX = 1_000_000
_KEPT_S = 60.0  # a thing not seen for so long is forgotten; its number does not come again
_CLEAR = 0.02  # of its size: how far a thing's anchor must be from an edge to be on one side of it


@dataclass(frozen=True)
class PixelLine:
    """A line that is crossed, from one point to another, in pixels."""

    name: str
    start_xy: tuple[float, float]
    end_xy: tuple[float, float]


@dataclass(frozen=True)
class PixelZone:
    """A part of the picture: a polygon of three corners or more, in pixels."""

    name: str
    corners_xy: tuple[tuple[float, float], ...]


def check_anchor(anchor: str, *, of: str = "zone") -> None:
    """Judge the name of an anchor.

    Args:
        anchor: As typed.
        of: `line`, or `zone`, which also knows `overlap`.
    Raises:
        UnknownNameError: no such anchor.
    """
    names = (*ANCHORS, "overlap") if of == "zone" else tuple(ANCHORS)
    if anchor not in names:
        raise UnknownNameError(f"no anchor called {anchor!r} for a {of}; there are {', '.join(names)}")


def parse_line(text: str, *, width: int, height: int, number: int = 1) -> PixelLine:
    """A line as typed: `0.1,0.5 0.9,0.5` or `gate=100,200 500,200`.

    Numbers up to 1 are shares of the picture's sides, others pixels.

    Args:
        text: As typed.
        width: Of the picture.
        height: Of the picture.
        number: Its place, for lines without a name.
    Raises:
        RangeError: not two different points.

    >>> parse_line("0,0.5 1,0.5", width=200, height=100)
    PixelLine(name='line 1', start_xy=(0.0, 50.0), end_xy=(200.0, 50.0))
    """
    name, points = _parse(text, width, height)
    if len(points) != 2 or points[0] == points[1]:
        raise RangeError(f'a line is two points, "0.1,0.5 0.9,0.5", got {text!r}')
    return PixelLine(name or f"line {number}", points[0], points[1])


def parse_zone(text: str, *, width: int, height: int, number: int = 1) -> PixelZone:
    """A zone as typed: `door=0.1,0.2 0.4,0.2 0.4,0.9 0.1,0.9`; numbers as in `parse_line`.

    Raises:
        RangeError: fewer than three points, or no area.

    >>> parse_zone("door=0,0 20,0 20,30", width=200, height=100).name
    'door'
    """
    name, points = _parse(text, width, height)
    if len(points) < 3 or cv2.contourArea(np.array(points, np.float32)) < 1:
        raise RangeError(f'a zone is three points or more around an area, "0,0 0.5,0 0.5,1", got {text!r}')
    return PixelZone(name or f"zone {number}", tuple(points))


def _parse(text: str, width: int, height: int) -> tuple[str, list[tuple[float, float]]]:
    name, mark, rest = text.rpartition("=")
    try:
        values = [float(part) for part in rest.replace(",", " ").split()]
    except ValueError:
        values = []
    fits = values and len(values) % 2 == 0 and all(abs(value) <= _MOST_PX for value in values)  # nan fits nowhere
    if not fits or (mark and not name.strip()):
        raise RangeError(f'points are numbers in pairs, "NAME=x,y x,y", at most {_MOST_PX:,}; got {text[:80]!r}')
    if max(np.abs(values)) <= 1:
        values = [value * (height if k % 2 else width) for k, value in enumerate(values)]
    return name.strip(), list(zip(values[::2], values[1::2], strict=True))


class _Present:
    """When each thing was last there, so that a source that never ends fills no memory."""

    def __init__(self) -> None:
        self._last_s: dict[int, float] = {}
        self._looked_s: float | None = None

    def gone(self, frame: TrackedBoxes) -> list[int]:
        """Things not there for a minute; each is told once."""
        now = frame.time_s
        self._last_s.update((int(thing), now) for thing in frame.ids)
        if self._looked_s is not None and 0 <= now - self._looked_s < _KEPT_S:
            return []
        self._looked_s = now
        gone = [thing for thing, last in self._last_s.items() if now - last > _KEPT_S]
        for thing in gone:
            del self._last_s[thing]
        return gone


@dataclass
class LineCounter:
    """Counts crossings of one line; a thing that comes back is counted both ways.

    Args:
        line: Which.
        anchor: `bottom`, `center` or `top`.
    Raises:
        UnknownNameError: no such anchor.
    """

    line: PixelLine
    anchor: str = "bottom"
    to_right: dict[str, int] = field(default_factory=dict)  # class -> times; right as seen from start to end
    to_left: dict[str, int] = field(default_factory=dict)
    _known: dict[int, tuple[float, F]] = field(default_factory=dict)  # thing -> side and place when last clear of it
    _there: _Present = field(default_factory=_Present)

    def __post_init__(self) -> None:
        check_anchor(self.anchor, of="line")

    def __call__(self, frame: TrackedBoxes) -> list[dict[str, Any]]:
        """Take in a frame; boxes that were carried on, not seen, are passed over.

        Returns:
            The crossings in this frame: `{"line", "id", "label", "to"}`.
        """
        boxes = frame.boxes.boxes_xyxy.astype(np.float64)
        start, end = np.array(self.line.start_xy), np.array(self.line.end_xy)
        along = end - start
        points = ANCHORS[self.anchor](boxes)
        # In a picture y grows downward: to the right of the way from start to end the cross product is positive.
        distance = _cross(along[None], points - start) / np.hypot(*along)
        clear = _CLEAR * _sizes(boxes)
        events = []
        for k in np.flatnonzero(frame.seen & (np.abs(distance) > clear)):
            thing, side = int(frame.ids[k]), float(np.sign(distance[k]))
            before = self._known.get(thing)
            self._known[thing] = (side, points[k])
            if before is None or before[0] == side or not _meet(before[1], points[k], start, end):
                continue
            label, to = frame.boxes.labels[k], "right" if side > 0 else "left"
            counts = self.to_right if side > 0 else self.to_left
            counts[label] = counts.get(label, 0) + 1
            events.append({"line": self.line.name, "id": thing, "label": label, "to": to})
        for thing in self._there.gone(frame):
            self._known.pop(thing, None)
        return events

    def forget(self, present: Container[int]) -> None:
        """Let go of all things but some; for sources that never end."""
        for thing in [thing for thing in self._known if thing not in present]:
            del self._known[thing]

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "line": self.line.name,
            "right": dict(self.to_right),
            "left": dict(self.to_left),
            "right_total": sum(self.to_right.values()),
            "left_total": sum(self.to_left.values()),
        }


@dataclass
class ZoneCounter:
    """Counts what is in a zone now, what came and went, and how long it stayed.

    Args:
        zone: Which.
        anchor: `bottom`, `center`, `top`, or `overlap`: at least half of the box lies in the zone.
    Raises:
        UnknownNameError: no such anchor.
    """

    zone: PixelZone
    anchor: str = "bottom"
    now: dict[str, int] = field(default_factory=dict)  # class -> how many are in it
    entered: int = 0  # times a thing came in from outside
    left: int = 0  # times a thing was seen to go
    things: int = 0  # how many have been in it
    longest_s: float = 0.0  # in the zone, all together, of the thing that stayed longest
    stayed_s: dict[int, float] = field(default_factory=dict)  # the same of each thing that was seen of late
    _inside: dict[int, bool] = field(default_factory=dict)
    _there: _Present = field(default_factory=_Present)
    _time_s: float | None = None

    def __post_init__(self) -> None:
        check_anchor(self.anchor)

    def __call__(self, frame: TrackedBoxes) -> list[dict[str, Any]]:
        """Take in a frame.

        Returns:
            What came and went in this frame: `{"zone", "id", "label", "what": "enter" | "leave"}`.
        """
        passed_s = 0.0 if self._time_s is None else max(0.0, frame.time_s - self._time_s)
        self._time_s = frame.time_s
        boxes = frame.boxes.boxes_xyxy.astype(np.float64)
        depth, clear = self._depth(boxes)
        events, self.now = [], {}
        for k, label in enumerate(frame.boxes.labels):
            thing = int(frame.ids[k])
            was = self._inside.get(thing)
            inside = bool(depth[k] >= 0) if was is None else was
            if frame.seen[k] and was is not None and abs(depth[k]) > clear[k]:
                inside = bool(depth[k] > 0)
            self._inside[thing] = inside
            if inside:
                self.now[label] = self.now.get(label, 0) + 1
                self.things += thing not in self.stayed_s
                self.stayed_s[thing] = self.stayed_s.get(thing, 0.0) + (passed_s if was else 0.0)
                self.longest_s = max(self.longest_s, self.stayed_s[thing])
            if was is not None and was != inside:
                self.entered += inside
                self.left += not inside
                what = "enter" if inside else "leave"
                events.append({"zone": self.zone.name, "id": thing, "label": label, "what": what})
        for thing in self._there.gone(frame):
            self._inside.pop(thing, None)
            self.stayed_s.pop(thing, None)
        return events

    def _depth(self, boxes: F) -> tuple[F, F]:
        """(N,) how far inside, negative outside, and (N,) how far is clear; in pixels or, for overlap, shares."""
        corners = np.array(self.zone.corners_xy, np.float32)
        if self.anchor == "overlap":
            shares = [_share_inside(box, self.zone.corners_xy) for box in boxes]
            return np.array(shares) - 0.5, np.full(len(boxes), _CLEAR)
        points = ANCHORS[self.anchor](boxes)
        inside = [cv2.pointPolygonTest(corners, (float(x), float(y)), True) for x, y in points]
        return np.array(inside, np.float64), _CLEAR * _sizes(boxes)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "zone": self.zone.name,
            "now": dict(self.now),
            "now_total": sum(self.now.values()),
            "entered": self.entered,
            "left": self.left,
            "things": self.things,
            "longest_s": round(self.longest_s, 3),
        }


def _cross(a: F, b: F) -> F:
    out: F = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def _sizes(boxes: F) -> F:
    out: F = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1))
    return out


def _meet(a: F, b: F, start: F, end: F) -> bool:
    """Whether the way from a to b, known to cross the whole line, crosses it between start and end."""
    return float(_cross(b - a, start - a) * _cross(b - a, end - a)) <= 0


def _share_inside(box: F, corners: Iterable[tuple[float, float]]) -> float:
    """The share of a box that lies in a polygon. Source: I. Sutherland and G. Hodgman, Reentrant Polygon Clipping,
    1974."""
    points = list(corners)
    for axis, limit, sign in ((0, box[0], 1), (0, box[2], -1), (1, box[1], 1), (1, box[3], -1)):
        kept: list[tuple[float, float]] = []
        for here, there in zip(points, points[1:] + points[:1], strict=True):
            a, b = sign * (here[axis] - limit), sign * (there[axis] - limit)
            if a >= 0:
                kept.append(here)
            if (a >= 0) != (b >= 0):
                t = a / (a - b)
                kept.append((here[0] + t * (there[0] - here[0]), here[1] + t * (there[1] - here[1])))
        points = kept
        if not points:
            return 0.0
    area = cv2.contourArea(np.array(points, np.float32))
    return float(area / max((box[2] - box[0]) * (box[3] - box[1]), 1e-9))
