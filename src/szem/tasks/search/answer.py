"""`search` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option
from szem.tasks.search.encoder import encoder_of
from szem.tasks.search.search import probability_of

__all__ = ["SearchAnswer", "SearchRequest"]

_MAX_LETTERS, _MAX_PICTURES = 500, 64


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """A sentence to search for, and how many pictures at most (10). `model`: one of those for search."""

    text: str = option("", most=_MAX_LETTERS)
    top: int = option(10, minimum=1, maximum=_MAX_PICTURES)
    model: str = option("", most=200)


class SearchAnswer:
    """Scores pictures one by one, so that only one of them is held in memory.

    Args:
        request: The sentence.
        count: How many pictures will come.
        open_model: Opens the model.
    Raises:
        RangeError: too many pictures or none, no word in the text, or too long a text.
        UnsupportedError: no model is installed.
    """

    def __init__(self, request: SearchRequest, count: int, open_model: OpenModel) -> None:
        if not 1 <= count <= _MAX_PICTURES:
            raise RangeError(f"images: 1 to {_MAX_PICTURES} pictures are searched, got {count}")
        check_options(request)
        self._encoder = encoder_of(open_model(request.model or None, task="search"), open_model=open_model)
        self._query = self._encoder.query(request.text)
        self._request = request
        self._scores: list[float] = []

    def add(self, picture: Picture8) -> None:
        """Score the next picture."""
        self._scores.append(probability_of(self._encoder, self._query, self._encoder.encode(picture)))

    def finish(self) -> dict[str, Any]:
        """The best pictures as `Hits.to_dict` gives them, each by its `index` in the request."""
        threshold = self._encoder.threshold
        best = sorted(range(len(self._scores)), key=lambda number: -self._scores[number])[: self._request.top]
        return {
            "text": self._request.text,
            "model": self._encoder.card.name,
            "searched": len(self._scores),
            "threshold": threshold,
            "hits": [
                {"index": n, "score": round(self._scores[n], 6), "fits": self._scores[n] >= threshold} for n in best
            ],
            "broken": {},
        }
