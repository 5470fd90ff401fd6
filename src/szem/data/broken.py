"""What a reader says of a file it could not use."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Broken", "describe_broken"]


@dataclass(frozen=True)
class Broken:
    """A file, or a line of one, that could not be used, and why."""

    name: str
    reason: str


def describe_broken(broken: Sequence[Broken], *, most: int = 5) -> str:
    """A sentence for people; empty where nothing is broken.

    >>> describe_broken([Broken("a.jpg", "no bytes")])
    '1 left out: a.jpg (no bytes)'
    """
    if not broken:
        return ""
    shown = "; ".join(f"{b.name} ({b.reason})" for b in broken[:most])
    more = f"; and {len(broken) - most} more" if len(broken) > most else ""
    return f"{len(broken)} left out: {shown}{more}"
