"""Measure where the detector fails, for docs/detect.md: `python docs/tools/detect_limits.py --data shared/data/voc`.

Small things, crowds, and dark, blurred, turned and tiny pictures, each against the same pictures as they are.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from szem.arrays import Picture8
from szem.data.boxed_folder import only_split, read_boxed, rename_classes
from szem.data.boxes import BoxedPicture
from szem.media.pictures import read_picture
from szem.results.boxes import Boxes
from szem.tasks.detection.average_precision import average_precision
from szem.tasks.detection.detect import Detector
from szem.tasks.detection.evaluate import shared_classes
from szem.tasks.models import open_model

_CROWD = 6  # boxes that make one


def night(picture: Picture8, rng: np.random.Generator) -> Picture8:
    """A tenth of the light, brought up four times by the camera, the sensor's noise with it."""
    return np.clip(picture * 0.4 + rng.normal(0, 18, picture.shape), 0, 255).astype(np.uint8)


def blur(picture: Picture8, rng: np.random.Generator) -> Picture8:  # noqa: ARG001
    """Out of focus by two pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)


def shrink(picture: Picture8, rng: np.random.Generator) -> Picture8:  # noqa: ARG001
    """Half of the resolution, enlarged again."""
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def grey(picture: Picture8, rng: np.random.Generator) -> Picture8:  # noqa: ARG001
    """Without colour."""
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


CHANGES: dict[str, Callable[[Picture8, np.random.Generator], Picture8]] = {
    "a tenth of the light, with noise": night,
    "out of focus by 2 pixels": blur,
    "half the resolution": shrink,
    "grey": grey,
}


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description="Where the detector fails.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    given = parser.parse_args()
    detector = Detector(open_model(task="detect"), threshold=0.005)
    boxes, classes = only_split(read_boxed(given.data), given.split), detector.classes
    truth = list(rename_classes(boxes, classes, shared_classes(boxes.classes, classes)).pictures)
    pictures = [read_picture(one.path) for one in truth]
    found = detector(pictures)
    report("as they are", found, truth, classes)
    crowded = [int((~one.is_hard).sum()) >= _CROWD for one in truth]
    for wanted, name in ((True, f"{_CROWD} boxes or more"), (False, f"fewer than {_CROWD} boxes")):
        chosen = [n for n, is_crowd in enumerate(crowded) if is_crowd == wanted]
        report(name, [found[n] for n in chosen], [truth[n] for n in chosen], classes)
    for name, change in CHANGES.items():
        rng = np.random.default_rng(0)
        report(name, detector([change(picture, rng) for picture in pictures]), truth, classes)


def report(name: str, found: list[Boxes], truth: list[BoxedPicture], classes: tuple[str, ...]) -> None:
    """AP50 by size, over all classes."""
    precision = average_precision(found, truth, classes)
    sizes = ", ".join(f"{size} {value:.3f}" for size, value in precision.by_size.items())
    print(f"{name}: AP50 {precision.ap50:.3f} ({sizes}), {len(truth)} pictures, {precision.boxes} boxes")


if __name__ == "__main__":
    main()
