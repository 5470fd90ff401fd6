"""Live frames: decoded and looked at in workers; what is followed and counted is kept here for each caller.

Knows nothing of sockets.
"""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from szem.arrays import Array, Picture8
from szem.errors import BusyError, RangeError, TooLargeError, UnsupportedError
from szem.media.pages import picture_size
from szem.media.pictures import Limits, read_picture
from szem.results.boxes import Boxes, known_classes
from szem.serve.dispatcher import Dispatcher
from szem.serve.engine import Engine
from szem.serve.settings import ServeSettings
from szem.tasks.models import open_model
from szem.tasks.option import check_options, option
from szem.tasks.segmentation.instance_masks import iter_probabilities
from szem.tasks.video.counting import LineCounter, ZoneCounter, check_anchor, parse_line, parse_zone
from szem.tasks.video.detect_video import VideoDetector, open_video_detector
from szem.tasks.video.tracker import Tracker, TrackSettings

__all__ = ["LiveHandler", "LiveSettings", "LiveView"]

_MODELS = 2  # detectors kept open
_MOST_PIXELS = 8_300_000  # of one frame: 4K
_MOST_COUNTERS = 16
_MOST_LETTERS = 2_000  # of one line or zone
_MOST_OUTLINES = 8  # a frame: each costs a run of a network of its own


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What a caller may choose, at any time: the message `{"threshold": 0.4, "classes": ["car"], …}`."""

    threshold: float | None = option(None, minimum=0, maximum=1)  # lowest score; none: the model's own of each class
    classes: tuple[str, ...] = option((), most=2_000, letters=100)  # only these; none: all
    track: bool = True  # number objects and follow them
    outlines: bool = False  # also the outline of each object, up to eight a frame
    lines: tuple[str, ...] = option((), most=_MOST_COUNTERS, letters=_MOST_LETTERS)  # as for `szem detect --line`
    zones: tuple[str, ...] = option((), most=_MOST_COUNTERS, letters=_MOST_LETTERS)
    anchor: str = option("bottom", most=40)


@dataclass(frozen=True)
class DetectorInfo:
    """What a caller is told of a detector."""

    model: str  # empty: the shipped one
    classes: tuple[str, ...]
    thresholds: Array  # (C,): the lowest score of a sure box


@dataclass(frozen=True)
class FrameBoxes:
    """What was found in one frame, doubtful boxes included, and how long that took."""

    boxes: Boxes
    decode_ms: float
    detect_ms: float


# What a worker does: one frame at a time, nothing kept between them but the open detectors.


async def describe_detector(_: Engine, model: str) -> DetectorInfo:
    """Open a detector.

    Raises:
        UnknownNameError: no such model.
        UnsupportedError: there is no detector at all.
    """
    if any(mark in model for mark in "/\\"):  # a folder of the server's is not the caller's to name
        raise UnsupportedError("a model is named, not given by its folder")
    detector = _open_detector(model)
    return DetectorInfo(model, tuple(detector.finder.classes), np.asarray(detector.thresholds))


async def detect_frame(_: Engine, data: bytes, model: str, limits: Limits) -> FrameBoxes:
    """Decode one frame and find what is in it.

    Raises:
        MediaError: it cannot be read, or is too large.
    """
    started = time.perf_counter()
    picture = _read_frame(data, limits)
    decoded = time.perf_counter()
    finder = _open_detector(model).finder
    boxes = finder.finish(finder.run(finder.prepare(picture)), picture.shape[:2])
    return FrameBoxes(boxes, (decoded - started) * 1000, (time.perf_counter() - decoded) * 1000)


async def outline_frame(_: Engine, data: bytes, boxes_xyxy: Array, limits: Limits) -> list[Any]:
    """The outline of each box in one frame: (N, 2) corners in pixels, or None where there is none."""
    picture = _read_frame(data, limits)
    session = open_model(None, task="outline", threads=1)
    outlines: list[Any] = []
    for inside in iter_probabilities(session, picture, boxes_xyxy):
        outlines.append(None)
        if inside is None:
            continue
        mask = (inside.probability > 0.5).astype(np.uint8)
        shapes, _hierarchy = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if shapes:
            largest = cv2.approxPolyDP(max(shapes, key=cv2.contourArea), 1.0, True).reshape(-1, 2)
            corner = (inside.columns.start, inside.rows.start)
            outlines[-1] = (largest + corner).tolist()
    return outlines


@lru_cache(maxsize=_MODELS)
def _open_detector(model: str) -> VideoDetector:
    return open_video_detector(model or None, workers=1, threads=None, doubt=0.05)


def _read_frame(data: bytes, limits: Limits) -> Picture8:
    width, height = picture_size(data, limits=limits)
    if width * height > _MOST_PIXELS:
        raise TooLargeError(f"live frames have at most {_MOST_PIXELS / 1e6:.1f} million pixels, got {width}×{height}")
    return read_picture(data, limits=limits)


@dataclass
class LiveView:
    """One caller's stream of frames; frames are looked at one after the other.

    Args:
        detector: The detector.
        limits: For frames.
        dispatcher: Has frames decoded and looked at in workers.
    """

    detector: DetectorInfo
    limits: Limits
    dispatcher: Dispatcher
    settings: LiveSettings = field(default_factory=LiveSettings)
    _tracker: Tracker | None = None
    _counters: tuple[LineCounter | ZoneCounter, ...] = ()
    _size: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, settings: LiveSettings) -> None:
        """Take other settings from the next frame on; counts begin anew if what is counted changed.

        Raises:
            UnknownNameError: there is no such class or anchor.
            RangeError: a setting is out of its range, or there are too many lines and zones.
        """
        check_options(settings)
        if len(settings.lines) + len(settings.zones) > _MOST_COUNTERS:
            raise RangeError(f"at most {_MOST_COUNTERS} lines and zones together")
        if (settings.lines or settings.zones) and not settings.track:
            raise RangeError("lines and zones count tracked objects; leave track on")
        check_anchor(settings.anchor)
        known_classes([name[:80] for name in settings.classes], self.detector.classes)  # VOC's names too
        with self._lock:
            self._build_counters(settings, *(self._size if all(self._size) else (100, 100)))  # judged now, not later
            self._swap(settings)

    def _swap(self, settings: LiveSettings) -> None:
        old, self.settings = self.settings, settings
        same = (old.lines, old.zones, old.anchor) == (settings.lines, settings.zones, settings.anchor)
        if not same or old.track != settings.track:
            self._size = (0, 0)

    async def look(self, data: bytes, *, time_s: float) -> dict[str, Any]:
        """Answer one frame.

        Args:
            data: A picture file.
            time_s: When it came.
        Raises:
            MediaError: it cannot be read, or is too large.
        """
        # Shielded: a caller who leaves in the middle of a frame costs no worker, a frame is short.
        found = await asyncio.shield(self.dispatcher.work(detect_frame, data, self.detector.model, self.limits))
        answer, wants_outlines = await asyncio.to_thread(self._follow, found.boxes, time_s)
        outlined = time.perf_counter()
        if wants_outlines and answer["boxes"]:
            rows = answer["boxes"]
            rows.sort(key=lambda row: -row["score"])
            chosen = rows[:_MOST_OUTLINES]
            boxes = np.array([row["box_xyxy"] for row in chosen], np.float32)
            outlines = await asyncio.shield(self.dispatcher.work(outline_frame, data, boxes, self.limits))
            for row, outline in zip(chosen, outlines, strict=True):
                if outline is not None:
                    row["outline"] = outline
        return answer | {
            "took_ms": {
                "decode": round(found.decode_ms, 1),
                "detect": round(found.detect_ms, 1),
                "outline": round((time.perf_counter() - outlined) * 1000, 1),
            },
        }

    def _follow(self, found: Boxes, time_s: float) -> tuple[dict[str, Any], bool]:
        """Track and count what was found; the answer, and whether outlines are wanted."""
        with self._lock:
            chosen, width, height = self.settings, found.width, found.height
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
            else:
                answer = found.take(found.scores >= lowest[found.indices]).to_dict()
            answer |= {
                "time_s": round(time_s, 4),
                "events": events,
                "counts": [counter.to_dict() for counter in self._counters],
            }
            return answer, chosen.outlines

    def _thresholds(self) -> Any:
        if self.settings.threshold is None:
            return self.detector.thresholds
        return np.full(len(self.detector.classes), self.settings.threshold, np.float32)

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


class LiveHandler:
    """The detectors of one server, and how many look through them.

    Args:
        settings: The operator's choices.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.limits = Limits(max_bytes=settings.max_live_frame_bytes, max_pixels=settings.max_pixels, max_frames=1)
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

    async def view(self, model: str, dispatcher: Dispatcher) -> LiveView:
        """A view through a detector.

        Args:
            model: A name; empty for the shipped one.
            dispatcher: Has the detector opened in a worker.
        Raises:
            As `describe_detector`.
        """
        return LiveView(await dispatcher.work(describe_detector, model), self.limits, dispatcher)
