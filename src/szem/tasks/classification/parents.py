"""What people call several of ImageNet's classes by one word: tabby, tiger cat and Persian cat are a cat.

The words and their classes lie in `parents.tsv` (word, WordNet's id of it, WordNet's ids of its classes), made by
`scripts/models/label_parents.py`. Knows nothing of networks: ids and probabilities in, labels out.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from szem.results.labels import PARENT, Label

__all__ = ["PARENT_THRESHOLD", "find_parents"]

PARENT_THRESHOLD = 0.3
"""A word is said from this summed probability on: see docs/classify.md for how often it is then right."""


def find_parents(
    ids: Sequence[str], scores: NDArray[np.float32], *, threshold: float = PARENT_THRESHOLD
) -> tuple[Label, ...]:
    """The words that fit a picture, the most probable first; of two equal ones the narrower first.

    Args:
        ids: WordNet's ids of a model's classes, in the order of the scores; a model of other classes has no words.
        scores: (classes,) probabilities that sum to 1.
        threshold: Words of a smaller summed probability are left out.

    >>> from szem.runtime.store import find_model
    >>> model = find_model("efficientnet-lite0")
    >>> tabby, tiger = model.labels.index("tabby cat"), model.labels.index("tiger cat")
    >>> scores = np.zeros(1000, np.float32)
    >>> scores[[tabby, tiger]] = 0.5, 0.25
    >>> [(label.name, label.score) for label in find_parents(model.label_ids, scores)]
    [('cat', 0.75), ('animal', 0.75)]
    """
    found = []
    for word, id, places in _words(tuple(ids)):
        # Rounded: the same classes summed in another order are as probable. No word is more probable than the whole.
        score = min(round(float(scores[places].sum(dtype=np.float64)), 6), 1.0)
        if score >= threshold:
            found.append((-score, len(places), Label(word, PARENT, score, id)))
    return tuple(label for *_, label in sorted(found, key=lambda row: row[:2]))


@cache
def _words(ids: tuple[str, ...]) -> tuple[tuple[str, str, NDArray[np.int64]], ...]:
    """Word, its id, and the places of its classes among some ids; words of fewer than two of them are left out."""
    places = {id: place for place, id in enumerate(ids) if id}
    rows = []
    for line in files("szem.tasks.classification").joinpath("parents.tsv").read_text("utf-8").splitlines():
        word, id, *members = line.split("\t")
        known = [places[member] for member in members if member in places]
        if len(known) > 1:
            rows.append((word, id, np.array(known, np.int64)))
    return tuple(rows)
