"""Score watching on composed scenes: python docs/tools/watch_scores.py --data ../shared/data --split test --seeds 0-2

Without --data the scenes are drawn, and the detector hardly knows drawn people.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from szem.media.frames import Frame
from szem.results.events import Event
from szem.tasks.surveillance.settings import WatchSettings
from szem.tasks.surveillance.watcher import Watcher
from szem.tasks.video.detect_video import VideoDetector, open_video_detector
from szem.tasks.video.zones import Line, Zone, Zones

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.degrade import Degradation, degrade
from benchmarks.scenes.scenes import Scene
from benchmarks.scenes.sprites import SPLITS, SpriteBox, draw_sprites, read_sprites
from benchmarks.scenes.stories import STORIES, compose_scene
from szem.tasks.surveillance.event_metrics import EventCounts, match_events


def frames_of(scene: Scene, how: Degradation) -> Iterator[Frame]:
    for index, (time_s, picture) in enumerate(scene.frames()):
        worse = degrade(picture, how, index=index)
        yield Frame(index, time_s, av.VideoFrame.from_ndarray(worse, format="rgb24"))


def watcher_of(scene: Scene, detector: VideoDetector | None) -> Watcher:
    areas = Zones(
        zones=tuple(Zone(name=name, points=points) for name, points in scene.zones.items()),
        lines=tuple(Line(name=name, points=points) for name, points in scene.lines.items()),
    )
    settings = {key: int(v) if key == "crowd_people" else v for key, v in scene.settings.items()}
    return Watcher(WatchSettings(**settings), detector=detector, areas=areas)  # type: ignore[arg-type]


def events_of(scene: Scene, detector: VideoDetector | None, how: Degradation = Degradation()) -> list[Event]:  # noqa: B008
    watcher = watcher_of(scene, detector)
    found: dict[int, Event] = {}
    time_s = 0.0
    for frame in frames_of(scene, how):
        time_s = frame.time_s
        for event in watcher.feed(frame):
            found[event.number] = event
    for event in watcher.finish(time_s):
        found[event.number] = event
    return [event for event in found.values() if event.score >= watcher.settings.score]


def report(events: list[Event], scene: Scene) -> None:
    for event in sorted(events, key=lambda e: e.start_s):
        box = None if event.box_xyxy is None else [round(v) for v in event.box_xyxy]
        span = f"{event.start_s:.1f}-{event.end_s:.1f} at {event.best_s:.1f}"
        print(f"     told {event.kind} {event.place} {span} {event.score:.2f} {event.label} {event.track} {box}")
    for true in scene.truth:
        box = None if true.box_xyxy is None else [round(v) for v in true.box_xyxy]
        span, doubt = f"{true.start_s:.1f}-{true.end_s:.1f}", "?" if true.is_doubtful else ""
        print(f"     true{doubt} {true.kind} {true.place} {span} {true.label} {box}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="tune")
    parser.add_argument("--seeds", default="0-1", help="first-last")
    parser.add_argument("--stories", default=",".join(STORIES))
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rate", type=float, default=10.0, help="pictures a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    first, last = (int(v) for v in args.seeds.split("-"))
    sprites: SpriteBox = read_sprites(args.data, split=args.split) if args.data else draw_sprites()
    detector = open_video_detector(workers=1, threads=1)
    total = EventCounts()
    started = time.perf_counter()
    for story in args.stories.split(","):
        mine = EventCounts()
        for seed in range(first, last + 1):
            size = (int(args.size.split("x")[0]), int(args.size.split("x")[1]))
            scene = compose_scene(story, seed, sprites, size=size, rate_hz=args.rate, duration_s=args.seconds)
            events = events_of(scene, detector)
            counts = match_events(events, scene.truth)
            mine.add(counts)
            if args.verbose and (counts.wrong or counts.missed):
                print(f"  {story} {seed}: wrong {counts.wrong} missed {counts.missed}")
                report(events, scene)
        total.add(mine)
        precision, recall, f1 = mine.scores()
        print(f"{story:16} precision {precision:.2f} recall {recall:.2f} F1 {f1:.2f}", flush=True)
    print("\nkind              right wrong missed precision recall   F1  told after (median s)")
    for kind in total.kinds:
        p, r, f = total.scores([kind])
        delay = np.median(total.delays_s.get(kind, [np.nan]))
        row = [table.get(kind, 0) for table in (total.right, total.wrong, total.missed)]
        print(f"{kind:17} {row[0]:5} {row[1]:5} {row[2]:6} {p:9.2f} {r:6.2f} {f:5.2f} {delay:6.1f}")
    p, r, f = total.scores()
    every = [total.scores([kind])[2] for kind in total.kinds]
    print(f"all: precision {p:.3f} recall {r:.3f} F1 {f:.3f}; mean of kinds {np.mean(every):.3f}; "
          f"{time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
