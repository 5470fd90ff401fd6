"""How well reported events agree with what truly happened.

This file does not know who reports events, nor where the truth comes from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from szem.results.events import Event

__all__ = ["EventCounts", "TrueEvent", "match_events"]

_NEAR_S = 3.0  # two moments that differ by less are the same
_AT_ONCE = ("enters", "leaves", "crosses", "removed", "fast approach")
_OVERLAP = 0.15  # intersection over union of two boxes of one object


@dataclass(frozen=True, kw_only=True)
class TrueEvent:
    """One event that truly happens."""

    kind: str
    start_s: float
    end_s: float
    box_xyxy: tuple[float, float, float, float] | None = None
    label: str = ""
    place: str = ""
    direction: str = ""
    is_doubtful: bool = False  # a close call: it is neither wrong to report it nor not to


@dataclass
class EventCounts:
    """Right, wrong and missed events, by kind."""

    right: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    delays_s: dict[str, list[float]] = field(default_factory=dict)  # from the beginning to when it was reported

    def add(self, other: "EventCounts") -> None:
        """Take in another video's."""
        for mine, theirs in ((self.right, other.right), (self.wrong, other.wrong), (self.missed, other.missed)):
            for kind, number in theirs.items():
                mine[kind] = mine.get(kind, 0) + number
        for kind, delays in other.delays_s.items():
            self.delays_s.setdefault(kind, []).extend(delays)

    @property
    def kinds(self) -> tuple[str, ...]:
        """All that were reported or happened."""
        return tuple(sorted({*self.right, *self.wrong, *self.missed}))

    def scores(self, kinds: Iterable[str] | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1, of some kinds together or of all; 1 where there was nothing."""
        wanted = self.kinds if kinds is None else tuple(kinds)
        right, wrong, missed = (
            sum(table.get(kind, 0) for kind in wanted) for table in (self.right, self.wrong, self.missed)
        )
        return (
            right / (right + wrong) if right + wrong else 1.0,
            right / (right + missed) if right + missed else 1.0,
            2 * right / (2 * right + wrong + missed) if right + wrong + missed else 1.0,
        )


def match_events(events: Sequence[Event], truth: Sequence[TrueEvent], *, near_s: float = _NEAR_S) -> EventCounts:
    """Pair events with what happened: of one kind and place, at one time, and where both have boxes, there.

    Args:
        events: What was reported, each once.
        truth: What happened; close calls count neither way.
        near_s: By how much beginnings may differ.

    >>> bag = TrueEvent(kind="left behind", start_s=5, end_s=20)
    >>> reported = [Event(kind="left behind", start_s=t, end_s=20, score=1) for t in (5.5, 15)]
    >>> counts = match_events(reported, [bag])
    >>> counts.right, counts.wrong, counts.missed
    ({'left behind': 1}, {'left behind': 1}, {})
    """
    counts = EventCounts()
    apart = np.full((len(events), len(truth)), 1e6)
    for i, event in enumerate(events):
        for j, true in enumerate(truth):
            if _can_be(event, true, near_s):
                apart[i, j] = abs(event.start_s - true.start_s) + (1e3 if true.is_doubtful else 0)
    rows, columns = linear_sum_assignment(apart)
    pairs = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if apart[i, j] < 1e5]
    reported, happened = {i for i, _ in pairs}, {j for _, j in pairs}
    for i, j in pairs:
        event, true = events[i], truth[j]
        if true.is_doubtful:
            continue
        counts.right[event.kind] = counts.right.get(event.kind, 0) + 1
        if event.best_s is not None:
            counts.delays_s.setdefault(event.kind, []).append(event.best_s - true.start_s)
    for i, event in enumerate(events):
        if i not in reported:
            counts.wrong[event.kind] = counts.wrong.get(event.kind, 0) + 1
    for j, true in enumerate(truth):
        if j not in happened and not true.is_doubtful:
            counts.missed[true.kind] = counts.missed.get(true.kind, 0) + 1
    return counts


def _can_be(event: Event, true: TrueEvent, near_s: float) -> bool:
    if event.kind != true.kind or event.place != true.place:
        return False
    if true.direction and event.direction != true.direction:
        return False
    if abs(event.start_s - true.start_s) > near_s and (
        event.kind in _AT_ONCE or min(event.end_s, true.end_s) < max(event.start_s, true.start_s)
        or event.start_s - true.start_s > 2 * near_s or true.start_s - event.start_s > near_s
    ):  # fmt: skip
        return False
    if event.box_xyxy is None or true.box_xyxy is None or event.kind not in ("left behind", "removed"):
        return True
    a, b = np.array(event.box_xyxy), np.array(true.box_xyxy)
    common = float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())
    joined = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - common
    return common / max(joined, 1e-9) >= _OVERLAP
