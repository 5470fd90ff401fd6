"""What is forgotten: by age, by space, the oldest first; marked events and wrong clocks."""

from pathlib import Path

import pytest

from szem.errors import RangeError
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore, stored_from
from szem.guard.retention import Retention, SweepReport, sweep

from .acts import happening

DAY = 86_400.0


def keep(store: EventStore, n: int, *, size: int = 1000, wall: float | None = None) -> str:
    """The n-th event, a day after the one before, with a clip of so many bytes."""
    store.clock._base_s = n * DAY
    event = stored_from(happening(), source="door", now=n * DAY if wall is None else wall, now_s=3.0)
    event = store.add(event)
    name = store.name_media(event, ".mp4")
    with store.writing(name) as path:
        path.write_bytes(b"x" * size)
    store.change(event.id, clip=name, media_bytes=size)
    return event.id


def left(store: EventStore) -> tuple[list[str], list[str]]:
    """Ids of the events, and of those that have a clip; each clip is there, and no other file."""
    events = list(store.each(EventQuery()))
    clips = {event.clip for event in events if event.clip}
    assert {p.relative_to(store.media).as_posix() for p in store.media.rglob("*.mp4")} == clips
    return [event.id for event in events], [event.id for event in events if event.clip]


def test_what_is_too_old_goes_with_its_files(store: EventStore) -> None:
    ids = [keep(store, n) for n in range(10)]
    assert sweep(store, Retention(days=4.5, free_gigabytes=0)) == SweepReport(5, 0, 5000)
    assert left(store) == (ids[5:], ids[5:])
    assert sweep(store, Retention(days=4.5, free_gigabytes=0)) == SweepReport()


def test_the_oldest_lose_their_files_first(store: EventStore) -> None:
    ids = [keep(store, n, size=1000 * (n + 1)) for n in range(5)]
    swept = sweep(store, Retention(days=99, gigabytes=9.5e-6, free_gigabytes=0))
    assert (swept.events, swept.files_of, swept.bytes_freed) == (0, 3, 6000)  # 15 kB, 9.5 may stay
    assert left(store) == (ids, ids[3:])


def test_marked_events_stay_unless_asked_otherwise(store: EventStore) -> None:
    ids = [keep(store, n) for n in range(6)]
    store.mark(ids[0], "wrong")
    sweep(store, Retention(days=2.5, gigabytes=1e-6, free_gigabytes=0))
    assert left(store) == ([ids[0], *ids[3:]], [ids[0]])
    sweep(store, Retention(days=2.5, keep_marked=False, free_gigabytes=0))
    assert left(store)[0] == ids[3:]


def test_an_event_that_goes_on_is_not_forgotten(store: EventStore) -> None:
    ids = [keep(store, n) for n in range(3)]
    store.change(ids[0], is_open=True)
    sweep(store, Retention(days=0.5, gigabytes=1e-9, free_gigabytes=0))
    assert left(store) == ([ids[0], ids[2]], [ids[0]])


def test_a_wall_clock_that_is_set_deletes_nothing_and_keeps_nothing_for_ever(store: EventStore) -> None:
    """The third event is kept while the clock says 2099, the fourth while it says 1970."""
    walls = [None, None, 4_000_000_000.0, 0.0, None]
    ids = [keep(store, n, wall=wall) for n, wall in enumerate(walls)]
    sweep(store, Retention(days=2.5, free_gigabytes=0))
    assert left(store)[0] == ids[2:]


def test_a_disk_that_fills_up_costs_the_oldest_files(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from types import SimpleNamespace

    ids = [keep(store, n) for n in range(4)]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000_000 - 1500))
    sweep(store, Retention(free_gigabytes=0.5))
    assert left(store) == (ids, ids[2:])


def test_many_are_forgotten_in_parts(store: EventStore, tmp_path: Path) -> None:
    from szem.guard import retention

    ids = [keep(store, n) for n in range(7)]
    retention._AT_ONCE, before = 3, retention._AT_ONCE
    try:
        assert sweep(store, Retention(days=0.5, free_gigabytes=0)).events == 6
    finally:
        retention._AT_ONCE = before
    assert left(store)[0] == ids[6:]


@pytest.mark.parametrize("values", [{"days": 0}, {"gigabytes": -1}, {"free_gigabytes": -1}, {"days": float("nan")}])
def test_numbers_that_keep_nothing_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(RangeError, match="must"):
        Retention(**values)  # type: ignore[arg-type]
