"""What is where in a picture: named boxes with scores.

Checked once when made, trusted afterwards. This file does not know about models, files or time; boxes that are
followed over several pictures are `Tracks`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, check_boxes_xyxy, count_names
from szem.errors import DTypeError, RangeError, ShapeError, UnknownNameError
from szem.media.drawing import RGB, color_of, draw_boxes
from szem.media.pictures import PictureLike, as_picture
from szem.results.class_aliases import coco_name
from szem.results.indexing import ArrayResult, canvas, to_png

__all__ = ["Box", "Boxes", "class_color", "known_classes", "known_name"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One object and where it is."""

    label: str
    index: int  # place of the class in `Boxes.classes`
    score: float  # 0..1, calibrated where the model's card has a calibration
    box_xyxy: tuple[float, float, float, float]  # pixels of the picture

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """As `box_xyxy`: left, top, right, bottom."""
        return self.box_xyxy


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Boxes(ArrayResult[Box]):
    """Named boxes of one picture, best first.

    `boxes[2]` is one `Box`; `boxes[1:3]` and `boxes[boxes.scores > 0.5]` are `Boxes` again.

    >>> found = Boxes(
    ...     boxes_xyxy=np.array([[1, 2, 30, 40], [5, 5, 9, 9]]),
    ...     scores=np.array([0.9, 0.4]),
    ...     indices=np.array([1, 0]),
    ...     classes=("cat", "dog"),
    ...     width=50,
    ...     height=60,
    ...     model="toy",
    ... )
    >>> found
    Boxes(2: 1 dog, 1 cat; 50x60)
    >>> [(box.label, round(box.score, 2)) for box in found[found.scores >= 0.5]]
    [('dog', 0.9)]
    """

    _rows = ("boxes_xyxy", "scores", "indices")

    boxes_xyxy: NDArray[np.float32] = field(repr=False)  # (N, 4) in pixels, within the picture
    scores: NDArray[np.float32] = field(repr=False)  # (N,) 0..1
    indices: NDArray[np.int64] = field(repr=False)  # (N,) places in `classes`
    classes: tuple[str, ...] = field(repr=False)
    width: int  # of the picture, in pixels
    height: int
    model: str

    def __post_init__(self) -> None:
        boxes = check_boxes_xyxy(self.boxes_xyxy)
        scores, indices = np.asarray(self.scores, np.float32), np.asarray(self.indices)
        n = len(boxes)
        if scores.shape != (n,) or indices.shape != (n,):
            raise ShapeError(
                f"boxes need a score and a class each: {n} boxes, scores {scores.shape}, indices {indices.shape}"
            )
        if n and not np.issubdtype(indices.dtype, np.integer):
            raise DTypeError(f"indices must be whole numbers, got {indices.dtype}")
        if n and not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
            raise RangeError(f"scores must lie in 0..1, got {scores.min()} to {scores.max()}")
        if n and not 0 <= int(indices.min()) <= int(indices.max()) < len(self.classes):
            raise RangeError(f"indices must be places among {len(self.classes)} classes, got {int(indices.max())}")
        if self.width < 1 or self.height < 1:
            raise RangeError(f"the picture must have pixels, got {self.width}×{self.height}")
        limits = np.array([self.width, self.height, self.width, self.height], np.float32)
        object.__setattr__(self, "boxes_xyxy", boxes.clip(0, limits))
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "indices", indices.astype(np.int64, copy=False))
        super().__post_init__()

    def item(self, place: int) -> Box:
        """One box."""
        x0, y0, x1, y1 = (float(v) for v in self.boxes_xyxy[place])
        index = int(self.indices[place])
        return Box(label=self.classes[index], index=index, score=float(self.scores[place]), box_xyxy=(x0, y0, x1, y1))

    def summary(self) -> str:
        """How many of what, and the size of the picture."""
        return f"{len(self)}{': ' + count_names(self.labels) if len(self) else ''}; {self.width}x{self.height}"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.width, self.height)))

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """As `boxes_xyxy`: (N, 4) left, top, right, bottom."""
        return self.boxes_xyxy

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each box's class."""
        return tuple(self.classes[i] for i in self.indices)

    def keep(self, *, classes: str | Collection[str] | None = None, score: float = 0.0) -> "Boxes":
        """The boxes of some classes, at or above a score.

        Args:
            classes: Names, or a single one; None for all.
            score: Threshold.
        Raises:
            UnknownNameError: there is no such class.
        """
        wanted = self.scores >= score
        if classes is not None:
            names = known_classes(classes, self.classes)
            wanted &= np.isin(self.indices, [self.classes.index(name) for name in names])
        return self.take(wanted)

    def resized(self, width: int, height: int) -> "Boxes":
        """The same boxes in the same picture at another size."""
        scale = np.array([width / self.width, height / self.height] * 2, np.float32)
        return replace(self, boxes_xyxy=self.boxes_xyxy * scale, width=width, height=height)

    def draw(self, picture: PictureLike, *, scores: bool = True, bare: Collection[int] = ()) -> Picture8:
        """Draw the boxes with their names; the best scores' names take their places first.

        Args:
            picture: What `szem.read_picture` or `as_picture` takes, of the size the boxes belong to.
            scores: Write the score after the name.
            bare: Places of boxes of which only the name is written: something else shows where they are.
        Raises:
            ShapeError: another size.
        """
        picture = as_picture(picture)
        if picture.shape[:2] != (self.height, self.width):
            raise ShapeError(
                f"picture is {picture.shape[1]}×{picture.shape[0]}, the boxes are of one of "
                f"{self.width}×{self.height}; give that one"
            )
        order = np.argsort(-self.scores, kind="stable")
        texts = [f"{box.label} {box.score:.0%}" if scores else box.label for box in (self[i] for i in order)]
        colors = [class_color(self.classes, int(i)) for i in self.indices[order]]
        shown = [int(i) not in bare for i in order]
        return draw_boxes(picture, self.boxes_xyxy[order], labels=texts, colors=colors, lines=shown)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "model": self.model,
            "width": self.width,
            "height": self.height,
            "boxes": [
                {
                    "label": box.label,
                    "index": box.index,
                    "score": round(box.score, 4),
                    "box_xyxy": [round(v, 2) for v in box.box_xyxy],
                }
                for box in self
            ],
        }


def known_classes(wanted: str | Collection[str], classes: Sequence[str]) -> tuple[str, ...]:
    """The names asked for, all of which there are.

    Args:
        wanted: Names, or a single one. Where `classes` has COCO's name of a class, PASCAL VOC's stands for it.
        classes: What there is.
    Raises:
        DTypeError: not names.
        UnknownNameError: there is no such class.

    >>> known_classes(["cat", "aeroplane"], ["airplane", "cat", "dog"])
    ('cat', 'airplane')
    """
    if not isinstance(wanted, str) and not (
        isinstance(wanted, Collection) and all(isinstance(n, str) for n in wanted)
    ):
        raise DTypeError(f'classes are names, as in ["person", "dog"], got {wanted!r}')
    names = tuple(known_name(name, classes) for name in ((wanted,) if isinstance(wanted, str) else wanted))
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise UnknownNameError(f"no class called {unknown[0]!r}; there are {', '.join(classes)}")
    return names


def known_name(name: str, classes: Collection[str]) -> str:
    """COCO's name for a class that is called by PASCAL VOC's, where `classes` has only that; else the name itself."""
    other = coco_name(name)
    return other if name not in classes and other in classes else name


def class_color(classes: Sequence[str], index: int) -> RGB:
    """The colour of a class, the same for the same list; people's red is what `Masks` gives them."""
    return (220, 40, 50) if classes[index] == "person" else color_of(index)
