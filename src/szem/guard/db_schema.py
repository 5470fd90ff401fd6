"""The tables of a guard's database, and how an event becomes a row of them and back."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
    update,
)

from szem.guard.event_record import StoredEvent

__all__ = [
    "EVENTS",
    "META",
    "OUTBOX",
    "SCHEMA_VERSION",
    "SOURCES",
    "TABLES",
    "event_to_row",
    "migrate",
    "row_to_event",
]

SCHEMA_VERSION = 2

_COUNTED = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER

TABLES = MetaData()
META = Table(
    "szem_guard_meta",
    TABLES,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
EVENTS = Table(
    "szem_events",
    TABLES,
    Column("number", _COUNTED, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("source", String(200), nullable=False),
    Column("kind", String(80), nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("best_s", Float),
    Column("kept_s", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("sound", Float),  # what each channel says, to be asked for; the whole is in `channels`
    Column("video", Float),
    Column("channels", Text, nullable=False),
    Column("contributions", Text, nullable=False),
    Column("label", String(80), nullable=False),
    Column("track", BigInteger),
    Column("place", String(80), nullable=False),
    Column("direction", String(40), nullable=False),
    Column("box_xyxy", Text),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("also", String(80), nullable=False),
    Column("note", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("rule", String(80), nullable=False),
    Column("picture", String(300), nullable=False),
    Column("clip", String(300), nullable=False),
    Column("clip_start_s", Float),
    Column("media_bytes", BigInteger, nullable=False),
    Column("mark", String(8), nullable=False),
    Column("mark_note", Text, nullable=False),
    Column("marked", Float),
    Index("szem_events_started", "started"),
    Index("szem_events_kind", "kind", "number"),
    Index("szem_events_source", "source", "number"),
    Index("szem_events_ended", "ended"),
    sqlite_autoincrement=True,  # a number is never given twice, even after the newest event was deleted
)
# The longest event bounds how long before a span of time an event that reaches into it can have begun.
Index("szem_events_length", EVENTS.c.ended - EVENTS.c.started)
OUTBOX = Table(
    "szem_outbox",
    TABLES,
    Column("number", _COUNTED, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False),  # of the message: the same at every attempt
    Column("notifier", String(80), nullable=False),
    Column("topic", String(300), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),  # why the last attempt failed
    Column("kept_s", Float, nullable=False),
    Index("szem_outbox_notifier", "notifier", "number"),
    sqlite_autoincrement=True,
)
SOURCES = Table(
    "szem_sources",
    TABLES,
    Column("name", String(200), primary_key=True),
    Column("state", String(20), nullable=False),  # opening, live, video, lost, ended, failed, stopped
    Column("reason", Text, nullable=False),  # why it is in this state
    Column("seen", Float),  # when the last frame came, seconds since 1970
    Column("updated", Float, nullable=False),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("has_sound", Boolean, nullable=False),
    Column("still", String(300), nullable=False),  # a picture of now, below the folder of media
)

# Columns that had another name in an older version: (table, old name, new name).
_RENAMED = (
    (OUTBOX, "hook", "notifier"),  # version 2
    (SOURCES, "told", "reason"),
)
_AS_JSON = ("channels", "contributions", "box_xyxy")


def migrate(connection: Connection) -> None:
    """Give the columns and values of an older version their present names, and note the version.

    Each column is looked for first: where the process ended half way, or two processes open the database one after
    the other, the rest is done by the next call.
    """
    for table, old, new in _RENAMED:
        if old in {column["name"] for column in inspect(connection).get_columns(table.name)}:
            connection.execute(text(f"ALTER TABLE {table.name} RENAME COLUMN {old} TO {new}"))
    # Values of version 1 that have another name too.
    connection.execute(update(SOURCES).where(SOURCES.c.state == "film").values(state="video"))
    connection.execute(update(EVENTS).where(EVENTS.c.label == "thing").values(label="object"))
    connection.execute(update(META).where(META.c.name == "schema").values(value=str(SCHEMA_VERSION)))


def event_to_row(event: StoredEvent) -> dict[str, Any]:
    """The values of a row; its number is the database's to give."""
    row = {name: getattr(event, name) for name in StoredEvent.__dataclass_fields__ if name != "number"}
    row |= {name: None if row[name] is None else json.dumps(row[name]) for name in _AS_JSON}
    row |= {name: event.channels.get(name) for name in ("sound", "video")}
    for name, column in EVENTS.c.items():
        if isinstance(row.get(name), str):
            row[name] = _fit(row[name], getattr(column.type, "length", None))
    return row


def row_to_event(row: Mapping[Any, Any]) -> StoredEvent:
    """An event from a row of `EVENTS`."""
    values = {name: row[name] for name in StoredEvent.__dataclass_fields__}
    for name in _AS_JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    if values["box_xyxy"] is not None:
        values["box_xyxy"] = tuple(values["box_xyxy"])
    return StoredEvent(**values)


def _fit(text: str, length: int | None) -> str:
    """PostgreSQL takes no NUL and no text longer than the column."""
    return text.replace("\0", "")[:length]
