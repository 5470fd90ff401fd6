"""Make docs/pictures/watch-scenes.webp, all of it drawn: python docs/tools/watch_pictures.py

With `--bag OUT --data ../shared/data` it draws the bag that was found in PETS 2006's film instead; that film
was given for research, so its picture is not kept here.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.media.drawing import draw_boxes
from szem.media.pictures import write_picture
from szem.media.video import read_video
from szem.tasks.surveillance.watcher import watch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.sprites import draw_sprites
from benchmarks.scenes.stories import compose_scene

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
STORIES = ("left", "removed", "zone", "crowd", "approach", "shadow")


def found_bag(video: Path) -> Picture8:
    """The frame in which the bag is told of, and the part around it."""
    event = next(event for event in watch(video) if event.kind == "left behind")
    assert event.best_s is not None
    assert event.box_xyxy is not None
    frame = next(frame for frame in read_video(video) if frame.time_s >= event.best_s)
    text = f"left behind {event.score:.0%}, still since {event.start_s:.1f} s"
    drawn = draw_boxes(frame.picture, np.array([event.box_xyxy]), labels=[text], colors=[(220, 40, 50)])
    x0, y0, x1, y1 = (int(v) for v in event.box_xyxy)
    near = drawn[max(y0 - 140, 0) : y1 + 140, max(x0 - 160, 0) : x1 + 160]
    height = 560
    sides = [np.asarray(cv2.resize(part, (round(part.shape[1] * height / part.shape[0]), height),
                                   interpolation=cv2.INTER_AREA), np.uint8) for part in (drawn, near)]  # fmt: skip
    return np.hstack(sides)


def sheet() -> Picture8:
    """Four moments of some composed scenes."""
    sprites = draw_sprites()
    rows = []
    for story in STORIES:
        scene = compose_scene(story, 1, sprites, size=(320, 180), rate_hz=5, duration_s=20)
        rows.append(np.hstack([picture for k, (_, picture) in enumerate(scene.frames()) if k in (20, 40, 60, 80)]))
    return np.vstack(rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bag", type=Path)
    args = parser.parse_args()
    if args.bag is not None:
        write_picture(args.bag, found_bag(args.data / "videos" / "left_luggage_pets2006.mp4"))
    else:
        write_picture(PICTURES / "watch-scenes.webp", sheet(), quality=70)


if __name__ == "__main__":
    main()
