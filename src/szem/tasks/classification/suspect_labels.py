"""Labels that may be wrong: pictures, or objects in boxes, whose neighbours all have another class.

Neighbours are found among the features of the shipped ImageNet classifier. What is listed is to be looked at by a
person; this file changes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.data.own_data import OwnData
from szem.errors import SzemError
from szem.media.pictures import read_picture
from szem.tasks.classification.features import ClassifierFeatures

__all__ = ["SuspectLabel", "find_suspects", "suspect_labels"]

_NEIGHBOURS = 7
_TOGETHER = 32
_MOST = 3000  # pictures or objects that are compared, evenly spread
_SMALLEST_PX = 24  # shorter sides of boxes show nothing


@dataclass(frozen=True)
class SuspectLabel:
    """One label to look at."""

    path: Path
    label: str  # as it is
    other: str  # what most of its neighbours are
    fraction: float  # of the neighbours


def suspect_labels(data: OwnData, *, on_progress: Callable[[int, int], None] | None = None) -> list[SuspectLabel]:
    """Labels of pictures or boxes that may be wrong, the most likely ones first.

    Args:
        data: Of kind classes or boxes; other kinds have none.
        on_progress: Called with how many were looked at, and how many there are.
    """
    if data.kind not in ("classes", "boxes") or len(data.classes) < 2:
        return []
    places = [(k, n) for k, item in enumerate(data.items) for n in range(len(item.labels))]
    step = max(1, -(-len(places) // _MOST))
    look = ClassifierFeatures()
    kept: list[tuple[int, int]] = []
    rows = []
    cuts = _cuts(data, places[::step])
    while part := list(islice(cuts, _TOGETHER)):
        if on_progress is not None:
            on_progress(len(kept), len(places[::step]))
        kept += [place for place, _ in part]
        rows.append(look([picture for _, picture in part])[0])
    if not rows:
        return []
    labels = np.array([data.items[k].labels[n] for k, n in kept])
    found = find_suspects(np.concatenate(rows), labels)
    return [
        SuspectLabel(data.items[kept[row][0]].path, data.classes[labels[row]], data.classes[other], fraction)
        for row, other, fraction in found
    ]


def _cuts(data: OwnData, places: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Picture8]]:
    last: tuple[Path | None, Picture8 | None] = (None, None)
    for k, n in places:
        path = data.items[k].path
        if path != last[0]:
            try:
                last = (path, read_picture(path))
            except SzemError:
                last = (path, None)
        picture = last[1]
        if picture is None:
            continue
        if data.boxes is not None:
            x0, y0, x1, y1 = np.rint(data.boxes.pictures[k].boxes_xyxy[n]).astype(int)
            if min(x1 - x0, y1 - y0) < _SMALLEST_PX:
                continue
            picture = np.ascontiguousarray(picture[y0:y1, x0:x1])
        yield (k, n), picture


def find_suspects(features: NDArray[np.floating], labels: NDArray[np.int64]) -> list[tuple[int, int, float]]:
    """Rows none of whose nearest neighbours has their class, with the class that at least five in seven have.

    Args:
        features: (N, D).
        labels: (N,).
    Returns:
        Row, the neighbours' class, and the fraction of them that has it, best first.
    """
    count = min(_NEIGHBOURS, len(labels) - 1)
    if count < 3:
        return []
    centred = features - features.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    found = []
    for row in range(len(labels)):
        near = unit @ unit[row]
        near[row] = -np.inf
        theirs = labels[np.argpartition(-near, count)[:count]]
        if (theirs == labels[row]).any():
            continue
        values, counts = np.unique(theirs, return_counts=True)
        fraction = float(counts.max() / count)
        if fraction >= 5 / _NEIGHBOURS:
            found.append((row, int(values[counts.argmax()]), fraction))
    return sorted(found, key=lambda one: (-one[2], one[0]))
