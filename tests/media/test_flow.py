"""Steps side by side: order, errors, waiting, forgetting, and no thread left behind."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from szem.errors import FormatError, RangeError
from szem.media.flow import Channel, Flow, Step


def szem_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("szem-flow")]


def slow_if_even(n: int) -> int:
    time.sleep(0.01 if n % 2 == 0 else 0)
    return n


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_order_is_kept_however_many_work(workers: int) -> None:
    assert list(Flow(range(30), [Step(slow_if_even, workers), Step(lambda n: n)])) == list(range(30))
    assert szem_threads() == []


def test_steps_overlap() -> None:
    wait = 0.02
    started = time.perf_counter()
    list(Flow(range(10), [Step(lambda n: time.sleep(wait)) for _ in range(3)]))
    assert time.perf_counter() - started < 3 * 10 * wait * 0.75  # one after the other it takes 30 waits, here 12


def test_a_full_queue_makes_the_source_wait() -> None:
    given = itertools.count(1)
    flow = iter(Flow(given, [Step(lambda n: n)], depth=2))
    assert next(flow) == 1
    time.sleep(0.05)
    assert next(given) <= 9  # taken, two in each queue, and those in hand
    flow.close()  # type: ignore[attr-defined]
    assert szem_threads() == []


def test_a_live_source_is_never_kept_waiting_and_what_is_worked_on_is_fresh() -> None:
    def source() -> Iterator[float]:
        for _ in range(40):
            time.sleep(0.005)
            yield time.perf_counter()

    flow = Flow(source(), [Step(lambda t: time.sleep(0.02) or time.perf_counter() - t)], live=True)
    ages = list(flow)
    assert len(ages) + flow.dropped == 40
    assert flow.dropped > 15
    assert sorted(ages)[len(ages) // 2] < 0.06  # a queue of 40 would make the last one wait 0.6 s


def test_a_result_does_not_wait_for_the_next_item() -> None:
    def source() -> Iterator[float]:
        yield time.perf_counter()
        time.sleep(0.5)
        yield 0.0

    flow = iter(Flow(source(), [Step(lambda t: t, workers=2)]))
    assert time.perf_counter() - next(flow) < 0.3
    list(flow)


def fail_at(n: int, at: int) -> int:
    if n == at:
        raise FormatError("broken at 5")
    return n


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("place", ["source", "first", "last"])
def test_an_error_comes_after_what_was_done_before_it(place: str, workers: int) -> None:
    source: Any = (fail_at(n, 5 if place == "source" else -1) for n in range(100))
    first = Step(lambda n: fail_at(n, 5 if place == "first" else -1), workers)
    last = Step(lambda n: fail_at(n, 5 if place == "last" else -1), workers)
    seen: list[int] = []
    with pytest.raises(FormatError, match="broken at 5"):
        seen.extend(Flow(source, [first, last]))
    assert seen == [0, 1, 2, 3, 4]
    assert szem_threads() == []


def test_stopping_finishes_what_is_under_way() -> None:
    flow = Flow(iter(range(10_000)), [Step(slow_if_even)], depth=3)
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
