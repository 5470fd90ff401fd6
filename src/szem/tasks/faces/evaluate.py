"""Scores of a `faces` model, taken through the shipped path: the task, on the exported files.

This file does not know how a model was made.
"""

from pathlib import Path

import numpy as np

from szem.data.faces import MOUTH, eye_distance, read_labelled_faces
from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.faces.detect import FaceDetector

__all__ = ["evaluate_faces"]

_WRONG = 0.1  # a mouth whose points are further off than this, in the eyes' distance, is counted as wrong


def evaluate_faces(model: Model, folder: Path, split: str) -> list[Measurement]:
    """Fraction of faces found, and how far the points are from where people set them, in shares of the eyes'
    distance.

    Args:
        model: A `faces` model.
        folder: Pictures with 68 points each (see `data.faces`).
        split: fit, tune or test: parts by person; all.
    Raises:
        As `read_labelled_faces`.
    """
    finder = FaceDetector(Session(model, threads=1))
    items = read_labelled_faces(folder, part=split)
    mouths, wholes = [], []
    for item in items:
        found = finder(read_picture(item.path), turned=False)
        middle = item.points_xy.mean(axis=0)
        low, high = found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:]
        on = found.take(((low < middle) & (middle < high)).all(axis=1))
        if len(on):
            off = np.linalg.norm(on[0].points_xy - item.points_xy, axis=1) / eye_distance(item.points_xy)
            mouths.append(float(off[MOUTH].mean()))
            wholes.append(float(off.mean()))
    n = len(items)
    rows = [Measurement("found", len(mouths) / n, n)]
    if mouths:
        rows += [
            Measurement("mouth error", float(np.mean(mouths)), len(mouths)),
            Measurement("mouth error, median", float(np.median(mouths)), len(mouths)),
            Measurement(f"mouths off by more than {_WRONG}", float(np.mean(np.array(mouths) > _WRONG)), len(mouths)),
            Measurement("68 points error", float(np.mean(wholes)), len(wholes)),
        ]
    return rows
