"""Which reported events count as right, wrong or missed."""

import pytest

from szem.results.events import Event
from szem.tasks.surveillance.event_metrics import EventCounts, TrueEvent, match_events


def reported(kind: str, start_s: float, end_s: float | None = None, **more: object) -> Event:
    return Event(kind=kind, start_s=start_s, end_s=start_s if end_s is None else end_s, score=0.9, **more)  # type: ignore[arg-type]


def test_a_moment_counts_when_it_is_near_and_of_the_same_kind_place_and_way() -> None:
    truth = [TrueEvent(kind="crosses", start_s=10, end_s=10, place="gate", direction="right")]
    right = reported("crosses", 12, place="gate", direction="right")
    assert match_events([right], truth).right == {"crosses": 1}
    for wrong in (
        reported("crosses", 14, place="gate", direction="right"),
        reported("crosses", 12, place="door", direction="right"),
        reported("crosses", 12, place="gate", direction="left"),
        reported("enters", 12, place="gate"),
    ):
        counts = match_events([wrong], truth)
        assert counts.right == {}
        assert (counts.wrong, counts.missed) == ({wrong.kind: 1}, {"crosses": 1})


def test_an_object_left_behind_must_be_where_it_was_said() -> None:
    truth = [TrueEvent(kind="left behind", start_s=5, end_s=60, box_xyxy=(10, 10, 30, 30))]
    here = reported("left behind", 6, 60, box_xyxy=(12, 12, 34, 34), best_s=9.5)
    there = reported("left behind", 6, 60, box_xyxy=(100, 10, 120, 30))
    counts = match_events([here, there], truth)
    assert (counts.right, counts.wrong, counts.missed) == ({"left behind": 1}, {"left behind": 1}, {})
    assert counts.delays_s == {"left behind": [4.5]}


def test_a_close_call_counts_neither_way() -> None:
    truth = [TrueEvent(kind="enters", start_s=5, end_s=5, is_doubtful=True)]
    for events in ([reported("enters", 5)], []):
        counts = match_events(events, truth)
        assert (counts.right, counts.wrong, counts.missed) == ({}, {}, {})
        assert counts.scores() == (1.0, 1.0, 1.0)


def test_counts_add_up_to_precision_recall_and_f1() -> None:
    counts = EventCounts(right={"enters": 3}, wrong={"enters": 1, "crowd": 2}, missed={"enters": 2})
    counts.add(EventCounts(right={"crowd": 1}, delays_s={"crowd": [0.5]}))
    assert counts.kinds == ("crowd", "enters")
    assert counts.scores() == pytest.approx((4 / 7, 4 / 6, 8 / 13))
    assert counts.scores(["enters"]) == pytest.approx((3 / 4, 3 / 5, 6 / 9))
    assert counts.delays_s == {"crowd": [0.5]}
