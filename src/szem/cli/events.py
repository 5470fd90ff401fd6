"""`szem events`: list, show, mark and export what `szem watch` has kept."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import MOST_RESULTS, Json, spell

if TYPE_CHECKING:
    from szem.guard.event_record import EventQuery, StoredEvent
    from szem.guard.event_store import EventStore

__all__ = ["app"]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, show, mark and export what szem watch has kept."
)

_Store = Annotated[Path | None, typer.Option("--store", "-s", help="Folder of events.  \\[default: the user's own]")]
_Database = Annotated[str, typer.Option("--database", help="SQLAlchemy URL, where the database is not in the store.")]
_Since = Annotated[str, typer.Option("--since", help="From then on: 2026-05-01, 2026-05-01T22:00, or 2h, 7d ago.")]
_Until = Annotated[str, typer.Option("--until", help="Before then.")]
_Kind = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; may be given several times.")]
_Source = Annotated[list[str] | None, typer.Option("--source", help="Only this camera or video; may be repeated.")]
_Place = Annotated[list[str] | None, typer.Option("--place", help="Only this zone or line; likewise.")]
_Threshold = Annotated[float, spell("--threshold", min=0, max=1)]
_Channel = Annotated[str, typer.Option("--channel", help="Reported by sound, video or both.")]
_Mark = Annotated[list[str] | None, typer.Option("--mark", help="Only those marked wrong, right or none.")]


@app.command("list")
def list_(
    store: _Store = None,
    database: _Database = "",
    since: _Since = "",
    until: _Until = "",
    kind: _Kind = None,
    source: _Source = None,
    place: _Place = None,
    threshold: _Threshold = 0.0,
    channel: _Channel = "",
    mark: _Mark = None,
    top: Annotated[int, spell("--top", "How many at most, the newest first.", min=1, max=MOST_RESULTS)] = 50,
    as_json: Json = False,
) -> None:
    """List events, the newest first."""
    from szem.cli.outputs import json_text, printable

    wanted = _wanted(since, until, kind, source, place, threshold, channel, mark)
    left, before, total = top, None, 0
    with _opened(store, database) as events:
        total, hints = events.count(wanted), _hints(events, wanted)
        while left:
            found, before = events.page(wanted, size=min(left, 500), before=before)
            left -= len(found)
            for event in found:
                print(json_text(event.to_dict()) if as_json else printable(_line(event)))
            if before is None:
                break
    if not as_json:
        shown = top - left
        print(f"{shown} of {total} events" if total else "no such events", file=sys.stderr)
    for hint in hints:
        print(printable(hint), file=sys.stderr)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The event's id, or its first 8 digits.")],
    store: _Store = None,
    database: _Database = "",
    as_json: Json = False,
) -> None:
    """Show all that is known of an event, and where its picture and clip are."""
    from szem.cli.outputs import print_json, printable

    with _opened(store, database) as events:
        event = events.get(id)
        row = event.to_dict()
        for name in ("picture", "clip"):
            if name in row:
                row[name] = str(events.media / row[name])
    if as_json:
        print_json(row, indent=2)
        return
    for name, value in row.items():
        if value in ("", None, {}, False):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number}" for key, number in value.items())
        print(printable(f"{name:14} {value}"))


@app.command()
def mark(
    ids: Annotated[list[str], typer.Argument(help="Events' ids, or their first 8 digits.")],
    wrong: bool = typer.Option(False, "--wrong", help="It did not happen."),
    right: bool = typer.Option(False, "--right", help="It did."),
    clear: bool = typer.Option(False, "--clear", help="Take the mark back."),
    note: str = typer.Option("", help="A word on it."),
    store: _Store = None,
    database: _Database = "",
) -> None:
    """Mark events as wrong or right; marks are kept, and exported as training data."""
    from szem.cli.walk import Failure, report_failures
    from szem.errors import NotFoundError, UnknownNameError

    if wrong + right + clear != 1:
        raise UnknownNameError("say one of --wrong, --right or --clear")
    chosen = "wrong" if wrong else "right" if right else ""
    failures = []
    with _opened(store, database) as events:
        for id in ids:
            try:
                event = events.mark(id, chosen, note=note)
            except NotFoundError as error:
                failures.append(Failure(id, str(error)))
            else:
                print(f"{event.id[:8]} {event.kind}: {chosen or 'no mark'}")
    status = report_failures(failures, total=len(ids))
    if status:
        raise typer.Exit(status)


@app.command()
def export(
    out: Annotated[
        Path | None,
        spell("--out", "A .csv, .json or .parquet file, or a .zip with --marked.  \\[default: standard output]"),
    ] = None,
    format: str = typer.Option("", "--format", "-f", help="csv, json or parquet.  \\[default: by the file's name]"),
    marked: bool = typer.Option(False, "--marked", help="Marked events with pictures and clips, to train with."),
    store: _Store = None,
    database: _Database = "",
    since: _Since = "",
    until: _Until = "",
    kind: _Kind = None,
    source: _Source = None,
    place: _Place = None,
    threshold: _Threshold = 0.0,
    channel: _Channel = "",
    mark: _Mark = None,
) -> None:
    """Write events to a file, the oldest first."""
    from szem.cli.outputs import printable
    from szem.errors import FormatError, UnknownNameError
    from szem.files import write_file
    from szem.guard.export import FORMATS, events_to_csv, events_to_json, write_marked, write_parquet

    ending = "" if out is None else out.suffix.lower().lstrip(".")
    chosen = format or ("zip" if marked else ending or "csv")
    if chosen not in (("zip",) if marked else FORMATS):
        known = "zip" if marked else ", ".join(FORMATS)
        raise UnknownNameError(f"events are written as {known}; got {chosen!r}: give --format, or such a file name")
    if out is None and chosen in ("parquet", "zip"):
        raise FormatError(f"{chosen} needs a file to be written to; name one")
    wanted = _wanted(since, until, kind, source, place, threshold, channel, mark)
    with _opened(store, database) as events:
        for hint in _hints(events, wanted):
            print(printable(hint), file=sys.stderr)
        found = events.each(wanted)
        if out is None:
            sys.stdout.writelines(events_to_csv(found) if chosen == "csv" else events_to_json(found))
            return
        with write_file(out) as part:
            if chosen == "zip":
                with part.open("wb") as packed:
                    count = write_marked(events, found, packed)
            elif chosen == "parquet":
                count = write_parquet(found, part)
            else:
                count = events.count(wanted)
                with part.open("w", encoding="utf-8", newline="") as text:
                    text.writelines(events_to_csv(found) if chosen == "csv" else events_to_json(found))
    print(printable(f"{count} events written to {out}"), file=sys.stderr)


@contextmanager
def _opened(store: Path | None, database: str) -> Iterator["EventStore"]:
    from szem.guard.event_store import EventStore, default_store

    with closing(EventStore(store or default_store(), url=database, must_exist=True)) as events:
        yield events


def _wanted(
    since: str,
    until: str,
    kind: list[str] | None,
    source: list[str] | None,
    place: list[str] | None,
    threshold: float,
    channel: str,
    mark: list[str] | None,
) -> "EventQuery":
    import time

    from szem.guard.event_record import EventQuery, parse_moment

    now = time.time()
    return EventQuery(
        since=parse_moment(since, now=now) if since else None,
        until=parse_moment(until, now=now) if until else None,
        kinds=tuple(kind or ()),
        sources=tuple(source or ()),
        places=tuple(place or ()),
        min_score=threshold,
        channel=channel,
        marks=tuple(mark or ()),
    )


def _hints(events: "EventStore", wanted: "EventQuery") -> list[str]:
    """What is asked for by a name that nothing kept has, and which names there are."""
    import difflib

    from szem.guard.event_record import EventQuery
    from szem.guard.listener_pool import known_sounds
    from szem.tasks.surveillance.settings import KINDS

    hints = []
    for what, given in (("kind", wanted.kinds), ("source", wanted.sources), ("place", wanted.places)):
        kept = [name for name in events.counts(what, EventQuery()) if name] if given else []
        for name in (name for name in given if name not in kept):
            known = list(dict.fromkeys((*kept, *KINDS, *known_sounds()))) if what == "kind" else kept
            if name in known:
                hints.append(f"no {name!r} was kept yet")
                continue
            near = difflib.get_close_matches(name.lower(), known, 1)
            there = f"there are {', '.join(known)}" if known else "there is none"
            hints.append(f"no {what} called {name!r}; " + (f"did you mean {near[0]!r}?" if near else there))
    return hints


def _line(event: "StoredEvent") -> str:
    """An event on one line: id, when, how long, where, what, how sure, from which channel."""
    from datetime import datetime

    when = datetime.fromtimestamp(event.started)
    parts = ", ".join(f"{name} {event.channels[name]:.2f}" for name in ("sound", "video") if name in event.channels)
    where = event.source + (f"/{event.place}" if event.place else "")
    what = f"{event.kind}{f' ({event.label})' if event.label else ''}{' …' if event.is_open else ''}"
    mark = f"  [{event.mark}]" if event.mark else ""
    text = f"{event.id[:8]}  {when:%Y-%m-%d %H:%M:%S}  {event.duration_s:6.1f} s"
    return f"{text}  {where:20}  {what:24} {event.score:.2f}  {parts}{mark}"
