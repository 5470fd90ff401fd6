"""Micro-batching: order, growth under load, one bad item, refusal, closing."""

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from szem.errors import BusyError, ModelError, RangeError
from szem.runtime.batching import Batcher


class Slow:
    """A batch function that waits to be let go and remembers its batches."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        assert self.go.wait(10)
        return [-item for item in items]


@settings(max_examples=25, deadline=None)
@given(items=st.lists(st.integers(), max_size=40), max_batch=st.integers(1, 9), workers=st.integers(1, 3))
def test_each_item_gets_its_own_result(items: list[int], max_batch: int, workers: int) -> None:
    with Batcher(lambda xs: [x + 1 for x in xs], max_batch=max_batch, workers=workers) as batcher:
        futures = [batcher.submit(item) for item in items]
        assert [future.result(10) for future in futures] == [item + 1 for item in items]


def test_a_lone_item_does_not_wait_and_a_crowd_goes_together() -> None:
    slow = Slow()
    with Batcher(slow, max_batch=4) as batcher:
        first = batcher.submit(1)
        assert slow.begun.wait(10)  # it runs alone, before any other has come
        rest = [batcher.submit(n) for n in range(2, 8)]
        slow.go.set()
        assert [f.result(10) for f in [first, *rest]] == [-n for n in range(1, 8)]
    assert slow.batches == [[1], [2, 3, 4, 5], [6, 7]]


def test_one_bad_item_does_not_harm_the_others_of_its_batch() -> None:
    gate = threading.Event()

    def run(items: Sequence[int]) -> list[int]:
        assert gate.wait(10)
        if 0 in items:
            raise ZeroDivisionError("zero is bad")
        return [10 // item for item in items]

    with Batcher(run) as batcher:
        futures = [batcher.submit(item) for item in (5, 2, 0, 1)]
        gate.set()
        assert [futures[i].result(10) for i in (0, 1, 3)] == [2, 5, 10]
        with pytest.raises(ZeroDivisionError, match="zero is bad"):
            futures[2].result(10)


def test_a_function_that_loses_results_is_an_error_and_not_a_mix_up() -> None:
    with Batcher(lambda xs: xs[:-1]) as batcher, pytest.raises(ModelError, match="0 results for 1 items"):
        batcher.submit(1).result(10)


def test_a_cancelled_item_is_left_out() -> None:
    slow = Slow()
    with Batcher(slow) as batcher:
        batcher.submit(1)
        assert slow.begun.wait(10)
        gone, kept = batcher.submit(2), batcher.submit(3)
        assert gone.cancel()
        slow.go.set()
        assert kept.result(10) == -3
        with pytest.raises(CancelledError):
            gone.result(10)
    assert slow.batches == [[1], [3]]


def test_too_many_waiting_items_are_refused() -> None:
    slow = Slow()
    with Batcher(slow, max_waiting=2) as batcher:
        batcher.submit(1)
        assert slow.begun.wait(10)
        futures = [batcher.submit(2), batcher.submit(3)]
        with pytest.raises(BusyError, match="2 items wait already"):
            batcher.submit(4)
        slow.go.set()
        assert [f.result(10) for f in futures] == [-2, -3]


def test_closing_finishes_what_was_handed_in_and_takes_no_more() -> None:
    sizes: list[int] = []
    batcher = Batcher(list, max_batch=2, on_batch=sizes.append)
    futures = [batcher.submit(n) for n in range(5)]
    batcher.close()
    batcher.close()
    assert [f.result(0) for f in futures] == list(range(5))
    assert sum(sizes) == 5
    assert max(sizes) <= 2
    with pytest.raises(ModelError, match="closed"):
        batcher.submit(9)


@pytest.mark.parametrize("name", ["max_batch", "max_waiting", "workers"])
def test_numbers_must_be_positive(name: str) -> None:
    with pytest.raises(RangeError, match=f"{name} must be at least 1, got 0"):
        Batcher(lambda xs: xs, **{name: 0})  # type: ignore[arg-type]
