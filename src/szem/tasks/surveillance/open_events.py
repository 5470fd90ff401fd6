"""Events that have begun and not ended yet: numbered, reported when they begin and again when they end.

This file does not know what the events are.
"""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from szem.results.events import Event

__all__ = ["OpenEvents"]


class OpenEvents:
    """The open events of one source, by a key of the teller's choice, and the count of all.

    >>> reported = OpenEvents()
    >>> event = reported.begin("door", Event(kind="crowd", start_s=1, end_s=2, score=0.5))
    >>> reported.end("door", 5.0).end_s, reported.end("door", 6.0)
    (5.0, None)
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, Event] = {}
        self._count = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._open

    def once(self, event: Event) -> Event:
        """An event that has no duration of interest."""
        self._count += 1
        return replace(event, number=self._count)

    def begin(self, key: Hashable, event: Event) -> Event:
        """An event that goes on from now; to be reported."""
        self._open[key] = replace(self.once(event), is_open=True)
        return self._open[key]

    def change(self, key: Hashable, **changes: Any) -> None:
        """What has become known of an open event meanwhile; reported when it ends."""
        if key in self._open:
            self._open[key] = replace(self._open[key], **changes)

    def end(self, key: Hashable, time_s: float, *, note: str = "") -> Event | None:
        """The event as it was in the end; to be reported. None if it is not open.

        Args:
            key: Which.
            time_s: When it ended; not before the end it has already.
            note: To be added to what is said of it.
        """
        event = self._open.pop(key, None)
        if event is None:
            return None
        notes = "; ".join(part for part in (event.note, note) if part)
        return replace(event, end_s=max(event.end_s, time_s), is_open=False, note=notes)

    def end_all(self, time_s: float) -> list[Event]:
        """End all that is open, because nothing more will come; each stays marked as open."""
        ended = [replace(event, end_s=max(event.end_s, time_s)) for event in self._open.values()]
        self._open.clear()
        return ended

    @property
    def open(self) -> tuple[Event, ...]:
        """What goes on now."""
        return tuple(self._open.values())
