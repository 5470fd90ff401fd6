"""What a classifier says about one picture: names with scores, best first, and where the score comes from.

Checked once when made, trusted afterwards. This file does not know about models or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.errors import RangeError, ShapeError, UnknownNameError
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import Places, TupleResult, numbers_of

__all__ = ["PARENT", "ClassMap", "Label", "Labels", "draw_class_map"]

PARENT = -1
"""The index of a label that stands for several classes."""


@dataclass(frozen=True)
class Label:
    """One name and its score."""

    name: str
    index: int  # place of the class in the model's output; PARENT where it stands for several
    score: float  # 0..1: probability among all classes of the model
    id: str = ""  # of the class in a public catalogue: WordNet's for ImageNet, else empty


@dataclass(frozen=True, eq=False, repr=False)
class ClassMap(Value):
    """Where in the picture a class's score comes from."""

    values: NDArray[np.float32]  # (h, w): what each place adds; their mean is the score before softmax
    box_xyxy: tuple[float, float, float, float]  # the part of the picture they cover, in its pixels


@dataclass(frozen=True, eq=False, repr=False)
class Labels(TupleResult[Label]):
    """Names and scores for one picture, best first.

    `labels[0]` is the best `Label`; `labels[:3]` and `labels[labels.scores > 0.1]` are `Labels` again.

    Args:
        items: The labels, scores falling.
        model: The model that said so.
        maps: Class index -> its activation map, where maps were asked for.
        parents: One word for several classes, with their summed probability, best first: cat for tabby and tiger cat.

    >>> found = Labels((Label("cat", 7, 0.9), Label("dog", 3, 0.1)), model="toy")
    >>> [(label.name, label.score) for label in found.top(1)]
    [('cat', 0.9)]
    """

    items: tuple[Label, ...]
    model: str
    maps: Mapping[int, ClassMap] = field(default_factory=dict)
    parents: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        for labels in (self.items, self.parents):
            scores = [label.score for label in labels]
            if any(not 0 <= score <= 1 for score in scores):
                raise RangeError(f"scores must lie in 0..1, got {scores}")
            if any(before < after for before, after in pairwise(scores)):
                raise RangeError(f"labels must come best first, got scores {scores}")
        for index, found in self.maps.items():
            if found.values.ndim != 2 or 0 in found.values.shape:
                raise ShapeError(f"the map of class {index} must be (h, w), got {found.values.shape}")
        super().__post_init__()

    def summary(self) -> str:
        """How many, and the best with their scores."""
        shown = ", ".join(f"{label.name} {label.score:.1%}" for label in self.items[:3])
        return f"{len(self)}: {shown}" if self.items else "0"

    @property
    def names(self) -> tuple[str, ...]:
        """The names, best first."""
        return tuple(label.name for label in self.items)

    @property
    def indices(self) -> NDArray[np.int64]:
        """(N,) places of the classes in the model's output."""
        return np.array([label.index for label in self.items], np.int64)

    @property
    def scores(self) -> NDArray[np.float32]:
        """(N,) scores, falling."""
        return np.array([label.score for label in self.items], np.float32)

    def take(self, places: Places) -> "Labels":
        """Some of the labels with their maps, in the order given."""
        kept = tuple(self.items[i] for i in numbers_of(places, len(self)))
        wanted = {label.index for label in kept}
        return Labels(kept, self.model, {i: m for i, m in self.maps.items() if i in wanted}, self.parents)

    def top(self, n: int) -> "Labels":
        """The best n, with their maps.

        Raises:
            RangeError: n is below 1.
        """
        if n < 1:
            raise RangeError(f"top must be at least 1, got {n}")
        return self[:n]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON."""
        return {
            "model": self.model,
            "labels": [
                {"name": label.name, "score": round(label.score, 6), "index": label.index}
                | ({"id": label.id} if label.id else {})
                | (_map_to_dict(self.maps[label.index]) if label.index in self.maps else {})
                for label in self.items
            ],
        } | (
            {"parents": [{"name": p.name, "score": round(p.score, 6), "id": p.id} for p in self.parents]}
            if self.parents
            else {}
        )

    def draw(self, picture: PictureLike, *, index: int | None = None) -> Picture8:
        """Lay a class's activation map over the picture: the warmer, the more a place speaks for the class.

        Args:
            picture: The picture that was classified.
            index: Which class; the best one that has a map if left out.
        Returns:
            (H, W, 3) uint8, new.
        Raises:
            UnknownNameError: there is no map of that class.
        """
        picture = as_picture(picture)
        if index is None:
            index = next((label.index for label in self.items if label.index in self.maps), None)
        if index is None or index not in self.maps:
            raise UnknownNameError(
                f"no activation map of class {index}; ask for maps (maps=True), the model must give them"
            )
        return draw_class_map(picture, self.maps[index])


def draw_class_map(picture: Picture8, found: ClassMap) -> Picture8:
    """Colour a picture by a class activation map; what the network did not see stays grey.

    Args:
        picture: (H, W, 3) uint8.
        found: The map and the part of the picture it covers.
    Returns:
        (H, W, 3) uint8, new.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(v) for v in found.box_xyxy)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)
    spoken = np.maximum(found.values, 0)
    small = (spoken / max(float(spoken.max()), 1e-9)).astype(np.float32)
    strength: Array = np.clip(cv2.resize(small, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None]
    grey: Array = picture.mean(2, keepdims=True) * 0.75
    out = np.repeat(grey, 3, axis=2)
    part = picture[y0:y1, x0:x1].astype(np.float32)
    tint = _warm(strength[..., 0])
    out[y0:y1, x0:x1] = (1 - 0.55 * strength) * (0.35 * part + 0.65 * out[y0:y1, x0:x1]) + 0.55 * strength * tint
    drawn: Picture8 = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return drawn


def _map_to_dict(found: ClassMap) -> dict[str, Any]:
    """A map, and the part of the picture that it covers, in pixels."""
    return {
        "map": np.round(found.values, 4).tolist(),
        "map_box_xyxy": [round(float(side), 2) for side in found.box_xyxy],
    }


_STOPS = np.array([0.0, 0.35, 0.7, 1.0])
_COLOURS = np.array([[40, 20, 90], [190, 50, 100], [250, 140, 40], [255, 245, 160]], np.float32)


def _warm(strength: NDArray[np.float32]) -> Array:
    """(h, w) in 0..1 to (h, w, 3): from deep violet to light yellow, lightness rising all the way."""
    return np.stack([np.interp(strength, _STOPS, _COLOURS[:, c]) for c in range(3)], axis=-1)
