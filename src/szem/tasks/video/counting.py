"""Counts of objects that cross lines and stay in zones.

One point of an object's box says where the object is, the *anchor*, and which one is the user's choice: `bottom`
(where it stands on the ground: right for people and cars seen from the side), `center`, `top`, or for zones `overlap`
(half of the box lies in it). An object has changed sides only once its anchor has been further from the edge than the
jitter of its box for a moment (`szem.tasks.video.hysteresis`), so that somebody who stands on a line counts once. A
zone's edge on the picture's border is open outward: whoever walks out of the picture there does not leave the zone
first, and feet that the border cuts off are inside. This file does not know how objects are found or drawn.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError, UnknownNameError
from szem.results.tracks import TrackedBoxes
from szem.tasks.video.hysteresis import EdgeHistory

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
_KEPT_S = 60.0  # an object not seen for so long is forgotten; its number does not come again
_BORDER = 0.01  # fraction of a side: an edge so close to the picture's border lies on it
_NO_EDGE = 1e9  # distance to the edge of a zone that has none inside the picture


@dataclass(frozen=True)
class PixelLine:
    """A line that is crossed, from one point to another, in pixels."""

    name: str
    start_xy: tuple[float, float]
    end_xy: tuple[float, float]


@dataclass(frozen=True)
class PixelZone:
    """An area of the picture: a polygon of three corners or more, in pixels.

    Args:
        name: Of the zone.
        corners_xy: In order.
        size: Width and height of the picture, where edges on its border are to be open outward; None: no edge is.
    """

    name: str
    corners_xy: tuple[tuple[float, float], ...]
    size: tuple[int, int] | None = None

    def depth(self, points_xy: F) -> F:
        """How far points are inside, negative outside, measured to the edges that do not lie on the picture's border.

        Args:
            points_xy: (N, 2) in pixels.
        Returns:
            (N,) in pixels.

        >>> yard = PixelZone("yard", ((0, 50), (100, 50), (100, 100), (0, 100)), size=(100, 100))
        >>> yard.depth(np.array([[50.0, 100.0], [50.0, 40.0]]))  # on the lower border: inside
        array([ 50., -10.])
        """
        points = np.asarray(points_xy, np.float64).reshape(-1, 2)
        corners = np.array(self.corners_xy, np.float64)
        starts, ends = corners, np.roll(corners, -1, axis=0)
        shown = points
        if self.size is not None:
            # What lies on an open edge or beyond it is judged by the nearest point just inside the picture's border.
            near = _BORDER * np.array(self.size)
            shown = np.clip(points, near + 0.01, np.array(self.size) - near - 0.01)
            is_open = np.zeros(len(corners), np.bool_)
            for axis in (0, 1):
                for at_border in (corners[:, axis] <= near[axis], corners[:, axis] >= self.size[axis] - near[axis]):
                    is_open |= at_border & np.roll(at_border, -1)
            starts, ends = starts[~is_open], ends[~is_open]
        polygon = corners.astype(np.float32)
        inside = np.array(
            [cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in shown], np.bool_
        )
        away = _segment_distances(points, starts, ends) if len(starts) else np.full(len(points), _NO_EDGE)
        return np.where(inside, away, -away)


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

    Numbers up to 1 are fractions of the picture's sides, others pixels.

    Args:
        text: As typed.
        width: Of the picture.
        height: Of the picture.
        number: Its position in the list, for lines without a name.
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
    return PixelZone(name or f"zone {number}", tuple(points), (width, height))


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


class _Presence:
    """When each object was last there, so that a source that never ends fills no memory."""

    def __init__(self) -> None:
        self._last_s: dict[int, float] = {}
        self._checked_s: float | None = None

    def gone(self, frame: TrackedBoxes) -> list[int]:
        """Objects not there for a minute; each is returned once."""
        now = frame.time_s
        self._last_s.update((int(number), now) for number in frame.ids)
        if self._checked_s is not None and 0 <= now - self._checked_s < _KEPT_S:
            return []
        self._checked_s = now
        gone = [number for number, last in self._last_s.items() if now - last > _KEPT_S]
        for number in gone:
            del self._last_s[number]
        return gone


@dataclass
class LineCounter:
    """Counts crossings of one line; an object that comes back is counted both ways.

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
    _known: dict[int, tuple[int, F]] = field(default_factory=dict)  # object -> side, anchor when last clear of it
    _last: dict[int, tuple[F, str]] = field(default_factory=dict)  # object -> anchor and class when last seen
    _history: EdgeHistory = field(default_factory=EdgeHistory)
    _presence: _Presence = field(default_factory=_Presence)

    def __post_init__(self) -> None:
        check_anchor(self.anchor, of="line")

    def __call__(self, frame: TrackedBoxes) -> list[dict[str, Any]]:
        """Take in a frame; boxes that were predicted, not seen, are ignored.

        Returns:
            The crossings in this frame: `{"line", "id", "label", "to"}`.
        """
        boxes = frame.boxes.boxes_xyxy.astype(np.float64)
        start, end = np.array(self.line.start_xy), np.array(self.line.end_xy)
        along = end - start
        points = ANCHORS[self.anchor](boxes)
        # In a picture y grows downward: to the right of the way from start to end the cross product is positive.
        distance = _cross(along[None], points - start) / np.hypot(*along)
        sizes = _sizes(boxes)
        events: list[dict[str, Any]] = []
        for k in np.flatnonzero(frame.seen):
            number = int(frame.ids[k])
            side = self._history.side(number, time_s=frame.time_s, distance=float(distance[k]), size=float(sizes[k]))
            if side == 0:
                continue
            self._count(number, side, points[k], frame.boxes.labels[k], events)
        seen = {int(number) for number in frame.ids[frame.seen]}
        for k in np.flatnonzero(frame.seen):
            self._last[int(frame.ids[k])] = (points[k], frame.boxes.labels[k])
        for number, side in self._history.settle(seen, time_s=frame.time_s):
            self._count(number, side, *self._last[number], events)
        for number in self._presence.gone(frame):
            self._forget(number)
        return events

    def _count(self, number: int, side: int, point: F, label: str, events: list[dict[str, Any]]) -> None:
        """Note on which side of the line an object is; a crossing is counted and added to the events."""
        before = self._known.get(number)
        self._known[number] = (side, point)
        ends = np.array(self.line.start_xy), np.array(self.line.end_xy)
        if before is None or before[0] == side or not _meet(before[1], point, *ends):
            return
        counts = self.to_right if side > 0 else self.to_left
        counts[label] = counts.get(label, 0) + 1
        to = "right" if side > 0 else "left"
        events.append({"line": self.line.name, "id": number, "label": label, "to": to})

    def _forget(self, number: int) -> None:
        self._known.pop(number, None)
        self._last.pop(number, None)
        self._history.forget(number)

    def keep_only(self, present: Container[int]) -> None:
        """Forget all objects but some; for sources that never end."""
        for number in [number for number in self._last if number not in present]:
            self._forget(number)

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
    entered: int = 0  # times an object came in from outside
    left: int = 0  # times an object was seen to go
    objects: int = 0  # how many objects have been in it
    longest_s: float = 0.0  # in the zone, all together, of the object that stayed longest
    stayed_s: dict[int, float] = field(default_factory=dict)  # the same of each object that was seen of late
    _inside: dict[int, bool] = field(default_factory=dict)
    _history: EdgeHistory = field(default_factory=lambda: EdgeHistory(assumes_first=True))
    _presence: _Presence = field(default_factory=_Presence)
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
        depth, sizes = self._depth(boxes)
        events, self.now = [], {}
        for k, label in enumerate(frame.boxes.labels):
            number = int(frame.ids[k])
            was = self._inside.get(number)
            inside = bool(depth[k] >= 0) if was is None else was
            if frame.seen[k]:
                side = self._history.side(number, time_s=frame.time_s, distance=float(depth[k]), size=float(sizes[k]))
                if was is not None and side != 0:
                    inside = side > 0
            self._inside[number] = inside
            if inside:
                self.now[label] = self.now.get(label, 0) + 1
                self.objects += number not in self.stayed_s
                self.stayed_s[number] = self.stayed_s.get(number, 0.0) + (passed_s if was else 0.0)
                self.longest_s = max(self.longest_s, self.stayed_s[number])
            if was is not None and was != inside:
                self.entered += inside
                self.left += not inside
                what = "enter" if inside else "leave"
                events.append({"zone": self.zone.name, "id": number, "label": label, "what": what})
        for number in self._presence.gone(frame):
            self._inside.pop(number, None)
            self.stayed_s.pop(number, None)
            self._history.forget(number)
        return events

    def _depth(self, boxes: F) -> tuple[F, F]:
        """(N,) how far inside, negative outside, and (N,) sizes; in pixels or, for overlap, fractions of a box."""
        if self.anchor == "overlap":
            fractions = [_fraction_inside(box, self.zone.corners_xy) for box in boxes]
            return np.array(fractions, np.float64) - 0.5, np.ones(len(boxes))
        return self.zone.depth(ANCHORS[self.anchor](boxes)), _sizes(boxes)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "zone": self.zone.name,
            "now": dict(self.now),
            "now_total": sum(self.now.values()),
            "entered": self.entered,
            "left": self.left,
            "objects": self.objects,
            "longest_s": round(self.longest_s, 3),
        }


def _cross(a: F, b: F) -> F:
    out: F = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def _sizes(boxes: F) -> F:
    out: F = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1))
    return out


def _meet(a: F, b: F, start: F, end: F) -> bool:
    """Whether the path from a to b, known to cross the infinite line, crosses it between start and end."""
    return float(_cross(b - a, start - a) * _cross(b - a, end - a)) <= 0


def _segment_distances(points: F, starts: F, ends: F) -> F:
    """(N,) from each point to the nearest of E segments."""
    along = ends - starts  # (E, 2)
    off = points[:, None] - starts[None]  # (N, E, 2)
    t = np.clip((off * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-12), 0, 1)
    out: F = np.hypot(*np.moveaxis(off - t[..., None] * along, -1, 0)).min(1)
    return out


def _fraction_inside(box: F, corners: Iterable[tuple[float, float]]) -> float:
    """The fraction of a box that lies in a polygon. Source: I. Sutherland and G. Hodgman, Reentrant Polygon Clipping,
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
