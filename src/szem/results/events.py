"""What happened and when, by which channel, with which score.

Checked once when made, trusted afterwards. This file does not know who saw or heard it, nor where it is kept.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from szem.arrays import Value, count_names
from szem.errors import RangeError
from szem.results.indexing import TupleResult

__all__ = ["CHANNELS", "Event", "Events"]

CHANNELS = ("sound", "video")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Event(Value):
    """One happening.

    >>> bark = Event(kind="dog bark", start_s=2.0, end_s=3.5, score=0.9, channels={"sound": 0.9})
    >>> bark.duration_s, bark.by
    (1.5, ('sound',))
    """

    kind: str  # "dog bark", "left behind", "crosses"
    start_s: float  # from the beginning of the video, sound or stream
    end_s: float  # of what has been seen so far, where it still goes on
    score: float  # 0..1, calibrated: of events with 0.8 about eight in ten are right
    channels: Mapping[str, float] = field(default_factory=dict)  # channel -> what it alone says, 0..1
    contributions: Mapping[str, float] = field(default_factory=dict)  # channel -> its part of the log-odds, signed
    label: str = ""  # of the object concerned: "person", "suitcase"
    track: int | None = None  # the object's number, see `Tracks`
    place: str = ""  # name of the zone or line
    direction: str = ""  # of what crosses
    box_xyxy: tuple[float, float, float, float] | None = None  # in pixels of the frame at `best_s`
    best_s: float | None = None  # when it is seen or heard best
    is_open: bool = False  # it goes on; its end is not known yet
    number: int = 0  # counted by who reports it, from 1; an open event is reported again with it when it ends
    note: str = ""  # a sentence for a person
    also: str = ""  # the kind that the other channel reported, where two were joined

    def __post_init__(self) -> None:
        if not self.kind:
            raise RangeError("an event needs a kind, got an empty one")
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s <= self.end_s):
            raise RangeError(f"{self.kind}: an event ends after it begins, got {self.start_s} to {self.end_s} s")
        for name, value in (("score", self.score), *self.channels.items()):
            if not 0 <= value <= 1:
                raise RangeError(f"{self.kind}: {name} must lie in 0..1, got {value}")
        for names in (self.channels, self.contributions):
            unknown = set(names) - set(CHANNELS)
            if unknown:
                raise RangeError(f"{self.kind}: channels are {', '.join(CHANNELS)}, got {', '.join(sorted(unknown))}")
        super().__post_init__()

    def summary(self) -> str:
        """What, when, and its score."""
        what = f"{self.kind} ({self.label})" if self.label else self.kind
        return f"{what}, {self.start_s:.2f} to {self.end_s:.2f} s, score {self.score:.2f}"

    @property
    def duration_s(self) -> float:
        """From its beginning to its end."""
        return self.end_s - self.start_s

    @property
    def by(self) -> tuple[str, ...]:
        """The channels that report it."""
        return tuple(name for name in CHANNELS if name in self.channels)

    def to_dict(self) -> dict[str, Any]:
        """JSON types; what is not known is left out."""
        row: dict[str, Any] = {
            "kind": self.kind,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "score": round(self.score, 4),
            "channels": {name: round(value, 4) for name, value in self.channels.items()},
        }
        if self.contributions:
            row["contributions"] = {name: round(value, 4) for name, value in self.contributions.items()}
        for name in ("label", "track", "place", "direction", "note", "also"):
            value = getattr(self, name)
            if value not in ("", None):
                row[name] = value
        if self.box_xyxy is not None:
            row["box_xyxy"] = [round(value, 2) for value in self.box_xyxy]
        if self.best_s is not None:
            row["best_s"] = round(self.best_s, 3)
        if self.number:
            row["number"] = self.number
        if self.is_open:
            row["open"] = True
        return row


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Events(TupleResult[Event]):
    """All that happened in a video, sound or stream, in the order of its beginnings."""

    items: tuple[Event, ...]
    duration_s: float  # of what was looked at or listened to
    model: str
    notes: tuple[str, ...] = ()  # on the whole: "no sound", "too dark to see from 12 s on"

    def __post_init__(self) -> None:
        starts = [event.start_s for event in self.items]
        if starts != sorted(starts):
            raise RangeError(f"events must come in the order of their beginnings, got {starts}")
        if self.duration_s < 0:
            raise RangeError(f"duration_s must not be negative, got {self.duration_s}")
        super().__post_init__()

    def summary(self) -> str:
        """How many of what, in how long."""
        named = count_names(event.kind for event in self.items)
        return f"{len(self)}{': ' + named if named else ''}; {self.duration_s:.1f} s"

    @property
    def counts(self) -> dict[str, int]:
        """How many events of each kind, the most frequent first."""
        kinds = [event.kind for event in self.items]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds), key=lambda k: (-kinds.count(k), k))}

    def keep(self, *, score: float = 0.0, kinds: Collection[str] | None = None) -> "Events":
        """Only events of at least this score, and of these kinds."""
        kept = tuple(e for e in self.items if e.score >= score and (kinds is None or e.kind in kinds))
        return Events(items=kept, duration_s=self.duration_s, model=self.model, notes=self.notes)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "counts": self.counts,
            "events": [event.to_dict() for event in self.items],
            "notes": list(self.notes),
        }
