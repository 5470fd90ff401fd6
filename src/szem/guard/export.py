"""Events written for other programs: CSV, JSON, Parquet; and what people marked, as training data.

This file does not know the database.
"""

import csv
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from szem.errors import MissingExtraError, NotFoundError
from szem.guard.event_record import StoredEvent, timestamp
from szem.guard.event_store import EventStore

__all__ = [
    "COLUMNS",
    "FORMATS",
    "event_to_flat",
    "events_to_csv",
    "events_to_json",
    "marked_in_pieces",
    "write_marked",
    "write_parquet",
]

_ZIP_BEGINS = 315_619_200.0  # 2 January 1980: a ZIP file knows no time before that year
FORMATS = ("csv", "json", "parquet")
# Column of a table -> what it holds, for CSV and Parquet: numbers as numbers, times as RFC 3339 text.
COLUMNS: dict[str, Callable[[StoredEvent], Any]] = {
    "id": lambda e: e.id,
    "source": lambda e: e.source,
    "kind": lambda e: e.kind,
    "started": lambda e: timestamp(e.started),
    "ended": lambda e: timestamp(e.ended),
    "duration_s": lambda e: round(e.duration_s, 3),
    "start_s": lambda e: round(e.start_s, 3),
    "end_s": lambda e: round(e.end_s, 3),
    "score": lambda e: round(e.score, 4),
    "sound": lambda e: e.channels.get("sound"),
    "video": lambda e: e.channels.get("video"),
    "sound_part": lambda e: e.contributions.get("sound"),
    "video_part": lambda e: e.contributions.get("video"),
    "label": lambda e: e.label,
    "track": lambda e: e.track,
    "place": lambda e: e.place,
    "direction": lambda e: e.direction,
    "x0": lambda e: e.box_xyxy[0] if e.box_xyxy else None,
    "y0": lambda e: e.box_xyxy[1] if e.box_xyxy else None,
    "x1": lambda e: e.box_xyxy[2] if e.box_xyxy else None,
    "y1": lambda e: e.box_xyxy[3] if e.box_xyxy else None,
    "also": lambda e: e.also,
    "rule": lambda e: e.rule,
    "note": lambda e: e.note,
    "open": lambda e: e.is_open,
    "mark": lambda e: e.mark,
    "mark_note": lambda e: e.mark_note,
    "picture": lambda e: e.picture,
    "clip": lambda e: e.clip,
}
_NUMBERS = frozenset(("duration_s", "start_s", "end_s", "score", "sound", "video", "sound_part", "video_part"))
_AT_ONCE = 1000
_BLOCK_BYTES = 1 << 18


def event_to_flat(event: StoredEvent) -> dict[str, Any]:
    """One row of a table."""
    return {name: read(event) for name, read in COLUMNS.items()}


def events_to_csv(events: Iterable[StoredEvent]) -> Iterator[str]:
    """Lines of a CSV file, the names of the columns first. What a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for event in events:
        writer.writerow([_harmless(value) for value in event_to_flat(event).values()])
        if out.tell() > 16_384:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def events_to_json(events: Iterable[StoredEvent]) -> Iterator[str]:
    """Pieces of a JSON file: a list with an object for each event."""
    before = "[\n"
    for event in events:
        yield before + json.dumps(event.to_dict(), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def write_parquet(events: Iterable[StoredEvent], path: Path) -> int:
    """Write a Parquet file; how many events it has.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow; install it: pip install 'szem[parquet]'") from error
    moment = pa.timestamp("ms", "UTC")
    kinds = dict.fromkeys((*_NUMBERS, "x0", "y0", "x1", "y1"), pa.float64())
    kinds |= {"track": pa.int64(), "open": pa.bool_(), "started": moment, "ended": moment}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for rows in _in_parts(events):
            table = {name: [read(event) for event in rows] for name, read in COLUMNS.items()}
            table |= {n: [round(getattr(event, n) * 1000) for event in rows] for n in ("started", "ended")}
            writer.write_table(pa.table(table, schema=schema))
            count += len(rows)
    return count


def write_marked(store: EventStore, events: Iterable[StoredEvent], out: IO[bytes]) -> int:
    """Write what people marked as a ZIP file to train with: `index.csv`, `pictures/`, `clips/`.

    Args:
        store: Whose files they are.
        events: Marked ones; others are left out.
        out: Where to.
    Returns:
        How many events are in it.
    """
    marked = [event for event in events if event.mark]
    out.writelines(marked_in_pieces(store, marked))
    return len(marked)


def marked_in_pieces(store: EventStore, events: Iterable[StoredEvent]) -> Iterator[bytes]:
    """The same ZIP file piece by piece, so that it needs neither a disk nor its own size in memory."""
    sink = _Sink()
    kept: list[StoredEvent] = []
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as packed:
        for event in events:
            if not event.mark:
                continue
            names = {}
            for folder, name in (("pictures", event.picture), ("clips", event.clip)):
                try:
                    file = store.open_media(name)
                except NotFoundError:  # none, or deleted since
                    continue
                inside = f"{folder}/{event.id}{PurePosixPath(name).suffix}"
                changed = max(os.fstat(file.fileno()).st_mtime, _ZIP_BEGINS)
                about = zipfile.ZipInfo(inside, time.localtime(changed)[:6])
                with file, packed.open(about, "w", force_zip64=True) as into:
                    while block := file.read(_BLOCK_BYTES):
                        into.write(block)
                        yield sink.take()
                names[folder] = inside
            kept.append(_renamed(event, names))
        packed.writestr("index.csv", "".join(events_to_csv(kept)))
    yield sink.take()


class _Sink:
    """What `zipfile` writes into, and what is taken from it piece by piece."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """`zipfile` asks for it."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _renamed(event: StoredEvent, names: dict[str, str]) -> StoredEvent:
    return replace(event, picture=names.get("pictures", ""), clip=names.get("clips", ""))


def _in_parts(events: Iterable[StoredEvent]) -> Iterator[list[StoredEvent]]:
    part: list[StoredEvent] = []
    for event in events:
        part.append(event)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
