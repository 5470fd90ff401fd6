"""Watch a video or a camera: what comes, goes, crosses, loiters, crowds, is left behind or taken away.

Three things look at each picture: the background at a small size (`background`, `left_things`), the camera's health
(`camera_health`), and, only when something moves and a few times a second, the detector with its follower
(`watch_tracks`). This file does not know about sound, rules or where events are kept.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError
from szem.media.frames import Frame
from szem.media.live import LiveReader
from szem.media.video_pipeline import open_video_source
from szem.results.boxes import Boxes
from szem.results.events import Event, Events
from szem.results.tracks import TrackedBoxes
from szem.tasks.models import ModelLike
from szem.tasks.surveillance.abandoned_objects import AbandonedObjects
from szem.tasks.surveillance.background_model import BackgroundModel, Foreground
from szem.tasks.surveillance.behaviours import BehaviourEvents
from szem.tasks.surveillance.camera_tampering import CameraState, TamperingDetector
from szem.tasks.surveillance.open_events import OpenEvents
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.detect_video import VideoDetector, open_video_detector
from szem.tasks.video.tracker import Tracker, TrackSettings
from szem.tasks.video.zones import Zones

__all__ = ["WatchState", "Watcher", "watch"]

F = NDArray[np.float64]
_SIDE_PX = 320  # longest side of the picture that the background sees
_LEFT_HZ = 3.0  # how often what lies still is looked for
_MOVES = 0.0015  # share of the picture that moves when something does
_BLOB_PX = 12  # pixels of the small picture together that may be a thing
_CLOSER = 1.5  # of its size: what is shown of its surroundings when a thing is looked at closely
_CLOSER_PX = 120  # at least, of the frame
_OPEN = np.ones((3, 3), np.uint8)
_PART_S = 3.0  # what was seen within so long is kept in the part
_PART_MARGIN, _PART_MINIMUM, _PART_MOST = 0.3, 0.4, 0.8  # of what moves; of the frame's sides
# Of the detector's thresholds: what moves and covers the background is confirmed by that. Of 0.64, 0.82 and 1 the
# best on composed scenes of the split `tune` (F1 0.80, 0.75, 0.75).
_SENSITIVITY = 0.64
_MARGIN_S = 0.01  # a picture that comes so much too early is taken all the same


@dataclass(frozen=True, kw_only=True, eq=False)
class WatchState:
    """What is known of the last picture that was looked at; for drawing and for the timeline."""

    time_s: float = 0.0
    motion: float = 0.0  # share of the picture
    tracked: TrackedBoxes | None = None  # of the last look
    health: CameraState = CameraState()  # noqa: RUF009  frozen
    looked: bool = False  # the detector was asked


class Watcher:
    """Watches one camera or video; give it every frame, in order: it picks what it needs.

    An event that is over at once is reported once. One that goes on (`is_open`: loiters, crowd, left behind, the
    camera's faults) is reported when it is sure, and again, with the same `number`, when it ends.

    Args:
        settings: From when on something counts, and how much effort is made.
        detector: The detector, from `open_video_detector`, which watchers may share; the shipped one if left out.
            None: no detector, so only objects left and taken and the camera's faults are reported.
        areas: Zones and lines; without zones, sight as a whole is one.

    >>> watcher = Watcher(detector=None)
    >>> [watcher.feed(frame) for frame in ()], watcher.finish()
    ([], [])
    """

    def __init__(
        self,
        settings: WatchSettings | None = None,
        *,
        detector: VideoDetector | Literal["default"] | None = "default",
        areas: Zones | None = None,
    ) -> None:
        self.settings = settings or WatchSettings()
        self.areas = areas or Zones()
        self._detector = open_video_detector(workers=1, threads=None) if detector == "default" else detector
        self._reported = OpenEvents()
        self._background = BackgroundModel()
        self._health = TamperingDetector(self.settings)
        self._tracker: Tracker | None = None
        self._events: BehaviourEvents | None = None
        self._left: AbandonedObjects | None = None
        self._frame: Frame | None = None
        self._size: tuple[int, int] = (0, 0)
        self._small: tuple[int, int] = (0, 0)
        self._ignored: NDArray[np.uint8] | None = None
        self._scene: Foreground | None = None
        self._last_s = self._looked_s = self._left_s = -1e9
        self._moved_s = -1e9
        self._fault = ""
        self.watched = WatchState()
        self.looks = 0  # how often the detector was asked
        self.seen = 0  # pictures that were compared

    def feed(self, frame: Frame) -> list[Event]:
        """Take in a frame.

        Args:
            frame: Later than the one before; of any rate.
        Returns:
            What began and what ended; often nothing.
        """
        now = frame.time_s
        if now - self._last_s < 1 / self.settings.background_hz - _MARGIN_S and now >= self._last_s:
            return []
        if now < self._last_s:  # the source began anew
            now = self._last_s + 1e-3
            frame = replace(frame, time_s=now)
        events = [] if frame.size == self._size else self._begin(frame)
        passed_s, self._last_s, self._frame = now - max(self._last_s, 0.0), now, frame
        self.seen += 1
        small = frame.scaled(*self._small)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        health = self._health(grey, time_s=now)
        events += self._report_state(health, now)
        looked = False
        if health.is_new_scene:
            events += self._forget(now)
        elif health.sees:
            if self._ignored is not None:
                small = np.where(self._ignored[..., None] > 0, np.uint8(128), small)
            self._scene = self._background(small, time_s=now)
            looked = self._look(frame, self._scene, events)
            if now - self._left_s >= 1 / _LEFT_HZ - _MARGIN_S:
                self._left_s = now
                events += self._see_left(self._scene)
        elif self._events is not None:
            self._events.wait(passed_s)
        self.watched = WatchState(
            time_s=now,
            motion=self._scene.motion if self._scene is not None else 0.0,
            tracked=self.watched.tracked,
            health=health,
            looked=looked,
        )
        self._frame = None
        return [event for event in events if event.score >= self.settings.score]

    def finish(self, time_s: float | None = None) -> list[Event]:
        """Nothing more will come: what was still going on, marked as open.

        Args:
            time_s: The end; by default the last picture's time.
        """
        return self._reported.end_all(max(self._last_s, 0.0) if time_s is None else time_s)

    @property
    def going_on(self) -> tuple[Event, ...]:
        """Events that have begun and not ended."""
        return self._reported.open

    # Steps ------------------------------------------------------------------------------------------------------

    def _begin(self, frame: Frame) -> list[Event]:
        """Make what depends on the picture's size."""
        events = self._forget(frame.time_s) if self._left is not None else []
        self._size = width, height = frame.size
        scale = min(_SIDE_PX / max(width, height), 1.0)
        self._small = max(16, round(width * scale)), max(16, round(height * scale))
        zones = [area.to_zone(width, height) for area in self.areas.zones if not area.ignore]
        ignored = [area for area in self.areas.zones if area.ignore]
        if ignored:
            self._ignored = np.zeros((self._small[1], self._small[0]), np.uint8)
            for area in ignored:
                corners = np.array(area.to_zone(*self._small).corners_xy, np.float32).round().astype(np.int32)
                cv2.fillPoly(self._ignored, [corners], 255)
        lines = [line.to_line(width, height) for line in self.areas.lines]
        self._events = BehaviourEvents(self.settings, self._reported, zones=zones, lines=lines, cover=self._cover)
        if self._detector is not None:
            self._tracker = Tracker(
                TrackSettings(keep_s=4.0), thresholds=np.float32(_SENSITIVITY) * self._detector.thresholds
            )

        def place_of(x: float, y: float) -> str:
            return next((zone.name for zone in zones if zone.depth(np.array([[x, y]]))[0] >= 0), "")

        self._left = AbandonedObjects(
            self.settings,
            self._reported,
            self._background,
            place_of=place_of,
            look_closer=None if self._detector is None else self._look_closer,
        )
        return events

    def _forget(self, now: float) -> list[Event]:
        self._background.forget()
        self._scene = None
        if self._events is not None:
            self._events.forget()
        return [] if self._left is None else self._left.forget(now)

    def _report_state(self, health: CameraState, now: float) -> list[Event]:
        events: list[Event] = []
        if self._fault and health.fault != self._fault:
            ended = self._reported.end(("camera", self._fault), now)
            self._fault = ""
            events += [ended] if ended is not None else []
        if health.is_confirmed and not self._fault:
            self._fault = health.fault
            score = health.score
            event = Event(
                kind=health.fault,
                start_s=health.since_s,
                end_s=now,
                score=score,
                channels={"video": score},
                best_s=now,
            )
            events.append(self._reported.begin(("camera", self._fault), event))
        elif self._fault:
            self._reported.change(("camera", self._fault), end_s=now)
        return events

    def _look(self, frame: Frame, scene: Foreground, events: list[Event]) -> bool:
        """Ask the detector, if something moves and it is time."""
        if self._detector is None or self._tracker is None or self._events is None:
            return False
        now = frame.time_s
        if scene.motion > _MOVES and _largest(scene.moving) >= _BLOB_PX:
            self._moved_s = now
        active = now - self._moved_s < 1.0
        rate_hz = self.settings.looks_hz if active else self.settings.idle_looks_hz
        if rate_hz <= 0 or now - self._looked_s < 1 / rate_hz - _MARGIN_S:
            return False
        self._looked_s = now
        self.looks += 1
        found = self._without_ignored(self._find(frame, self._part(scene) if active else None))
        tracked = self._tracker(found, time_s=now, index=frame.index)
        self.watched = replace(self.watched, tracked=tracked)
        events += self._events(tracked)
        return True

    def _part(self, scene: Foreground) -> tuple[int, int, int, int] | None:
        """The part of the frame in which something is; None: (nearly) all of it. A part is seen in more detail."""
        assert self._events is not None
        covered = cv2.morphologyEx((scene.moving | (scene.age_s > 0)).astype(np.uint8), cv2.MORPH_OPEN, _OPEN)
        (wide, high), (width, height) = self._small, self._size
        boxes = list(self._events.boxes_since(scene.time_s - _PART_S))
        if covered.any():
            x, y, w, h = cv2.boundingRect(covered)
            scale = np.array([width / wide, height / high] * 2)
            boxes.append(np.array([x, y, x + w, y + h]) * scale)
        if not boxes:
            return None
        low, top = np.min([box[:2] for box in boxes], axis=0), np.max([box[2:] for box in boxes], axis=0)
        sides = np.maximum((top - low) * (1 + 2 * _PART_MARGIN), _PART_MINIMUM * np.array([width, height]))
        sides = np.maximum(sides, sides.max() * np.array([1.0, height / width]))  # no narrower than the frame
        if sides[0] > _PART_MOST * width or sides[1] > _PART_MOST * height:
            return None
        corner = np.clip((low + top - sides) / 2, 0, np.array([width, height]) - sides)
        x0, y0, x1, y1 = (int(v) for v in (*corner, *(corner + sides)))
        return x0, y0, x1, y1

    def _find(self, frame: Frame, part: tuple[int, int, int, int] | None) -> Boxes:
        """Boxes in a frame, or in a part of it."""
        assert self._detector is not None
        finder, (width, height) = self._detector.finder, frame.size
        if part is None:
            inner = finder.inner_size(height, width) or (height, width)
            batch = finder.prepare(frame.scaled(inner[1], inner[0]))
            return finder.finish(finder.run(batch), inner).resized(width, height)
        x0, y0, x1, y1 = part
        picture = np.ascontiguousarray(frame.picture[y0:y1, x0:x1])
        found = finder.finish(finder.run(finder.prepare(picture)), (y1 - y0, x1 - x0))
        shift = np.array([x0, y0, x0, y0], np.float32)
        return replace(found, boxes_xyxy=found.boxes_xyxy + shift, width=width, height=height)

    def _without_ignored(self, boxes: Boxes) -> Boxes:
        if self._ignored is None or not len(boxes):
            return boxes
        (wide, high), (width, height) = self._small, self._size
        x = ((boxes.boxes_xyxy[:, 0] + boxes.boxes_xyxy[:, 2]) / 2 * wide / width).astype(int).clip(0, wide - 1)
        y = ((boxes.boxes_xyxy[:, 3] - 1) * high / height).astype(int).clip(0, high - 1)
        return boxes.take(self._ignored[y, x] == 0)

    def _look_closer(self, box: F) -> list[tuple[str, float, F]]:
        assert self._frame is not None
        width, height = self._frame.size
        middle = (box[:2] + box[2:]) / 2
        half = max(float((box[2:] - box[:2]).max()) * (0.5 + _CLOSER), _CLOSER_PX / 2)
        x0, y0 = (int(max(v, 0)) for v in middle - half)
        x1, y1 = int(min(middle[0] + half, width)), int(min(middle[1] + half, height))
        found = self._find(self._frame, (x0, y0, x1, y1))
        return [(b.label, b.score, np.array(b.box_xyxy, np.float64)) for b in found]

    def _see_left(self, scene: Foreground) -> list[Event]:
        assert self._left is not None
        objects = [] if self._events is None else self._events.objects
        scale = self._size[0] / self._small[0], self._size[1] / self._small[1]
        return self._left(scene, objects, scale=scale)

    def _cover(self, box: F) -> float:
        """Share of a box in which something else than the scene is."""
        if self._scene is None:
            return 0.0
        (wide, high), (width, height) = self._small, self._size
        x0, x1 = (int(v * wide / width) for v in (box[0], box[2]))
        y0, y1 = (int(v * high / height) for v in (box[1], box[3]))
        part = np.s_[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1]
        covered = self._scene.moving[part] | (self._scene.age_s[part] > 0)
        return float(covered.mean()) if covered.size else 0.0


def watch(
    video: str | os.PathLike[str],
    *,
    model: ModelLike | None = None,
    settings: WatchSettings | None = None,
    areas: Zones | None = None,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> Events:
    """What happens in a video, as far as it can be seen.

    Args:
        video: A file, or a stream that ends.
        model: A detection model's name or folder, or one that is open; the shipped one if left out.
        settings: From when on something counts.
        areas: Zones and lines.
        on_progress: Called with the seconds that are done, and all there are where the file says.
    Returns:
        All events, by their beginning; those that went on at the end are marked as open.
    Raises:
        MediaError, FileMissingError: the video cannot be read.
        UnknownNameError: no such model.
        RangeError: a live source has no end; use `Watcher`.
    """
    reader = open_video_source(video)
    if isinstance(reader, LiveReader) and reader.is_live:
        reader.stop()
        raise RangeError(f"{video}: a live source has no end; feed its frames to szem.Watcher")
    detector = open_video_detector(model, workers=1, threads=None)
    watcher = Watcher(settings, detector=detector, areas=areas)
    found: dict[int, Event] = {}
    time_s = 0.0
    for frame in reader:
        for event in watcher.feed(frame):
            found[event.number] = event
        time_s = frame.time_s
        if on_progress is not None:
            on_progress(time_s, reader.info.duration_s)
    for event in watcher.finish(time_s):
        found[event.number] = event
    name = getattr(getattr(detector.finder, "card", None), "name", "")
    items = tuple(sorted(found.values(), key=lambda event: (event.start_s, event.number)))
    return Events(items=items, duration_s=max(time_s, reader.info.duration_s or 0.0), model=name)


def _largest(moving: NDArray[np.bool_]) -> int:
    """Pixels of the largest region that moves."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(moving.astype(np.uint8), connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
