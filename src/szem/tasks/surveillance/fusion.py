"""Judge what is heard and what is seen together: one event where both tell of the same happening.

A barking dog is heard and seen; a table says which kinds of sound agree with which things. Each channel's chance
counts as log-odds, the more the better it hears or sees at the moment. A channel that tells of nothing counts neither
way: what is out of sight can still be heard, and a microphone or camera that is missing, silent, dark or broken
leaves the other to carry on. This file does not know how either channel finds its events.

Source: the sum of log-odds is the naive Bayes rule for channels that err independently; the weights are those of a
logistic regression (G. Potamianos et al., Recent advances in the automatic recognition of audiovisual speech, 2003,
section IV, weighs streams by their reliability in the same way).
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.results.events import CHANNELS, Event

__all__ = [
    "AGREE",
    "MINIMUM",
    "WEIGHTS",
    "Agreement",
    "ChannelEvidence",
    "ChannelWeights",
    "Fuser",
    "Fusion",
    "agreeing_kinds",
    "family_of",
    "join_events",
    "measure_picture_quality",
    "measure_sound_quality",
]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Sounds and things that tell of the same happening."""

    sounds: frozenset[str]  # kinds of sound events
    objects: frozenset[str]  # labels of things that are seen


_VEHICLES = frozenset({"car", "bus", "truck", "motorbike", "motorcycle", "train"})
AGREE: Mapping[str, Agreement] = {
    "dog": Agreement(sounds=frozenset({"dog bark"}), objects=frozenset({"dog"})),
    "vehicle": Agreement(
        sounds=frozenset({"car horn", "engine idling", "engine", "vehicle", "siren"}), objects=_VEHICLES
    ),
    "people": Agreement(
        sounds=frozenset(
            {
                *("children playing", "baby cry", "person sneeze", "street music"),
                *("speech", "shout", "scream", "footsteps"),
            }
        ),
        objects=frozenset({"person"}),
    ),
    "bird": Agreement(sounds=frozenset({"rooster", "bird"}), objects=frozenset({"bird"})),
    "aircraft": Agreement(sounds=frozenset({"helicopter", "aircraft"}), objects=frozenset({"airplane", "aeroplane"})),
}
_SEEN = frozenset({"enters", "fast approach"})  # kinds of video events that may be the same happening as a sound
_MOST_ODDS = 6.0  # of one channel: nothing is surer than 400 to 1


@dataclass(frozen=True, kw_only=True)
class ChannelWeights:
    """What a channel adds to the log-odds; q is how well it hears or sees, 0..1."""

    says: float  # for telling of it at all …
    odds: float  # … and for each unit of its own log-odds …
    odds_clear: float  # … and more by q


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Weights of both channels."""

    bias: float
    sound: ChannelWeights
    video: ChannelWeights

    def parts(self, analyzer: Mapping[str, "ChannelEvidence"]) -> dict[str, float]:
        """What each channel that tells of it adds to the log-odds."""
        found = {}
        for name, set_quality in analyzer.items():
            weights: ChannelWeights = getattr(self, name)
            if set_quality.probability is not None:
                found[name] = float(np.dot(set_quality.features(), (weights.says, weights.odds, weights.odds_clear)))
        return found

    def probability(self, analyzer: Mapping[str, "ChannelEvidence"]) -> float:
        """Of the happening, 0..1."""
        return 1 / (1 + math.exp(-(self.bias + sum(self.parts(analyzer).values()))))


@dataclass(frozen=True, kw_only=True)
class ChannelEvidence:
    """What one channel says of one happening."""

    probability: float | None  # calibrated, 0..1; None: it tells of nothing
    quality: float = 1.0  # how well it hears or sees

    def features(self) -> NDArray[np.float64]:
        """(3,): reported, log-odds, log-odds times quality; zeros without a report."""
        if self.probability is None:
            return np.zeros(3)
        clipped = min(max(self.probability, 1e-6), 1 - 1e-6)
        odds = min(max(math.log(clipped / (1 - clipped)), -_MOST_ODDS), _MOST_ODDS)
        return np.array([1.0, odds, odds * self.quality])


# Fitted by docs/tools/fusion_bench.py on its clips for tuning.
MINIMUM = 0.3
WEIGHTS = Fusion(
    bias=-0.169,
    sound=ChannelWeights(says=1.438, odds=0.698, odds_clear=0.575),
    video=ChannelWeights(says=0.397, odds=0.525, odds_clear=0.88),
)


class Fuser:
    """Joins the events of two channels of one source as they are reported.

    Events that no other channel could tell of pass at once. The others wait for up to `wait_s` for their partner. One
    that goes on is reported at once, and again, under its number, when its partner comes.

    Args:
        minimum: Joint chance from which on an event is reported.
        wait_s: How far apart both may be, and how long one waits for the other.
        fusion: The weights.
        is_confident: Whether an event is reported even if no other channel bears it out; None: only by its chance.
    """

    def __init__(
        self,
        *,
        minimum: float = MINIMUM,
        wait_s: float = 2.0,
        fusion: Fusion = WEIGHTS,
        is_confident: Callable[[Event], bool] | None = None,
    ) -> None:
        self.minimum, self.wait_s, self.fusion = minimum, wait_s, fusion
        self._is_confident = is_confident or (lambda event: event.is_open)
        self._quality = dict.fromkeys(CHANNELS, 1.0)
        self._waiting: list[tuple[float, str, Event]] = []  # since when, family, event
        self._open: dict[int, tuple[str, Event]] = {}  # number -> family, as it was reported

    def set_quality(self, channel: str, quality: float) -> None:
        """How well a channel hears or sees now, 0..1."""
        self._quality[channel] = quality

    def take(self, events: Iterable[Event], now_s: float) -> list[Event]:
        """Take in what was reported.

        Args:
            events: Of either channel.
            now_s: In the source's time.
        Returns:
            What is sure now: passed through, or joined.
        """
        reported = [one for event in events for one in self._take(event, now_s)]
        return reported + self._release(now_s)

    def finish(self, now_s: float) -> list[Event]:
        """Nothing more will come."""
        return self._release(now_s + self.wait_s + 1.0)

    def _take(self, event: Event, now_s: float) -> list[Event]:
        family = family_of(event)
        if event.number and event.number in self._open:
            return [self._go_on(event)]
        if not family or len(event.channels) != 1:
            return [event]
        going_on = next((n for n, row in self._open.items() if self._belong(row, family, event)), None)
        if going_on is not None:
            joined = self._decide([self._open[going_on][1], event], family)
            self._open[going_on] = (family, joined)
            return [joined]
        partner = next((row for row in self._waiting if self._belong(row[1:], family, event)), None)
        if partner is not None:
            self._waiting.remove(partner)
            joined = self._decide([event, partner[2]] if event.is_open else [partner[2], event], family)
            if event.is_open:
                self._open[event.number] = (family, joined)
            return [joined] if event.is_open or joined.score >= self.minimum else []
        if not event.is_open:
            self._waiting.append((now_s, family, event))
        elif self._is_confident(event):
            self._open[event.number] = (family, event)
            return [event]
        return []

    def _go_on(self, event: Event) -> Event:
        """What was reported before of an event that goes on or has ended stays with it."""
        family, before = self._open[event.number]
        if len(before.channels) > 1:
            event = replace(before, end_s=max(before.end_s, event.end_s), is_open=event.is_open)
        self._open[event.number] = (family, event)
        if not event.is_open:
            del self._open[event.number]
        return event

    def _belong(self, row: tuple[str, Event], family: str, event: Event) -> bool:
        other = row[1]
        if row[0] != family or len(other.channels) != 1 or other.by == event.by:
            return False
        return event.start_s - other.end_s <= self.wait_s and other.start_s - event.end_s <= self.wait_s

    def _release(self, now_s: float) -> list[Event]:
        due = [row for row in self._waiting if now_s - row[0] > self.wait_s]
        self._waiting = [row for row in self._waiting if now_s - row[0] <= self.wait_s]
        found = []
        for _, family, event in due:
            decided = self._decide([event], family)
            if decided.score >= self.minimum:
                found.append(decided)
            elif self._is_confident(event):
                found.append(event)
        return found

    def _decide(self, both: Sequence[Event], family: str) -> Event:
        analyzer = {
            name: ChannelEvidence(probability=probability, quality=self._quality[name])
            for event in both
            for name, probability in event.channels.items()
        }
        return join_events(
            both, probability=self.fusion.probability(analyzer), parts=self.fusion.parts(analyzer), family=family
        )


def join_events(both: Sequence[Event], *, probability: float, parts: Mapping[str, float], family: str) -> Event:
    """One event of two: the kind of the surer one, the place of what was seen, the time of both.

    Args:
        both: One or two events, of different channels; if one goes on it comes first, and keeps its kind.
        probability: That it happened.
        parts: What each channel adds to the log-odds.
        family: What the two have in common.
    """
    first = both[0]
    surest = first if first.is_open else max(both, key=lambda event: event.score)
    seen = next((event for event in both if "video" in event.channels), None)
    others = [event for event in both if event is not surest]
    if first.is_open:  # it was reported already: what it is known by stays
        base = first if seen is None else replace(first, label=seen.label, box_xyxy=seen.box_xyxy, best_s=seen.best_s)
    else:
        base = surest if seen is None else replace(seen, kind=surest.kind)
    reported = " and ".join(f"{_how(event)} {event.label or event.kind}" for event in both)
    note = f"{reported} (the same {family})" if others else base.note
    return replace(
        base,
        start_s=first.start_s if first.is_open else min(event.start_s for event in both),
        end_s=max(event.end_s for event in both),
        score=probability,
        channels={name: value for event in both for name, value in event.channels.items()},
        contributions=dict(parts),
        also=others[0].kind if others else "",
        number=first.number,
        note=note,
    )


def family_of(event: Event) -> str:
    """What else could tell of an event: a key of `AGREE`; nothing where only one channel can.

    >>> family_of(Event(kind="dog bark", start_s=0, end_s=1, score=1, channels={"sound": 1.0}))
    'dog'
    """
    for name, agreement in AGREE.items():
        if "sound" in event.channels and event.kind in agreement.sounds:
            return name
        if "video" in event.channels and event.kind in _SEEN and event.label in agreement.objects:
            return name
    return ""


def agreeing_kinds(names: Collection[str]) -> frozenset[str]:
    """The kinds of sound among these that something seen can agree with."""
    return frozenset(name for name in names if any(name in agreement.sounds for agreement in AGREE.values()))


def measure_picture_quality(grey: NDArray[np.uint8]) -> float:
    """How well something could be recognised in a picture: light, contrast and detail together, 0..1.

    Args:
        grey: (H, W) uint8.

    >>> measure_picture_quality(np.zeros((90, 160), np.uint8))
    0.0
    """
    small = np.asarray(cv2.resize(grey, (160, 90), interpolation=cv2.INTER_AREA), np.float32)
    light = min(max((float(small.mean()) - 6) / 50, 0.0), 1.0)
    contrast = min(float(small.std()) / 35, 1.0)
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.0), np.float32)
    detail = min(float((small - soft).std()) / 5, 1.0)
    return float((light * contrast * detail) ** (1 / 3))


def measure_sound_quality(levels_db: Sequence[float]) -> float:
    """How well something could be heard: how far the loudest moments stand out of the quietest ones, 0..1.

    Args:
        levels_db: Of the last windows, below full scale.
    """
    if len(levels_db) < 2:
        return 0.5
    low, high = np.percentile(np.asarray(levels_db, np.float64), (10, 95))
    return float(min(max((high - low) / 20, 0.0), 1.0))


def _how(event: Event) -> str:
    return "heard" if "sound" in event.channels else "seen"
