"""Lines and zones: each anchor, each way, trembling, hiding, and what is typed."""

import numpy as np
import pytest

from szem.errors import RangeError, UnknownNameError
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes
from szem.tasks.video.counting import LineCounter, PixelZone, ZoneCounter, parse_line, parse_zone

WIDTH, HEIGHT = 200, 100


def frame(
    *middles: tuple[float, float],
    side: float = 20,
    time_s: float = 0,
    seen: bool = True,
    ids: list[int] | None = None,
) -> TrackedBoxes:
    """Square things around these points, numbered from 1; the first is a car, the others are people."""
    boxes = np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2] for x, y in middles]).reshape(-1, 4)
    found = Boxes(
        boxes_xyxy=boxes,
        scores=np.full(len(boxes), 0.9),
        indices=np.array([0] + [1] * (len(boxes) - 1))[: len(boxes)],
        classes=("car", "person"),
        width=WIDTH,
        height=HEIGHT,
        model="toy",
    )
    numbers = np.array(ids if ids is not None else range(1, len(boxes) + 1), np.int64)
    return TrackedBoxes(boxes=found, ids=numbers, seen=np.full(len(boxes), seen), time_s=time_s)


def across(xs: list[float], *, anchor: str = "center", line: str = "100,0 100,100", y: float = 50) -> tuple[int, int]:
    """Crossings to the right and left of a thing that goes through these places."""
    counter = LineCounter(parse_line(line, width=WIDTH, height=HEIGHT), anchor)
    for x in xs:
        counter(frame((x, y)))
    return sum(counter.to_right.values()), sum(counter.to_left.values())


@pytest.mark.parametrize(
    ("xs", "right", "left"),
    [
        ([80, 90, 110, 120], 0, 1),  # the line points down: what goes to the right of the picture is on its left hand
        ([120, 110, 90, 80], 1, 0),
        ([80, 120, 80, 120], 1, 2),  # there, back and there again
        ([80, 90, 95], 0, 0),
        ([80, 99.8, 100.2, 99.9, 100.3, 99.7, 120], 0, 1),  # trembles on the line: once
        ([80, 100.1, 99.9, 80], 0, 0),  # trembles and goes back
        ([20, 180], 0, 1),  # fast
    ],
)
def test_crossings_are_counted_once_each_way(xs: list[float], right: int, left: int) -> None:
    assert across(xs) == (right, left)
    turned = across(xs, line="100,100 100,0")
    assert turned == (left, right)


@pytest.mark.parametrize(
    ("anchor", "y", "counts"),
    [
        ("center", 55, 0), ("center", 65, 1),  # the line ends at y = 60
        ("bottom", 45, 0), ("bottom", 55, 1),
        ("top", 65, 0), ("top", 75, 1),
    ],
)  # fmt: skip
def test_the_anchor_decides_where_an_object_is(anchor: str, y: float, counts: int) -> None:
    assert sum(across([80, 120], anchor=anchor, line="100,60 100,100", y=y)) == counts


def test_an_object_that_hides_while_it_crosses_is_counted_when_it_is_back() -> None:
    counter = LineCounter(parse_line("0.5,0 0.5,1", width=WIDTH, height=HEIGHT), "center")
    counter(frame((80, 50)))
    assert counter(frame((105, 50), seen=False)) == []  # a guess is not counted
    events = counter(frame((130, 50)))
    assert events == [{"line": "line 1", "id": 1, "label": "car", "to": "left"}]
    assert counter.to_dict()["left"] == {"car": 1}


def test_objects_are_counted_apart_and_by_class() -> None:
    counter = LineCounter(parse_line("100,0 100,100", width=WIDTH, height=HEIGHT), "center")
    for step in range(5):
        counter(frame((70 + 15 * step, 20), (130 - 15 * step, 80), (70 + 15 * step, 60)))
    assert counter.to_left == {"car": 1, "person": 1}
    assert counter.to_right == {"person": 1}


def zone(anchor: str = "center") -> ZoneCounter:
    return ZoneCounter(parse_zone("door=50,20 150,20 150,80 50,80", width=WIDTH, height=HEIGHT), anchor)


def test_a_zone_reports_who_is_in_it_and_for_how_long() -> None:
    counter = zone()
    events = []
    for step, x in enumerate((20, 40, 60, 100, 140, 160, 180)):
        events += counter(frame((x, 50), (100, 50), time_s=step * 0.5))
    assert [(e["id"], e["what"]) for e in events] == [(1, "enter"), (1, "leave")]  # the other one was there already
    reported = counter.to_dict()
    assert reported == {
        "zone": "door", "now": {"person": 1}, "now_total": 1, "entered": 1, "left": 1, "objects": 2, "longest_s": 3.0,
    }  # fmt: skip
    assert counter.stayed_s[1] == pytest.approx(1.0)


@pytest.mark.slow
def test_what_has_gone_is_counted_and_forgotten() -> None:
    line, door = LineCounter(parse_line("100,0 100,100", width=WIDTH, height=HEIGHT), "center"), zone()
    for number in range(1, 2001):
        for step, x in enumerate((40, 80, 120, 160)):
            for counter in (line, door):
                counter(frame((x, 50), time_s=number * 4 + step, ids=[number]))
    assert sum(line.to_left.values()) + sum(line.to_right.values()) == 2000
    assert (door.entered, door.left, door.objects, door.longest_s) == (2000, 2000, 2000, 1.0)
    for kept in (line._known, line._presence._last_s, line._history, door._inside, door.stayed_s, door._history):
        assert len(kept) < 60


def test_trembling_at_the_edge_of_a_zone_is_no_coming_and_going() -> None:
    counter = zone()
    for x in (40, 49.8, 50.2, 49.7, 50.3, 60, 50.2, 49.8, 50.1):
        counter(frame((x, 50)))
    assert (counter.entered, counter.left) == (1, 0)


@pytest.mark.parametrize(
    ("anchor", "y", "inside"),
    [
        ("bottom", 65, True), ("bottom", 75, False),
        ("top", 85, True), ("top", 95, False),
        ("center", 79, True), ("center", 81, False),
        ("overlap", 79, True), ("overlap", 81, False),
    ],
)  # fmt: skip
def test_each_anchor_of_a_zone(anchor: str, y: float, inside: bool) -> None:
    counter = zone(anchor)
    counter(frame((100, y)))
    assert bool(counter.now) is inside


def test_overlap_with_a_zone_that_is_not_convex() -> None:
    corners = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (50.0, 20.0), (0.0, 100.0))  # a notch from below
    counter = ZoneCounter(PixelZone("notch", corners), "overlap")
    counter(frame((50, 80)))
    assert counter.now == {}
    counter = ZoneCounter(PixelZone("notch", corners), "overlap")
    counter(frame((15, 20)))
    assert counter.now == {"car": 1}


@pytest.mark.parametrize(
    "text", ["", "1", "1,2", "1,2 3", "a,b c,d", "0,0 0,0", "=0,0 1,1", "nan,0 1,1", "0,0 1,1 2,2"]
)
def test_what_is_no_line_is_reported(text: str) -> None:
    with pytest.raises(RangeError, match=r"line is two points|points are numbers"):
        parse_line(text, width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize("text", ["0,0 1,1", "0,0 5,5 9,9", "x"])
def test_what_is_no_zone_is_reported(text: str) -> None:
    with pytest.raises(RangeError, match=r"zone is three points|points are numbers"):
        parse_zone(text, width=WIDTH, height=HEIGHT)


def test_fractions_and_pixels_and_names() -> None:
    assert parse_line("a=0.5,0.5 1,1", width=200, height=100).start_xy == (100, 50)
    assert parse_line("50, 60, 70, 80", width=200, height=100).end_xy == (70, 80)
    assert parse_line("10,0 20,0", width=200, height=100, number=3).name == "line 3"
    assert parse_zone("0,0 1,0 1,1", width=200, height=100).corners_xy[2] == (200, 100)


def test_anchors_that_are_none_are_reported() -> None:
    with pytest.raises(UnknownNameError, match=r"bottom, center, top$"):
        LineCounter(parse_line("0,0 1,1", width=9, height=9), "overlap")
    with pytest.raises(UnknownNameError, match="bottom, center, top, overlap"):
        zone("feet")
