"""Scores of a `faces` model, taken through the shipped path: the task, on the exported files.

This file does not know how a model was made.
"""

from pathlib import Path

import numpy as np

from szem.data.faces import MOUTH, LabelledFace, eye_distance, read_labelled_faces
from szem.media.pictures import read_picture
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.bootstrap import mean_of
from szem.tasks.eval_run import EvalRun
from szem.tasks.faces.detect import FaceDetector

__all__ = ["evaluate_faces"]

_WRONG = 0.1  # a mouth whose points are further off than this, in the eyes' distance, is counted as wrong


def evaluate_faces(model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
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
    run = run or EvalRun()

    def measure(item: LabelledFace) -> list[float]:
        """Errors of the mouth and of all points; nothing where the face is not found."""
        found = finder(read_picture(item.path), turned=False)
        middle = item.points_xy.mean(axis=0)
        low, high = found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:]
        on = found.take(((low < middle) & (middle < high)).all(axis=1))
        if not len(on):
            return []
        off = np.linalg.norm(on[0].points_xy - item.points_xy, axis=1) / eye_distance(item.points_xy)
        return [float(off[MOUTH].mean()), float(off.mean())]

    done = run.each(items, measure, key=lambda item: item.path, doing="faces")
    rows = [mean_of("found", [bool(record) for _, record in done])]
    errors = np.array([record for _, record in done if record])
    if len(errors):
        mouths = errors[:, 0]
        rows += [
            mean_of("mouth error", mouths),
            Measurement("mouth error, median", float(np.median(mouths)), len(mouths)),
            mean_of(f"mouths off by more than {_WRONG}", mouths > _WRONG),
            mean_of("68 points error", errors[:, 1]),
        ]
    return rows
