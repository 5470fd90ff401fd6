"""Tracking scored on composed scenes whose truth is exact: MOTA, IDF1, HOTA and identity switches.

    python benchmarks/track.py --data ../shared/data --rates 25,10,6
    python benchmarks/track.py --data ../shared/data --write scenes  # in MOTChallenge's form: szem eval track

People (cut-outs of the data, of the half that nothing was tuned on) walk past each other at nearly the same distance
from the camera, so that they cover one another. The detector is the shipped one. Without --data people are drawn, and
their boxes are the true ones with the noise of a middling detector.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.scenes.scenes import Scene
from benchmarks.scenes.sprites import SPLITS, SpriteBox, draw_place, draw_sprites, read_sprites
from benchmarks.scenes.stage import Stage
from szem.arrays import Picture8
from szem.media.pictures import write_picture
from szem.results.boxes import Boxes
from szem.tasks.video.detect_video import VideoDetector, open_video_detector
from szem.tasks.video.evaluate import frame_ids, write_mot_truth
from szem.tasks.video.track_metrics import FrameIds, TrackScores, score_tracks
from szem.tasks.video.tracker import Tracker

_SECONDS = 16.0


def compose_crossing(seed: int, sprites: SpriteBox, *, rate_hz: float, size: tuple[int, int] = (640, 360)) -> Scene:
    """Five people who walk past each other, two of them quickly."""
    rng = np.random.default_rng([seed, 77])
    margin = round(0.2 * size[0])
    place = draw_place(size[0] + 2 * margin, size[1] + 2 * margin, rng)
    stage = Stage(rng=rng, box=sprites, size=size, duration_s=_SECONDS, horizon=0.2, tall=0.75)
    for k in range(5):
        speed = 2.0 if k in (1, 3) else 1.0
        stage.walk(0.5 + 1.7 * k + stage.pick(0, 0.5), 0.8 + 0.02 * (k % 3), to_right=k % 2 == 0, speed=speed)
    return Scene(
        name="crossing", seed=seed, place=place, margin=margin, size=size, rate_hz=rate_hz, duration_s=_SECONDS,
        horizon=stage.horizon, tall=stage.tall, actors=tuple(stage.actors),
    )  # fmt: skip


def truth_of(scene: Scene, time_s: float) -> FrameIds:
    """The boxes of all who are in sight, hidden or not."""
    rows = scene.boxes(time_s)
    return FrameIds(np.array([row[0] for row in rows], np.int64), np.array([row[2] for row in rows]).reshape(-1, 4))


def detections(scene: Scene, detector: VideoDetector | None) -> Iterator[tuple[float, Picture8, Boxes]]:
    """Time, picture and boxes of each frame; the doubtful ones too."""
    rng = np.random.default_rng(scene.seed)
    for time_s, picture in scene.frames():
        if detector is not None:
            yield (
                time_s,
                picture,
                detector.finder.finish(detector.finder.run(detector.finder.prepare(picture)), picture.shape[:2]),
            )
            continue
        boxes = truth_of(scene, time_s).boxes_xyxy
        sizes = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1, keepdims=True))
        kept = rng.random(len(boxes)) > 0.05
        boxes = (boxes + rng.normal(0, 0.03, boxes.shape) * sizes)[kept]
        yield time_s, picture, Boxes(
            boxes_xyxy=boxes.astype(np.float32), scores=rng.uniform(0.55, 0.95, len(boxes)).astype(np.float32),
            indices=np.zeros(len(boxes), np.int64), classes=("person",), width=scene.size[0], height=scene.size[1],
            model="noise",
        )  # fmt: skip


def score(scenes: list[Scene], detector: VideoDetector | None) -> TrackScores:
    """Of all scenes together."""
    truth, found = [], []
    for scene in scenes:
        tracker = Tracker(thresholds=None if detector is None else detector.thresholds)
        truth.append([truth_of(scene, k / scene.rate_hz) for k in range(round(scene.duration_s * scene.rate_hz))])
        found.append(
            [frame_ids(tracker(boxes, time_s=t, index=k), classes=("person",))
             for k, (t, _, boxes) in enumerate(detections(scene, detector))]
        )  # fmt: skip
    return score_tracks(truth, found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rates", default="25,10,6")
    parser.add_argument("--write", type=Path, help="write the scenes in MOTChallenge's form here, and score nothing")
    wanted = parser.parse_args()
    sprites = read_sprites(wanted.data, split=wanted.split) if wanted.data else draw_sprites()
    detector = open_video_detector(workers=1, threads=1) if wanted.data and not wanted.write else None
    print("frames/s   MOTA   IDF1   HOTA   DetA   AssA  switches  missed  false  boxes")
    for rate in (float(text) for text in wanted.rates.split(",")):
        scenes = [compose_crossing(seed, sprites, rate_hz=rate) for seed in range(wanted.seeds)]
        if wanted.write:
            for scene in scenes:
                folder = wanted.write / f"crossing-{scene.seed}-{rate:g}"
                for k, (_, picture) in enumerate(scene.frames(), 1):
                    write_picture(folder / "img1" / f"{k:06d}.jpg", picture)
                times = [k / rate for k in range(round(scene.duration_s * rate))]
                write_mot_truth(folder, [truth_of(scene, t) for t in times], rate_hz=rate, size=scene.size)
            continue
        s = score(scenes, detector)
        print(f"{rate:8g} {s.mota:6.3f} {s.idf1:6.3f} {s.hota:6.3f} {s.deta:6.3f} {s.assa:6.3f} {s.switches:9} "
              f"{s.missed:7} {s.false:6} {s.boxes:6}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
