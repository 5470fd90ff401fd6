"""Listen to a sound file, a video or a microphone: what is heard, from when to when, and how confident.

The network's windows are made by `sound_windows`, events by `sound_events`; what is wrong with the sound itself is
told too: a microphone that is dead or overdriven. This file does not know about video, rules or where events lie.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from szem.errors import FormatError, RangeError, TooLargeError, UnknownNameError
from szem.media.sound import SoundReader, SoundSource
from szem.media.sound_arrays import SamplesLike, as_sound, is_samples
from szem.results.events import Event, Events
from szem.runtime.cards import Card
from szem.tasks.audio.kinds import EventKinds
from szem.tasks.audio.segmenter import EventSettings, RunningMeans, SoundEvents
from szem.tasks.audio.windows import AudioWindow, SoundWindows
from szem.tasks.models import ModelLike, as_session
from szem.tasks.surveillance.open_events import OpenEvents

__all__ = ["USES", "ListenSettings", "ListenState", "Listener", "listen", "listen_with"]

Samples = NDArray[np.float32]
USES = ("record", "report")
_USUAL = 0.5  # threshold of a kind for which the card has none
_DEAD_DB, _DEAD_S = -85.0, 10.0  # a microphone hears at least its own hiss
_DRIVEN, _DRIVEN_S = 0.995, 3.0  # of full scale, again and again
_BLOCK_S = 10.0


@dataclass(frozen=True, kw_only=True)
class ListenSettings:
    """From when on a sound counts."""

    use: str = "record"  # which thresholds: to record what is known, or to report it as an alarm
    threshold: float | None = None  # one for all kinds, instead of the card's
    classes: Sequence[str] = ()  # only these kinds or labels; none: all kinds
    also: Sequence[str] = ()  # labels that are reported besides
    factors: Mapping[str, float] = field(default_factory=dict)  # kind -> of its threshold; lower: for joint judgement
    hop_s: float = 0.24  # from one window to the next: more is quicker and coarser
    events: EventSettings = field(default_factory=EventSettings)


@dataclass(frozen=True, kw_only=True, eq=False)
class ListenState:
    """What is known of the last window; for drawing, for the timeline, and for joining with video."""

    time_s: float = 0.0
    level_db: float = -120.0
    scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # (K,) of all kinds
    fault: str = ""  # "microphone silent", "microphone overdriven"; nothing: it hears

    @property
    def hears(self) -> bool:
        """Whether what is not heard can be believed not to be there."""
        return not self.fault


class Listener:
    """Listens to one stream; give it all samples, in order, at `rate_hz`.

    A sound that ends soon is reported once. One that goes on is reported when it is sure (`is_open`), and again,
    with the same `number`, when it ends.

    Args:
        model: A model's name or folder, or an open session, which listeners may share; the shipped model if left out.
        settings: From when on a sound counts.
    Raises:
        CardError: the model takes no sound.
        RangeError: a threshold that is not in 0..1.
        UnknownNameError: a class that the model does not know, or no such use.
    """

    def __init__(self, model: ModelLike | None = None, settings: ListenSettings | None = None) -> None:
        session = as_session(model, task="listen", threads=1)
        self.settings = settings or ListenSettings()
        self._session = session
        self._windows = SoundWindows(session, hop_s=self.settings.hop_s)
        self.card, self.names = session.model.card, self._windows.names
        self.rate_hz = self._windows.rate_hz
        self.thresholds = _thresholds(self._windows.kinds, self.card, self.settings)
        reported = OpenEvents()
        self._events = SoundEvents(
            self.names,
            self.thresholds * [self.settings.factors.get(name, 1.0) for name in self.names],
            window_s=self._windows.window_s,
            hop_s=self._windows.hop_s,
            reported=reported,
            label=self._windows.kinds.label,
            sustained_s=self.card.sustained_s,
            settings=self.settings.events,
        )
        self._faults = _Faults(reported)
        self.heard = ListenState()
        self.loudest_db = -120.0
        self.on_window: Callable[[AudioWindow], None] | None = None  # called with each window, for curves

    def feed(self, samples: Samples) -> list[Event]:
        """Take in samples.

        Args:
            samples: (T,) float32 mono at `rate_hz`, those that follow the ones before; of any number.
        Returns:
            What became sure and goes on, and what ended; often nothing.
        Raises:
            As `szem.arrays.check_sound`.
        """
        return [event for window in self._windows.feed(samples) for event in self.take(window)]

    def finish(self) -> list[Event]:
        """Nothing more will come: what was still heard."""
        events = [event for window in self._windows.finish() for event in self.take(window)]
        return events + self._events.finish(self.time_s) + self._faults.finish(self.time_s)

    @property
    def time_s(self) -> float:
        """How much was taken in."""
        return self._windows.given / self.rate_hz

    @property
    def going_on(self) -> tuple[Event, ...]:
        """What is heard now."""
        return self._events.going_on

    def is_confident(self, event: Event) -> bool:
        """Whether an event reaches its kind's own threshold, whatever the factor was."""
        if event.kind not in self.names:
            return True
        return event.score >= self.thresholds[self.names.index(event.kind)]

    def __call__(self, sound: SoundSource | SamplesLike, *, rate_hz: int | None = None) -> Events:
        """As `listen`, with this model and these settings; what is being fed is not changed."""
        return listen_with(Listener(self._session, self.settings), sound, rate_hz=rate_hz)

    def scores(self, sound: SamplesLike, *, rate_hz: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every kind's score, window by window, of a whole sound; the listener itself is not changed.

        Returns:
            When each window begins, (N,) seconds, and (N, K) scores 0..1.
        """
        found = self.windows(_at_rate(sound, rate_hz, self.rate_hz))
        times = np.array([window.time_s for window in found], np.float32)
        return times, np.array([window.scores for window in found], np.float32).reshape(-1, len(self.names))

    def windows(self, samples: Samples) -> list[AudioWindow]:
        """All windows of a whole sound at `rate_hz`; the listener itself is not changed."""
        windows = SoundWindows(self._session, hop_s=self.settings.hop_s)
        return windows.feed(samples) + windows.finish()

    def running_means(self) -> RunningMeans:
        """What smooths scores as events are, from the beginning of a sound."""
        return RunningMeans(self.names, self.card.sustained_s, hop_s=self._windows.hop_s)

    def take(self, window: AudioWindow) -> list[Event]:
        """Take in the next window, if its scores are known already; as `feed`."""
        if self.on_window is not None:
            self.on_window(window)
        self.loudest_db = max(self.loudest_db, window.level_db)
        faults = self._faults.feed(window, self._windows.hop_s)
        self.heard = ListenState(
            time_s=window.time_s + self._windows.window_s,
            level_db=window.level_db,
            scores=window.scores,
            fault=self._faults.fault,
        )
        return faults + self._events.feed(window)


class _Faults:
    """Watches over the microphone."""

    def __init__(self, reported: OpenEvents) -> None:
        self.fault = ""
        self._reported = reported
        self._since: dict[str, float | None] = {"microphone silent": None, "microphone overdriven": None}

    def feed(self, window: AudioWindow, hop_s: float) -> list[Event]:
        now = window.time_s
        states = {
            "microphone silent": window.level_db < _DEAD_DB,
            "microphone overdriven": window.peak >= _DRIVEN and window.level_db > -9.0,
        }
        events: list[Event] = []
        for kind, is_so in states.items():
            since = self._since[kind] = (now if self._since[kind] is None else self._since[kind]) if is_so else None
            if since is None and self.fault == kind:
                self.fault = ""
                ended = self._reported.end(kind, now)
                events += [ended] if ended is not None else []
            wanted = _DEAD_S if kind == "microphone silent" else _DRIVEN_S
            if since is not None and not self.fault and now + hop_s - since >= wanted:
                self.fault = kind
                event = Event(kind=kind, start_s=since, end_s=now, score=0.95, channels={"sound": 0.95})
                events.append(self._reported.begin(kind, event))
        return events

    def finish(self, end_s: float) -> list[Event]:
        return self._reported.end_all(end_s)


def listen(
    sound: SoundSource | SamplesLike,
    *,
    rate_hz: int | None = None,
    model: ModelLike | None = None,
    settings: ListenSettings | None = None,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> Events:
    """What is heard in a sound file or video.

    Args:
        sound: A file, its bytes, an open binary file, or samples: (T,) or (T, C) of any number type. A file of hours
            takes no more memory than one of seconds.
        rate_hz: Of samples, which need it; files say their own.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        settings: From when on a sound counts.
        on_progress: Called with the seconds that are done, and all there are where the file says.
    Returns:
        All events, by their beginning; notes say where there was silence, or nothing known. A file that is damaged on
        the way gives what came before, and a note.
    Raises:
        MediaError, FileMissingError: the sound cannot be read at all.
        UnknownNameError: no such model or class.
        RangeError, ShapeError, DTypeError: these are not samples of sound, or nothing a sound is read from.
    """
    listener = Listener(model, settings)
    return listen_with(listener, sound, rate_hz=rate_hz, on_progress=on_progress)


def listen_with(
    listener: Listener,
    sound: SoundSource | SamplesLike,
    *,
    rate_hz: int | None = None,
    on_progress: Callable[[float, float | None], None] | None = None,
    max_s: float | None = None,
) -> Events:
    """As `listen`, with a listener that is ready and has heard nothing yet.

    Args:
        listener: The model and its settings.
        sound: As in `listen`.
        rate_hz: As in `listen`.
        on_progress: As in `listen`.
        max_s: Longest file that is accepted; None for any.
    Raises:
        TooLargeError: the file is longer than `max_s`.
        As `listen`.
    """
    found: dict[int, Event] = {}
    notes: list[str] = []
    if is_samples(sound):
        samples = _at_rate(sound, rate_hz, listener.rate_hz)
        step = round(_BLOCK_S * listener.rate_hz)
        for first in range(0, len(samples), step):
            _note(found, listener.feed(samples[first : first + step]))
    else:
        source = cast("SoundSource", sound)
        with SoundReader(source, rate_hz=listener.rate_hz, block_s=_BLOCK_S) as reader:
            try:
                for block in reader:
                    if max_s is not None and listener.time_s > max_s:
                        raise TooLargeError(
                            f"sound: more than {max_s:g} s; cut it, or use szem listen on the machine itself"
                        )
                    _note(found, listener.feed(block.samples))
                    if on_progress is not None:
                        on_progress(listener.time_s, reader.duration_s)
            except FormatError as error:
                if not listener.time_s:
                    raise
                notes.append(str(error))
            if reader.damaged:
                notes.append(f"{reader.damaged} damaged packets of sound were left out")
    _note(found, listener.finish())
    if listener.loudest_db < listener.settings.events.silence_db:
        notes.insert(0, "silence: nothing is louder than the microphone's own hiss")
    elif not found:
        notes.insert(0, "nothing known is heard")
    items = tuple(sorted(found.values(), key=lambda event: (event.start_s, event.number)))
    return Events(items=items, duration_s=listener.time_s, model=listener.card.name, notes=tuple(notes))


def _note(found: dict[int, Event], events: list[Event]) -> None:
    for event in events:
        found[event.number] = event


def _thresholds(kinds: EventKinds, card: Card, settings: ListenSettings) -> NDArray[np.float64]:
    """(K,) from which score on each kind counts; 2, which no score reaches, for those that are not wanted."""
    if settings.threshold is not None and not 0 <= settings.threshold <= 1:
        raise RangeError(f"threshold must lie in 0..1, got {settings.threshold}")
    if settings.use not in USES:
        raise UnknownNameError(f"use is one of {', '.join(USES)}, got {settings.use!r}")
    known = {name.lower(): place for place, name in enumerate(kinds.names)}
    stated = card.thresholds | (card.report_thresholds if settings.use == "report" else {})

    def places(names: Sequence[str]) -> list[int]:
        wanted = [name.replace("_", " ").strip().lower() for name in names]
        unknown = [name for name in wanted if name not in known]
        if unknown:
            near = ", ".join(kinds.names[: kinds.grouped])
            more = " and each label of its own" if kinds.grouped < len(kinds.names) else ""
            raise UnknownNameError(f"the model knows no {', '.join(map(repr, unknown))}; it knows {near}{more}")
        return [known[name] for name in wanted]

    own = [stated.get(name, stated.get(kinds.group_of(name), _USUAL)) for name in kinds.names]
    if settings.threshold is not None:
        own = [max(settings.threshold, 1e-3)] * len(own)
    chosen = places(settings.classes) or list(range(kinds.grouped))
    out = np.full(len(own), 2.0)
    for place in (*chosen, *places(settings.also)):
        out[place] = own[place]
    return out


def _at_rate(sound: Any, rate_hz: int | None, wanted_hz: int) -> Samples:
    samples = as_sound(sound, rate_hz=rate_hz)
    if rate_hz is None or rate_hz == wanted_hz or not len(samples):
        return samples
    rate_hz = int(rate_hz)
    shared = math.gcd(rate_hz, wanted_hz)
    return resample_poly(samples, wanted_hz // shared, rate_hz // shared).astype(np.float32)
