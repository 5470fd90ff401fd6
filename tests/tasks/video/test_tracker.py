"""Following things through scenes whose truth is known: numbers kept, boxes steady."""

import numpy as np
import pytest

from szem.errors import RangeError
from szem.results.boxes import Boxes
from szem.results.tracks import TrackedBoxes
from szem.tasks.video.tracker import Tracker, TrackLog, TrackSettings

from . import moving_boxes as s


def hidden_between(obj: int, start_s: float, end_s: float):
    return lambda k, t: 1.0 if k == obj and start_s <= t < end_s else 0.0


# movers, eye, frames a second, most identity switches over five seeds, least recall
SCENES = {
    "three cars in a row": (
        [s.Mover(s.straight(x, 120 + 70 * k, 90), (70, 40)) for k, x in enumerate((0, 60, 120))],
        s.Eye(),
        25,
        0,
        0.95,
    ),
    "the same at a few frames a second": (
        [s.Mover(s.straight(x, 120 + 70 * k, 60), (70, 40)) for k, x in enumerate((0, 60, 120))],
        s.Eye(),
        6,
        0,
        0.85,
    ),
    "fast ones at twelve frames a second": (  # 28 pixels a frame, 40 wide
        [s.Mover(s.straight(0, 80, 330), (40, 30)), s.Mover(s.straight(640, 250, -330), (40, 30))],
        s.Eye(),
        12,
        0,
        0.75,
    ),
    "two that pass each other": (
        [s.Mover(s.straight(40, 180, 110), (50, 90), 1), s.Mover(s.straight(600, 186, -110), (50, 90), 1)],
        s.Eye(hidden=lambda k, t: 1.0 if k == 0 and 2.35 < t < 2.75 else 0.0),
        25,
        2,
        0.9,
    ),
    "one behind a tree for 0.8 s": (
        [s.Mover(s.straight(40, 180, 100), (50, 90), 1)],
        s.Eye(hidden=hidden_between(0, 2.0, 2.8)),
        25,
        0,
        0.9,
    ),
    "one behind a van for 1.6 s": (
        [s.Mover(s.straight(40, 180, 100), (60, 60))],
        s.Eye(hidden=hidden_between(0, 2.0, 3.6)),
        25,
        0,
        0.85,
    ),
    "half hidden: only doubtful boxes for two seconds": (
        [s.Mover(s.straight(40, 180, 80), (50, 90), 1)],
        s.Eye(hidden=lambda k, t: 0.45 if 1.5 < t < 3.5 else 0.0),
        25,
        0,
        0.9,
    ),
    "walking in a circle": (
        [s.Mover(lambda t: (320 + 120 * np.cos(1.5 * t), 180 + 80 * np.sin(1.5 * t)), (40, 80), 1)],
        s.Eye(),
        25,
        0,
        0.93,
    ),
    "a crowd of nine that stand close": (
        [s.Mover(s.straight(80 + 55 * k, 180, 3 * (-1) ** k), (50, 100), 1) for k in range(9)],
        s.Eye(),
        25,
        1,
        0.93,
    ),
    "a rider on a thing of another class": (
        [s.Mover(s.straight(60, 150, 90), (40, 90), 1), s.Mover(s.straight(60, 190, 90), (80, 60), 0)],
        s.Eye(),
        25,
        0,
        0.93,
    ),
    "classes taken for one another": (
        [s.Mover(s.straight(0, 120, 100), (80, 50), 0)],
        s.Eye(wrong_class=0.3),
        25,
        0,
        0.9,
    ),
}


def follow(detections, **settings) -> list[TrackedBoxes]:
    tracker = Tracker(TrackSettings(**settings))
    return [tracker(detector.found, time_s=detector.time_s, index=k) for k, detector in enumerate(detections)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_objects_keep_their_numbers(name: str) -> None:
    movers, eye, rate, most, recall = SCENES[name]
    switches, recalls = 0, []
    for seed in range(5):
        detections = list(s.look(movers, seconds=5, rate_hz=rate, eye=eye, seed=seed))
        counted = s.tally(detections, follow(detections))
        switches += counted.switches + counted.shared
        recalls.append(counted.recall)
    assert switches <= most, f"{switches} switches"
    assert np.mean(recalls) >= recall, recalls


def test_boxes_are_steadier_and_no_less_right_than_they_came() -> None:
    movers = [s.Mover(s.straight(60, 100, 40), (80, 60)), s.Mover(s.straight(320, 260, 0), (50, 90), 1)]
    detections = list(s.look(movers, seconds=8, rate_hz=25, eye=s.Eye(misses=0, false_alarms=0), seed=3))
    frames = follow(detections)
    raw = [TrackedBoxes(boxes=x.found, ids=[1, 2], seen=[True, True]) for x in detections]
    assert s.tally(detections, frames).overlap > s.tally(detections, raw).overlap + 0.01
    for label in ("car", "person"):
        smooth = np.array([f.boxes.boxes_xyxy[f.boxes.labels.index(label)] for f in frames[10:]])
        given = np.array([f.found.boxes_xyxy[f.found.labels.index(label)] for f in detections[10:]])
        jitter = [np.abs(np.diff(path, n=2, axis=0)).mean() for path in (smooth, given)]
        assert jitter[0] < 0.25 * jitter[1]


def test_an_object_that_turns_is_not_overshot() -> None:
    """Smoothing must not cost place: after a sudden stop the box is on the thing again within half a second."""

    def stop(t: float):
        return (100 + 120 * min(t, 2.0), 180.0)

    detections = list(s.look([s.Mover(stop, (60, 60))], seconds=4, rate_hz=25, eye=s.Eye(misses=0, false_alarms=0)))
    frames = follow(detections)
    late = s.tally(detections[63:], frames[63:])
    assert late.missed == 0
    assert late.overlap > 0.9


def test_one_missing_frame_does_not_flicker() -> None:
    detections = list(
        s.look(
            [s.Mover(s.straight(60, 100, 60), (80, 60))],
            seconds=3,
            rate_hz=25,
            eye=s.Eye(misses=0.25, false_alarms=0),
            seed=1,
        )
    )
    frames = follow(detections)
    assert [len(f) for f in frames[3:]] == [1] * len(frames[3:])
    assert 5 < sum(not f.seen[0] for f in frames[3:]) < 35
    assert sum(not len(f) for f in follow(detections, hold_s=0)[3:]) > 5


def test_false_alarms_get_no_number() -> None:
    detections = list(s.look([], seconds=20, rate_hz=25, eye=s.Eye(false_alarms=0.3), seed=2))
    numbers = {int(i) for f in follow(detections)[1:] for i in f.ids}
    assert sum(len(x.found) for x in detections) > 100
    assert len(numbers) <= 3


def test_numbers_run_from_one_without_gaps() -> None:
    detections = list(
        s.look(
            [s.Mover(s.straight(30 + 80 * k, 150, 10), (60, 50)) for k in range(6)],
            seconds=3,
            rate_hz=25,
            eye=s.Eye(),
            seed=4,
        )
    )
    numbers = sorted({int(i) for f in follow(detections) for i in f.ids})
    assert numbers == list(range(1, len(numbers) + 1))


def test_uneven_times_do_no_harm() -> None:
    mover = s.Mover(s.straight(40, 180, 100), (60, 60))
    detections = list(s.look([mover], seconds=5, rate_hz=30, eye=s.Eye(false_alarms=0)))
    kept = [x for k, x in enumerate(detections) if k % 7 in (0, 1, 4)]  # gaps of 1, 3 and 3 frames in turn
    counted = s.tally(kept, follow(kept))
    assert (counted.switches, counted.shared) == (0, 0)
    assert counted.overlap > 0.85


def test_frames_that_were_not_looked_at_are_carried_over() -> None:
    mover = s.Mover(s.straight(40, 180, 100), (60, 60))
    detections = list(s.look([mover], seconds=4, rate_hz=24, eye=s.Eye(misses=0, false_alarms=0)))
    tracker, frames = Tracker(), []
    for k, x in enumerate(detections):
        empty = x.found.take(np.zeros(len(x.found), bool))
        frames.append(tracker(x.found, time_s=x.time_s) if k % 3 == 0 else tracker.carry(empty, time_s=x.time_s))
    counted = s.tally(detections[6:], frames[6:])
    assert (counted.missed, counted.switches) == (0, 0)
    assert counted.overlap > 0.8
    assert not frames[7].seen[0]
    assert frames[9].seen[0]


def test_the_class_is_the_one_said_most() -> None:
    eye = s.Eye(wrong_class=0.3, false_alarms=0)
    detections = list(s.look([s.Mover(s.straight(0, 120, 100), (80, 50), 2)], seconds=5, rate_hz=25, eye=eye, seed=1))
    log = TrackLog().extend(follow(detections))
    assert [t.label for t in log.tracks()] == ["bus"]
    assert log.tracks().counts == {"bus": 1}
    assert log.tracks().items[0].duration_s > 4


def test_an_object_that_is_taken_for_two_classes_at_once_is_one_object() -> None:
    def found(k: int) -> Boxes:
        box = np.array([10.0 + 3 * k, 10, 60 + 3 * k, 50])
        both = [("car", 0.8), ("bus", 0.6)] if k % 3 else [("bus", 0.6)]  # at times it is a bus alone
        return Boxes(
            boxes_xyxy=np.array([box + (0 if label == "car" else 1) for label, _ in both]),
            scores=np.array([score for _, score in both]),
            indices=np.array([s.CLASSES.index(label) for label, _ in both]),
            classes=s.CLASSES,
            width=200,
            height=100,
            model="toy",
        )

    tracker = Tracker()
    frames = [tracker(found(k), time_s=k / 25) for k in range(30)]
    assert {len(f) for f in frames} == {1}
    assert {int(i) for f in frames for i in f.ids} == {1}
    assert {label for f in frames[3:] for label in f.boxes.labels} == {"car"}


def test_thresholds_go_by_class() -> None:
    def found(score: float) -> Boxes:
        return Boxes(
            boxes_xyxy=np.array([[10, 10, 50, 50], [100, 10, 150, 50]]),
            scores=np.array([score, score]),
            indices=np.array([0, 1]),
            classes=s.CLASSES,
            width=200,
            height=100,
            model="toy",
        )

    tracker = Tracker(thresholds=np.array([0.3, 0.6, 0.5], np.float32))
    assert tracker(found(0.45), time_s=0).boxes.labels == ("car",)
    assert tracker(found(0.65), time_s=0.1).boxes.labels == ("car",)
    assert sorted(tracker(found(0.65), time_s=0.2).boxes.labels) == ["car", "person"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_track_threshold": 0},
        {"new_track_threshold": 2},
        {"hold_s": 3, "keep_s": 2},
        {"hold_s": -1},
        {"confirm": 0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RangeError):
        TrackSettings(**wrong)


def test_an_object_has_one_box_a_frame() -> None:
    detector = next(s.look([s.Mover(s.straight(50, 50, 0), (40, 40))] * 2, seconds=1, rate_hz=1, eye=s.Eye(misses=0)))
    with pytest.raises(RangeError, match="one box a frame"):
        TrackedBoxes(boxes=detector.found, ids=[1, 1], seen=[True, True])


@pytest.mark.parametrize("rate", [6, 12, 25])
@pytest.mark.parametrize("seed", range(4))
def test_two_people_who_pass_each_other_stay_two(rate: float, seed: int) -> None:
    """The one behind has no box while they cover each other."""
    movers = [s.Mover(s.straight(40, 180, 110), (44, 100), 1), s.Mover(s.straight(600, 184, -110), (44, 100), 1)]
    middle_s = 560 / 220
    eye = s.Eye(hidden=lambda k, t: 1.0 if k == 0 and abs(t - middle_s) < 0.16 else 0.0, false_alarms=0)
    detections = list(s.look(movers, seconds=5, rate_hz=rate, eye=eye, seed=seed))
    frames = follow(detections)
    counted = s.tally(detections, frames)
    assert (counted.switches, counted.shared) == (0, 0)
    assert len({int(number) for frame in frames for number in frame.ids}) == 2


@pytest.mark.parametrize("step", [1.2, 1.6, 2.0])
def test_objects_that_do_not_overlap_between_frames_are_one(step: float) -> None:
    """Six frames a second, each further on than the object is wide."""
    movers = [
        s.Mover(s.straight(30, 120, 48 * step * 6), (48, 40)),
        s.Mover(s.straight(610, 280, -48 * step * 6), (48, 40)),
    ]
    eye = s.Eye(noise=0.02, misses=0, false_alarms=0)
    detections = list(s.look(movers, seconds=1.6, rate_hz=6, eye=eye, seed=0))
    frames = follow(detections)
    assert {int(number) for frame in frames for number in frame.ids} == {1, 2}
    assert s.tally(detections, frames).switches == 0


def test_an_object_elsewhere_is_not_matched_by_distance() -> None:
    """One vanishes, and another of another size or class appears not far away."""
    for size, index in (((120, 100), 0), ((48, 40), 1)):
        movers = [s.Mover(s.straight(100, 100, 0), (48, 40), 0, ends_s=0.9),
                  s.Mover(s.straight(190, 100, 0), size, index, begins_s=0.9)]  # fmt: skip
        eye = s.Eye(noise=0, misses=0, false_alarms=0)
        frames = follow(s.look(movers, seconds=2, rate_hz=6, eye=eye))
        assert {int(number) for frame in frames for number in frame.ids} == {1, 2}


def test_one_object_with_two_boxes_is_one_track() -> None:
    """A detector that now and then gives a second box a little beside the first."""
    rng = np.random.default_rng(0)
    tracker, numbers = Tracker(), set()
    for k in range(60):
        box = np.array([100.0 + 3 * k, 80, 160 + 3 * k, 200])
        both = np.stack([box, box + rng.normal(0, 3, 4) + 4]) if k % 3 else box[None]
        boxes = Boxes(boxes_xyxy=both, scores=np.array([0.9, 0.7])[: len(both)], indices=np.ones(len(both), int),
                      classes=s.CLASSES, width=s.WIDTH, height=s.HEIGHT, model="toy")  # fmt: skip
        numbers |= {int(n) for n in tracker(boxes, time_s=k / 25, index=k).ids}
    assert numbers == {1}
