"""How results are indexed, and how they show themselves in a notebook.

`found[2]` is one item; `found[1:3]`, `found[found.scores > 0.5]` and `found[[0, 4]]` are results of the same class
that hold fewer, as in supervision. Results do not keep the picture: they stay small, can be sent to other processes,
and reveal nothing more. A notebook therefore shows them on a plain canvas of the picture's size;
`found.draw(picture)` lays them over the picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, Value
from szem.media.pictures import encode_picture

__all__ = ["ArrayResult", "Places", "TupleResult", "canvas", "numbers_of", "to_png"]

_T = TypeVar("_T")
_SHOWN_PX = 1024  # longer side in a notebook
_GROUND = 236  # grey of the canvas

Places = slice | Sequence[int] | Sequence[bool] | NDArray[np.bool_] | NDArray[np.integer[Any]]
"""What chooses several items: a slice, numbers, or one truth value for each."""


class _Indexed(Value, Generic[_T]):
    """Items that are counted, gone through and chosen."""

    def __len__(self) -> int:
        raise NotImplementedError

    def item(self, place: int) -> _T:
        """One item; a negative place counts from the end."""
        raise NotImplementedError

    def take(self, places: Places) -> Self:
        """Some of the items, in the order given; see `Places`."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[_T]:
        return (self.item(place) for place in range(len(self)))

    @overload
    def __getitem__(self, place: int | np.integer[Any]) -> _T: ...
    @overload
    def __getitem__(self, place: Places) -> Self: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer) and not isinstance(place, bool):
            number = int(place)
            if not -len(self) <= number < len(self):
                raise IndexError(f"{type(self).__name__} has {len(self)} items, got the place {number}")
            return self.item(number)
        if isinstance(place, str):
            raise TypeError(
                f"{type(self).__name__} is indexed by numbers, slices or truth values, got {place!r}; "
                "keep(...) chooses by name"
            )
        return self.take(place)


class ArrayResult(_Indexed[_T]):
    """A result whose items are rows of arrays; a subclass names those fields in `_rows` and makes one item."""

    _rows: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(getattr(self, self._rows[0]))

    def take(self, places: Places) -> Self:
        """Some of the items, in the order given.

        Args:
            places: A slice, (n,) whole numbers, or (N,) bool.
        """
        at = numbers_of(places, len(self))
        chosen: dict[str, Any] = {}
        for name in self._rows:
            rows = getattr(self, name)
            chosen[name] = rows[at] if isinstance(rows, np.ndarray) else tuple(rows[i] for i in at)
        return replace(self, **chosen)  # type: ignore[type-var]  # subclasses are dataclasses


class TupleResult(_Indexed[_T]):
    """A result whose items are a tuple; a subclass names that field in `_field`."""

    _field: str = "items"

    def __len__(self) -> int:
        return len(getattr(self, self._field))

    def item(self, place: int) -> _T:
        """One item; a negative place counts from the end."""
        found: _T = getattr(self, self._field)[place]
        return found

    def take(self, places: Places) -> Self:
        """Some of the items, in the order given.

        Args:
            places: A slice, (n,) whole numbers, or (N,) bool.
        """
        items = getattr(self, self._field)
        return replace(self, **{self._field: tuple(items[i] for i in numbers_of(places, len(self)))})  # type: ignore[type-var]


def numbers_of(places: Any, count: int) -> NDArray[np.intp]:
    """The numbers of the items that were chosen among so many.

    >>> numbers_of([True, False, True], 3).tolist(), numbers_of(slice(-1, None), 3).tolist()
    ([0, 2], [2])
    """
    if isinstance(places, slice):
        return np.arange(count)[places]
    chosen = np.asarray(places)
    if chosen.dtype == np.bool_:
        if chosen.shape != (count,):
            raise IndexError(f"one truth value an item chooses among {count}, got an array of {chosen.shape}")
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.zeros(0, np.intp)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise TypeError(f"items are chosen by whole numbers or truth values, got {chosen.dtype}{chosen.shape}")
    return np.arange(count)[chosen]


def canvas(width: int, height: int) -> Picture8:
    """A plain light grey picture to draw a result on where the picture itself is not at hand."""
    return np.full((height, width, 3), _GROUND, np.uint8)


def to_png(picture: Array) -> bytes:
    """A PNG file for a notebook, no larger than fits a page."""
    height, width = picture.shape[:2]
    shrink = _SHOWN_PX / max(height, width)
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return encode_picture(picture)
