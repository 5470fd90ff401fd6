"""Files that belong together, and a split that keeps them together: nothing that is measured on was learned from."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from szem.errors import RangeError

__all__ = ["DEFAULT_FRACTIONS", "group_by_name", "join_groups", "split_groups"]

DEFAULT_FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}


def group_by_name(files: Sequence[Path], pattern: str) -> list[Hashable]:
    """The group of each file by a regular expression: its first bracket, else all it matches, in the path.

    Args:
        files: Paths.
        pattern: As in `scene(\\d+)`.
    Raises:
        RangeError: not a regular expression, or a file does not match it.

    >>> group_by_name([Path("s1_a.jpg"), Path("s1_b.jpg")], r"(s\\d+)_")
    ['s1', 's1']
    """
    try:
        known = re.compile(pattern)
    except re.error as error:
        raise RangeError(f"{pattern!r} is no regular expression ({error}); an example: 'scene([0-9]+)'") from error
    groups: list[Hashable] = []
    for file in files:
        found = known.search(file.as_posix())
        if found is None:
            raise RangeError(f"{file.name}: does not match {pattern!r}, so its group is unknown; correct the pattern")
        groups.append(found[1] if known.groups else found[0])
    return groups


def join_groups(count: int, *keys: Sequence[Hashable | None], pairs: Iterable[tuple[int, int]] = ()) -> list[int]:
    """One group for items that share a key, or are a pair, directly or through others.

    Args:
        count: How many items.
        keys: For each item a key; None joins nothing.
        pairs: Items that belong together.
    Returns:
        The first item of each one's group.

    >>> join_groups(4, ["a", "b", "a", None], pairs=[(1, 3)])
    [0, 1, 0, 1]
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(a: int, b: int) -> None:
        a, b = sorted((root(a), root(b)))
        parent[b] = a

    for some in keys:
        first: dict[Hashable, int] = {}
        for item, key in enumerate(some):
            if key is not None:
                join(first.setdefault(key, item), item)
    for a, b in pairs:
        join(a, b)
    return [root(item) for item in range(count)]


def split_groups(
    groups: Sequence[int], labels: Sequence[Iterable[int]], fractions: dict[str, float], *, seed: int = 0
) -> list[str]:
    """The split of each item; groups stay together, classes are spread as evenly as groups allow.

    The largest groups go first, each where its classes lack most.

    Args:
        groups: Of each item.
        labels: Classes of each item.
        fractions: Split -> its fraction; they sum to 1.
        seed: Of the order of groups of one size.
    Raises:
        RangeError: the fractions are none.
    """
    if not fractions or min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise RangeError(f"fractions must be 0 or more and sum to 1, got {fractions}; write train=0.8,val=0.2")
    members: dict[int, list[int]] = {}
    for item, group in enumerate(groups):
        members.setdefault(group, []).append(item)
    counts = {
        group: Counter(label for item in items for label in labels[item]) + Counter({-1: len(items)})
        for group, items in members.items()
    }
    total: Counter[int] = sum(counts.values(), Counter())
    want = {split: {label: n * fraction for label, n in total.items()} for split, fraction in fractions.items()}
    order = np.random.default_rng(seed).permutation(len(members))
    listed = sorted(zip(members, order, strict=True), key=lambda pair: (-len(members[pair[0]]), pair[1]))
    out = [""] * len(groups)
    for group, _ in listed:
        # How much of what is still wanted the group would fill; rare classes weigh as much as frequent ones.
        split = max(
            (s for s in fractions if fractions[s] > 0),
            key=lambda s: sum(n * want[s][label] / total[label] / total[label] for label, n in counts[group].items()),
        )
        for label, n in counts[group].items():
            want[split][label] -= n
        for item in members[group]:
            out[item] = split
    return out
