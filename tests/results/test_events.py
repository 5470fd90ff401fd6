"""Events: checked when made, reported in JSON."""

from typing import Any

import pytest

from szem.errors import RangeError
from szem.results.events import Event, Events

BARK = Event(kind="dog bark", start_s=2.0, end_s=3.5, score=0.9, channels={"sound": 0.9})
BAG = Event(
    kind="left behind",
    start_s=1.0,
    end_s=9.0,
    score=0.8,
    channels={"video": 0.8},
    contributions={"video": 1.4},
    label="suitcase",
    place="hall",
    box_xyxy=(1, 2, 3, 4),
    best_s=4.0,
    is_open=True,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": ""}, "needs a kind"),
        ({"end_s": 1.0}, "ends after it begins"),
        ({"start_s": float("nan")}, "ends after it begins"),
        ({"score": 1.5}, r"score must lie in 0\.\.1"),
        ({"channels": {"sound": -0.1}}, r"sound must lie in 0\.\.1"),
        ({"channels": {"smell": 0.1}}, "channels are sound, video"),
        ({"contributions": {"smell": 0.1}}, "channels are sound, video"),
    ],
)
def test_impossible_events_are_refused(change: dict[str, Any], words: str) -> None:
    fields: dict[str, Any] = {"kind": "dog bark", "start_s": 2.0, "end_s": 3.0, "score": 0.5}
    with pytest.raises(RangeError, match=words):
        Event(**{**fields, **change})


def test_what_is_not_known_is_left_out() -> None:
    assert BARK.to_dict() == {
        "kind": "dog bark",
        "start_s": 2.0,
        "end_s": 3.5,
        "score": 0.9,
        "channels": {"sound": 0.9},
    }
    row = BAG.to_dict()
    assert row["box_xyxy"] == [1, 2, 3, 4]
    assert row["open"] is True
    assert row["contributions"] == {"video": 1.4}


def test_channels_cannot_be_changed_afterwards() -> None:
    with pytest.raises(TypeError):
        BARK.channels["sound"] = 1.0  # type: ignore[index]


def test_events_count_and_filter() -> None:
    events = Events(items=(BAG, BARK), duration_s=10, model="toy")
    assert events.counts == {"dog bark": 1, "left behind": 1}
    assert [e.kind for e in events.keep(score=0.85)] == ["dog bark"]
    assert [e.kind for e in events.keep(kinds=["left behind"])] == ["left behind"]
    assert len(events.to_dict()["events"]) == 2


def test_events_come_in_order() -> None:
    with pytest.raises(RangeError, match="order of their beginnings"):
        Events(items=(BARK, BAG), duration_s=10, model="toy")
