"""The table of operations: leases, progress, owners, pages, forgetting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from szem.errors import BusyError, NotFoundError, RangeError
from szem.serve.status import FieldsError
from szem.serve.vision import records as module
from szem.serve.vision.records import Record, Records


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(database_url, lease_s=30.0)
    yield opened
    opened.close()


def add(records: Records, *, parent: str = "", owner: str = "") -> Record:
    return records.add(kind="images", body="{}", parent=parent, owner=owner)


def get(records: Records, record: Record) -> Record:
    return records.get(record.id, parent=record.parent, owner=record.owner)


def test_an_operation_begins_as_created_and_has_a_name(records: Records) -> None:
    assert add(records).name.startswith("operations/")
    record = add(records, parent="projects/p/locations/eu")
    assert record.name == f"projects/p/locations/eu/operations/{record.id}"
    assert (record.state, record.done, record.item) == ("CREATED", False, 0)


def test_two_workers_never_hold_the_same_operation(records: Records) -> None:
    first, second = add(records), add(records)
    taken = [records.claim("a"), records.claim("b"), records.claim("c")]
    assert [None if t is None else t.id for t in taken] == [first.id, second.id, None]
    assert get(records, first).state == "RUNNING"


def test_a_silent_worker_loses_its_operation(records: Records) -> None:
    record = add(records)
    records.lease_s = -1.0  # it runs out at once
    assert records.claim("dead") is not None
    again = records.claim("alive")
    assert again is not None
    assert again.id == record.id
    assert again.attempts == 2
    assert not records.keep(record.id, "dead")
    assert not records.advance(record.id, "dead", part=0, item=5)
    assert not records.finish(record.id, "dead", state="DONE", response={})
    assert records.advance(record.id, "alive", part=0, item=5)
    assert get(records, record).item == 5
    assert get(records, record).attempts == 0  # progress: what went before counts no more


def test_what_is_given_back_is_taken_up_at_once(records: Records) -> None:
    record = add(records)
    records.claim("a")
    records.release(record.id, "a")
    again = records.claim("b")
    assert again is not None
    assert again.attempts == 1


def test_a_finished_operation_stays_as_it_is(records: Records) -> None:
    record = add(records)
    records.claim("a")
    assert records.finish(record.id, "a", state="DONE", response={"x": 1})
    assert not records.finish(record.id, "a", state="DONE", error={"code": 13})
    records.cancel(record.id, parent="", owner="")
    done = get(records, record)
    assert (done.state, done.done, done.response, done.error) == ("DONE", True, {"x": 1}, None)
    assert records.claim("b") is None


def test_cancelling_what_nobody_works_on_ends_it(records: Records) -> None:
    record = add(records)
    records.cancel(record.id, parent="", owner="")
    ended = get(records, record)
    assert (ended.state, ended.done) == ("CANCELLED", True)
    assert ended.error is not None
    assert ended.error["code"] == 1


def test_cancelling_what_runs_asks_its_worker_to_stop(records: Records) -> None:
    record = add(records)
    records.claim("a")
    records.cancel(record.id, parent="", owner="")
    assert not get(records, record).done
    assert not records.keep(record.id, "a")


def test_others_see_nothing_of_it(records: Records) -> None:
    record = add(records, owner="key-1", parent="projects/p")
    for parent, owner in [("projects/p", "key-2"), ("projects/p", ""), ("", "key-1"), ("projects/q", "key-1")]:
        with pytest.raises(NotFoundError):
            records.get(record.id, parent=parent, owner=owner)
        with pytest.raises(NotFoundError):
            records.cancel(record.id, parent=parent, owner=owner)
        with pytest.raises(NotFoundError):
            records.delete(record.id, parent=parent, owner=owner)
        assert records.page(parent=parent, owner=owner, size=9, token="", done=None) == ([], "")


def test_pages_hold_each_once_the_newest_first(records: Records) -> None:
    made = [add(records).id for _ in range(7)]
    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        rows, token = records.page(parent="", owner="", size=3, token=token, done=None)
        seen += [row.id for row in rows]
        pages += 1
    assert pages == 3
    assert seen == made[::-1]


def test_pages_can_hold_only_what_is_done(records: Records) -> None:
    first, second = add(records), add(records)
    records.claim("a")
    records.finish(first.id, "a", state="DONE", response={})
    done, _ = records.page(parent="", owner="", size=9, token="", done=True)
    rest, _ = records.page(parent="", owner="", size=9, token="", done=False)
    assert [row.id for row in done] == [first.id]
    assert [row.id for row in rest] == [second.id]


@pytest.mark.parametrize("token", ["x", "!!!!", "é", "YWJj", "MS4wIAAA", "bmFuIHg="])
def test_a_token_that_is_none_is_reported(records: Records, token: str) -> None:
    with pytest.raises(FieldsError, match="pageToken"):
        records.page(parent="", owner="", size=3, token=token, done=None)


def test_deleting_hides_at_once_and_forgets_at_the_end(records: Records) -> None:
    record = add(records)
    records.claim("a")
    records.delete(record.id, parent="", owner="")
    with pytest.raises(NotFoundError):
        get(records, record)
    assert records.keep(record.id, "a")  # it is not cancelled
    assert records.finish(record.id, "a", state="DONE", response={})
    assert not records.finish(record.id, "a", state="DONE", response={})


def test_old_ones_are_forgotten_and_unfinished_ones_are_not(records: Records) -> None:
    old, unfinished = add(records), add(records)
    records.claim("a")
    records.finish(old.id, "a", state="DONE", response={})
    records.forget(older_than_s=-1.0)
    with pytest.raises(NotFoundError):
        get(records, old)
    assert get(records, unfinished).state == "CREATED"


def test_too_many_unfinished_ones_are_refused(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_UNFINISHED", 2)
    add(records)
    add(records)
    with pytest.raises(BusyError, match="2 operations are not done"):
        add(records)


def test_everything_is_there_after_the_database_is_opened_again(database_url: str) -> None:
    first = Records(database_url, lease_s=30.0)
    record = add(first)
    first.close()
    second = Records(database_url, lease_s=30.0)
    assert get(second, record) == record
    second.close()


def test_many_workers_at_once_share_the_work_without_overlap(database_url: str) -> None:
    """Eight servers on one database: each operation is taken by one of them."""
    with closing(Records(database_url, lease_s=30.0)) as first:
        made = {add(first).id for _ in range(24)}
    shared = [Records(database_url, lease_s=30.0) for _ in range(8)]

    def work(number: int) -> list[str]:
        taken: list[str] = []
        misses = 0
        while misses < 40:  # one who comes second in a race gets none, and asks again
            record = shared[number].claim(f"worker-{number}")
            misses = 0 if record is not None else misses + 1
            taken += [] if record is None else [record.id]
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [id for found in pool.map(work, range(8)) for id in found]
    for records in shared:
        records.close()
    assert len(taken) == len(set(taken))
    assert set(taken) == made


@pytest.mark.parametrize("id", ["", "x", "\0", "\ud800", "é", "a" * 32 + "\n", "f" * 10_000, "' OR 1=1 --"])
def test_an_id_that_is_none_is_not_found(records: Records, id: str) -> None:
    for ask in (records.get, records.cancel, records.delete):
        with pytest.raises(NotFoundError):
            ask(id, parent="", owner="")


@pytest.mark.parametrize("url", ["nonsense", "nodatabase://x", "sqlite:////proc/none/o.sqlite3"])
def test_a_database_that_cannot_be_opened_is_reported(url: str) -> None:
    with pytest.raises(RangeError, match="--database"):
        Records(url, lease_s=1.0)
