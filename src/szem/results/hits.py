"""Pictures found by a sentence, best first.

Checked once when made, trusted afterwards. This file does not know about models or how the search is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from szem.errors import RangeError
from szem.results.indexing import TupleResult

__all__ = ["Hit", "Hits"]


@dataclass(frozen=True)
class Hit:
    """A picture and how well it fits."""

    path: Path
    score: float  # probability that it fits, 0..1; of a picture's like how near it is


@dataclass(frozen=True, eq=False, repr=False)
class Hits(TupleResult[Hit]):
    """The answer of a search.

    Args:
        items: The pictures, scores falling.
        text: What was searched.
        model: The model that knows both.
        searched: How many pictures were looked through.
        broken: Picture files that could not be read, and why.
        threshold: Probability at or above which a picture counts as fitting.

    >>> hits = Hits((Hit(Path("a.jpg"), 0.4),), text="a dog", model="toy", searched=1)
    >>> hits[0].path.name, len(hits)
    ('a.jpg', 1)
    """

    items: tuple[Hit, ...]
    text: str
    model: str
    searched: int
    broken: Mapping[str, str] = field(default_factory=dict)
    threshold: float = 0.0

    def __post_init__(self) -> None:
        scores = [hit.score for hit in self.items]
        if any(not 0 <= score <= 1 for score in scores):
            raise RangeError(f"scores must lie in 0..1, got {scores}")
        if any(before < after for before, after in pairwise(scores)):
            raise RangeError(f"hits must come best first, got scores {scores}")
        super().__post_init__()

    @property
    def fitting(self) -> tuple[Hit, ...]:
        """The pictures that are likely enough to fit; none where nothing fits."""
        return tuple(hit for hit in self.items if hit.score >= self.threshold)

    def summary(self) -> str:
        """How many of how many, for which text."""
        none = "" if self.fitting or not len(self) else ", none fits"
        return f"{len(self)} of {self.searched}{none}: {self.text!r}"

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON."""
        return {
            "text": self.text,
            "model": self.model,
            "searched": self.searched,
            "threshold": self.threshold,
            "hits": [
                {"path": str(hit.path), "score": round(hit.score, 6), "fits": hit.score >= self.threshold}
                for hit in self.items
            ],
            "broken": dict(self.broken),
        }
