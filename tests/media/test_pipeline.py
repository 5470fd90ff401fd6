"""Steps side by side: order, errors, waiting, forgetting, and no thread left behind."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from szem.errors import FormatError, RangeError
from szem.media.pipeline import Channel, Pipeline, Stage

PATIENCE_S = 60.0  # only a test that fails waits so long


def szem_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("szem-flow")]


def slow_if_even(n: int) -> int:
    time.sleep(0.01 if n % 2 == 0 else 0)
    return n


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_order_is_kept_however_many_work(workers: int) -> None:
    assert list(Pipeline(range(30), [Stage(slow_if_even, workers), Stage(lambda n: n)])) == list(range(30))
    assert szem_threads() == []


def test_steps_overlap() -> None:
    meet = threading.Barrier(3, timeout=PATIENCE_S)

    def meeting(at: int) -> Stage:
        return Stage(lambda n: (n != at or meet.wait() >= 0) and n)

    # the third item in the first step, the second in the second and the first in the third wait for each other
    assert list(Pipeline(range(10), [meeting(2), meeting(1), meeting(0)])) == list(range(10))


def test_a_full_queue_makes_the_source_wait() -> None:
    given = itertools.count(1)
    flow = iter(Pipeline(given, [Stage(lambda n: n)], depth=2))
    assert next(flow) == 1
    time.sleep(0.05)
    assert next(given) <= 9  # taken, two in each queue, and those in hand
    flow.close()  # type: ignore[attr-defined]
    assert szem_threads() == []


def test_a_live_source_is_never_kept_waiting_and_what_is_worked_on_is_fresh() -> None:
    busy, all_given = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 0
        assert busy.wait(PATIENCE_S)
        yield from range(1, 40)  # all of them while the first is worked on
        all_given.set()

    def work(n: int) -> int:
        busy.set()
        assert all_given.wait(PATIENCE_S), "the source waits"
        return n

    flow = Pipeline(source(), [Stage(work)], live=True)
    assert list(flow) == [0, 39]
    assert flow.dropped == 38


def test_a_result_does_not_wait_for_the_next_item() -> None:
    is_here = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        assert is_here.wait(PATIENCE_S), "the first result waits for the second item"
        yield 2

    flow = iter(Pipeline(source(), [Stage(lambda n: n, workers=2)]))
    assert next(flow) == 1
    is_here.set()
    assert list(flow) == [2]


def fail_at(n: int, at: int) -> int:
    if n == at:
        raise FormatError("broken at 5")
    return n


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("place", ["source", "first", "last"])
def test_an_error_comes_after_what_was_done_before_it(place: str, workers: int) -> None:
    source: Any = (fail_at(n, 5 if place == "source" else -1) for n in range(100))
    first = Stage(lambda n: fail_at(n, 5 if place == "first" else -1), workers)
    last = Stage(lambda n: fail_at(n, 5 if place == "last" else -1), workers)
    seen: list[int] = []
    with pytest.raises(FormatError, match="broken at 5"):
        seen.extend(Pipeline(source, [first, last]))
    assert seen == [0, 1, 2, 3, 4]
    assert szem_threads() == []


def test_stopping_finishes_what_is_under_way() -> None:
    flow = Pipeline(iter(range(10_000)), [Stage(slow_if_even)], depth=3)
    seen = []
    for n in flow:
        seen.append(n)
        if n == 10:
            flow.stop()
    assert seen == list(range(len(seen)))
    assert 11 <= len(seen) <= 20
    assert szem_threads() == []


def test_a_channel_holds_something() -> None:
    with pytest.raises(RangeError, match="depth must be at least 1"):
        Channel(0)
