"""From scores, window by window, to events with a beginning and an end.

Each kind by itself: it begins when its score is high enough, goes on while it is at all likely, and a short gap does
not end it, so that overlapping windows never report one event twice. A short sound (a shot, a bark) is judged by the
mean of two windows, a sustained one (an engine, a siren) by a running mean of seconds. This file does not know
networks.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from szem.results.events import Event
from szem.tasks.audio.windows import AudioWindow
from szem.tasks.surveillance.open_events import OpenEvents

__all__ = ["EventSettings", "RunningMeans", "SoundEvents"]


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """From when on a sound counts."""

    keep: float = 0.5  # fraction of its threshold below which a sound is over
    gap_s: float = 0.75  # silence within one event, at most
    overlap_s: float = 0.24  # of a sound and a window before the sound is heard in it
    report_after_s: float = 1.5  # an event that goes on for so long is reported before it ends
    silence_db: float = -68.0  # below full scale: quieter windows hold nothing


@dataclass(eq=False)
class _Going:
    """A sound that goes on."""

    begin_s: float
    last_s: float  # beginning of the last window that it was heard in
    best: float
    best_s: float
    label: int  # the network's label in the best window
    is_reported: bool = False


class RunningMeans:
    """The mean score of each kind over its last windows: two, or as many as a sustained sound takes.

    Before half of a sustained kind's windows have come, those missing count as silence: one loud second is no engine.

    Args:
        names: Of the kinds.
        sustained_s: Kind -> seconds; the others take two windows.
        hop_s: From one window to the next.
    """

    def __init__(self, names: Sequence[str], sustained_s: Mapping[str, float], *, hop_s: float) -> None:
        self._spans = np.array([max(2, round(sustained_s.get(name, 0) / hop_s)) for name in names])  # (K,) windows
        self._rows: deque[NDArray[np.float32]] = deque(maxlen=int(self._spans.max(initial=2)))

    @property
    def is_sustained(self) -> NDArray[np.bool_]:
        """(K,) whether a kind takes more than two windows."""
        return self._spans > 2

    def feed(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K,) scores of the next window to the means with it."""
        self._rows.append(scores)
        means: NDArray[np.float32] = np.array(list(self._rows)[-2:], np.float32).mean(axis=0)
        for span in map(int, np.unique(self._spans[self._spans > 2])):
            rows = np.array(list(self._rows)[-span:])[:, self._spans == span]
            means[self._spans == span] = rows.sum(axis=0) / max(len(rows), span // 2)
        return means

    def first_above(self, place: int, minimum: float) -> int:
        """How many windows ago the run of windows began in which the kind had at least this score."""
        span = int(self._spans[place])
        rows = list(self._rows)[-span:]
        heard = [ago for ago, row in enumerate(reversed(rows)) if row[place] >= minimum]
        if span > 2:  # a sustained sound may pause for a window
            return max(heard, default=0)
        return int(len(rows) > 1 and bool(rows[-2][place] >= minimum))  # the mean of two is one window behind

    def clear(self) -> None:
        """Nothing that was heard before counts."""
        self._rows.clear()


class SoundEvents:
    """Follows each kind of sound.

    Args:
        names: Of the kinds, in the order of the scores.
        thresholds: (K,) scores from which on each kind counts.
        window_s: Length of a window.
        hop_s: From one window to the next.
        reported: Counts the events, with those of others.
        label: The name of a network's label, for events of kinds that are made of several.
        sustained_s: Kind -> seconds over which its score is averaged.
        settings: From when on a sound counts.
    """

    def __init__(
        self,
        names: Sequence[str],
        thresholds: NDArray[np.float64],
        *,
        window_s: float,
        hop_s: float,
        reported: OpenEvents,
        label: Callable[[int], str] = lambda _: "",
        sustained_s: Mapping[str, float] | None = None,
        settings: EventSettings | None = None,
    ) -> None:
        self.settings = settings or EventSettings()
        self.names, self.thresholds = tuple(names), thresholds
        self._window_s, self._hop_s = window_s, hop_s
        self._label = label
        self._means = RunningMeans(names, sustained_s or {}, hop_s=hop_s)
        self._is_sustained = self._means.is_sustained
        self._going: dict[int, _Going] = {}
        self._reported = reported

    def feed(self, window: AudioWindow) -> list[Event]:
        """Take in the next window.

        Returns:
            What has become sure and goes on (`is_open`), and what has ended; with the same number if it was reported.
        """
        s = self.settings
        scores = window.scores
        if window.level_db < s.silence_db or window.is_steady:
            scores = np.zeros_like(scores)
        smooth = self._means.feed(scores)
        events: list[Event] = []
        now = window.time_s
        for place in map(int, np.flatnonzero((smooth >= self.thresholds * s.keep) | self._is_going())):
            going, score, kept = self._going.get(place), float(smooth[place]), self.thresholds[place] * s.keep
            if going is None:
                if score >= self.thresholds[place]:
                    ago_s = self._hop_s * self._means.first_above(place, kept)
                    begin_s = max(0.0, now - ago_s)
                    self._going[place] = _Going(begin_s, now, score, now, int(window.best[place]))
                continue
            if score >= kept:
                is_heard = scores[place] >= kept
                if is_heard or not self._is_sustained[place]:  # the mean of two is one window behind
                    going.last_s = max(going.last_s, now if is_heard else now - self._hop_s)
                if score > going.best:
                    going.best, going.best_s, going.label = score, now, int(window.best[place])
                if not going.is_reported and now - going.begin_s >= s.report_after_s:
                    going.is_reported = True
                    event = self._event(place, going, until_s=now + self._window_s)
                    events.append(self._reported.begin(("sound", place), event))
            elif now - going.last_s > s.gap_s + self._window_s - s.overlap_s:
                events.append(self._end(place, until_s=now))
        return events

    def finish(self, end_s: float) -> list[Event]:
        """Nothing more will come: what was still heard, ended at `end_s` at the latest."""
        self._means.clear()
        return [self._end(place, until_s=end_s) for place in sorted(self._going)]

    @property
    def going_on(self) -> tuple[Event, ...]:
        """What is heard now."""
        return tuple(
            replace(self._event(place, going, until_s=going.last_s + self._window_s), is_open=True)
            for place, going in self._going.items()
        )

    def _end(self, place: int, *, until_s: float) -> Event:
        going = self._going.pop(place)
        event = self._event(place, going, until_s=until_s)
        if not going.is_reported:
            return self._reported.once(event)
        key = ("sound", place)
        self._reported.change(
            key,
            end_s=event.end_s,
            score=event.score,
            channels=event.channels,
            best_s=event.best_s,
            label=event.label,
        )
        ended = self._reported.end(key, event.end_s)
        assert ended is not None
        return ended

    def _is_going(self) -> NDArray[np.bool_]:
        going = np.zeros(len(self.names), np.bool_)
        going[list(self._going)] = True
        return going

    def _event(self, place: int, going: _Going, *, until_s: float) -> Event:
        """A sound that windows a to b hear begins near the end of a and ends near the beginning of b."""
        heard = self.settings.overlap_s
        last_s = going.last_s
        start_s = going.begin_s + self._window_s - heard if going.begin_s > 0 else 0.0
        end_s = last_s + heard
        if last_s + self._window_s >= until_s:  # it is heard to the very end
            end_s = until_s
        if end_s - start_s < self._hop_s:  # shorter than can be distinguished: the middle is known best
            middle_s = (going.begin_s + last_s + self._window_s) / 2
            start_s, end_s = middle_s - self._hop_s / 2, middle_s + self._hop_s / 2
        start_s = min(max(start_s, 0.0), until_s)
        end_s = max(min(end_s, until_s), start_s)
        best_s = min(max(going.best_s + self._window_s / 2, start_s), end_s)
        score = min(max(going.best, 0.0), 1.0)
        return Event(
            kind=self.names[place],
            start_s=start_s,
            end_s=end_s,
            score=score,
            channels={"sound": score},
            label=self._label(going.label),
            best_s=best_s,
        )
