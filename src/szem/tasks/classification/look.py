"""Labels in `szem look`, and where they come from for the tasks that follow."""

from typing import Any

import numpy as np

from szem.arrays import Array, Picture8
from szem.media.legend import Row
from szem.results.labels import Labels
from szem.results.look import LookResult
from szem.tasks.classification.classify import Classifier
from szem.tasks.contracts import LookPart, OpenModel, Run

__all__ = ["LABELS", "attention_map"]


def _open_labels(open_model: OpenModel) -> Run:
    session = open_model(task="classify")
    classifier, maps = Classifier(session), session.has("maps")

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        found = classifier([picture], top=5, maps=maps)[0]
        if maps:
            shared["attention"] = attention_map(found, picture)
        return Labels(found.items, found.model, parents=found.parents)

    return run


def attention_map(labels: Labels, picture: Picture8, side: int = 64) -> Array:
    """(h, w): where the labels' scores come from, over the whole picture."""
    height, width = picture.shape[:2]
    rows, cols = max(1, round(side * height / max(height, width))), max(1, round(side * width / max(height, width)))
    out = np.zeros((rows, cols), np.float32)
    y = (np.arange(rows) + 0.5) * height / rows
    x = (np.arange(cols) + 0.5) * width / cols
    for label in labels:
        found = labels.maps[label.index]
        x0, y0, x1, y1 = found.box_xyxy
        map_rows, map_cols = found.values.shape
        at_y = np.clip((y - y0) / max(y1 - y0, 1e-6) * map_rows - 0.5, 0, map_rows - 1)
        at_x = np.clip((x - x0) / max(x1 - x0, 1e-6) * map_cols - 0.5, 0, map_cols - 1)
        across = np.stack([np.interp(at_x, np.arange(map_cols), row) for row in np.maximum(found.values, 0)])
        full = np.stack([np.interp(at_y, np.arange(map_rows), column) for column in across.T], axis=1)
        out += np.float32(label.score) * full.astype(np.float32)
    return out


def _label_rows(labels: Labels) -> list[Row]:
    return [Row(name=label.name, value=min(label.score, 1.0)) for label in labels]


LABELS = LookPart(title="Labels", open=_open_labels, rows=_label_rows)
