"""What frozen dataclasses need to be values although they hold arrays: locked, compared by content, picklable.

A dataclass that derives from `Value` (with `eq=False, repr=False` of its own) is equal to another of its class when
all fields are, arrays included; it can be hashed, pickled and copied, and its `repr` is one line.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from szem.arrays.layouts import Array

__all__ = ["FrozenMapping", "Value", "count_names", "lock"]

_K = TypeVar("_K")
_V = TypeVar("_V")
_SHOWN = 4  # names in one line


class FrozenMapping(Mapping[_K, _V]):
    """A mapping that cannot be changed but, unlike `types.MappingProxyType`, hashed and pickled.

    >>> table = FrozenMapping({"sound": 0.9})
    >>> table["sound"], table == {"sound": 0.9}
    (0.9, True)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[_K, _V] | None = None) -> None:
        self._items = {key: lock(value) for key, value in (items or {}).items()}

    def __getitem__(self, key: _K) -> _V:
        return self._items[key]

    def __iter__(self) -> Iterator[_K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and _is_same(self._items, dict(other))

    def __hash__(self) -> int:
        return hash(frozenset((key, _hash_of(value)) for key, value in self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMapping, (self._items,)


class Value:
    """Base of results; see the head of this file."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            object.__setattr__(self, field.name, lock(getattr(self, field.name)))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return all(_is_same(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return hash((type(self).__name__, *(_hash_of(value) for value in values)))

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what was worked out from them may hold hashes, which are of this process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """From pickle and deepcopy, whose arrays come unlocked."""
        self.__dict__.update({name: lock(value) for name, value in state.items()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def summary(self) -> str:
        """What stands between the brackets of `repr`: how many and what, in one line."""
        shown = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                shown.append(f"{field.name}: {value.dtype}{value.shape}")
            elif field.repr:
                shown.append(f"{field.name}={value:.4g}" if isinstance(value, float) else f"{field.name}={value!r}")
        return ", ".join(shown)


def lock(value: Any) -> Any:
    """Make what a field holds unchangeable: arrays through a view that cannot be written, dicts and lists by kind.

    The array itself is not copied; whoever made it can still write to it.

    >>> lock([1, np.zeros(2)])[1].flags.writeable
    False
    """
    if isinstance(value, np.ndarray):
        if not value.flags.writeable:
            return value
        locked = value.view()
        locked.flags.writeable = False
        return locked
    if isinstance(value, Mapping):
        return value if isinstance(value, FrozenMapping) else FrozenMapping(value)
    if isinstance(value, list) or type(value) is tuple:
        return tuple(lock(one) for one in value)
    return value


def count_names(names: Iterable[str]) -> str:
    """How many of each, the most frequent first, in one line.

    >>> count_names(["cat", "person", "cat"])
    '2 cat, 1 person'
    """
    counts = Counter(names).most_common()
    shown = ", ".join(f"{count} {name}" for name, count in counts[:_SHOWN])
    return shown + (f" and {len(counts) - _SHOWN} kinds more" if len(counts) > _SHOWN else "")


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _is_same_array(np.asarray(one), np.asarray(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_is_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _is_same_array(one: Array, other: Array) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))


def _hash_of(value: Any) -> int:
    if isinstance(value, np.ndarray):
        plain = value + 0 if value.dtype.kind in "fc" else value  # -0.0 is equal to 0.0
        return hash((value.shape, value.dtype.str, plain.tobytes()))
    if isinstance(value, tuple):
        return hash(tuple(_hash_of(one) for one in value))
    return hash(value)
