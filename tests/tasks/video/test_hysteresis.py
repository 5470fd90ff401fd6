"""A box that jitters is on one side of an edge until it has really gone over; the picture's border is no edge."""

import numpy as np
import pytest

from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes
from szem.tasks.video.counting import LineCounter, PixelZone, ZoneCounter, parse_line, parse_zone
from szem.tasks.video.hysteresis import EdgeHistory, jitter_margin

WIDTH, HEIGHT, SIDE = 640, 480, 60.0


def one(x: float, y: float, time_s: float) -> TrackedBoxes:
    """A person whose feet are there, cut off by the picture's border."""
    box = np.clip([x - SIDE / 2, y - SIDE, x + SIDE / 2, y], 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    boxes = Boxes(boxes_xyxy=box[None], scores=np.array([0.9]), indices=np.array([0]), classes=("person",),
                  width=WIDTH, height=HEIGHT, model="toy")  # fmt: skip
    return TrackedBoxes(boxes=boxes, ids=np.array([1]), seen=np.array([True]), time_s=time_s)


def stand_on_it(*, jitter: float, rate_hz: float, seed: int) -> list[float]:
    """Feet, frame by frame: somebody walks to y = 240, stands there for eight seconds and walks on."""
    rng = np.random.default_rng(seed)
    way = np.concatenate([np.arange(160, 240, 90 / rate_hz), np.full(round(8 * rate_hz), 240.0),
                          np.arange(240, 320, 90 / rate_hz)])  # fmt: skip
    return list(way + rng.normal(0, jitter * SIDE, len(way)))


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [0.005, 0.015, 0.03, 0.05])
@pytest.mark.parametrize("rate_hz", [6, 25])
def test_somebody_who_stands_on_an_edge_counts_once(jitter: float, rate_hz: float) -> None:
    for seed in range(4):
        line = LineCounter(parse_line("0,0.5 1,0.5", width=WIDTH, height=HEIGHT))
        zone = ZoneCounter(parse_zone("0,0.5 1,0.5 1,1 0,1", width=WIDTH, height=HEIGHT))
        for k, y in enumerate(stand_on_it(jitter=jitter, rate_hz=rate_hz, seed=seed)):
            line(one(200, y, k / rate_hz))
            zone(one(200, y, k / rate_hz))
        assert (sum(line.to_right.values()), sum(line.to_left.values())) == (1, 0)
        assert (zone.entered, zone.left) == (1, 0)


def test_who_only_comes_up_to_a_line_is_not_counted() -> None:
    line = LineCounter(parse_line("0,0.5 1,0.5", width=WIDTH, height=HEIGHT))
    rng = np.random.default_rng(0)
    for k, y in enumerate([*np.arange(160, 240, 4), *(240 + rng.normal(0, 2, 200)), *np.arange(240, 160, -4)]):
        line(one(200, y, k / 25))
    assert (line.to_right, line.to_left) == ({}, {})


@pytest.mark.parametrize("bottom", [HEIGHT, HEIGHT - 3, HEIGHT - 10])
def test_feet_cut_off_by_the_border_are_in_a_zone_that_reaches_it(bottom: float) -> None:
    zone = ZoneCounter(parse_zone("yard=0.5,0.5 1,0.5 1,1 0.5,1", width=WIDTH, height=HEIGHT))
    for k, x in enumerate(range(60, 540, 8)):
        zone(one(x, bottom, k / 25))
    assert (zone.entered, zone.left, zone.objects) == (1, 0, 1)


@pytest.mark.parametrize(
    ("corners", "point", "depth"),
    [
        ("0,0 1,0 1,1 0,1", (0, 0), 1e9),  # the whole picture has no edge
        ("0.5,0 1,0 1,1 0.5,1", (640, 480), 320),  # the corner: both borders are open
        ("0.5,0 1,0 1,1 0.5,1", (320, 480), 0),
        ("0.5,0 1,0 1,1 0.5,1", (300, 480), -20),
        ("0,0.5 1,0.5 1,0.995 0,0.995", (320, 480), 240),  # drawn by hand, close to the border
        ("0,0.5 1,0.5 1,0.9 0,0.9", (320, 480), -48),  # an edge of its own
        ("0.2,0.2 0.8,0.2 0.8,0.8 0.2,0.8", (320, 100), 4),
    ],
)
def test_how_deep_a_point_lies_in_a_zone(corners: str, point: tuple[float, float], depth: float) -> None:
    zone = parse_zone(corners, width=WIDTH, height=HEIGHT)
    assert zone.depth(np.array([point]))[0] == pytest.approx(depth, abs=0.01)


def test_a_zone_without_a_picture_has_closed_edges() -> None:
    zone = PixelZone("all", ((0, 0), (640, 0), (640, 480), (0, 480)))
    assert zone.depth(np.array([[640.0, 100.0], [650.0, 100.0]])).tolist() == [0, -10]


# What an object does before an edge at 0, in its own sizes, and how often it changes to the right and to the left.
STORIES: dict[str, tuple[list[float | tuple[float, float]], tuple[int, int]]] = {
    "walks over it": ([-1.5, 1.5], (1, 0)),
    "stands on it for 8 s and walks on": ([-1.5, 0, (0, 8), 1.5], (1, 0)),
    "stands on it for 8 s and turns back": ([-1.5, 0, (0, 8), -1.5], (0, 0)),
    "comes back": ([-1.5, 1.5, (1.5, 1), -1.5], (1, 1)),
    "stands on it on both ways": ([-1.5, 0, (0, 4), 1.5, (1.5, 1), 0, (0, 4), -1.5], (1, 1)),
    "is lost just behind it": ([-1.5, 0.5], (1, 0)),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("rate_hz", [6, 25])
@pytest.mark.parametrize("walking_jitter", [0.0, 0.02])
def test_changes_of_sides_are_counted_whenever_the_jitter_begins(
    story: str, rate_hz: int, walking_jitter: float
) -> None:
    parts, right = STORIES[story]
    for seed, standing_jitter in enumerate((0.005, 0.02, 0.05, 0.08)):
        rng = np.random.default_rng([seed, rate_hz])
        step = rng.uniform(0.7, 2.3) / rate_hz
        way, place = [], float(parts[0])  # type: ignore[arg-type]
        for part in parts[1:]:
            if isinstance(part, tuple):
                way.append(part[0] + rng.normal(0, standing_jitter, round(part[1] * rate_hz)))
            else:
                line = np.linspace(place, part, max(2, round(abs(part - place) / step)))
                way.append(line + rng.normal(0, walking_jitter, len(line)))
                place = part
        history, known, changes = EdgeHistory(), 0, [0, 0]
        for k, distance in enumerate(np.concatenate(way)):
            side = history.side(1, time_s=k / rate_hz, distance=float(distance), size=1.0)
            if side and known and side != known:
                changes[side < 0] += 1
            known = side or known
        assert tuple(changes) == right, (standing_jitter, seed)


def empty(time_s: float) -> TrackedBoxes:
    return one(0, 0, time_s).__class__(
        boxes=one(0, 0, time_s).boxes.take(np.array([], np.int64)), ids=np.array([], np.int64),
        seen=np.array([], np.bool_), time_s=time_s,
    )  # fmt: skip


@pytest.mark.parametrize("rate_hz", [6, 12, 25])
def test_who_is_lost_while_walking_away_from_a_line_has_crossed_it(rate_hz: int) -> None:
    line = LineCounter(parse_line("0,0.5 1,0.5", width=WIDTH, height=HEIGHT))
    way = np.arange(150, 251, 120 / rate_hz)  # the last is 10 px, a sixth of the size, behind the line
    for k, y in enumerate(way):
        line(one(200, y, k / rate_hz))
    found = [line(empty((len(way) + k) / rate_hz)) for k in range(rate_hz)]
    assert sum(len(events) for events in found) == 1
    assert line.to_right == {"person": 1}


def test_who_is_lost_while_standing_on_a_line_has_not_crossed_it() -> None:
    for seed in range(5):
        line = LineCounter(parse_line("0,0.5 1,0.5", width=WIDTH, height=HEIGHT))
        way = [*np.arange(150, 240, 4.8), *(240 + np.random.default_rng(seed).normal(0, 2.4, 50))]
        for k, y in enumerate(way):
            line(one(200, y, k / 25))
        for k in range(50):
            line(empty((len(way) + k) / 25))
        assert line.to_right == line.to_left == {}


def test_who_appears_on_a_zones_edge_and_stays_there_has_neither_entered_nor_left() -> None:
    zone = ZoneCounter(parse_zone("0,0.5 1,0.5 1,1 0,1", width=WIDTH, height=HEIGHT))
    for k, y in enumerate(240 + np.random.default_rng(0).normal(0, 3, 100)):
        zone(one(200, y, k / 25))
    assert (zone.entered, zone.left) == (0, 0)


def test_the_margin_grows_with_jitter_and_keeps_its_bounds() -> None:
    times, rng = np.arange(50) / 25, np.random.default_rng(0)
    noise = rng.normal(0, 1, 50)
    margins = [jitter_margin(times, sigma * noise, 100.0) for sigma in (0, 1, 4, 50)]
    assert margins == sorted(margins)
    assert (margins[0], margins[-1]) == (4.0, 40.0)
    assert margins[2] == pytest.approx(16.0, rel=0.5)  # four standard deviations
    assert jitter_margin(times, 100 * times**2, 100.0) == 4.0  # it accelerates: no jitter


def test_objects_that_are_gone_are_forgotten() -> None:
    history = EdgeHistory()
    for number in range(5):
        history.side(number, time_s=0.0, distance=1.0, size=10.0)
    history.forget(3)
    assert len(history) == 4
