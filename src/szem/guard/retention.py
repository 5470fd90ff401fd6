"""For how long events are kept: the oldest go first, by age and by the space that pictures and clips take.

Age is counted by the guard's own clock (`szem.guard.elapsed_clock`): a wall clock that is set wrong deletes nothing.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from szem.errors import RangeError
from szem.guard.db_schema import EVENTS
from szem.guard.event_store import EventStore

__all__ = ["Retention", "SweepReport", "sweep"]

_AT_ONCE = 200  # events of one transaction: nobody waits long for the database
_DAY_S = 86_400.0
_GIGABYTE = 1e9


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept.

    Raises:
        RangeError: a number is not positive.
    """

    days: float = 30.0  # events older than this are forgotten, with their files
    gigabytes: float = 10.0  # of pictures and clips; beyond it the oldest lose theirs, the events stay
    keep_marked: bool = True  # events that a person marked stay, whatever their age and size
    free_gigabytes: float = 0.5  # of the disk, which are left free for others

    def __post_init__(self) -> None:
        for name, low, high in (("days", 0.0, 36_500.0), ("gigabytes", 0.0, 1e6), ("free_gigabytes", -1.0, 1e6)):
            if not low < getattr(self, name) <= high:  # nan fits nowhere
                raise RangeError(f"{name} must be positive and at most {high:g}, got {getattr(self, name)}")
        if self.free_gigabytes < 0:
            raise RangeError(f"free_gigabytes must not be negative, got {self.free_gigabytes}")


@dataclass(frozen=True)
class SweepReport:
    """What one sweep did."""

    events: int = 0  # forgotten
    files_of: int = 0  # events that lost their files
    bytes_freed: int = 0


def sweep(store: EventStore, retention: Retention) -> SweepReport:
    """Forget what is too old, and delete the oldest files where there are too many.

    Raises:
        StoreError: the database does not answer.
    """
    old = store.clock.now_s() - retention.days * _DAY_S
    events, freed = _forget(store, old, keep_marked=retention.keep_marked)
    too_much = _held_bytes(store) - retention.gigabytes * _GIGABYTE
    with suppress(OSError):
        too_much = max(too_much, retention.free_gigabytes * _GIGABYTE - shutil.disk_usage(store.media).free)
    files_of, more = _drop_files(store, too_much, keep_marked=retention.keep_marked)
    return SweepReport(events, files_of, freed + more)


def _forget(store: EventStore, kept_before_s: float, *, keep_marked: bool) -> tuple[int, int]:
    table = EVENTS.c
    old = [table.kept_s < kept_before_s, table.is_open.is_(False)]
    if keep_marked:
        old.append(table.mark == "")
    count = freed = 0
    while True:
        query = select(table.number, table.picture, table.clip, table.media_bytes).where(*old)
        with store.begin() as connection:
            rows = connection.execute(query.order_by(table.number).limit(_AT_ONCE)).all()
            connection.execute(delete(EVENTS).where(table.number.in_([row.number for row in rows])))
        store.delete_media(_named(rows))
        count, freed = count + len(rows), freed + sum(row.media_bytes for row in rows)
        if len(rows) < _AT_ONCE:
            return count, freed


def _drop_files(store: EventStore, too_much: float, *, keep_marked: bool) -> tuple[int, int]:
    table = EVENTS.c
    heavy = [table.media_bytes > 0, table.is_open.is_(False)]
    if keep_marked:
        heavy.append(table.mark == "")
    count = freed = 0
    while freed < too_much:
        query = select(table.number, table.picture, table.clip, table.media_bytes).where(*heavy)
        with store.begin() as connection:
            rows = []
            for row in connection.execute(query.order_by(table.number).limit(_AT_ONCE)):
                if freed >= too_much:
                    break
                rows.append(row)
                freed += row.media_bytes
            connection.execute(
                update(EVENTS)
                .where(table.number.in_([row.number for row in rows]))
                .values(picture="", clip="", clip_start_s=None, media_bytes=0)
            )
        store.delete_media(_named(rows))
        count += len(rows)
        if not rows:
            break
    return count, freed


def _named(rows: Sequence[object]) -> list[str]:
    return [name for row in rows for name in (row.picture, row.clip) if name]  # type: ignore[attr-defined]


def _held_bytes(store: EventStore) -> int:
    with store.begin() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(EVENTS.c.media_bytes), 0))).scalar_one())
