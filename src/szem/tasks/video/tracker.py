"""Follow things from frame to frame: boxes in, the same boxes with numbers out, steadier than they came.

Two rounds, as in ByteTrack: sure boxes are matched first, then doubtful ones to the things that are left; a thing
that is hidden for a moment often still has a doubtful box. Things out of sight are kept for a while and found again
where their speed has brought them. All times are in seconds, so dropped and uneven frames do no harm.

This file does not know about networks, videos or counting.

Source: Y. Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, 2022,
https://arxiv.org/abs/2110.06864; boxes grown before they are compared: F. Yang et al., Hard to Track Objects with
Irregular Motions and Similar Appearances?, 2023, https://arxiv.org/abs/2211.14317
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from szem.errors import RangeError
from szem.results.boxes import Boxes
from szem.results.tracks import Track, TrackedBoxes, Tracks
from szem.tasks.video.kalman_filter import KalmanFilter

__all__ = ["TrackLog", "TrackSettings", "Tracker"]

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741

_CERTAIN_OVERLAP = 0.2  # least likeness (intersection over union of the grown boxes) in the first round
_DOUBT_OVERLAP = 0.5  # in the second
_SAME_OBJECT = 0.8  # two things that overlap more are one: the younger goes
_SAME_PLACE = 0.75  # likewise for two of different classes: a car that is also taken for a bus
_DUPLICATE_OVERLAP = 0.45  # a box that overlaps a thing of its class so much is a double of it, and begins nothing
_LOST_WORTH = 0.7  # likeness to a track out of sight counts so much when boxes are shared out
_OTHER_CLASS = 0.5  # likeness of boxes of different classes counts so much only
_GROW, _GROW_NEW = 0.05, 0.4  # shares of its size by which a box is grown on each side
_GROW_LOST = 0.3  # likewise, for each second out of sight
_KNOWN_HITS = 3  # times seen after which its speed is known
# Boxes that do not overlap are matched by distance: runners and cars make 6 sizes a second, close ones more.
_FASTEST, _FASTEST_KNOWN = 12.0, 4.0  # sizes a second that it can move, and can differ from its known speed
_FURTHEST = 2.5  # sizes: at most, however much time has passed
_LIKE_SIDES = 1.6  # factor by which its sides may change then
_APART = 0.3  # two tracks that overlap less are apart


@dataclass(frozen=True, kw_only=True)
class TrackSettings:
    """How things are followed."""

    new_track_threshold: float = 0.5  # lowest score of a box that starts a track, where classes have no thresholds
    keep_s: float = 2.0  # a thing out of sight is remembered for so long
    hold_s: float = 0.3  # and shown for so long, so that a box missing in one frame does not flicker
    confirm: int = 2  # times a thing is seen before it has a number, except in the first frame

    def __post_init__(self) -> None:
        if not 0 < self.new_track_threshold <= 1:
            raise RangeError(f"new_track_threshold must lie in 0..1, got {self.new_track_threshold}")
        if not 0 <= self.hold_s <= self.keep_s:
            raise RangeError(f"hold_s must lie in 0..keep_s ({self.keep_s}), got {self.hold_s}")
        if self.confirm < 1:
            raise RangeError(f"confirm must be at least 1, got {self.confirm}")


@dataclass
class _Object:
    """What is remembered of one thing besides its motion."""

    id: int
    hits: int
    seen_s: float  # when it was last seen
    score: float
    votes: dict[int, float]  # class -> sum of the scores it was seen with
    steps_apart: int = 0  # times it was seen apart from all other tracks: then it is nobody's double

    def vote(self, index: int, score: float) -> None:
        self.votes[index] = self.votes.get(index, 0.0) + score

    @property
    def index(self) -> int:
        return max(self.votes, key=lambda k: self.votes[k])


class Tracker:
    """Follows the things of one video; call it with each frame's boxes in order.

    Args:
        settings: How.
        thresholds: (C,) the lowest score of each class that starts a track; None: that of `settings` for all. Boxes
            below it should come too, down to about a third of it: they keep tracks alive.

    >>> tracker = Tracker()
    >>> def frame(x):
    ...     box = np.array([[x, 10, x + 20, 50]])
    ...     return Boxes(boxes_xyxy=box, scores=np.array([0.9]), indices=np.array([0]), classes=("car",),
    ...                  width=200, height=100, model="toy")
    >>> [int(tracker(frame(x), time_s=x / 100).ids[0]) for x in (0, 4, 8)]
    [1, 1, 1]
    """

    def __init__(
        self, settings: TrackSettings | None = None, *, thresholds: NDArray[np.float32] | None = None
    ) -> None:
        self.settings = settings or TrackSettings()
        self.thresholds = thresholds  # may be changed between frames
        self._filter = KalmanFilter.start(np.zeros((0, 4)))
        self._objects: list[_Object] = []
        self._numbers = 0
        self._time_s: float | None = None
        self._looked_s = 0.0  # when boxes last came

    def __call__(self, boxes: Boxes, *, time_s: float, index: int = 0) -> TrackedBoxes:
        """Take in one frame.

        Args:
            boxes: What was found, doubtful boxes too.
            time_s: When; later than the frame before.
            index: Which frame, for the answer.
        Returns:
            The things in sight, and for `hold_s` those just lost.
        """
        is_first = self._time_s is None
        self._move_to(time_s)
        boxes = _without_doubles(boxes)
        found = boxes.boxes_xyxy.astype(np.float64)
        is_certain = boxes.scores >= self._lowest(boxes)
        rows_of_all = np.arange(len(self._objects))
        first, left, free = self._match(rows_of_all, np.flatnonzero(is_certain), found, boxes, _CERTAIN_OVERLAP)
        awake = np.array([r for r in left if self._was_seen(r) and self._objects[r].id], np.int64)
        second, _, _ = self._match(awake, np.flatnonzero(~is_certain), found, boxes, _DOUBT_OVERLAP)
        taken = {row for row, _ in second}
        left = [r for r in left if self._was_seen(r) and r not in taken]
        third, free = self._match_by_distance(left, free, found, boxes, time_s)
        self._take_in([*first, *second, *third], found, boxes, time_s)
        self._looked_s = time_s
        self._begin(free, found, boxes, time_s, at_once=is_first)
        self._forget(time_s, boxes)
        return self._answer(boxes, time_s, index)

    def carry(self, boxes: Boxes, *, time_s: float, index: int = 0) -> TrackedBoxes:
        """Move all things on to a frame that was not looked at; the answer is marked as not seen.

        Args:
            boxes: Empty boxes of the frame's size.
            time_s: When.
            index: Which frame.
        """
        self._move_to(time_s)
        answer = self._answer(boxes, time_s, index)
        return replace(answer, seen=np.zeros(len(answer), np.bool_))

    # Steps ------------------------------------------------------------------------------------------------------

    def _move_to(self, time_s: float) -> None:
        if self._time_s is not None:
            dt_s = max(time_s - self._time_s, 1e-3)  # a clock that stands still or goes back
            unseen = np.array([not self._was_seen(r) for r in range(len(self._objects))], np.bool_)
            self._filter.predict(dt_s, unseen)
        self._time_s = time_s

    def _was_seen(self, row: int) -> bool:
        """Whether it was seen in the last frame that was looked at."""
        return self._objects[row].seen_s >= self._looked_s

    def _lowest(self, boxes: Boxes) -> NDArray[np.float32] | float:
        return self.settings.new_track_threshold if self.thresholds is None else self.thresholds[boxes.indices]

    def _match(
        self, rows: I, places: I, found: F, boxes: Boxes, minimum: float
    ) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """Pairs of things and boxes, the things left over, and the boxes left over."""
        if not len(rows) or not len(places):
            return [], rows.tolist(), places.tolist()
        grow = np.array([self._grow(r) for r in rows])
        likeness = _likeness(self._filter.boxes_xyxy[rows], found[places], grow)
        own = np.array([self._objects[r].index for r in rows])
        likeness = np.where(own[:, None] == boxes.indices[places][None], likeness, likeness * _OTHER_CLASS)
        worth = likeness * (0.5 + 0.5 * boxes.scores[places][None])  # of two equal boxes the surer one
        lost = np.array([not self._was_seen(r) for r in rows])
        worth = np.where(lost[:, None], worth * _LOST_WORTH, worth)  # whoever was just seen comes first
        a, b = linear_sum_assignment(np.where(likeness >= minimum, -worth, 0.0))
        pairs = [(int(rows[i]), int(places[j])) for i, j in zip(a, b, strict=True) if likeness[i, j] >= minimum]
        taken_rows, taken_places = {r for r, _ in pairs}, {p for _, p in pairs}
        return (
            pairs,
            [int(r) for r in rows if int(r) not in taken_rows],
            [int(p) for p in places if int(p) not in taken_places],
        )

    def _match_by_distance(
        self, rows: list[int], places: list[int], found: F, boxes: Boxes, time_s: float
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Pairs of tracks and boxes that do not overlap, because much time has passed; and the boxes left over."""
        if not rows or not places:
            return [], places
        own, there = self._filter.boxes_xyxy[rows], found[places]
        distance = _centre_distance(own, there)
        passed_s = time_s - self._looked_s
        speeds = [_FASTEST if self._objects[r].hits < _KNOWN_HITS else _FASTEST_KNOWN for r in rows]
        reach = np.minimum(np.array(speeds) * passed_s, _FURTHEST)[:, None]
        classes = np.array([self._objects[r].index for r in rows])
        sides = np.log(np.maximum(there[None, :, 2:] - there[None, :, :2], 1)) - np.log(
            np.maximum(own[:, None, 2:] - own[:, None, :2], 1)
        )
        can_be = (
            (distance <= reach)
            & (classes[:, None] == boxes.indices[places][None])
            & (np.abs(sides).max(-1) <= np.log(_LIKE_SIDES))
        )
        a, b = linear_sum_assignment(np.where(can_be, distance, 1e6))
        pairs = [(rows[i], places[j]) for i, j in zip(a, b, strict=True) if can_be[i, j]]
        taken = {place for _, place in pairs}
        return pairs, [place for place in places if place not in taken]

    def _grow(self, row: int) -> float:
        if self._objects[row].hits < _KNOWN_HITS:
            return _GROW_NEW
        return _GROW + _GROW_LOST * max(0.0, self._looked_s - self._objects[row].seen_s)

    def _take_in(self, pairs: list[tuple[int, int]], found: F, boxes: Boxes, time_s: float) -> None:
        if not pairs:
            return
        rows, places = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
        self._filter.correct(rows, found[places], boxes.scores[places].astype(np.float64))
        for row, place in pairs:
            obj, score = self._objects[row], float(boxes.scores[place])
            obj.hits, obj.seen_s, obj.score = obj.hits + 1, time_s, score
            obj.vote(int(boxes.indices[place]), score)
            if not obj.id and obj.hits >= self.settings.confirm:
                self._numbers += 1
                obj.id = self._numbers

    def _begin(self, places: list[int], found: F, boxes: Boxes, time_s: float, *, at_once: bool) -> None:
        awake = [r for r in range(len(self._objects)) if self._was_seen(r)]
        there = list(self._filter.boxes_xyxy[awake])
        own = [self._objects[r].index for r in awake]
        begun: list[int] = []
        for place in sorted(places, key=lambda p: -boxes.scores[p]):
            limits = np.array([_DUPLICATE_OVERLAP if index == boxes.indices[place] else _SAME_PLACE for index in own])
            if there and (_likeness(np.stack(there), found[[place]], np.zeros(len(there)))[:, 0] >= limits).any():
                continue
            begun.append(place)
            there.append(found[place])
            own.append(int(boxes.indices[place]))
        self._add(begun, found, boxes, time_s, at_once=at_once)

    def _add(self, places: list[int], found: F, boxes: Boxes, time_s: float, *, at_once: bool) -> None:
        for place in places:
            score = float(boxes.scores[place])
            number = 0
            if at_once or self.settings.confirm == 1:
                self._numbers += 1
                number = self._numbers
            self._objects.append(_Object(number, 1, time_s, score, {int(boxes.indices[place]): score}))
        if places:
            self._filter = self._filter.join(KalmanFilter.start(found[places]))

    def _forget(self, time_s: float, boxes: Boxes) -> None:
        """Let go of what has been away too long, was seen once only, has left the picture, or is another's double."""
        if not self._objects:
            return
        where = self._filter.boxes_xyxy
        away = np.array([time_s - obj.seen_s for obj in self._objects])
        known = np.array([obj.id > 0 for obj in self._objects])
        outside = (
            (where[:, 2] <= 0) | (where[:, 3] <= 0) | (where[:, 0] >= boxes.width) | (where[:, 1] >= boxes.height)
        )
        keep = (away <= np.where(known, self.settings.keep_s, 0.0)) & ~((away > 0) & outside)
        alike = _likeness(where, where, np.zeros(len(where)))
        apart = (alike - np.eye(len(alike))).max(1) < _APART
        for obj, was_apart, gone_s in zip(self._objects, apart, away, strict=True):
            obj.steps_apart += bool(was_apart and gone_s <= 0)
        for i, j in zip(*np.nonzero(np.triu(alike, 1) > min(_SAME_OBJECT, _SAME_PLACE)), strict=True):
            one, other = self._objects[i], self._objects[j]
            if min(one.steps_apart, other.steps_apart) >= _KNOWN_HITS:
                continue  # two objects that pass each other, not one with two tracks
            if alike[i, j] > (_SAME_OBJECT if one.index == other.index else _SAME_PLACE):
                better, worse = (i, j) if sum(one.votes.values()) >= sum(other.votes.values()) else (j, i)
                keep[worse] &= not keep[better]
        if not keep.all():
            self._objects = [obj for obj, stays in zip(self._objects, keep, strict=True) if stays]
            self._filter = self._filter.take(keep)

    def _answer(self, boxes: Boxes, time_s: float, index: int) -> TrackedBoxes:
        away = [time_s - obj.seen_s for obj in self._objects]
        held = self.settings.hold_s
        rows = [r for r, obj in enumerate(self._objects) if obj.id and away[r] <= held]
        limits = np.array([boxes.width, boxes.height] * 2)
        where = self._filter.boxes_xyxy.clip(0, limits)
        rows = [r for r in rows if where[r, 2] - where[r, 0] >= 1 and where[r, 3] - where[r, 1] >= 1]
        objects = [self._objects[r] for r in rows]
        return TrackedBoxes(
            boxes=replace(
                boxes,
                boxes_xyxy=where[rows].astype(np.float32).reshape(-1, 4),
                scores=np.array([obj.score for obj in objects], np.float32),
                indices=np.array([obj.index for obj in objects], np.int64),
            ),
            ids=np.array([obj.id for obj in objects], np.int64),
            seen=np.array([away[r] <= 0 for r in rows], np.bool_),
            index=index,
            time_s=time_s,
        )


def _without_doubles(boxes: Boxes) -> Boxes:
    """Of boxes at one place, whatever their classes, the surest; what class the thing is, its votes will tell."""
    where = boxes.boxes_xyxy.astype(np.float64)
    alike = _likeness(where, where, np.zeros(len(where))) > _SAME_PLACE
    kept: list[int] = []
    for place in np.argsort(-boxes.scores, kind="stable").tolist():
        if not alike[place, kept].any():
            kept.append(place)
    return boxes if len(kept) == len(boxes) else boxes.take(np.array(sorted(kept), np.int64))


def _centre_distance(a: F, b: F) -> F:
    """(n, m) distances of centres, in mean sizes (square roots of areas) of both boxes."""
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (a, b)]
    sizes = [np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1)) for boxes in (a, b)]
    away = np.hypot(*np.moveaxis(centres[0][:, None] - centres[1][None], -1, 0))
    out: F = away / ((sizes[0][:, None] + sizes[1][None]) / 2)
    return out


def _likeness(a: F, b: F, grow: F) -> F:
    """(n, m) intersection over union, each box of `a` and all of `b` grown by a share (n,) of their sides."""
    a_grown = a + (a[:, 2:] - a[:, :2])[:, [0, 1, 0, 1]] * grow[:, None] * np.array([-1, -1, 1, 1])
    sides = (b[:, 2:] - b[:, :2])[:, [0, 1, 0, 1]] * np.array([-1, -1, 1, 1])
    b_grown = b[None] + sides[None] * grow[:, None, None]  # (n, m, 4)
    corner0 = np.maximum(a_grown[:, None, :2], b_grown[..., :2])
    corner1 = np.minimum(a_grown[:, None, 2:], b_grown[..., 2:])
    common = np.clip(corner1 - corner0, 0, None).prod(-1)
    area_a = (a_grown[:, 2:] - a_grown[:, :2]).prod(-1)
    area_b = (b_grown[..., 2:] - b_grown[..., :2]).prod(-1)
    out: F = common / np.maximum(area_a[:, None] + area_b - common, 1e-9)
    return out


@dataclass
class TrackLog:
    """Collects the frames of a video into `Tracks`.

    Args:
        model: The detector's name.
    """

    model: str = ""
    _rows: dict[int, list[tuple[int, float, NDArray[np.float32], float, str]]] = field(default_factory=dict)

    def add(self, frame: TrackedBoxes) -> None:
        """Take in one frame; boxes that were carried on, not seen, are left out."""
        self.model = self.model or frame.boxes.model
        for box, number, seen in zip(frame.boxes, frame.ids, frame.seen, strict=True):
            if seen:
                row = (frame.index, frame.time_s, np.array(box.box_xyxy, np.float32), box.score, box.label)
                self._rows.setdefault(int(number), []).append(row)

    def extend(self, frames: Iterable[TrackedBoxes]) -> "TrackLog":
        """Take in many."""
        for frame in frames:
            self.add(frame)
        return self

    def tracks(self) -> Tracks:
        """All things so far; a thing's class is the last that was said of it."""
        items = []
        for number, rows in sorted(self._rows.items()):
            frames, times, boxes, scores, labels = zip(*rows, strict=True)
            items.append(
                Track(
                    id=number,
                    label=labels[-1],
                    frames=np.array(frames, np.int64),
                    times_s=np.array(times, np.float64),
                    boxes_xyxy=np.stack(boxes),
                    scores=np.array(scores, np.float32),
                )
            )
        return Tracks(items=tuple(items), model=self.model)
