"""What tracked objects do: enter, leave, cross, loiter, come fast, crowd together; each reported once.

A thing that is lost and found again at the same place within seconds is the same thing: nobody has left. All times
are seconds, so that rates may vary. This file does not know how things are found, nor about what lies still.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from szem.results.boxes import Boxes
from szem.results.class_aliases import coco_name
from szem.results.events import Event
from szem.results.tracks import TrackedBoxes
from szem.tasks.surveillance.open_events import OpenEvents
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.counting import ANCHORS, LineCounter, PixelLine, PixelZone
from szem.tasks.video.hysteresis import jitter_margin

__all__ = ["BehaviourEvents"]

F = NDArray[np.float64]
_LOST_S = 2.5  # out of sight for so long: gone
_FOUND_S = 8.0  # a thing that appears so soon after one was lost, and so near, is the same one
_FOUND_EDGE_S = 1.0  # at the picture's edge: it has gone, and the next is another one
_FOUND_NEAR = 0.8  # of its height
_COVERED = 0.25  # share of its box that must show something else than the scene
_BARE = 0.1  # less, and it shows the scene
_BESIDE = 0.6  # of its height
_BESIDE_S = 1.2  # what appears beside something must be in sight for so long
_MOVED = 0.2  # of its size: how far a thing must have moved to be one
_CLEAR = 0.04  # of its size: how far its foot must be inside or outside a zone at least
_BEGINNING_S = 1.0  # what is there by then has not entered
_PATH_S = 2.0  # how much of a thing's way is remembered
_APPROACH_S = 0.7  # how long it must come fast
_GREW = 1.35  # and by how much it must have grown
_CALM_S = 2.0  # a crowd has gone after so long
_PEOPLE = "person"
_WHOLE = PixelZone("", ())  # sight as a whole


@dataclass
class _Object:
    """One thing and what has been seen of it."""

    id: int
    first_s: float
    seen_s: float
    box: F  # (4,)
    first: F  # where it was when it began to cover the scene, at `first_s`
    is_beside: bool = False  # it appeared close to another thing, and may be that one, seen twice
    votes: dict[str, float] = field(default_factory=dict)  # class -> sum of scores
    is_real: bool = False  # it covers the scene and has moved: no false alarm of the detector on the scene itself
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=12))
    path: deque[tuple[float, F]] = field(default_factory=lambda: deque(maxlen=40))  # time, box
    inside: dict[str, float] = field(default_factory=dict)  # zone -> since when
    coming: dict[str, float] = field(default_factory=dict)  # zone -> inside since, not reported yet
    going: dict[str, float] = field(default_factory=dict)  # zone -> outside since, not reported yet
    fast: float | None = None  # comes fast since
    rushed: bool = False

    @property
    def label(self) -> str:
        """Its class, as most often seen."""
        return max(self.votes, key=lambda name: self.votes[name])

    @property
    def score(self) -> float:
        """How sure it is that it is there and what it is."""
        best = sorted(self.scores, reverse=True)[: max(1, len(self.scores) // 2 + 1)]
        mean_score = float(np.mean(best))
        return mean_score + (1 - mean_score) * min(len(self.scores), 10) / 20  # seen again and again: surer

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """Where it is."""
        x0, y0, x1, y1 = (float(v) for v in self.box)
        return x0, y0, x1, y1


class BehaviourEvents:
    """Events of the things of one source; call it with each frame's followed things, in order.

    Args:
        settings: From when on something counts.
        reported: Where events are numbered and kept while they go on.
        zones: In pixels; none for sight as a whole.
        lines: In pixels.
        cover: Asked for the share of a box that shows something else than the scene.
    """

    def __init__(
        self,
        settings: WatchSettings,
        reported: OpenEvents,
        *,
        zones: Sequence[PixelZone] = (),
        lines: Sequence[PixelLine] = (),
        cover: Callable[[F], float] = lambda _: 1.0,
    ) -> None:
        self._settings, self._reported, self._cover = settings, reported, cover
        self._zones = tuple(zones) or (_WHOLE,)
        self._lines = tuple(LineCounter(line) for line in lines)
        self._wanted = {coco_name(label) for label in settings.labels}
        self._objects: dict[int, _Object] = {}
        self._alias: dict[int, int] = {}  # a new number -> the thing's first
        self._start_s: float | None = None
        self._many: dict[str, deque[tuple[float, int]]] = {zone.name: deque() for zone in self._zones}

    def __call__(self, frame: TrackedBoxes) -> list[Event]:
        """Take in a frame that was looked at; what began or ended in it."""
        now = frame.time_s
        self._start_s = now if self._start_s is None else self._start_s
        wanted = np.array([coco_name(label) in self._wanted for label in frame.boxes.labels], np.bool_)
        here = self._take_in(frame, wanted)
        self._merge(now)
        here = {row: self._alias.get(number, number) for row, number in here.items()}
        events = self._crossings(frame, here)
        for obj in list(self._objects.values()):
            if obj.is_real:
                events += self._places(obj, now)
                if obj.seen_s == now:
                    events += self._loitering(obj, now) + self._rushing(obj, now, frame.boxes)
            if now - obj.seen_s > _FOUND_S and not obj.inside:
                del self._objects[obj.id]
                self._alias = {new: old for new, old in self._alias.items() if old != obj.id}
        for zone in self._zones:
            events += self._crowding(zone, now)
        return events

    def forget(self) -> None:
        """Begin anew: the camera looks elsewhere. Nothing leaves."""
        self._objects.clear()
        self._alias.clear()
        self._start_s = None

    def wait(self, passed_s: float) -> None:
        """Nothing could be seen for so long: nobody has left because of that."""
        for obj in self._objects.values():
            obj.seen_s += passed_s

    def boxes_since(self, time_s: float) -> list[F]:
        """Where real things are that were seen since a time."""
        return [t.box for t in self._objects.values() if t.is_real and t.seen_s >= time_s]

    @property
    def objects(self) -> list[tuple[int, str, F, float]]:
        """Number, class, box (4,) and the time it was last seen, of all that is known."""
        return [(t.id, t.label, t.box, t.seen_s) for t in self._objects.values()]

    # Steps ------------------------------------------------------------------------------------------------------

    def _take_in(self, frame: TrackedBoxes, wanted: NDArray[np.bool_]) -> dict[int, int]:
        """Row of the frame -> number of the thing, for the rows that are looked at."""
        now, here = frame.time_s, {}
        rows = np.flatnonzero(wanted & frame.seen)
        for row in rows[np.argsort(-frame.boxes.scores[rows], kind="stable")]:  # the surest first
            number, label = int(frame.ids[row]), frame.boxes.labels[row]
            box = frame.boxes.boxes_xyxy[row].astype(np.float64)
            number = self._alias.get(number, number)
            if number not in self._objects:
                known = self._again(box, now, frame.boxes.width, frame.boxes.height)
                if known is not None:
                    self._alias[number] = known
                    number = known
            covers = self._cover(box)
            obj = self._objects.get(number)
            if obj is None:
                if self._is_double(box, label, now):
                    continue
                obj = self._objects[number] = _Object(number, now, now, box, box, self._is_beside(box, now))
            if not obj.is_real and covers < _COVERED:  # so far the detector may have seen it in the scene itself
                obj.first_s, obj.first = now, box
            if obj.is_real and covers < _BARE:
                continue
            score = float(frame.boxes.scores[row])
            obj.seen_s, obj.box = now, box
            obj.votes[label] = obj.votes.get(label, 0.0) + score
            obj.scores.append(score)
            obj.path.append((now, box))
            while obj.path and now - obj.path[0][0] > _PATH_S:
                obj.path.popleft()
            if not obj.is_real and now > obj.first_s:
                size = math.sqrt(max(float((box[2:] - box[:2]).prod()), 1.0))
                grown = abs(float(np.diff(box[1::2])[0] - np.diff(obj.first[1::2])[0]))
                way = max(float(np.hypot(*(_foot(box) - _foot(obj.first)))), grown)
                obj.is_real = way > _MOVED * size and not self._is_double(box, label, now, obj.id)
                known = self._again(box, now, frame.boxes.width, frame.boxes.height) if obj.is_real else None
                if known is not None:  # the follower gave it the number of what it stood before
                    self._alias[number], lost = known, self._objects[known]
                    lost.seen_s, lost.box, number = now, box, known
                    lost.path.append((now, box))
                    del self._objects[obj.id]
            here[int(row)] = number
        return here

    def _is_beside(self, box: F, now: float) -> bool:
        """Whether it appears close to something that is known."""
        reach = _BESIDE * float(box[3] - box[1])
        near = (t for t in self._objects.values() if t.is_real and now - t.seen_s < 1.0)
        return any(float(np.hypot(*(_foot(box) - _foot(obj.box)))) < reach for obj in near)

    def _merge(self, now: float) -> None:
        """A thing that was lost just when another appeared close to it is that one."""
        for obj in list(self._objects.values()):
            lost_s = now - obj.seen_s
            if not obj.is_real or not 0.3 < lost_s < _LOST_S:
                continue
            for other in list(self._objects.values()):
                if (
                    other.is_beside
                    and other.seen_s == now
                    and abs(other.first_s - obj.seen_s) < 1.0
                    and other is not obj
                ):
                    away = float(np.hypot(*(_foot(other.first) - _foot(obj.box))))
                    if away < _BESIDE * (obj.box[3] - obj.box[1]) and not other.inside:
                        obj.seen_s, obj.box, obj.path = now, other.box, other.path
                        self._alias[other.id] = obj.id
                        del self._objects[other.id]
                        break

    def _is_double(self, box: F, label: str, now: float, own: int = 0) -> bool:
        """Whether it is a part of something known, or the same taken for something else."""
        for obj in self._objects.values():
            if obj.seen_s != now or not obj.is_real or obj.id == own:
                continue
            common = float(
                np.clip(np.minimum(box[2:], obj.box[2:]) - np.maximum(box[:2], obj.box[:2]), 0, None).prod()
            )
            mine, other = (float((b[2:] - b[:2]).prod()) for b in (box, obj.box))
            if common > (0.7 if label == obj.label else 0.4) * max(min(mine, other), 1.0):
                return True
        return False

    def _again(self, box: F, now: float, width: int, height: int) -> int | None:
        """The thing that was lost where this one has appeared."""
        best: tuple[float, int] | None = None
        for obj in self._objects.values():
            lost_s = now - obj.seen_s
            at_edge = obj.box[0] <= 2 or obj.box[2] >= width - 2 or obj.box[3] >= height - 2
            if not obj.inside and lost_s > _LOST_S:
                continue  # it has left
            if not obj.is_real or not 0 < lost_s <= (_FOUND_EDGE_S if at_edge else _FOUND_S):
                continue
            size = max(obj.box[3] - obj.box[1], box[3] - box[1])
            reach = _FOUND_NEAR * size * (1 + min(lost_s, 1.0))
            alike = 0.5 < (box[3] - box[1]) / max(obj.box[3] - obj.box[1], 1.0) < 2.0
            away = float(np.hypot(*(_foot(box) - _foot(obj.box))))
            if alike and away < reach and (best is None or away < best[0]):
                best = away, obj.id
        return None if best is None else best[1]

    def _crossings(self, frame: TrackedBoxes, here: dict[int, int]) -> list[Event]:
        if not self._lines:
            return []
        rows = np.array([row for row, number in here.items()], np.int64)
        numbers, first = np.unique([here[int(r)] for r in rows], return_index=True) if len(rows) else (rows, rows)
        rows = rows[first] if len(rows) else rows
        named = replace(
            frame, boxes=frame.boxes.take(rows), ids=np.asarray(numbers, np.int64), seen=np.ones(len(rows), np.bool_)
        )
        events = []
        for counter in self._lines:
            for crossing in counter(named):
                obj = self._objects[crossing["id"]]
                if not obj.is_real:
                    continue
                events.append(
                    self._reported.once(
                        self._event("crosses", obj, obj.path[-2][0] if len(obj.path) > 1 else frame.time_s,
                                    frame.time_s, place=counter.line.name, direction=crossing["to"])
                    )
                )  # fmt: skip
            counter.keep_only(self._objects)
        return events

    def _places(self, obj: _Object, now: float) -> list[Event]:
        """Comings and goings of one thing."""
        settings, events = self._settings, []
        lost_s = now - obj.seen_s
        for zone in self._zones:
            name = zone.name
            if obj.seen_s == now:
                depth = self._depth(obj.box, zone, obj.path)
                if name in obj.inside:
                    if depth < 0:
                        since = obj.going.setdefault(name, now)
                        if now - since >= settings.present_s:
                            events += self._leave(obj, zone, since)
                    else:
                        obj.going.pop(name, None)
                elif depth > 0 or (depth == 0 and name in obj.coming):
                    since = obj.coming.setdefault(
                        name, now if obj.coming or obj.inside or not self._was_in(obj, zone) else obj.first_s
                    )
                    if now - since >= max(settings.present_s, _BESIDE_S if obj.is_beside else 0.0):
                        events += self._enter(obj, zone, since, now)
                elif depth < 0:
                    obj.coming.pop(name, None)
            elif name in obj.inside and lost_s > _LOST_S and not (lost_s < 60 and self._cover(obj.box) > _COVERED):
                events += self._leave(obj, zone, obj.seen_s)
        return events

    def _was_in(self, obj: _Object, zone: PixelZone) -> bool:
        """Whether it was seen first inside a zone, before it was known to be real."""
        return self._depth(obj.first, zone) > 0

    def _depth(self, box: F, zone: PixelZone, path: Sequence[tuple[float, F]] = ()) -> float:
        """How far its foot is inside a zone, negative outside, 0 where that is less than its box trembles."""
        if not zone.corners_xy:
            return 1.0
        size = math.sqrt(max((box[2] - box[0]) * (box[3] - box[1]), 1.0))
        boxes = np.stack([*(past for _, past in path), box])
        depths = zone.depth(ANCHORS["bottom"](boxes))
        depth, margin = float(depths[-1]), _CLEAR * size
        if path and abs(depth) > margin:
            margin = max(margin, jitter_margin(np.array([time_s for time_s, _ in path]), depths[:-1], size))
        return depth if abs(depth) > margin else 0.0

    def _enter(self, obj: _Object, zone: PixelZone, since: float, now: float) -> list[Event]:
        obj.inside[zone.name] = since
        obj.coming.pop(zone.name, None)
        assert self._start_s is not None
        if obj.first_s - self._start_s <= _BEGINNING_S and since - obj.first_s <= _BEGINNING_S:
            return []  # it was there when the watch began
        return [self._reported.once(self._event("enters", obj, since, now, place=zone.name))]

    def _leave(self, obj: _Object, zone: PixelZone, when: float) -> list[Event]:
        obj.inside.pop(zone.name, None)
        obj.going.pop(zone.name, None)
        ended = self._reported.end(("loiters", obj.id, zone.name), when)
        left = self._reported.once(self._event("leaves", obj, when, when, place=zone.name))
        return [left] if ended is None else [ended, left]

    def _loitering(self, obj: _Object, now: float) -> list[Event]:
        if obj.label != _PEOPLE:
            return []
        events = []
        for name, since in obj.inside.items():
            key = ("loiters", obj.id, name)
            if key in self._reported:
                self._reported.change(key, end_s=now)
            elif now - since >= self._settings.loiter_after_s:
                event = self._event("loiters", obj, since, now, place=name)
                events.append(self._reported.begin(key, event))
        return events

    def _rushing(self, obj: _Object, now: float, frame: Boxes) -> list[Event]:
        """Fast approach: it grows quickly, or runs towards a zone."""
        past = [(t, box) for t, box in obj.path if now - t <= _APPROACH_S * 1.5]
        if obj.rushed or now - obj.first_s < 1.0 or len(past) < 3 or now - past[0][0] < _APPROACH_S:
            return []
        times = np.array([t for t, _ in past])
        boxes = np.stack([box for _, box in past])
        heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
        limits = np.array([frame.width, frame.height]) - 2
        if (boxes[:, :2] <= 2).any() or (boxes[:, 2:] >= limits).any():
            # Cut by the border it grows because it comes into the picture, and its height, by which speed is
            # measured, is not known: whoever walks in does not approach fast.
            obj.fast = None
            return []
        growth = float(np.polyfit(times, np.log(heights), 1)[0])
        fast, place = growth >= self._settings.approach_growth, ""
        if not fast:
            for zone in self._zones:
                if zone.corners_xy and zone.name not in obj.inside:
                    away = -zone.depth(ANCHORS["bottom"](boxes))
                    speed = -float(np.polyfit(times, away / heights.mean(), 1)[0])
                    if speed >= self._settings.approach_speed:
                        fast, place = True, zone.name
        if not fast:
            obj.fast = None
            return []
        obj.fast = past[0][0] if obj.fast is None else obj.fast
        grew = heights[-1] / heights[0]
        if now - obj.fast < _APPROACH_S or (not place and grew < _GREW):
            return []
        obj.rushed = True
        return [self._reported.once(self._event("fast approach", obj, obj.fast, now, place=place))]

    def _crowding(self, zone: PixelZone, now: float) -> list[Event]:
        counts = self._many[zone.name]  # times and how many
        inside = [
            t for t in self._objects.values()
            if t.label == _PEOPLE and zone.name in t.inside and now - t.seen_s < _LOST_S
        ]  # fmt: skip
        counts.append((now, len(inside)))
        while now - counts[0][0] > max(_CALM_S, self._settings.crowd_after_s):
            counts.popleft()
        key, minimum = ("crowd", zone.name), self._settings.crowd_people
        if key in self._reported:
            if all(n < minimum for t, n in counts if now - t <= _CALM_S) and now - counts[0][0] >= _CALM_S * 0.8:
                ended = self._reported.end(key, now - _CALM_S)
                return [ended] if ended else []
            self._reported.change(key, end_s=now)
            return []
        recent = [n for t, n in counts if now - t <= self._settings.crowd_after_s]
        long = now - counts[0][0] >= self._settings.crowd_after_s * 0.8
        if not long or len(inside) < minimum or np.mean([n >= minimum for n in recent]) < 0.7:
            return []
        boxes = np.stack([t.box for t in inside])
        x0, y0 = boxes[:, :2].min(0)
        x1, y1 = boxes[:, 2:].max(0)
        score = float(np.mean(sorted((t.score for t in inside), reverse=True)[:minimum]))
        start = min(t for t, n in counts if n >= minimum)
        event = Event(
            kind="crowd",
            start_s=start,
            end_s=now,
            score=score,
            channels={"video": score},
            label=_PEOPLE,
            place=zone.name,
            box_xyxy=(float(x0), float(y0), float(x1), float(y1)),
            best_s=now,
            note=f"{len(inside)} people",
        )
        return [self._reported.begin(key, event)]

    def _event(
        self, kind: str, obj: _Object, start_s: float, end_s: float, *, place: str = "", direction: str = ""
    ) -> Event:
        return Event(
            kind=kind,
            start_s=min(start_s, end_s),
            end_s=end_s,
            score=obj.score,
            channels={"video": obj.score},
            label=obj.label,
            track=obj.id,
            place=place,
            direction=direction,
            box_xyxy=obj.box_xyxy,
            best_s=obj.seen_s,
        )


def _foot(box: F) -> F:
    out: F = ANCHORS["bottom"](box[None])[0]
    return out
