"""Find and follow things in videos: steps for a `Flow` that prepare, look, follow, count and draw.

The network sees a small picture that the decoder's own scaler makes; several frames are looked at side by side, each
on one thread, which keeps all cores busy while nothing waits. This file does not know where frames come from or where
results go.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from szem.arrays import Array
from szem.errors import RangeError
from szem.media.draw_planes import LabelledBox, draw_boxes_on, draw_chip_on, draw_path_on
from szem.media.frames import Frame, Planes
from szem.media.pipeline import Stage
from szem.media.video_pipeline import RenderedFrame
from szem.results.boxes import Boxes, class_color, known_classes
from szem.results.tracks import TrackedBoxes
from szem.runtime.sessions import Session, cores
from szem.tasks.detection.detect import Detector
from szem.tasks.models import ModelLike, open_model
from szem.tasks.video.counting import ANCHORS, LineCounter, ZoneCounter
from szem.tasks.video.tracker import Tracker, TrackSettings

__all__ = ["DetectedFrame", "VideoAnalyzer", "VideoDetector", "doubtful_thresholds", "open_video_detector"]

_DOUBT = 1 / 3  # of the sure threshold: boxes above this still keep a thing alive
_TRAIL_S = 1.5  # how long the line behind a thing is
_LINE_RGB, _ZONE_RGB = (255, 196, 0), (90, 220, 140)


class BoxDetector(Protocol):
    """What finds boxes: `szem.tasks.detection.detect.Detector`, or anything with its three steps."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what it knows."""
        ...

    def inner_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width at which a whole picture enters the network."""
        ...

    def prepare(self, picture: Any) -> Array:
        """From a picture to a batch of one."""
        ...

    def run(self, batch: Array) -> Any:
        """Run the network."""
        ...

    def finish(self, outputs: Any, size: tuple[int, int]) -> Boxes:
        """From outputs to boxes."""
        ...


@dataclass(frozen=True, eq=False)
class VideoDetector:
    """A detector for videos: it also gives doubtful boxes, and knows from which score on they are sure."""

    finder: BoxDetector
    thresholds: Array  # (C,)
    workers: int = 1  # frames looked at side by side


def open_video_detector(
    model: ModelLike | None = None,
    *,
    threshold: float | Mapping[str, float] | None = None,
    workers: int | None = None,
    threads: int | None = 1,
    doubt: float | None = None,
    provider: str = "cpu",
) -> VideoDetector:
    """Open a detection model for videos.

    Args:
        model: Its name or folder; the shipped one if left out.
        threshold: Score from which a box is sure, for all classes or by name; by default what the card says.
        workers: Frames looked at side by side, on a thread each; by default as many as there are cores.
        threads: Threads within one look; None for all cores, for one frame at a time as soon as can be.
        doubt: Lowest score of doubtful boxes; by default a third of the sure one of each class.
        provider: A key of `szem.runtime.sessions.PROVIDERS`.
    Raises:
        As `szem.tasks.detection.detect.Detector`.
    """
    session = (
        model if isinstance(model, Session) else open_model(model, task="detect", threads=threads, provider=provider)
    )
    thresholds = Detector(session, threshold=threshold).thresholds
    names = session.model.labels
    doubtful: float | dict[str, float] = doubt or doubtful_thresholds(names, thresholds)
    return VideoDetector(Detector(session, threshold=doubtful), thresholds, workers or cores())


def doubtful_thresholds(names: Sequence[str], thresholds: Array) -> dict[str, float]:
    """From which score on a box of each class keeps an object alive that is tracked already."""
    return {name: max(0.02, float(value) * _DOUBT) for name, value in zip(names, thresholds, strict=True)}


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """One frame and what was found in it."""

    frame: Frame
    boxes: Boxes
    tracked: TrackedBoxes | None  # None where things are not followed
    looked: bool  # False for the frames between, with `every`
    events: tuple[dict[str, Any], ...] = ()  # crossings, comings and goings
    reported: tuple[str, ...] = ()  # what is written at each zone and line

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        if self.tracked is not None:
            found = self.tracked.to_dict()
        else:
            found = {"frame": self.frame.index, "time_s": round(self.frame.time_s, 4), **self.boxes.to_dict()}
        return found | ({"events": list(self.events)} if self.events else {})


@dataclass(frozen=True, eq=False)
class _Asked:
    """A frame on its way to the network."""

    frame: Frame
    batch: Array | None
    size: tuple[int, int]


class VideoAnalyzer:
    """Finds, follows and counts through one video; its `steps` go into a `Flow`.

    Args:
        detector: From `open_video_detector`.
        follow: Give things numbers; None to leave that out.
        classes: Only these; None for all.
        every: Look at each n-th frame only; things are carried on through the others.
        lines: Counters of lines; need things that are followed.
        zones: Likewise of zones.
        draw: Draw on a copy of each frame.
        trails: Also draw where things came from.
    Raises:
        UnknownNameError: there is no such class.
        RangeError: `every` is below 1, or counting was asked for without following.
    """

    def __init__(
        self,
        detector: VideoDetector,
        *,
        follow: TrackSettings | None = TrackSettings(),  # noqa: B008  frozen
        classes: str | Collection[str] | None = None,
        every: int = 1,
        lines: Collection[LineCounter] = (),
        zones: Collection[ZoneCounter] = (),
        draw: bool = True,
        trails: bool = False,
    ) -> None:
        if every < 1:
            raise RangeError(f"every must be 1 or more, got {every}")
        if follow is None and (lines or zones):
            raise RangeError("lines and zones count tracked objects; leave tracking on")
        self.detector, self.every = detector, every
        self.classes = None if classes is None else known_classes(classes, detector.finder.classes)
        self.lines, self.zones, self._draws, self._trails = tuple(lines), tuple(zones), draw, trails
        self._tracker = None if follow is None else Tracker(follow, thresholds=detector.thresholds)
        self._last: Boxes | None = None
        self._asked = 0
        self._size: tuple[int, int] | None = None
        self._paths: dict[int, list[tuple[float, float, float]]] = {}  # thing -> times and places

    @property
    def steps(self) -> list[Stage]:
        """Prepare; look; follow and count; draw. The last gives `RenderedFrame` with a `DetectedFrame`."""
        return [Stage(self.prepare), Stage(self.look, self.detector.workers), Stage(self.follow), Stage(self.draw)]

    def prepare(self, frame: Frame) -> _Asked:
        """Make what the network takes."""
        width, height = frame.size
        self._asked += 1  # not the frame's index: a live source leaves some out
        if (self._asked - 1) % self.every:
            return _Asked(frame, None, (height, width))
        inner = self.detector.finder.inner_size(height, width) or (height, width)
        return _Asked(frame, self.detector.finder.prepare(frame.scaled(inner[1], inner[0])), inner)

    def look(self, asked: _Asked) -> tuple[Frame, Boxes | None]:
        """Run the network and read its outputs."""
        if asked.batch is None:
            return asked.frame, None
        finder = self.detector.finder
        return asked.frame, finder.finish(finder.run(asked.batch), asked.size).resized(*asked.frame.size)

    def follow(self, item: tuple[Frame, Boxes | None]) -> DetectedFrame:
        """Give numbers and count; in order."""
        frame, found = item
        looked = found is not None
        if found is None:
            assert self._last is not None, "the first frame is always analysed"
            found = self._last.resized(*frame.size)
        elif self.classes is not None:
            found = found.keep(classes=self.classes)
        self._last = found
        if self._tracker is None:
            is_above = found.scores >= self.detector.thresholds[found.indices]
            return DetectedFrame(frame, found.take(is_above), None, looked)
        if looked:
            tracked = self._tracker(found, time_s=frame.time_s, index=frame.index)
        else:
            tracked = self._tracker.carry(found, time_s=frame.time_s, index=frame.index)
        events: list[dict[str, Any]] = []
        for zone in self.zones:
            events += zone(tracked)
        for line in self.lines:
            events += line(tracked)
        return DetectedFrame(frame, tracked.boxes, tracked, looked, tuple(events), self._report())

    def _report(self) -> tuple[str, ...]:
        zones = [f"{zone.zone.name}: {sum(zone.now.values())}" for zone in self.zones]
        totals = [(line.line.name, sum(line.to_right.values()), sum(line.to_left.values())) for line in self.lines]
        return (*zones, *(f"{name}: {right} right, {left} left" for name, right, left in totals))

    def draw(self, seen: DetectedFrame) -> RenderedFrame:
        """Draw boxes, lines, zones and counts on a copy; in order."""
        if not self._draws:
            return RenderedFrame(seen.frame, None, seen)
        self._size = self._size or seen.frame.size
        planes = seen.frame.planes(self._size)
        taken: list[tuple[int, int, int, int]] = []
        if self._trails and seen.tracked is not None:
            self._draw_trails(planes, seen.tracked)
        for zone, text in zip(self.zones, seen.reported, strict=False):
            draw_path_on(planes, np.array(zone.zone.corners_xy), _ZONE_RGB, closed=True)
            draw_chip_on(planes, text, zone.zone.corners_xy[0], _ZONE_RGB, taken=taken)
        for line, text in zip(self.lines, seen.reported[len(self.zones) :], strict=False):
            ends = np.array([line.line.start_xy, line.line.end_xy])
            draw_path_on(planes, ends, _LINE_RGB, line_px=3)
            draw_chip_on(planes, text, (ends[0, 0], ends[0, 1] + 4), _LINE_RGB, taken=taken)
        draw_boxes_on(planes, labelled(seen, (planes.width_px, planes.height_px)), taken=taken)
        return RenderedFrame(seen.frame, planes, seen)

    def _draw_trails(self, planes: Planes, tracked: TrackedBoxes) -> None:
        now = tracked.time_s
        points = ANCHORS["center"](tracked.boxes.boxes_xyxy.astype(np.float64))
        for number, rgb, (x, y) in zip(tracked.ids.tolist(), tracked.colors, points, strict=True):
            path = [p for p in self._paths.get(number, []) if p[0] > now - _TRAIL_S] + [(now, float(x), float(y))]
            self._paths[number] = path
            if len(path) > 1:
                draw_path_on(planes, np.array(path)[:, 1:], rgb)
        present = set(tracked.ids.tolist())
        self._paths = {k: path for k, path in self._paths.items() if k in present}


def labelled(seen: DetectedFrame, size: tuple[int, int]) -> list[LabelledBox]:
    """What is drawn for a frame, for a picture of a size (width, height)."""
    boxes = seen.boxes if (seen.boxes.width, seen.boxes.height) == size else seen.boxes.resized(*size)
    if seen.tracked is not None:
        texts, colors = list(seen.tracked.texts), list(seen.tracked.colors)
    else:
        texts = [f"{box.label} {box.score:.0%}" for box in boxes]
        colors = [class_color(boxes.classes, int(i)) for i in boxes.indices]
    rows = zip(boxes.boxes_xyxy.tolist(), texts, colors, strict=True)
    return [LabelledBox((box[0], box[1], box[2], box[3]), text, rgb) for box, text, rgb in rows]
