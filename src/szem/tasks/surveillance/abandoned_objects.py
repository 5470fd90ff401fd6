"""Objects left behind and objects taken away, reported once each.

A region that differs from the scene and keeps still is weighed: thing, gap, or light. A thing is left behind once
whoever brought it is away; people who stand still are not things, and neither is what a person in the way hides.
This file does not know how people are found, nor how the scene is learnt.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from szem.results.events import Event
from szem.tasks.surveillance.background_model import BackgroundModel, Foreground
from szem.tasks.surveillance.open_events import OpenEvents
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.surveillance.static_regions import Evidence, Region, find_regions, weigh

__all__ = ["ALIVE", "AbandonedObjects", "Closer", "probabilities"]

F = NDArray[np.float64]
Closer = Callable[
    [F], list[tuple[str, float, F]]
]  # box in pixels -> classes, scores and boxes found in and around it
ALIVE = frozenset(("person", "dog", "cat", "bird", "horse", "cow", "sheep"))
_SAME = 0.4  # intersection over union of two sights of one region
_STEADY = 0.75  # overlap of a region with itself a second before, from which it keeps its shape
_STEADY_S = 1.0
_SHOWN = 0.6  # share of a region that must be seen when it is weighed
_OWNER_S = (4.0, 1.5)  # before and after a thing lies still: who was near then, brought it
_OWNER_REACH = 0.35  # of a person's height
_WAY_S = 20.0  # how much of people's ways is remembered
_BODY = 0.4  # share of a region in a living thing's box, for it to be that thing
_BODY_S = 1.5
_AGAIN_S = 1.5  # a doubtful region is weighed again after so long
_SCENE = 0.5  # share of a left thing's place that shows the scene again once it is gone
_GONE_S = 1.0
_TOO_MUCH = 0.35  # share of the picture that cannot all be things
_LIGHT = 0.5  # chance from which a region is light, and belongs to the scene
# Weights of the values of `Evidence`, and a constant, for thing, gap and light; fitted by docs/tools/watch_fit.py.
_WEIGHTS = np.array(
    [
        [2.01, 0.16, -1.42, -0.51, 1.88, 0.61, -2.25, 0.56, -0.14, -0.14],
        [-2.39, -0.50, -1.71, -0.01, 1.27, 0.43, -1.66, 0.80, -0.10, 0.43],
        [0.38, 0.34, 2.63, 1.53, -4.14, -1.14, 3.41, -0.36, 0.24, -0.30],
    ]
)


def probabilities(evidence: Evidence) -> tuple[float, float, float]:
    """That a region is a thing that was left, a gap where something was taken, or light."""
    values = _WEIGHTS @ np.append(evidence.values(), 1.0)
    grown = np.exp(values - values.max())
    obj, gap, light = (float(v) for v in grown / grown.sum())
    return obj, gap, light


@dataclass
class _Still:
    """A region through time."""

    region: Region
    since_s: float  # when it came to lie still
    seen_s: float
    shapes: deque[tuple[float, Region]] = field(default_factory=lambda: deque(maxlen=12))
    owner: int | None = None
    owner_asked: bool = False
    wait_s: float = -1e9  # not to be weighed again before
    body_s: float = -1e9  # when it was last taken for somebody
    reported: bool = False
    clear_s: float | None = None  # the scene shows in its place since
    label: str = ""


class AbandonedObjects:
    """Events of things left behind and removed before one camera.

    Args:
        settings: From when on something counts.
        reported: Where events are numbered and kept while they go on.
        background: Of the same camera; what turns out to be light, a gap or long there is given to it.
        place_of: Name of the zone at a point of the frame.
        look_closer: Finds known things in and around a box of the current frame; None: nobody looks.
    """

    def __init__(
        self,
        settings: WatchSettings,
        reported: OpenEvents,
        background: BackgroundModel,
        *,
        place_of: Callable[[float, float], str] = lambda _x, _y: "",
        look_closer: Closer | None = None,
    ) -> None:
        self._settings, self._reported, self._background = settings, reported, background
        self._place_of, self._look_closer = place_of, look_closer
        self._stills: list[_Still] = []
        self._ways: dict[int, deque[tuple[float, str, F]]] = {}

    def __call__(
        self, scene: Foreground, objects: Sequence[tuple[int, str, F, float]], *, scale: tuple[float, float]
    ) -> list[Event]:
        """Take in a picture's scene and the followed things; what began or ended.

        Args:
            scene: From the background.
            objects: Number, class, box (4,) in pixels of the frame, and when it was last seen.
            scale: Frame pixels to a pixel of the scene, across and down.
        """
        now, pixels = scene.time_s, scene.age_s.size
        self._remember(objects, now)
        if scene.is_learning:
            return []
        if float((scene.age_s > 1.0).mean()) > _TOO_MUCH:  # not things: the scene has changed
            self._background.absorb(scene.age_s > 0)
            return self._drop_all(now)
        regions = find_regions(
            scene,
            min_age_s=min(1.0, self._settings.left_after_s / 2),
            min_px=self._settings.min_area_fraction * pixels,
            max_px=self._settings.max_area_fraction * pixels,
        )
        self._follow(regions, now)
        events = []
        for still in list(self._stills):
            events += self._go_on(still, scene) if still.reported else self._consider(still, scene, scale)
        return events

    def forget(self, time_s: float) -> list[Event]:
        """Begin anew: the camera looks elsewhere."""
        self._ways.clear()
        return self._drop_all(time_s)

    # Steps ------------------------------------------------------------------------------------------------------

    def _drop_all(self, now: float) -> list[Event]:
        ended = [
            self._reported.end(_key(still), now, note="the scene has changed")
            for still in self._stills
            if still.reported
        ]
        self._stills.clear()
        return [event for event in ended if event is not None]

    def _remember(self, objects: Sequence[tuple[int, str, F, float]], now: float) -> None:
        for number, label, box, seen_s in objects:
            if seen_s == now or not self._ways.get(number) or self._ways[number][-1][0] < seen_s:
                self._ways.setdefault(number, deque(maxlen=200)).append((seen_s, label, box))
        for number, way in list(self._ways.items()):
            while way and now - way[0][0] > _WAY_S + self._settings.left_after_s:
                way.popleft()
            if not way:
                del self._ways[number]

    def _follow(self, regions: list[Region], now: float) -> None:
        free = list(regions)
        for still in sorted(self._stills, key=lambda s: -s.region.area_px):
            best = max(free, key=still.region.overlap, default=None)
            if best is None or still.region.overlap(best) < _SAME:
                continue
            free.remove(best)
            if not still.reported:
                still.since_s = now - best.age_s
                still.region = best
            still.seen_s = now
            still.shapes.append((now, best))
        reported = [still for still in self._stills if still.reported]
        self._stills = [still for still in self._stills if still.reported or now - still.seen_s < 1.0]
        for region in free:
            if any(region.covered_by(still.region) > 0.5 for still in reported):
                continue  # it is what was left there already, seen again
            still = _Still(region, now - region.age_s, now)
            still.shapes.append((now, region))
            self._stills.append(still)

    def _consider(self, still: _Still, scene: Foreground, scale: tuple[float, float]) -> list[Event]:
        now, region, settings = scene.time_s, still.region, self._settings
        if now - still.since_s < settings.left_after_s or now < still.wait_s or region.shown < _SHOWN:
            return []
        # After a sudden change of light everything differs from the scene.
        if self._background.is_unsettled or not self._is_steady(still, now):
            return []
        box = _to_frame(region.box, scale)
        if self._is_somebody(still, box, now):
            still.wait_s = now + _AGAIN_S / 3
            return []
        obj, gap, light = probabilities(weigh(scene, region))
        # Light is learned into the scene at once, so that it is not weighed again in every frame.
        if light >= _LIGHT:
            self._absorb(still)
            return []
        if gap > obj:
            return self._report_gap(still, gap, box, now)
        if not self._is_alone(still, box, now):
            return []
        label = "object"
        if self._look_closer is not None:
            for name, score, where in self._look_closer(box):
                # Somebody who sits or lies still is no object; looked at again later, since people get up.
                if name in ALIVE and _fraction(box, where) > _BODY and score > 0.25:
                    still.body_s, still.wait_s = now, now + _AGAIN_S
                    return []
                # The detector only names what the difference from the scene has found: it may know no name for it.
                if name not in ALIVE and score > 0.5 and _overlap(box, where) > 0.4:
                    label = name
        if obj < settings.score:
            still.wait_s = now + _AGAIN_S
            return []
        still.reported, still.label = True, label
        event = Event(
            kind="left behind",
            start_s=still.since_s,
            end_s=now,
            score=obj,
            channels={"video": obj},
            label=label,
            track=still.owner,
            place=self._place_of((box[0] + box[2]) / 2, box[3]),
            box_xyxy=_plain(box),
            best_s=now,
            note="" if still.owner is None else f"brought by person {still.owner}, who went away",
        )
        return [self._reported.begin(_key(still), event)]

    def _report_gap(self, still: _Still, gap: float, box: F, now: float) -> list[Event]:
        was_somebody = self._was_somebody(box, still.since_s)
        self._absorb(still)
        if was_somebody or gap < self._settings.score:
            return []
        taker = self._near(box, still.since_s)
        event = Event(
            kind="removed",
            start_s=still.since_s,
            end_s=now,
            score=gap,
            channels={"video": gap},
            label="object",
            track=taker,
            place=self._place_of((box[0] + box[2]) / 2, box[3]),
            box_xyxy=_plain(box),
            best_s=max(still.since_s, 0.0),
            note="" if taker is None else f"person {taker} was near",
        )
        return [self._reported.once(event)]

    def _go_on(self, still: _Still, scene: Foreground) -> list[Event]:
        """What becomes of an object that was reported."""
        now, (x0, y0, x1, y1) = scene.time_s, still.region.box
        ages, moving = scene.age_s[y0:y1, x0:x1][still.region.mask], scene.moving[y0:y1, x0:x1][still.region.mask]
        if float(((ages <= 0) & ~moving).mean()) >= _SCENE:
            still.clear_s = now if still.clear_s is None else still.clear_s
            if now - still.clear_s >= _GONE_S:
                self._stills.remove(still)
                event = self._reported.end(_key(still), still.clear_s, note="it has gone")
                return [] if event is None else [event]
            return []
        still.clear_s = None
        self._reported.change(_key(still), end_s=now)
        if now - still.since_s >= self._settings.absorb_after_s:
            self._absorb(still)
            event = self._reported.end(_key(still), now, note="it is still there")
            return [] if event is None else [event]
        return []

    def _absorb(self, still: _Still) -> None:
        x0, y0, x1, y1 = still.region.box
        height, width = self._background.size
        where = np.zeros((height, width), np.bool_)
        # With a margin: the rim of a thing is half scene, and would be left over.
        top, left = max(y0 - 2, 0), max(x0 - 2, 0)
        where[top : min(y1 + 2, height), left : min(x1 + 2, width)] = True
        self._background.absorb(where)
        self._stills = [other for other in self._stills if other is not still]

    def _is_steady(self, still: _Still, now: float) -> bool:
        before = [shape for time_s, shape in still.shapes if now - time_s >= _STEADY_S]
        return bool(before) and before[-1].overlap(still.region) >= _STEADY

    def _is_somebody(self, still: _Still, box: F, now: float) -> bool:
        """Whether a living thing is where the region is."""
        for way in self._ways.values():
            seen_s, label, where = way[-1]
            if label in ALIVE and now - seen_s < _BODY_S and _fraction(box, where) > _BODY:
                still.body_s = now
                return True
        return now - still.body_s < _BODY_S

    def _was_somebody(self, box: F, when: float) -> bool:
        """Whether what has gone was a thing that was followed: it left by itself."""
        return any(
            _overlap(box, where) > 0.35
            for way in self._ways.values()
            for seen_s, _, where in way
            if when - _WAY_S < seen_s < when + 1.0
        )

    def _near(self, box: F, when: float) -> int | None:
        """The person who was nearest when a thing came to lie still."""
        best: tuple[float, int] | None = None
        for number, way in self._ways.items():
            for seen_s, label, where in way:
                if label != "person" or not when - _OWNER_S[0] <= seen_s <= when + _OWNER_S[1]:
                    continue
                away = _distance(box, where) / max(where[3] - where[1], 1.0)
                if away < _OWNER_REACH and (best is None or away < best[0]):
                    best = away, number
        return None if best is None else best[1]

    def _is_alone(self, still: _Still, box: F, now: float) -> bool:
        """Whether whoever brought it has been away for long enough."""
        if not still.owner_asked:
            still.owner, still.owner_asked = self._near(box, still.since_s), True
        if still.owner is None or still.owner not in self._ways:
            return True
        near_s = max(
            (
                seen_s
                for seen_s, _, where in self._ways[still.owner]
                if _distance(box, where) < self._settings.owner_near * (where[3] - where[1])
            ),
            default=-1e9,
        )
        return now - near_s >= self._settings.owner_away_s


def _key(still: _Still) -> tuple[str, int]:
    return "left behind", id(still)


def _to_frame(box: tuple[int, int, int, int], scale: tuple[float, float]) -> F:
    return np.array(box, np.float64) * np.array([scale[0], scale[1], scale[0], scale[1]])


def _plain(box: F) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(v) for v in box)
    return x0, y0, x1, y1


def _common(a: F, b: F) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return float(np.clip(sides, 0, None).prod())


def _fraction(a: F, b: F) -> float:
    """Share of `a` in `b`."""
    return _common(a, b) / max(float((a[2:] - a[:2]).prod()), 1.0)


def _overlap(a: F, b: F) -> float:
    """Intersection over union."""
    common = _common(a, b)
    return common / max(float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - common, 1.0)


def _distance(a: F, b: F) -> float:
    """Between two boxes; 0 where they touch."""
    apart = np.maximum(np.maximum(a[:2] - b[2:], b[:2] - a[2:]), 0)
    return float(np.hypot(*apart))
