"""What followed things do, each reported once, at any rate."""

import numpy as np
import pytest

from szem.results.boxes import Boxes
from szem.results.events import Event
from szem.results.tracks import TrackedBoxes
from szem.tasks.surveillance.behaviours import BehaviourEvents
from szem.tasks.surveillance.open_events import OpenEvents
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.video.counting import PixelLine, PixelZone

SIZE = (640, 360)
YARD = PixelZone("yard", ((200, 150), (440, 150), (440, 360), (200, 360)))
GATE = PixelLine("gate", (320, 100), (320, 360))
Row = tuple[int, str, float, float, float]  # number, class, foot x and y, height


def _frame(rows: list[Row], time_s: float) -> TrackedBoxes:
    boxes = np.array([[x - h / 5, y - h, x + h / 5, y] for _, _, x, y, h in rows], np.float32).reshape(-1, 4)
    classes = ("person", "car")
    return TrackedBoxes(
        boxes=Boxes(
            boxes_xyxy=boxes,
            scores=np.full(len(rows), 0.8, np.float32),
            indices=np.array([classes.index(label) for _, label, *_ in rows], np.int64),
            classes=classes,
            width=SIZE[0],
            height=SIZE[1],
            model="toy",
        ),
        ids=np.array([number for number, *_ in rows], np.int64),
        seen=np.ones(len(rows), bool),
        time_s=time_s,
    )


def _play(story: list[tuple[float, list[Row]]], **more: object) -> list[Event]:
    settings = WatchSettings(loiter_after_s=6, crowd_people=3)
    reported = OpenEvents()
    here: list[Row] = []

    def cover(box: np.ndarray) -> float:  # what is there hides the scene
        return float(any(abs(x - (box[0] + box[2]) / 2) < h / 4 for _, _, x, _, h in here))

    events = BehaviourEvents(settings, reported, **{"cover": cover, **more})  # type: ignore[arg-type]
    found: dict[int, Event] = {}
    for time_s, rows in story:
        here = rows
        for event in events(_frame(rows, time_s)):
            found[event.number] = event
    return list(found.values())


def _walk(rate_hz: float, speed: float = 90.0, *, number: int = 1, hidden: tuple[float, float] = (0, 0),
          anew: int = 0) -> list[tuple[float, list[Row]]]:  # fmt: skip
    """Somebody goes from the left to the right; perhaps hidden for a while and then with another number."""
    story: list[tuple[float, list[Row]]] = []
    for k in range(int(14 * rate_hz)):
        time_s = k / rate_hz
        x = 20 + speed * (time_s - 2)
        rows: list[Row] = []
        if time_s >= 2 and x < 620 and not hidden[0] <= time_s < hidden[1]:
            rows = [(anew if anew and time_s >= hidden[1] else number, "person", x, 300, 150)]
        story.append((time_s, rows))
    return story


@pytest.mark.parametrize("rate_hz", [2, 5, 10, 30])
def test_somebody_comes_crosses_and_goes_at_any_rate(rate_hz: float) -> None:
    events = _play(_walk(rate_hz), zones=[YARD], lines=[GATE])
    assert [(e.kind, e.place, e.direction) for e in sorted(events, key=lambda e: e.start_s)] == [
        ("enters", "yard", ""),
        ("crosses", "gate", "left"),
        ("leaves", "yard", ""),
    ]
    enters, crosses, leaves = sorted(events, key=lambda e: e.start_s)
    assert enters.start_s == pytest.approx(2 + 180 / 90, abs=0.8)
    assert crosses.start_s == pytest.approx(2 + 300 / 90, abs=0.8)
    assert leaves.start_s == pytest.approx(2 + 420 / 90, abs=0.8)
    assert all(e.channels == {"video": e.score} and e.label == "person" for e in events)


def test_who_is_lost_and_found_has_neither_left_nor_come() -> None:
    events = _play(_walk(5, hidden=(5.0, 6.2), anew=7), zones=[YARD], lines=[GATE])
    assert sorted(e.kind for e in events) == ["crosses", "enters", "leaves"]
    assert {e.track for e in events} == {1}


def test_without_zones_sight_is_one() -> None:
    assert sorted(e.kind for e in _play(_walk(5, 150))) == ["enters", "leaves"]


def test_what_the_detector_sees_in_the_scene_itself_is_nothing() -> None:
    assert _play(_walk(5), zones=[YARD], cover=lambda _: 0.0) == []
    stands = [(k / 5, [(1, "person", 300.0, 300.0, 150.0)]) for k in range(60)]
    assert _play(stands) == []  # it has never moved


def test_who_was_there_at_the_beginning_leaves_without_having_entered() -> None:
    story = [(k / 5, [(1, "person", 320 + 60 * k / 5, 300.0, 150.0)] if k < 24 else []) for k in range(60)]
    assert [e.kind for e in _play(story)] == ["leaves"]


def test_loitering_is_reported_once_and_again_when_it_ends() -> None:
    reported = OpenEvents()
    events = BehaviourEvents(WatchSettings(loiter_after_s=6), reported, zones=[YARD])
    seen = []
    for k in range(100):
        time_s = k / 5
        x = (
            100 + 60 * time_s
            if time_s < 3.5
            else 310 + 10 * np.sin(time_s)
            if time_s < 14
            else 310 + 80 * (time_s - 14)
        )
        seen += events(_frame([(1, "person", float(x), 300, 150)] if x < 600 else [], time_s))
    loiters = [e for e in seen if e.kind == "loiters"]
    assert [e.is_open for e in loiters] == [True, False]
    assert loiters[0].number == loiters[1].number
    assert loiters[1].end_s == pytest.approx(15.6, abs=0.7)


@pytest.mark.parametrize(("people", "is_crowd"), [(2, False), (3, True), (5, True)])
def test_a_crowd_is_as_many_as_the_settings_say(people: int, is_crowd: bool) -> None:
    story = []
    for k in range(90):
        rows: list[Row] = [(n + 1, "person", 120 + 90 * n + min(k, 10) * 6, 300, 150) for n in range(people)]
        story.append((k / 5, rows if k < 40 else []))
    crowds = [e for e in _play(story) if e.kind == "crowd"]
    assert len(crowds) == is_crowd
    assert not crowds or (crowds[0].note.startswith(f"{people} people") and not crowds[0].is_open)


@pytest.mark.parametrize(("growth", "is_fast"), [(0.1, False), (0.9, True)])
def test_who_grows_quickly_comes_fast(growth: float, is_fast: bool) -> None:
    story: list[tuple[float, list[Row]]] = []
    for k in range(80):
        time_s = k / 10
        height = 60 * np.exp(growth * max(time_s - 4, 0))
        alive = time_s > 1 and height < 300
        story.append((time_s, [(1, "person", 250 + 8 * time_s, 150 + height * 0.6, float(height))] if alive else []))
    assert [e.kind for e in _play(story) if e.kind == "fast approach"] == ["fast approach"] * is_fast


def test_memory_does_not_grow() -> None:
    events = BehaviourEvents(WatchSettings(), OpenEvents(), zones=[YARD], lines=[GATE])
    for n in range(60):
        for k in range(30):
            events(_frame([(n + 1, "person", 20 + 30 * k, 300, 150)] if k < 20 else [], n * 20 + k / 2))
    assert len(events.objects) <= 1
    assert len(events._alias) <= 1


@pytest.mark.parametrize("foot", [360.0, 352.0])
def test_feet_cut_off_by_the_border_enter_and_loiter(foot: float) -> None:
    story = []
    for k in range(100):
        x = 60 + 40 * min(k / 5, 6)
        story.append((k / 5, [] if k < 8 else [(1, "person", x, foot, 150.0)]))
    yard = PixelZone("yard", ((200, 150), (440, 150), (440, 360), (200, 360)), SIZE)
    assert [e.kind for e in _play(story, zones=[yard])] == ["enters", "loiters"]


@pytest.mark.parametrize("jitter_px", [2.0, 6.0])
def test_who_stands_on_the_edge_of_a_zone_enters_once(jitter_px: float) -> None:
    rng = np.random.default_rng(0)
    story = []
    for k in range(200):
        x = min(20 + 15 * max(k - 8, 0), 200) + rng.normal(0, jitter_px)
        story.append((k / 5, [] if k < 8 else [(1, "person", x + max(k - 160, 0) * 10, 300.0, 150.0)]))
    assert [e.kind for e in _play(story, zones=[YARD])].count("enters") == 1


@pytest.mark.parametrize("side", ["below", "left"])
def test_who_walks_into_the_picture_does_not_approach_fast(side: str) -> None:
    """The box grows as more of the person is seen; then the person walks on at a walking pace."""
    events = BehaviourEvents(WatchSettings(), OpenEvents())
    found = []
    for k in range(60):
        way = 12.0 * max(k - 8, 0)
        x, bottom = (320.0, 520 - min(way, 260)) if side == "below" else (-30 + min(way, 300), 300.0)
        box = np.clip([x - 30, bottom - 150, x + 30, bottom], 0, [*SIZE, *SIZE])
        rows = [] if min(box[2:] - box[:2]) < 12 else [box]
        boxes = Boxes(
            boxes_xyxy=np.array(rows, np.float32).reshape(-1, 4),
            scores=np.full(len(rows), 0.8, np.float32),
            indices=np.zeros(len(rows), np.int64),
            classes=("person",),
            width=SIZE[0],
            height=SIZE[1],
            model="toy",
        )
        ids, seen = np.arange(1, len(rows) + 1), np.ones(len(rows), bool)
        found += events(TrackedBoxes(boxes=boxes, ids=ids, seen=seen, time_s=k / 5))
    assert [event.kind for event in found] == ["enters"]
