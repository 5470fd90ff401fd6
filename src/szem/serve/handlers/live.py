"""What looks at live frames: one detector that all callers share, and for each of them what is followed and counted.

Knows nothing of sockets.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.errors import BusyError, RangeError, TooLargeError, UnsupportedError
from szem.media.pages import picture_size
from szem.media.pictures import Limits, read_picture
from szem.serve.settings import ServeSettings
from szem.tasks.models import open_model
from szem.tasks.segmentation.instance_masks import iter_probabilities
from szem.tasks.video.counting import LineCounter, ZoneCounter, check_anchor, parse_line, parse_zone
from szem.tasks.video.detect_video import VideoDetector, open_sight
from szem.tasks.video.tracker import Tracker, TrackSettings

__all__ = ["LiveHandler", "LiveSettings", "LiveView"]

_MODELS = 2  # detectors kept open
_MOST_PIXELS = 8_300_000  # of one frame: 4K
_MOST_COUNTERS = 16
_MOST_OUTLINES = 8  # a frame: each costs a run of a network of its own


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What a caller may choose, at any time: the message `{"threshold": 0.4, "classes": ["car"], …}`."""

    threshold: float | None = None  # lowest score; none: the model's own for each class
    classes: tuple[str, ...] = ()  # only these; none: all
    track: bool = True  # number things and follow them
    outlines: bool = False  # also the outline of each thing, up to eight a frame
    lines: tuple[str, ...] = ()  # as for `szem detect --line`
    zones: tuple[str, ...] = ()
    anchor: str = "bottom"


@dataclass
class LiveView:
    """One caller's stream of frames; frames are looked at one after the other.

    Args:
        sight: The detector.
        limits: For frames.
    """

    sight: VideoDetector
    limits: Limits
    settings: LiveSettings = field(default_factory=LiveSettings)
    _tracker: Tracker | None = None
    _counters: tuple[LineCounter | ZoneCounter, ...] = ()
    _size: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, settings: LiveSettings) -> None:
        """Take other settings from the next frame on; counts begin anew if what is counted changed.

        Raises:
            UnknownNameError: there is no such class or anchor.
            RangeError: the threshold is not in 0..1, or there are too many lines and zones.
        """
        if settings.threshold is not None and not 0 <= settings.threshold <= 1:
            raise RangeError(f"threshold must lie in 0..1, got {settings.threshold}")
        if len(settings.lines) + len(settings.zones) > _MOST_COUNTERS:
            raise RangeError(f"at most {_MOST_COUNTERS} lines and zones together")
        if (settings.lines or settings.zones) and not settings.track:
            raise RangeError("lines and zones count things that are followed; leave track on")
        check_anchor(settings.anchor)
        unknown = sorted(set(settings.classes) - set(self.sight.finder.classes))
        if unknown:
            names = ", ".join(self.sight.finder.classes)
            raise RangeError(f"no class called {unknown[0][:80]!r}; there are {names}")
        with self._lock:
            self._build_counters(settings, *(self._size if all(self._size) else (100, 100)))  # judged now, not later
            self._swap(settings)

    def _swap(self, settings: LiveSettings) -> None:
        old, self.settings = self.settings, settings
        same = (old.lines, old.zones, old.anchor) == (settings.lines, settings.zones, settings.anchor)
        if not same or old.track != settings.track:
            self._size = (0, 0)

    def look(self, data: bytes, *, time_s: float) -> dict[str, Any]:
        """Answer one frame.

        Args:
            data: A picture file.
            time_s: When it came.
        Raises:
            As `read_picture`.
        """
        with self._lock:
            return self._look(data, time_s)

    def _look(self, data: bytes, time_s: float) -> dict[str, Any]:
        started = time.perf_counter()
        width, height = picture_size(data, limits=self.limits)
        if width * height > _MOST_PIXELS:
            raise TooLargeError(
                f"live frames have at most {_MOST_PIXELS / 1e6:.1f} million pixels, got {width}×{height}"
            )
        picture = read_picture(data, limits=self.limits)
        height, width = picture.shape[:2]
        decoded = time.perf_counter()
        found = self.sight.finder.finish(self.sight.finder.run(self.sight.finder.prepare(picture)), (height, width))
        chosen = self.settings
        if chosen.classes:
            found = found.keep(classes=chosen.classes)
        lowest = self._thresholds()
        if (width, height) != self._size:
            self._size = (width, height)
            self._tracker = None
            self._counters = self._build_counters(chosen, width, height)
        events: list[dict[str, Any]] = []
        if chosen.track:
            if self._tracker is None:
                self._tracker = Tracker(TrackSettings(), thresholds=lowest)
            self._tracker.thresholds = lowest
            tracked = self._tracker(found, time_s=time_s)
            events = [event for counter in self._counters for event in counter(tracked)]
            answer = tracked.to_dict()
            boxes = tracked.boxes
        else:
            boxes = found.take(found.scores >= lowest[found.indices])
            answer = boxes.to_dict()
        seen = time.perf_counter()
        if chosen.outlines and len(boxes):
            self._add_outlines(answer, picture)
        done = time.perf_counter()
        return answer | {
            "time_s": round(time_s, 4),
            "events": events,
            "counts": [counter.to_dict() for counter in self._counters],
            "took_ms": {
                "decode": round((decoded - started) * 1000, 1),
                "detect": round((seen - decoded) * 1000, 1),
                "outline": round((done - seen) * 1000, 1),
            },
        }

    def _thresholds(self) -> Any:
        if self.settings.threshold is None:
            return self.sight.thresholds
        return np.full(len(self.sight.finder.classes), self.settings.threshold, np.float32)

    def _build_counters(
        self, settings: LiveSettings, width: int, height: int
    ) -> tuple[LineCounter | ZoneCounter, ...]:
        of_lines = "bottom" if settings.anchor == "overlap" else settings.anchor
        sides = {"width": width, "height": height}
        lines = [LineCounter(parse_line(t, **sides, number=n), of_lines) for n, t in enumerate(settings.lines, 1)]
        zones = [
            ZoneCounter(parse_zone(t, **sides, number=n), settings.anchor) for n, t in enumerate(settings.zones, 1)
        ]
        return (*lines, *zones)

    def _add_outlines(self, answer: dict[str, Any], picture: Picture8) -> None:
        rows = answer["boxes"]
        rows.sort(key=lambda row: -row["score"])
        chosen = rows[:_MOST_OUTLINES]
        boxes = np.array([row["box_xyxy"] for row in chosen], np.float32)
        session = open_model(None, task="outline", threads=1)
        for row, inside in zip(chosen, iter_probabilities(session, picture, boxes), strict=True):
            if inside is None:
                continue
            mask = (inside.probability > 0.5).astype(np.uint8)
            shapes, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            if shapes:
                largest = cv2.approxPolyDP(max(shapes, key=cv2.contourArea), 1.0, True).reshape(-1, 2)
                corner = (inside.columns.start, inside.rows.start)
                row["outline"] = (largest + corner).tolist()


class LiveHandler:
    """The detectors of one server, and how many look through them.

    Args:
        settings: The operator's choices.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.limits = Limits(max_bytes=settings.max_live_frame_bytes, max_pixels=settings.max_pixels, max_frames=1)
        self._sights: OrderedDict[str, VideoDetector] = OrderedDict()
        self._opening = threading.Lock()
        self._taken = 0

    def enter(self) -> None:
        """Take a place.

        Raises:
            BusyError: all are taken.
        """
        if self._taken >= self.settings.max_live:
            raise BusyError(f"all {self.settings.max_live} places for live frames are taken; try again later")
        self._taken += 1

    def leave(self) -> None:
        """Give the place back."""
        self._taken -= 1

    def view(self, model: str) -> LiveView:
        """A view through a detector, which is opened at the first call.

        Args:
            model: A name; empty for the shipped one.
        Raises:
            UnknownNameError: no such model.
            UnsupportedError: there is no detector at all.
        """
        with self._opening:
            if model not in self._sights:
                if any(mark in model for mark in "/\\"):  # a folder of the server's is not the caller's to name
                    raise UnsupportedError("a model is named, not given by its folder")
                self._sights[model] = open_sight(model or None, workers=1, threads=None, doubt=0.05)
                while len(self._sights) > _MODELS:
                    self._sights.popitem(last=False)
            self._sights.move_to_end(model)
            return LiveView(self._sights[model], self.limits)
