"""A source's eyes and ears together: what watches the pictures, what listens, and what judges both.

This file does not know where frames and sound come from, nor what becomes of events.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from szem.media.frames import Frame
from szem.media.sound import SoundBlock
from szem.results.events import Event
from szem.tasks.detect_video import Sight
from szem.tasks.rules import Rules
from szem.tasks.watch import Watcher

__all__ = ["EyesAndEars", "Hearing", "Senses", "build_senses"]

_FADES_S = 1.0  # how long a channel's score is shown after an event that is over at once


class Senses(Protocol):
    """Called with all of one source, in order; `see` and `hear` may be called from two threads."""

    rate_hz: int  # samples a second of the sound it wants

    @property
    def levels(self) -> Mapping[str, float]:
        """What each channel says now, 0..1; "motion" is the share of the picture that moves."""

    def see(self, frame: Frame) -> Sequence[Event]:
        """Look at a frame; events that begin, go on or end."""

    def hear(self, block: SoundBlock) -> Sequence[Event]:
        """Listen to a block; likewise."""

    def finish(self) -> Sequence[Event]:
        """The source has ended: what was not told yet."""


class Hearing(Protocol):
    """What listens."""

    def feed(self, block: SoundBlock) -> Sequence[Event]:
        """Take in a block of sound."""

    def finish(self) -> Sequence[Event]:
        """Nothing more will come."""


class EyesAndEars:
    """The senses of one camera or film.

    Args:
        watcher: What looks.
        listener: What listens; None: the sound is let go.
        rate_hz: Samples a second that it wants.
    """

    def __init__(self, watcher: Watcher, *, listener: Hearing | None = None, rate_hz: int = 16000) -> None:
        self.rate_hz = rate_hz
        self._watcher, self._listener = watcher, listener
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, float]] = {}  # channel -> score and time of its last event
        self._now_s = 0.0

    @property
    def levels(self) -> dict[str, float]:
        """See `Senses`."""
        found = {"sound": 0.0, "video": 0.0, "motion": float(self._watcher.watched.motion)}
        for channel, (score, at_s) in self._last.items():
            if self._now_s - at_s <= _FADES_S:
                found[channel] = score
        for event in self._watcher.going_on:
            found["video"] = max(found["video"], event.score)
        return found

    def see(self, frame: Frame) -> list[Event]:
        """See `Senses`."""
        events = self._watcher.feed(frame)
        with self._lock:
            self._now_s = frame.time_s
            self._note(events, frame.time_s)
        return events

    def hear(self, block: SoundBlock) -> list[Event]:
        """See `Senses`."""
        if self._listener is None:
            return []
        events = list(self._listener.feed(block))
        with self._lock:
            self._note(events, block.time_s)
        return events

    def finish(self) -> list[Event]:
        """See `Senses`."""
        heard = [] if self._listener is None else list(self._listener.finish())
        return [*heard, *self._watcher.finish()]

    def _note(self, events: Sequence[Event], now_s: float) -> None:
        for event in events:
            for channel, score in event.channels.items():
                self._last[channel] = (score, now_s)


def build_senses(camera: str, rules: Rules, *, sight: Sight | None) -> EyesAndEars:
    """The senses of a source, as the rules want them.

    Args:
        camera: Its name.
        rules: With settings, zones and lines.
        sight: The detector, from `open_sight`; shared between sources.
    """
    return EyesAndEars(Watcher(rules.settings_for(camera), sight=sight, areas=rules.areas_for(camera)))
