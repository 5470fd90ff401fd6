"""Videos that visitors sent to try the guard on: watched one after the other, in a worker process of their own.

Bounded: few videos, forgotten after an hour. Nothing of them goes into the guard's store. Knows nothing of HTTP.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from szem.errors import BusyError, NotFoundError, SzemError
from szem.files import ScratchFolder
from szem.guard.analyzer import build_analyzer
from szem.guard.listener_pool import make_listening
from szem.guard.run_video import analyze_video
from szem.media.video import inspect_video
from szem.results.events import Event
from szem.runtime.workers.child import report_progress
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import WorkerProcess
from szem.serve.dispatcher import FORK_SERVER
from szem.tasks.surveillance.rules import RuleEngine, Rules
from szem.tasks.video.detect_video import VideoDetector, open_video_detector

__all__ = ["GuardTrials", "TrialVideo"]

_log = logging.getLogger("szem.serve")
_VIDEOS = 8  # kept, those that were watched included
_KEEP_S = 3600.0
_CLOSE_S = 0.5  # for the thread whose video has been ended
_CURVE_S = 0.2  # between two points of a curve
_MOST_POINTS = 4000  # of a curve; a longer video has them further apart
_CURVES = ("sound", "video", "motion")

_INSPECT_LIMITS = WorkerLimits(cpu_s=20.0, wall_s=20.0)
_WATCH_LIMITS = WorkerLimits(cpu_s=8 * 3600.0, wall_s=4 * 3600.0)  # a video of hours may take as long


class TrialWatcher:
    """What a worker keeps between videos: the detector."""

    def __init__(self) -> None:
        self.detector: VideoDetector | None = None


def make_watcher(environment: Mapping[str, str], folder: str) -> TrialWatcher:
    """The watcher of a worker, in the environment and working folder of its server."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    return TrialWatcher()


def inspect_trial(_: TrialWatcher, path: str) -> tuple[float | None, int, int]:
    """Duration in seconds, width and height of a video, in a worker."""
    info = inspect_video(path)
    return info.duration_s, info.width_px, info.height_px


def watch_trial(watcher: TrialWatcher, path: str, rules: Rules) -> None:
    """Watch a video by rules, in a worker; reports each frame as (time in seconds, levels, events)."""
    if watcher.detector is None:
        watcher.detector = open_video_detector(None, workers=1, threads=None)
    for step in analyze_video(
        Path(path), build_analyzer("", rules, detector=watcher.detector, listen=make_listening(rules))
    ):
        report_progress((step.time_s, dict(step.levels), step.events))


@dataclass(eq=False)
class TrialVideo:
    """One video."""

    id: str
    name: str
    path: Path
    state: str = "sending"  # sending, waiting, watching, done, failed
    fault: str = ""
    time_s: float = 0.0
    duration_s: float | None = None
    width: int = 0
    height: int = 0
    used: float = field(default_factory=time.monotonic)
    is_dropped: bool = False
    events: dict[tuple[object, ...], dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=lambda: {n: [] for n in ("time_s", *_CURVES)})

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        progress = 0.0 if not self.duration_s else min(self.time_s / self.duration_s, 1.0)
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "fault": self.fault,
            "progress": 1.0 if self.state == "done" else round(progress, 4),
            "time_s": round(self.time_s, 3),
            "duration_s": self.duration_s,
            "frame": {"width": self.width, "height": self.height},
            "events": sorted(self.events.values(), key=lambda row: float(row["start_s"])),
            "curves": {name: list(values) for name, values in self.curves.items()},
        }


class GuardTrials:
    """The videos of one server.

    Args:
        rules: What they are now.
    """

    def __init__(self, rules: Callable[[], Rules]) -> None:
        self._rules = rules
        arguments = (dict(os.environ), str(Path.cwd()))
        self._inspector, self._watcher = (
            WorkerProcess(make_watcher, arguments, limits=limits, server=FORK_SERVER)
            for limits in (_INSPECT_LIMITS, _WATCH_LIMITS)
        )
        self._watched: TrialVideo | None = None
        self._videos: dict[str, TrialVideo] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one video at a time: it takes all cores
        self._folder: ScratchFolder | None = None

    def close(self) -> None:
        """Forget all videos, end what watches them."""
        for process in (self._inspector, self._watcher):
            process.close(0)
        for video in list(self._videos):
            self.drop(video)
        is_free = self._turn.acquire(timeout=_CLOSE_S)
        try:
            if self._folder is not None:
                self._folder.close()
        finally:
            if is_free:
                self._turn.release()

    def begin(self, name: str) -> TrialVideo:
        """Room for a video that is about to come.

        Raises:
            BusyError: too many are here.
        """
        with self._lock:
            if self._folder is None:
                self._folder = ScratchFolder("videos")
            for old in [f for f in self._videos.values() if time.monotonic() - f.used > _KEEP_S]:
                self._forget(old)
            if len(self._videos) >= _VIDEOS:
                ended = [f for f in self._videos.values() if f.state in ("done", "failed")]
                if not ended:
                    raise BusyError(f"{_VIDEOS} videos are being analysed; try again later", retry_after_s=30.0)
                self._forget(min(ended, key=lambda f: f.used))
            id = uuid.uuid4().hex
            video = TrialVideo(id, Path(name).name[:100] or "video", self._folder.path / id)
            self._videos[id] = video
            return video

    def start(self, video: TrialVideo) -> None:
        """The video is here: watch it when it is its turn.

        Raises:
            As `inspect_video`.
        """
        try:
            video.duration_s, video.width, video.height = self._inspector.call(inspect_trial, str(video.path))
        except SzemError as error:
            raise type(error)(_renamed(error, video)) from None  # where it lies is nobody's business
        video.state = "waiting"
        threading.Thread(target=self._run, args=(video,), name="szem-video", daemon=True).start()

    def get(self, id: str) -> TrialVideo:
        """A video by its id.

        Raises:
            NotFoundError: it has been forgotten since.
        """
        video = self._videos.get(id)
        if video is None:
            raise NotFoundError("this video is no longer kept; send it again")
        video.used = time.monotonic()
        return video

    def drop(self, id: str) -> None:
        """Forget a video; if it is being watched, that ends."""
        with self._lock:
            video = self._videos.get(id)
            if video is not None:
                self._forget(video)

    def _forget(self, video: TrialVideo) -> None:
        video.is_dropped = True
        self._videos.pop(video.id, None)
        video.path.unlink(missing_ok=True)
        if self._watched is video:
            self._watcher.cancel()

    def _run(self, video: TrialVideo) -> None:
        with self._turn:
            with self._lock:
                if video.is_dropped:
                    return
                video.state, self._watched = "watching", video
            try:
                rules = self._rules()
                decide, begun = RuleEngine(rules), datetime.now()

                def take(frame: tuple[float, dict[str, float], tuple[Event, ...]]) -> None:
                    video.time_s, levels, events = frame
                    self._note(video, levels)
                    for event in events:
                        self._keep(video, event, decide, begun)

                shared = rules.model_copy(update={"webhooks": {}, "mqtt": {}})  # secrets are no worker's business
                self._watcher.call(watch_trial, str(video.path), shared, on_progress=take)
            except SzemError as error:
                video.state, video.fault = "failed", _renamed(error, video)
            except Exception:
                _log.exception("a video could not be analysed")
                video.state, video.fault = "failed", "an internal fault; the server's log has it"
            else:
                video.state = "done"
            finally:
                with self._lock:
                    self._watched = None

    def _keep(self, video: TrialVideo, event: Event, decide: RuleEngine, begun: datetime) -> None:
        key = (event.kind, event.number or (event.place, event.track, round(event.start_s, 2)))
        row = video.events.get(key) or {"id": f"{video.id[:8]}-{len(video.events)}", "rules": []}
        wanted = row["rules"]
        if not wanted:
            orders = decide(event, camera=video.name, at=begun + timedelta(seconds=event.start_s))
            wanted = [order.rule for order in orders]
        row = {**row, **event.to_dict(), "open": event.is_open, "rules": wanted}
        video.events[key] = row

    def _note(self, video: TrialVideo, levels: Mapping[str, float]) -> None:
        """A point of the curves, not more often than can be seen."""
        times = video.curves["time_s"]
        step_s = max(_CURVE_S, (video.duration_s or 0.0) / _MOST_POINTS)
        if times and video.time_s - times[-1] < step_s:
            for name in _CURVES:  # a peak between two points is not lost
                video.curves[name][-1] = max(video.curves[name][-1], round(levels.get(name, 0.0), 4))
            return
        if len(times) < 2 * _MOST_POINTS:
            for name in _CURVES:
                video.curves[name].append(round(levels.get(name, 0.0), 4))
            times.append(round(video.time_s, 3))


def _renamed(error: SzemError, video: TrialVideo) -> str:
    return str(error).replace(str(video.path), video.name)
