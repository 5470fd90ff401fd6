"""All that was seen in one picture: the result of each task, and its rows for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from szem.arrays import Picture8, Value
from szem.errors import ShapeError
from szem.media.legend import Section, draw_legend
from szem.media.pictures import PictureLike, as_picture
from szem.results.indexing import canvas, to_png

__all__ = ["Look", "LookResult"]

_MIN_PX = 480  # pictures smaller than this are enlarged, so that the card below has room


class LookResult(Protocol):
    """What every result can do."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Look(Value):
    """The answers of several tasks to one picture."""

    width: int
    height: int
    results: Mapping[str, LookResult]  # task -> its typed result
    sections: tuple[Section, ...]  # the same for people, in the order of the tasks
    drawn: tuple[str, ...] = ()  # tasks whose results are drawn onto the picture

    def __getitem__(self, task: str) -> Any:
        return self.results[task]

    def summary(self) -> str:
        """The tasks, and the size of the picture."""
        return f"{', '.join(self.results)}; {self.width}x{self.height}"

    def _repr_png_(self) -> bytes:
        return to_png(self.draw(canvas(self.width, self.height)))

    def to_dict(self) -> dict[str, Any]:
        """The size of the picture, and under the name of each task what its result holds."""
        answer: dict[str, Any] = {"width": self.width, "height": self.height}
        for name, result in self.results.items():
            plain = result.to_dict()
            answer[name] = plain[name] if set(plain) == {name} else plain
        return answer

    def draw(self, picture: PictureLike, *, legend: bool = True) -> Picture8:
        """Draw onto the picture what has a place in it, and the rest on a card below.

        Args:
            picture: The one that was looked at.
            legend: Add the card.
        Returns:
            A new picture; small ones are enlarged to a longer side of 480 pixels at least.
        Raises:
            ShapeError: it is not of the size that was looked at.
        """
        picture = as_picture(picture)
        height, width = picture.shape[:2]
        if (height, width) != (self.height, self.width):
            raise ShapeError(
                f"picture is {width}×{height}, the one looked at was {self.width}×{self.height}; give that one"
            )
        out = picture.copy()
        for name in self.drawn:
            out = self.results[name].draw(out)  # type: ignore[attr-defined]
        grow = min(_MIN_PX / max(height, width), 8)
        if grow > 1:
            out = _enlarged(out, grow)
        return draw_legend(out, self.sections) if legend else out


def _enlarged(picture: Picture8, grow: float) -> Picture8:
    size = max(1, round(picture.shape[1] * grow)), max(1, round(picture.shape[0] * grow))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
