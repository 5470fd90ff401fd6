"""One event as it is kept: what happened, when by the world's clock, what lies beside it, what a person says of it.

This file does not know the database.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from szem.errors import RangeError, UnknownNameError
from szem.results.events import CHANNELS

__all__ = ["MARKS", "EventQuery", "StoredEvent", "parse_moment", "timestamp"]

MARKS = ("wrong", "right")  # what a person may say of an event


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """One row of the table of events."""

    id: str  # 32 hex digits; also tells a hook's receiver what it has had before
    number: int = 0  # counts up in the order in which events were kept, whatever the clock did
    source: str  # name of the camera or video
    kind: str
    started: float  # seconds since 1970, UTC, by the clock of its time
    ended: float
    start_s: float  # in the source's own time
    end_s: float
    best_s: float | None = None
    kept_s: float = 0.0  # by the guard's own clock, which nobody sets: its age is counted by this
    score: float
    channels: dict[str, float] = field(default_factory=dict)
    contributions: dict[str, float] = field(default_factory=dict)
    label: str = ""
    track: int | None = None
    place: str = ""
    direction: str = ""
    box_xyxy: tuple[float, float, float, float] | None = None
    width_px: int | None = None  # of the frame that the box lies in
    height_px: int | None = None
    also: str = ""  # the kind that the other channel tells
    note: str = ""
    is_open: bool = False
    rule: str = ""  # the rule that wanted it
    picture: str = ""  # below the store's folder of media; empty: none
    clip: str = ""
    clip_start_s: float | None = None  # in the source's own time: where the clip begins
    media_bytes: int = 0
    mark: str = ""  # "", or one of MARKS
    mark_note: str = ""
    marked: float | None = None  # when, seconds since 1970

    @property
    def duration_s(self) -> float:
        """From its beginning to its end."""
        return self.end_s - self.start_s

    def to_dict(self) -> dict[str, Any]:
        """JSON types; what is not known is left out."""
        row: dict[str, Any] = {
            "id": self.id,
            "number": self.number,
            "source": self.source,
            "kind": self.kind,
            "started": timestamp(self.started),
            "ended": timestamp(self.ended),
            "duration_s": round(self.duration_s, 3),
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "score": round(self.score, 4),
            "channels": {name: round(value, 4) for name, value in self.channels.items()},
            "contributions": {name: round(value, 4) for name, value in self.contributions.items()},
            "open": self.is_open,
            "mark": self.mark,
        }
        for name in ("best_s", "clip_start_s"):
            value = getattr(self, name)
            if value is not None:
                row[name] = round(value, 3)
        for name in ("label", "track", "place", "direction", "also", "note", "rule", "picture", "clip", "mark_note"):
            value = getattr(self, name)
            if value not in ("", None):
                row[name] = value
        if self.box_xyxy is not None:
            row["box_xyxy"] = [round(value, 2) for value in self.box_xyxy]
        if self.width_px and self.height_px:
            row["frame"] = {"width": self.width_px, "height": self.height_px}
        if self.marked is not None:
            row["marked"] = timestamp(self.marked)
        return row


@dataclass(frozen=True, kw_only=True)
class EventQuery:
    """Which events are asked for; what is left empty does not choose.

    Raises:
        RangeError: the lowest score is outside 0..1, or the times are the wrong way round.
        UnknownNameError: no such channel or mark.
    """

    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    since: float | None = None  # seconds since 1970: ended at or after
    until: float | None = None  # began before
    min_score: float = 0.0
    channel: str = ""  # "sound" or "video": that channel tells of it; "both": both do
    marks: tuple[str, ...] = ()  # of "wrong", "right", "none"

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise RangeError(f"min_score must lie in 0..1, got {self.min_score}")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise RangeError("since must not be later than until; exchange them")
        if self.channel not in ("", "both", *CHANNELS):
            raise UnknownNameError(f"no channel {self.channel[:40]!r}; there are {', '.join(CHANNELS)} and both")
        for mark in self.marks:
            if mark not in (*MARKS, "none"):
                raise UnknownNameError(f"no mark {mark[:40]!r}; there are {', '.join(MARKS)} and none")


def timestamp(seconds: float) -> str:
    """A moment as RFC 3339 text, to the millisecond.

    >>> timestamp(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_moment(text: str, *, now: float) -> float:
    """A moment as a person types it: "2026-05-01", "2026-05-01 22:00" (this machine's time zone, unless it names
    one), or so long ago: "2h", "7d".

    Args:
        text: What was typed.
        now: Seconds since 1970.
    Returns:
        Seconds since 1970.
    Raises:
        RangeError: it is none of these.

    >>> parse_moment("2h", now=10_000.0)
    2800.0
    >>> parse_moment("1970-01-02T00:00:00Z", now=0.0)
    86400.0
    """
    short = text.strip().lower()
    digits = short.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS_S.get(short[len(digits) :])
    if unit is not None and digits.replace(".", "", 1).isdecimal() and digits.isascii() and len(digits) < 10:
        return now - float(digits) * unit
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise RangeError(
            f"{text[:40]!r} is no moment; write 2026-05-01, 2026-05-01T22:00, or so long ago: 30m, 2h, 7d"
        ) from None
