"""Watching composed scenes without a network, the film of a left bag with one, and the hardships of sources."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.scenes.scenes import Scene
from benchmarks.scenes.sprites import draw_sprites
from benchmarks.scenes.stories import compose_scene
from szem.media.frames import Frame
from szem.results.boxes import Boxes
from szem.results.events import Event
from szem.tasks.surveillance.event_metrics import match_events
from szem.tasks.surveillance.settings import KINDS, WatchSettings
from szem.tasks.surveillance.watcher import Watcher, watch
from szem.tasks.video.detect_video import VideoDetector
from szem.tasks.video.zones import Line, Zone, Zones

SPRITES = draw_sprites()
CLASSES = ("person", "car")


class _Scripted(Watcher):
    """Sees people where the script has them, a few pixels off."""

    scene: Scene

    def _find(self, frame: Frame, part: tuple[int, int, int, int] | None) -> Boxes:
        rng = np.random.default_rng(frame.index)
        here = [] if part is not None and part[2] - part[0] < 100 else self.scene.boxes(frame.time_s)
        boxes = np.array([box for _, _, box in here], np.float32).reshape(-1, 4)
        width, height = frame.size
        return Boxes(
            boxes_xyxy=boxes + rng.normal(0, 1.0, boxes.shape).astype(np.float32),
            scores=np.full(len(here), 0.8, np.float32),
            indices=np.array([CLASSES.index(label) for _, label, _ in here], np.int64),
            classes=CLASSES,
            width=width,
            height=height,
            model="script",
        )


def _frames(scene: Scene) -> Iterator[Frame]:
    for index, (time_s, picture) in enumerate(scene.frames()):
        yield Frame(index, time_s, av.VideoFrame.from_ndarray(picture, format="rgb24"))


def _watcher(scene: Scene) -> Watcher:
    settings = WatchSettings(left_after_s=4, loiter_after_s=8, crowd_people=4)
    areas = Zones(
        zones=tuple(Zone(name=name, points=points) for name, points in scene.zones.items()),
        lines=tuple(Line(name=name, points=points) for name, points in scene.lines.items()),
    )
    detector = VideoDetector(None, np.array([0.5, 0.5], np.float32))  # type: ignore[arg-type]
    watcher = _Scripted(settings, detector=detector, areas=areas)
    watcher.scene = scene
    return watcher


def _events(scene: Scene, watcher: Watcher) -> list[Event]:
    found: dict[int, Event] = {}
    for frame in _frames(scene):
        found |= {event.number: event for event in watcher.feed(frame)}
    return list((found | {event.number: event for event in watcher.finish()}).values())


@pytest.mark.slow
@pytest.mark.parametrize("story", ["left", "vanished", "stands", "crosses", "lamp", "covered", "moved", "frozen"])
def test_a_scene_is_reported_as_it_was(story: str) -> None:
    scene = compose_scene(story, 11, SPRITES, size=(320, 180), rate_hz=5, duration_s=18, extras=False)
    events = _events(scene, _watcher(scene))
    counts = match_events(events, scene.truth)
    assert (counts.wrong, counts.missed) == ({}, {}), [e.to_dict() for e in events]


def test_nothing_is_reported_in_ignored_places() -> None:
    scene = compose_scene("dropped", 11, SPRITES, size=(320, 180), rate_hz=5, duration_s=16, extras=False)
    everything = Zone(name="all", points=((0, 0), (1, 0), (1, 1), (0, 1)), ignore=True)
    assert _events(scene, Watcher(detector=None, areas=Zones(zones=(everything,)))) == []


def test_a_video_of_many_frames_is_not_looked_at_more_often() -> None:
    scene = compose_scene("quiet", 1, SPRITES, size=(160, 96), rate_hz=60, duration_s=2, extras=False)
    watcher = Watcher(detector=None)
    for frame in _frames(scene):
        watcher.feed(frame)
    assert watcher.seen <= 22  # ten a second


def test_a_clock_that_goes_back_and_a_size_that_changes_do_no_harm() -> None:
    scene = compose_scene("quiet", 1, SPRITES, size=(160, 96), rate_hz=10, duration_s=4, extras=False)
    large = compose_scene("quiet", 2, SPRITES, size=(320, 192), rate_hz=10, duration_s=4, extras=False)
    watcher = Watcher(detector=None)
    frames = list(_frames(scene))
    reported = [watcher.feed(frame) for frame in frames]
    reported += [watcher.feed(replace(frame, time_s=frame.time_s - 3)) for frame in frames[:5]]
    reported += [watcher.feed(replace(frame, time_s=frame.time_s + 10)) for frame in _frames(large)]
    assert not any(reported)


def test_kinds_are_explained() -> None:
    assert all(words and kind == kind.lower() for kind, words in KINDS.items())


@pytest.mark.data
@pytest.mark.slow
def test_the_left_bag_is_found_within_ten_seconds_and_nothing_else_is_left(data_dir: Path) -> None:
    events = watch(data_dir / "videos" / "left_luggage_pets2006.mp4")
    left = [event for event in events if event.kind == "left behind"]
    assert len(left) == 1
    assert left[0].best_s is not None
    assert left[0].box_xyxy is not None
    assert left[0].best_s < 28.5 + 10  # it stands by the rail since 28.5 s, seen frame by frame
    x0, y0, x1, y1 = left[0].box_xyxy
    assert x0 < 328 < x1  # its middle
    assert y0 < 430 < y1
