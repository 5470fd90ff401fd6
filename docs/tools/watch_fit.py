"""Fit the weights by which still regions are told apart: things, gaps, light.

    python docs/tools/watch_fit.py --data ../shared/data --seeds 0-6

Composed scenes of the split `tune`, without the detector; what
 `szem.tasks.surveillance.abandoned_objects.chances` uses is printed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from watch_scores import frames_of, watcher_of

import szem.tasks.surveillance.abandoned_objects as left_objects
from szem.tasks.surveillance.background_model import Foreground
from szem.tasks.surveillance.static_regions import Evidence, Region, weigh

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.degrade import Degradation
from benchmarks.scenes.scenes import Scene
from benchmarks.scenes.sprites import read_sprites
from benchmarks.scenes.stories import compose_scene

STORIES = ("left", "dropped", "left and taken", "removed", "vanished", "lamp", "cloud", "shadow", "exposure", "quiet")
NAMES = ("thing", "gap", "light")
PULL = 0.15  # how strongly the weights are held to those there are: samples are few


def samples_of(scene: Scene) -> list[tuple[Evidence, str]]:
    """What was weighed in a scene, and what it truly was; regions with people in them are left out."""
    weighed: list[tuple[float, Region, Evidence]] = []

    def spy(seen: Foreground, region: Region) -> Evidence:
        evidence = weigh(seen, region)
        weighed.append((seen.time_s, region, evidence))
        return evidence

    left_objects.weigh = spy
    try:
        watcher = watcher_of(scene, None)
        for frame in frames_of(scene, Degradation()):
            watcher.feed(frame)
    finally:
        left_objects.weigh = weigh
    scale = scene.size[0] / min(320, scene.size[0])
    found = []
    for time_s, region, evidence in weighed:
        box = np.array(region.box) * scale
        name = "light"
        for true in scene.truth:
            if true.box_xyxy is not None and time_s > true.start_s and overlap(box, np.array(true.box_xyxy)) > 0.2:
                name = {"left behind": "thing", "removed": "gap"}[true.kind]
        people = [b for back in (0, 1, 2, 4, 6) for _, _, b in scene.boxes(time_s - back)]
        if name != "light" or not any(overlap(box, np.array(b)) > 0.1 for b in people):
            found.append((evidence, name))
    return found


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    common = float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())
    return common / max(float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - common, 1e-9)


def fit(values: NDArray[np.float64], names: list[str], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 10) weights: the classes count alike, however many samples each has."""
    place = np.array([NAMES.index(name) for name in names])
    fraction = np.array([1 / max(int((place == k).sum()), 1) for k in range(3)])[place]

    def loss(flat: NDArray[np.float64]) -> float:
        sums = values @ flat.reshape(start.shape).T
        sums = sums - sums.max(1, keepdims=True)
        reported = sums - np.log(np.exp(sums).sum(1, keepdims=True))
        wrong = -(fraction * reported[np.arange(len(place)), place]).sum() * 10
        return float(wrong + PULL * ((flat - start.ravel()) ** 2).sum())

    out: NDArray[np.float64] = minimize(loss, start.ravel(), method="L-BFGS-B").x.reshape(start.shape)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0-6", help="first-last")
    args = parser.parse_args()
    first, last = (int(v) for v in args.seeds.split("-"))
    sprites = read_sprites(args.data, split="tune")
    samples: list[tuple[Evidence, str]] = []
    for story in STORIES:
        for seed in range(first, last + 1):
            scene = compose_scene(story, seed, sprites, size=(320, 180), rate_hz=5, duration_s=26)
            samples += samples_of(scene)
    values = np.stack([np.append(evidence.values(), 1.0) for evidence, _ in samples])
    names = [name for _, name in samples]
    weights = fit(values, names, left_objects._WEIGHTS)
    right = [NAMES[int(k)] == name for k, name in zip((values @ weights.T).argmax(1), names, strict=True)]
    print({name: names.count(name) for name in NAMES}, f"right: {np.mean(right):.3f}")
    print(np.array2string(weights.round(2), separator=", "))


if __name__ == "__main__":
    main()
