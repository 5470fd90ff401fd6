"""A source's analyzer: what watches the pictures, what listens to the sound, and what judges both.

This file does not know where frames and sound come from, nor what becomes of events.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.media.frames import Frame
from szem.media.sound import SoundBlock
from szem.results.events import Event
from szem.tasks.surveillance.fusion import Fuser, measure_picture_quality, measure_sound_quality
from szem.tasks.surveillance.rules import Rules
from szem.tasks.surveillance.watcher import Watcher
from szem.tasks.video.detect_video import VideoDetector

__all__ = ["Analyzer", "AudioListener", "SourceAnalyzer", "build_analyzer"]

_RATE_HZ = 16000  # of sound that nobody listens to
_JITTER_S, _LONGEST_GAP_S = 0.05, 30.0
_MOST_NUMBERS = 1_000_000_000  # events of one listener
_MEASURE_S = 2.0  # how often it is measured how well the camera sees
_LEVEL_SAMPLES, _LEVELS = 4000, 60  # pieces of sound whose levels are compared: how well the microphone hears
_FADES_S = 1.0  # how long a channel's score is shown after an event that is over at once


class Analyzer(Protocol):
    """Called with all of one source, in order; `see` and `hear` may be called from two threads."""

    rate_hz: int  # samples a second of the sound it wants
    hears: bool  # whether anything listens

    @property
    def levels(self) -> Mapping[str, float]:
        """What each channel says now, 0..1; "motion" is the share of the picture that moves."""

    def see(self, frame: Frame) -> Sequence[Event]:
        """Look at a frame; events that begin, go on or end."""

    def hear(self, block: SoundBlock) -> Sequence[Event]:
        """Listen to a block; likewise."""

    def finish(self) -> Sequence[Event]:
        """The source has ended: what was not reported yet."""


class AudioListener(Protocol):
    """What listens: `szem.tasks.audio.listen.Listener`. Its time begins with the first sample it gets."""

    rate_hz: int

    @property
    def time_s(self) -> float:
        """How much was taken in."""

    @property
    def going_on(self) -> Sequence[Event]:
        """What is heard now."""

    def is_confident(self, event: Event) -> bool:
        """Whether it would be reported for its sound alone."""

    def feed(self, samples: NDArray[np.float32]) -> Sequence[Event]:
        """Take in samples that follow the ones before."""

    def finish(self) -> Sequence[Event]:
        """Nothing more will come."""


class SourceAnalyzer:
    """Analyzes one camera or video.

    Args:
        watcher: What looks.
        listen: Makes what listens; None: the sound is let go.
        is_joint: Judge both together; else each speaks for itself.
    """

    def __init__(
        self,
        watcher: Watcher,
        *,
        listen: Callable[[], AudioListener] | None = None,
        is_joint: bool = False,
    ) -> None:
        self._watcher, self._listen = watcher, listen
        self._fuser = Fuser(is_confident=self._is_confident) if is_joint else None
        self._measured_s = -_MEASURE_S
        self._levels_db: deque[float] = deque(maxlen=_LEVELS)
        self._listener = None if listen is None else listen()
        self.hears = self._listener is not None
        self._has_seen = False
        self.rate_hz = _RATE_HZ if self._listener is None else self._listener.rate_hz
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, float]] = {}  # channel -> score and time of its last event
        self._now_s = 0.0
        self._heard_from_s: float | None = None  # the listener's beginning, in the source's time
        self._numbers = 0  # reported by listeners that have ended

    @property
    def levels(self) -> dict[str, float]:
        """See `Analyzer`."""
        found = {"sound": 0.0, "video": 0.0, "motion": float(self._watcher.watched.motion)}
        for channel, (score, at_s) in self._last.items():
            if self._now_s - at_s <= _FADES_S:
                found[channel] = score
        for channel, going_on in (("video", self._watcher.going_on), ("sound", self._sounds_now)):
            found[channel] = max([found[channel], *(event.score for event in going_on)])
        return found

    def see(self, frame: Frame) -> list[Event]:
        """See `Analyzer`."""
        events = [_renumbered(event, 0) for event in self._watcher.feed(frame)]
        with self._lock:
            self._now_s, self._has_seen = frame.time_s, True
            self._note(events, frame.time_s)
            if self._fuser is None:
                return events
            if not 0 <= frame.time_s - self._measured_s < _MEASURE_S:
                self._measured_s = frame.time_s
                grey = cv2.cvtColor(frame.scaled(160, 90), cv2.COLOR_RGB2GRAY)
                self._fuser.set_quality("video", measure_picture_quality(np.asarray(grey, np.uint8)))
            return self._fuser.take(events, frame.time_s)

    def hear(self, block: SoundBlock) -> list[Event]:
        """See `Analyzer`. Holes are filled with silence; after a long one listening begins anew."""
        if self._listener is None:
            return []
        events: list[Event] = []
        if self._heard_from_s is None:
            self._heard_from_s = block.time_s
        gap_s = block.time_s - self._heard_from_s - self._listener.time_s
        if abs(gap_s) > _LONGEST_GAP_S:
            events += self._begin_anew(block.time_s)
        elif gap_s > _JITTER_S:
            events += self._moved(self._listener.feed(np.zeros(round(gap_s * self.rate_hz), np.float32)))
        events += self._moved(self._listener.feed(block.samples))
        with self._lock:
            if not self._has_seen:  # a source of sound alone: its time is the sound's
                self._now_s = block.time_s
            self._note(events, block.time_s)
            if self._fuser is None:
                return events
            for first in range(0, len(block.samples) - _LEVEL_SAMPLES + 1, _LEVEL_SAMPLES):
                piece = block.samples[first : first + _LEVEL_SAMPLES]
                self._levels_db.append(20 * float(np.log10(np.sqrt(np.mean(piece * piece)) + 1e-6)))
            self._fuser.set_quality("sound", measure_sound_quality(self._levels_db))
            return self._fuser.take(events, max(self._now_s, block.time_s))

    def finish(self) -> list[Event]:
        """See `Analyzer`."""
        heard = [] if self._listener is None else self._moved(self._listener.finish())
        events = [*heard, *(_renumbered(event, 0) for event in self._watcher.finish())]
        if self._fuser is None:
            return events
        with self._lock:
            return [*self._fuser.take(events, self._now_s), *self._fuser.finish(self._now_s)]

    def _is_confident(self, event: Event) -> bool:
        return "sound" not in event.channels or self._listener is None or self._listener.is_confident(event)

    @property
    def _sounds_now(self) -> Sequence[Event]:
        return () if self._listener is None else self._listener.going_on

    def _begin_anew(self, time_s: float) -> list[Event]:
        assert self._listener is not None
        assert self._listen is not None
        ended = [replace(event, is_open=False) for event in self._moved(self._listener.finish())]
        self._numbers += _MOST_NUMBERS
        self._listener, self._heard_from_s = self._listen(), time_s
        return ended

    def _moved(self, events: Sequence[Event]) -> list[Event]:
        """A listener's events in the source's time, with numbers that no listener before had."""
        begun_s = self._heard_from_s or 0.0
        return [
            replace(
                _renumbered(event, 1, more=self._numbers),
                start_s=event.start_s + begun_s,
                end_s=event.end_s + begun_s,
                best_s=None if event.best_s is None else event.best_s + begun_s,
            )
            for event in events
        ]

    def _note(self, events: Sequence[Event], now_s: float) -> None:
        for event in events:
            for channel, score in event.channels.items():
                self._last[channel] = (score, now_s)


def _renumbered(event: Event, channel: int, *, more: int = 0) -> Event:
    """Numbers that both channels together give only once."""
    return replace(event, number=2 * (event.number + more) + channel) if event.number else event


def build_analyzer(
    camera: str, rules: Rules, *, detector: VideoDetector | None, listen: Callable[[], AudioListener] | None = None
) -> SourceAnalyzer:
    """The analyzer of a source, as the rules want it.

    Args:
        camera: Its name.
        rules: With settings, zones and lines.
        detector: The detector, from `open_video_detector`; shared between sources.
        listen: Makes a listener.
    """
    watcher = Watcher(rules.settings_for(camera), detector=detector, areas=rules.areas_for(camera))
    return SourceAnalyzer(watcher, listen=listen, is_joint=listen is not None)
