"""What a guard keeps: events in a database, pictures and clips in a folder beside it.

Every change is one transaction; a file is there, whole, before a row names it, and a row has let go of it before it
is deleted. So power may fail at any moment: at worst files are left that no row names, and `clean` removes those.
Blocking: call it from a thread. This file does not know where events come from.
"""

import errno
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex

from szem.errors import BusyError, FileMissingError, NotFoundError, RangeError, StoreError, UnknownNameError
from szem.files import NOWHERE, open_plain, sweep_folder, write_error, write_file
from szem.guard.db_schema import (
    EVENTS,
    META,
    OUTBOX,
    SCHEMA_VERSION,
    SOURCES,
    TABLES,
    event_to_row,
    migrate,
    row_to_event,
)
from szem.guard.elapsed_clock import ElapsedClock
from szem.guard.event_record import MARKS, EventQuery, StoredEvent
from szem.results.events import Event
from szem.runtime.databases import FULL, is_damage, is_full, open_database, plain_fault
from szem.runtime.store import data_folder

__all__ = ["DATABASE_FILE", "RULES_FILE", "EventStore", "changing_values", "default_store", "slug", "stored_from"]

DATABASE_FILE = "events.sqlite3"
RULES_FILE = "guard.toml"  # the rules of a store, where the command line names none
_MEDIA, _LOCK = "media", "guard.lock"
_ID = re.compile(r"[0-9a-f]{32}\Z")
_OURS = re.compile(r".+_[0-9a-f]{8}\.(jpg|mp4)(\.part)?\Z")  # files that may be deleted
_FEW = 20_000  # events that are sorted sooner than all others are walked through


def default_store() -> Path:
    """Where events are kept when no folder is named: `guard` beside the user's models."""
    return data_folder() / "guard"


class EventStore:
    """The events of one folder.

    Args:
        folder: For pictures, clips and, without a URL, the database; made where it is missing.
        url: SQLAlchemy URL of the database; empty: SQLite in the folder.
        must_exist: Refuse a folder that holds no events yet, instead of making it.
    Raises:
        FileMissingError: nothing is kept there, where something must be.
        RangeError: the database cannot be opened, or a newer szem made it.
        StoreError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, url: str = "", must_exist: bool = False) -> None:
        self.folder = folder
        if must_exist and not url and not (folder / DATABASE_FILE).is_file():
            if folder.is_relative_to(NOWHERE):
                raise FileMissingError(
                    "no events are kept, for there is no home folder (HOME is not set); name the folder that szem "
                    "watch writes with --store DIR, or set SZEM_HOME"
                )
            raise FileMissingError(f"{folder}: no events are kept there; szem watch … --store {folder} begins to")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # pictures of people: for the guard's user alone
            self.media.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise write_error(folder, error) from error
        where = url or f"sqlite:///{folder / DATABASE_FILE}"
        if not url:
            _keep_private(folder / DATABASE_FILE)
        self._engine = open_database(where, TABLES, name="events", option="--database and --store")
        self._held: IO[bytes] | None = None
        self._check_version()
        self._add_indexes()
        self.clock = ElapsedClock(self._anchor())

    @property
    def media(self) -> Path:
        """The folder of pictures and clips."""
        return self.folder / _MEDIA

    def close(self) -> None:
        """Note the time and let the connections go."""
        with suppress(StoreError):
            if self._held is not None:
                self.keep_time()
        self._engine.dispose()
        if self._held is not None:
            self._held.close()
            self._held = None

    def hold(self) -> None:
        """Be the one guard that writes here, until `close`.

        Raises:
            BusyError: another one does.
        """
        if self._held is not None:
            return
        try:
            import fcntl
        except ImportError:  # Windows: nothing tells
            return
        held = (self.folder / _LOCK).open("ab")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.close()
            raise BusyError(
                f"{self.folder}: another szem watch keeps its events here; choose another with --store"
            ) from error
        self._held = held

    def keep_time(self) -> None:
        """Note how far the guard's own clock is, so that it goes on from there."""
        with self.begin() as connection:
            _put_meta(connection, "clock", json.dumps(self.clock.anchor()))

    # Writing ----------------------------------------------------------------------------------------------------

    def add(self, event: StoredEvent, *, messages: Sequence[dict[str, Any]] = ()) -> StoredEvent:
        """Keep an event, together with what is to be reported of it; once this returns, both survive anything.

        Args:
            event: Its number and age are set here.
            messages: Rows of the outbox: notifier, topic, body.
        Returns:
            The event with its number.
        """
        event = replace(event, kept_s=self.clock.now_s())
        with self.begin() as connection:
            number = connection.execute(insert(EVENTS).values(event_to_row(event))).inserted_primary_key
            assert number is not None
            self._post(connection, messages)
        return replace(event, number=int(number[0]))

    def change(self, id: str, *, messages: Sequence[dict[str, Any]] = (), **values: Any) -> None:
        """Change some of an event's columns."""
        known = event_to_row(replace(_NOTHING, **values))
        with self.begin() as connection:
            row = {name: known[name] for name in values}
            if "channels" in values:
                row |= {name: known[name] for name in ("sound", "video")}
            connection.execute(update(EVENTS).where(EVENTS.c.id == id).values(row))
            self._post(connection, messages)

    def mark(self, id: str, mark: str, *, note: str = "") -> StoredEvent:
        """Say that an event is wrong or right; an empty mark takes that back.

        Raises:
            NotFoundError: no such event.
            UnknownNameError: no such mark.
        """
        if mark not in ("", *MARKS):
            raise UnknownNameError(f"no mark {mark[:40]!r}; there are {', '.join(MARKS)}, and the empty one")
        found = self.get(id)
        self.change(found.id, mark=mark, mark_note=note[:2000] if mark else "", marked=time.time() if mark else None)
        return self.get(found.id)

    def close_open(self) -> int:
        """End the events that went on when the guard was ended by force; how many there were."""
        with self.begin() as connection:
            left = connection.execute(update(EVENTS).where(EVENTS.c.is_open.is_(True)).values(is_open=False))
        return left.rowcount

    def post(self, messages: Sequence[dict[str, Any]]) -> None:
        """Keep messages alone."""
        with self.begin() as connection:
            self._post(connection, messages)

    def _post(self, connection: Connection, messages: Sequence[dict[str, Any]]) -> None:
        for message in messages:
            row = {"id": uuid.uuid4().hex, "attempts": 0, "error": "", "kept_s": self.clock.now_s(), **message}
            connection.execute(insert(OUTBOX).values(row))

    # Reading ----------------------------------------------------------------------------------------------------

    def get(self, id: str) -> StoredEvent:
        """One event by its id, or by the beginning of it that no other has (8 digits at least).

        Raises:
            NotFoundError: there is none.
        """
        rows: list[Any] = []
        if re.fullmatch(r"[0-9a-f]{8,32}", id):
            with self.begin() as connection:
                # A range uses the unique index, which LIKE does not: "g" comes after every hexadecimal digit.
                query = select(EVENTS).where(EVENTS.c.id >= id, EVENTS.c.id < id + "g").limit(2)
                rows = list(connection.execute(query).mappings())
        if len(rows) != 1:
            what = "several events begin with" if rows else "no event"
            raise NotFoundError(f"{what} {id[:64]!r}; szem events list shows their ids")
        return row_to_event(rows[0])

    def page(
        self, wanted: EventQuery, *, size: int, before: int | None = None
    ) -> tuple[list[StoredEvent], int | None]:
        """Some events, those kept last first.

        Args:
            wanted: Which.
            size: How many at most.
            before: A number: only events with a lower one.
        Returns:
            The events, and the number to ask on with; None: there are no more.
        """
        number = EVENTS.c.number
        with self.begin() as connection:
            conditions, is_narrow = _conditions_for(connection, wanted)
            query = select(EVENTS).where(*conditions)
            if before is not None:
                query = query.where(number < before)
            # SQLite would walk all events by number; an expression makes it take the index of times and sort those.
            order = (number + 0 if is_narrow else number).desc()
            rows = connection.execute(query.order_by(order).limit(size + 1)).mappings()
            found = [row_to_event(row) for row in rows]
        more = found[size - 1].number if len(found) > size else None
        return found[:size], more

    def each(self, wanted: EventQuery, *, page: int = 500) -> Iterator[StoredEvent]:
        """All events, those kept first first; not all of them are ever in memory."""
        after = 0
        while True:
            with self.begin() as connection:
                conditions, _ = _conditions_for(connection, wanted)
                query = select(EVENTS).where(*conditions, EVENTS.c.number > after).order_by(EVENTS.c.number)
                found = [row_to_event(row) for row in connection.execute(query.limit(page)).mappings()]
            yield from found
            if len(found) < page:
                return
            after = found[-1].number

    def count(self, wanted: EventQuery) -> int:
        """How many events there are."""
        with self.begin() as connection:
            conditions, _ = _conditions_for(connection, wanted)
            query = select(func.count()).select_from(EVENTS).where(*conditions)
            return int(connection.execute(query).scalar_one())

    def counts(self, column: str, wanted: EventQuery) -> dict[str, int]:
        """How many events there are of each kind, source, place, rule or mark; the most frequent first."""
        assert column in ("kind", "source", "place", "rule", "mark")
        what, many = EVENTS.c[column], func.count()
        with self.begin() as connection:
            conditions, is_narrow = _conditions_for(connection, wanted)
            # As in `page`: an expression keeps SQLite from walking all events in the order of the groups.
            group = func.coalesce(what, "") if is_narrow else what
            query = select(group, many).where(*conditions).group_by(group).order_by(many.desc(), group)
            return {str(name): int(count) for name, count in connection.execute(query)}

    def media_path(self, name: str) -> Path:
        """Where a picture or clip is; raises as `open_media`."""
        with self.open_media(name):
            return self.media / name

    def open_media(self, name: str) -> IO[bytes]:
        """Open a picture or clip for reading. Links are not followed, also not one that was put there just now.

        Raises:
            NotFoundError: there is none, or it was deleted since.
        """
        try:
            return open_plain(self.media.resolve(), name.split("/"))
        except (OSError, ValueError) as error:
            raise NotFoundError(
                "this event has no such file; it was not made, or deleted since to keep within bounds"
            ) from error

    # Sources ----------------------------------------------------------------------------------------------------

    def report_source(self, name: str, **values: Any) -> None:
        """Note how a source is: state, reason, seen, width_px, height_px, has_sound, still."""
        row = {"state": "opening", "reason": "", "has_sound": False, "still": "", "updated": time.time()}
        with self.begin() as connection:
            changed = connection.execute(
                update(SOURCES).where(SOURCES.c.name == name[:200]).values(updated=time.time(), **values)
            )
            if not changed.rowcount:
                connection.execute(insert(SOURCES).values(row | values | {"name": name[:200]}))

    def sources(self) -> list[dict[str, Any]]:
        """How the sources are, by name."""
        with self.begin() as connection:
            return [dict(row) for row in connection.execute(select(SOURCES).order_by(SOURCES.c.name)).mappings()]

    # Files ------------------------------------------------------------------------------------------------------

    def name_media(self, event: StoredEvent, suffix: str) -> str:
        """Where a picture or clip of an event belongs: a folder a day, then time, source and kind."""
        when = datetime.fromtimestamp(event.started)
        parts = (f"{when:%H-%M-%S}", slug(event.source), slug(event.kind), event.id[:8])
        return f"{when:%Y-%m-%d}/{'_'.join(parts)}{suffix}"

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Write a file: gives the path to write to; it appears under its name, whole and on the disk, or not at all.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        with write_file(self.media / name) as part:
            yield part

    def delete_media(self, names: Sequence[str]) -> None:
        """Delete files that no row names any more, and the folders that this leaves empty."""
        for name in names:
            with suppress(OSError):
                (self.media / name).unlink(missing_ok=True)
        for folder in {(self.media / name).parent for name in names}:
            with suppress(OSError):
                folder.rmdir()

    def clean(self) -> int:
        """Delete files that no row names: what a loss of power left. Only the guard that holds the store may.

        Returns:
            How many were deleted.
        """
        with self.begin() as connection:
            named = {name for row in connection.execute(select(EVENTS.c.picture, EVENTS.c.clip)) for name in row}
            named |= {row[0] for row in connection.execute(select(SOURCES.c.still))}
        found = [path.relative_to(self.media).as_posix() for path in self.media.rglob("*") if path.is_file()]
        left = [name for name in found if name not in named and _OURS.match(name)]
        self.delete_media(left)
        folders = [self.media, *(path for path in self.media.rglob("*") if path.is_dir())]
        return len(left) + sum(sweep_folder(folder) for folder in folders)

    # The database -----------------------------------------------------------------------------------------------

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction.

        Raises:
            StoreError: the database does not answer, or its disk is full.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            fault = plain_fault(error)[:200]
            if is_damage(error):
                advice = "it is damaged: move it away, and a new one is begun, or restore a copy"
                raise StoreError(f"{self._engine.url.database}: {advice} ({fault})") from error
            if is_full(error):
                full = StoreError(f"the database of events cannot be written: {FULL}")
                full.errno = errno.ENOSPC  # which the guard waits out
                raise full from error
            raise StoreError(f"the database of events does not take or give what it should ({fault})") from error

    def _check_version(self) -> None:
        """Bring the tables of an older szem up to date; those of a newer one are left alone."""
        with self.begin() as connection:
            found = connection.execute(select(META.c.value).where(META.c.name == "schema")).scalar_one_or_none()
            if found is None:
                connection.execute(insert(META).values(name="schema", value=str(SCHEMA_VERSION)))
        if found is not None and int(found) > SCHEMA_VERSION:
            raise RangeError(
                f"{self.folder}: a newer szem keeps its events here (tables of version {found}, this one knows "
                f"{SCHEMA_VERSION}); install the newer one"
            )
        if found is not None and int(found) < SCHEMA_VERSION:
            with self.begin() as connection:
                migrate(connection)

    def _add_indexes(self) -> None:
        """Indexes that an older szem did not make; tables alone are made when the database is opened."""
        with self.begin() as connection:
            for index in EVENTS.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))

    def _anchor(self) -> tuple[float, float] | None:
        with self.begin() as connection:
            found = connection.execute(select(META.c.value).where(META.c.name == "clock")).scalar_one_or_none()
        if found is None:
            return None
        wall, steady = json.loads(found)
        return float(wall), float(steady)


_NOTHING = StoredEvent(id="", source="", kind="", started=0, ended=0, start_s=0, end_s=0, score=0)


def stored_from(event: Event, *, source: str, now: float, now_s: float) -> StoredEvent:
    """An event that was just reported, with the world's time.

    Args:
        event: As watched or heard.
        source: Name of the camera or video.
        now: Seconds since 1970.
        now_s: The same moment in the source's own time.
    """
    return StoredEvent(
        id=uuid.uuid4().hex,
        source=source,
        kind=event.kind,
        started=now - (now_s - event.start_s),
        ended=now - (now_s - event.end_s),
        start_s=event.start_s,
        track=event.track,
        place=event.place,
        direction=event.direction,
        **changing_values(event),
    )


def changing_values(event: Event) -> dict[str, Any]:
    """The columns that change while an event goes on."""
    return {
        "end_s": event.end_s,
        "best_s": event.best_s,
        "score": event.score,
        "channels": dict(event.channels),
        "contributions": dict(event.contributions),
        "label": event.label,
        "box_xyxy": event.box_xyxy,
        "also": event.also,
        "note": event.note,
        "is_open": event.is_open,
    }


def slug(text: str) -> str:
    """A text as part of a file's name or a topic: letters, digits, dashes.

    >>> slug("rtsp://10.0.0.2/Front door")
    'rtsp-10-0-0-2-front-door'
    """
    return re.sub(r"[^\w]+|_", "-", text.lower()).strip("-")[:60] or "unnamed"


def _conditions(wanted: EventQuery) -> list[Any]:
    """The conditions of a query."""
    table = EVENTS.c
    chosen: list[Any] = []
    for column, names in (
        (table.source, wanted.sources),
        (table.kind, wanted.kinds),
        (table.place, wanted.places),
        (table.rule, wanted.rules),
    ):
        if names:
            chosen.append(column.in_([name.replace("\0", "") for name in names]))
    if wanted.since is not None:
        chosen.append(table.ended >= wanted.since)
    if wanted.until is not None:
        chosen.append(table.started < wanted.until)
    if wanted.min_score > 0:
        chosen.append(table.score >= wanted.min_score)
    heard, seen = table.sound.is_not(None), table.video.is_not(None)
    if wanted.channel:
        chosen.append({"sound": heard, "video": seen, "both": and_(heard, seen)}[wanted.channel])
    if wanted.marks:
        chosen.append(or_(*(table.mark == ("" if mark == "none" else mark) for mark in wanted.marks)))
    return chosen


def _conditions_for(connection: Connection, wanted: EventQuery) -> tuple[list[Any], bool]:
    """The conditions of a query, and whether its span of time holds so few events that they are best found by it."""
    chosen = _conditions(wanted)
    if wanted.since is None:
        return chosen, False
    length = EVENTS.c.ended - EVENTS.c.started
    longest_s = connection.execute(select(length).order_by(length.desc()).limit(1)).scalar_one_or_none()
    if longest_s is not None:  # implied by `ended >= since`; with it one range of one index holds all that are wanted
        chosen.append(EVENTS.c.started >= wanted.since - max(float(longest_s), 0.0) - 1.0)
    span = [EVENTS.c.started >= wanted.since - max(float(longest_s or 0.0), 0.0) - 1.0]
    if wanted.until is not None:
        span.append(EVENTS.c.started < wanted.until)
    few = select(EVENTS.c.started).where(*span).limit(_FEW).subquery()
    return chosen, int(connection.execute(select(func.count()).select_from(few)).scalar_one()) < _FEW


def _put_meta(connection: Connection, name: str, value: str) -> None:
    connection.execute(delete(META).where(META.c.name == name))
    connection.execute(insert(META).values(name=name, value=value))


def _keep_private(database: Path) -> None:
    """Let nobody else read events and messages; SQLite gives its other files the mode of the first."""
    with suppress(OSError):  # the folder may be read-only: then nothing is written either
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))
        for file in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
            if file.exists():
                file.chmod(0o600)
