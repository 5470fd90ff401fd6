"""The store: order, marks, files that appear whole, versions; on SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from szem.errors import BusyError, FileMissingError, NotFoundError, RangeError, StoreError, UnknownNameError
from szem.files import is_disk_full
from szem.guard.db_schema import META, OUTBOX
from szem.guard.event_record import EventQuery, StoredEvent, parse_moment
from szem.guard.event_store import EventStore, stored_from

from .acts import happening


@pytest.fixture
def kept(database_url: str, tmp_path: Path) -> Iterator[EventStore]:
    """An empty store on each kind of database."""
    with closing(EventStore(tmp_path / "kept", url=database_url)) as opened:
        yield opened


def keep(store: EventStore, *, now: float = 1000.0, **values: object) -> StoredEvent:
    return store.add(stored_from(happening(**values), source="door", now=now, now_s=10.0))  # type: ignore[arg-type]


def test_an_event_comes_back_as_it_was_kept(kept: EventStore) -> None:
    event = keep(
        kept, start_s=8.0, end_s=9.5, best_s=9.0, box_xyxy=(1.5, 2, 30, 40), label="person", track=7, place="step",
        direction="left", note="Ő ment be", is_open=True, channels={"video": 0.8, "sound": 0.6},
        contributions={"video": 1.2, "sound": -0.3},
    )  # fmt: skip
    assert kept.get(event.id) == event
    assert kept.get(event.id[:8]) == event
    assert (event.started, event.ended) == (998.0, 999.5)
    assert event.to_dict()["channels"] == {"video": 0.8, "sound": 0.6}


def test_order_is_that_of_events_whatever_the_clock_did(kept: EventStore) -> None:
    """The clock is set back by an hour between the second and the third event."""
    numbers = [keep(kept, now=now).number for now in (5000.0, 5060.0, 1460.0, 1520.0)]
    assert numbers == sorted(numbers)
    found, more = kept.page(EventQuery(), size=3)
    assert [event.number for event in found] == numbers[:0:-1]
    assert more == numbers[1]
    assert [event.number for event in kept.each(EventQuery(), page=2)] == numbers


def test_a_number_is_never_given_twice(kept: EventStore) -> None:
    from szem.guard.retention import Retention, sweep

    first = keep(kept)
    sweep(kept, Retention(days=1e-9))
    assert kept.count(EventQuery()) == 0
    assert keep(kept).number > first.number


def test_text_that_a_database_does_not_like_is_kept_all_the_same(kept: EventStore) -> None:
    event = keep(kept, kind="a" * 300, note="nul\0 and 🦉", place="x'; drop table szem_events; --")
    found = kept.get(event.id)
    assert (len(found.kind), found.note) == (80, "nul and 🦉")
    assert kept.counts("place", EventQuery()) == {"x'; drop table szem_events; --": 1}
    assert kept.count(EventQuery(kinds=("\0",))) == 0


def test_marks_are_kept_and_taken_back(kept: EventStore) -> None:
    event = keep(kept)
    assert kept.mark(event.id, "wrong", note="a cat").mark_note == "a cat"
    assert kept.count(EventQuery(marks=("wrong",))) == 1
    assert kept.mark(event.id, "") == replace(event, mark="", marked=None)
    with pytest.raises(UnknownNameError, match="wrong, right"):
        kept.mark(event.id, "maybe")
    with pytest.raises(NotFoundError, match="no event"):
        kept.mark("0" * 32, "wrong")


def test_what_was_open_is_closed_after_a_crash(kept: EventStore) -> None:
    event = keep(kept, is_open=True)
    assert kept.close_open() == 1
    assert not kept.get(event.id).is_open


def test_sources_are_reported_again_and_again(kept: EventStore) -> None:
    kept.report_source("door", state="live", seen=5.0)
    kept.report_source("door", state="lost", reason="no answer")
    (row,) = kept.sources()
    assert (row["state"], row["reason"], row["seen"]) == ("lost", "no answer", 5.0)


def test_the_guards_clock_goes_on_over_a_restart(tmp_path: Path) -> None:
    with closing(EventStore(tmp_path)) as first:
        first.hold()
        first.clock._base_s = 500.0
    with closing(EventStore(tmp_path)) as second:
        assert 500.0 <= second.clock.now_s() < 600.0


def test_a_file_appears_whole_or_not_at_all(store: EventStore) -> None:
    with store.writing("a/b_00000000.jpg") as path:
        path.write_bytes(b"one")
        assert not (store.media / "a/b_00000000.jpg").exists()
    assert (store.media / "a/b_00000000.jpg").read_bytes() == b"one"

    def fill_the_disk() -> None:
        with store.writing("a/c_00000000.jpg") as path:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="cannot be written"):
        fill_the_disk()
    assert [p.name for p in (store.media / "a").iterdir()] == ["b_00000000.jpg"]


def test_cleaning_deletes_only_what_no_row_names_and_what_is_ours(store: EventStore) -> None:
    event = keep(store)
    for name in ("d/x_door_enters_00000001.jpg", "d/y_door_enters_00000002.mp4", "d/notes.txt"):
        with store.writing(name) as path:
            path.write_bytes(b"x")
    (store.media / "d/z_door_enters_00000003.mp4.part").write_bytes(b"half")  # of an older szem
    (store.media / "d/.szem-0123456789ab.part").write_bytes(b"half")  # of a process that was killed
    store.change(event.id, picture="d/x_door_enters_00000001.jpg")
    assert store.clean() == 3
    assert sorted(p.name for p in (store.media / "d").iterdir()) == ["notes.txt", "x_door_enters_00000001.jpg"]


@pytest.mark.parametrize("name", ["", "../events.sqlite3", "/etc/passwd", "none.jpg"])
def test_only_files_of_the_store_are_given(store: EventStore, name: str) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        store.media_path(name)


def test_a_full_disk_under_the_database_is_named_and_waited_out(kept: EventStore) -> None:
    if kept._engine.dialect.name != "sqlite":
        pytest.skip("SQLite can be told to be full")
    with kept._engine.connect() as connection:
        pool = connection.connection.dbapi_connection
        assert pool is not None
        pool.execute("PRAGMA max_page_count=1")
    with pytest.raises(StoreError, match="the disk on which it lies is full") as caught:
        keep(kept, note="x" * 500_000)
    assert is_disk_full(caught.value)


def test_one_guard_holds_a_store(store: EventStore) -> None:
    store.hold()
    with closing(EventStore(store.folder)) as other, pytest.raises(BusyError, match="another szem watch"):
        other.hold()


def test_a_newer_store_is_refused(store: EventStore) -> None:
    store.close()
    with closing(sqlite3.connect(store.folder / "events.sqlite3")) as database:
        database.execute("update szem_guard_meta set value = '99' where name = 'schema'")
        database.commit()
    with pytest.raises(RangeError, match="newer szem"):
        EventStore(store.folder)


def test_a_store_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="no events are kept"):
        EventStore(tmp_path / "none", must_exist=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1_000_000 - 1800),
        ("1.5h", 1_000_000 - 5400),
        ("2W", 1_000_000 - 1_209_600),
        ("1970-01-01T01:00:00+00:00", 3600),
    ],
)
def test_moments_are_read(text: str, seconds: float) -> None:
    assert parse_moment(text, now=1_000_000.0) == seconds


@pytest.mark.parametrize("text", ["", "h", "2 fortnights", "-2h", "2026-13-01", "١h", "1e99d", "9" * 400 + "h"])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(RangeError, match="no moment"):
        parse_moment(text, now=0.0)


def test_events_of_a_span_of_time_are_found_however_long_they_last(kept: EventStore) -> None:
    spans = {"before": (0, 50), "into": (50, 110), "within": (120, 130), "over": (10, 900), "out of": (190, 250),
             "after": (200, 210), "at its end": (20, 100)}  # fmt: skip
    for place, (start_s, end_s) in spans.items():
        keep(kept, now=float(end_s), start_s=10.0 - (end_s - start_s), end_s=10.0, place=place)
    wanted = EventQuery(since=100.0, until=200.0)
    found, _ = kept.page(wanted, size=10)
    expected = {"into", "within", "over", "out of", "at its end"}
    assert {event.place for event in found} == {event.place for event in kept.each(wanted)} == expected
    assert (kept.count(wanted), set(kept.counts("place", wanted))) == (5, expected)
    assert [event.number for event in found] == sorted((event.number for event in found), reverse=True)


def test_nothing_is_looked_for_by_walking_through_all_events(store: EventStore) -> None:
    event = keep(store)
    asked: list[tuple[str, tuple[object, ...]]] = []

    @sqlalchemy.event.listens_for(store._engine, "before_cursor_execute")
    def note(_c: object, _k: object, statement: str, parameters: tuple[object, ...], *_: object) -> None:
        asked.append((statement, parameters))

    hour = EventQuery(since=0.0, until=3600.0)
    store.get(event.id[:8])
    store.get(event.id)
    store.page(hour, size=10)
    store.count(hour)
    store.counts("source", hour)
    with closing(sqlite3.connect(store.folder / "events.sqlite3")) as database:
        for statement, parameters in asked:
            if not statement.startswith("SELECT"):
                continue
            plan = " ".join(row[3] for row in database.execute("explain query plan " + statement, parameters))
            assert "SEARCH szem_events" in plan or "szem_events_length" in plan, (statement, plan)
            assert "SCAN szem_events USING INDEX szem_events_s" not in plan, (statement, plan)


def test_a_store_of_the_first_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.sqlite3")) as database:
        database.executescript((Path(__file__).parent / "events_version_1.sql").read_text(encoding="utf-8"))
    for _ in range(2):  # the second time it is of the present version
        with closing(EventStore(tmp_path)) as store:
            (event,) = store.each(EventQuery())
            assert (event.id[:8], event.label, event.channels) == ("01234567", "object", {"video": 0.9})
            (source,) = store.sources()
            assert (source["state"], source["reason"], source["seen"]) == ("video", "no answer", 5.0)
            with store.begin() as connection:
                assert connection.execute(sqlalchemy.select(OUTBOX.c.notifier)).scalars().all() == ["webhook:office"]
            store.report_source("door", state="lost", reason="no answer")
            store.report_source("door", state="video")
    assert keep(EventStore(tmp_path)).number == 2


def test_columns_of_the_first_version_are_renamed_on_each_kind_of_database(
    kept: EventStore, database_url: str
) -> None:
    """Also where the process ended after the first of them."""
    kept.report_source("door", state="lost", reason="no answer")
    with kept.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE szem_sources RENAME COLUMN reason TO told"))
        connection.execute(sqlalchemy.update(META).where(META.c.name == "schema").values(value="1"))
    with closing(EventStore(kept.folder, url=database_url)) as opened:
        assert opened.sources()[0]["reason"] == "no answer"


def test_an_older_store_gets_its_indexes(store: EventStore) -> None:
    store.close()
    with closing(sqlite3.connect(store.folder / "events.sqlite3")) as database:
        for name in ("szem_events_ended", "szem_events_length"):
            database.execute(f"drop index {name}")
    with closing(EventStore(store.folder)), closing(sqlite3.connect(store.folder / "events.sqlite3")) as database:
        names = {row[0] for row in database.execute("select name from sqlite_master where type = 'index'")}
    assert {"szem_events_ended", "szem_events_length"} <= names


def test_nobody_else_reads_the_database(store: EventStore) -> None:
    keep(store)
    modes = {file.name: file.stat().st_mode & 0o777 for file in store.folder.glob("events.sqlite3*")}
    assert modes["events.sqlite3"] == 0o600
    assert set(modes.values()) == {0o600}
    assert store.media.stat().st_mode & 0o077 == 0
    store.close()
    (store.folder / "events.sqlite3").chmod(0o644)  # as an older szem left it
    with closing(EventStore(store.folder)):
        assert (store.folder / "events.sqlite3").stat().st_mode & 0o777 == 0o600


def test_links_in_the_store_lead_nowhere(store: EventStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    with store.writing("d/own.jpg") as path:
        path.write_bytes(b"own")
    for name, target in (("d/out.jpg", outside), ("d/in.jpg", store.media / "d/own.jpg"), ("far", tmp_path)):
        (store.media / name).symlink_to(target)
    assert store.media_path("d/own.jpg").read_bytes() == b"own"
    for name in ("d/out.jpg", "d/in.jpg", "far/outside.jpg"):
        with pytest.raises(NotFoundError):
            store.media_path(name)
