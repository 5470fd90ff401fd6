"""`search` as a request: options in, JSON values out.

A client that asks more than once about the same pictures has them encoded once (`encode`) and sends the rows it got
(`rows`) with the next query: the server keeps nothing.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option
from szem.tasks.search.encoder import WIDTH, EncodedRow, encoder_of
from szem.tasks.search.search import probability_of

__all__ = ["SearchAnswer", "SearchRequest"]

_MAX_LETTERS, _MAX_PICTURES = 500, 64
_MAX_ROWS, _MAX_ROW_LETTERS = 2_000, 12_000


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What is searched among the pictures, and how many at most (10).

    `text`: a sentence. `like`: instead of it the index of a picture whose like is wanted. `rows`: pictures as an
    earlier answer encoded them; `index` counts them first. `encode`: answer with the rows of the pictures that were
    sent; then neither text nor like is needed. `model`: one of those for search.
    """

    text: str = option("", most=_MAX_LETTERS)
    like: int | None = option(None, minimum=0, maximum=_MAX_ROWS + _MAX_PICTURES - 1)
    top: int = option(10, minimum=1, maximum=_MAX_PICTURES)
    rows: tuple[str, ...] = option((), most=_MAX_ROWS, letters=_MAX_ROW_LETTERS)
    encode: bool = False
    model: str = option("", most=200)


class SearchAnswer:
    """Encodes pictures one by one, so that only one of them is held in memory.

    Args:
        request: What is wanted.
        count: How many pictures will come.
        open_model: Opens the model.
    Raises:
        RangeError: too many pictures or none, no word in the text, too long a text, both text and picture, or rows
            that are none.
        UnsupportedError: no model is installed.
    """

    def __init__(self, request: SearchRequest, count: int, open_model: OpenModel) -> None:
        if count > _MAX_PICTURES or not (count or request.rows):
            raise RangeError(f"images: 1 to {_MAX_PICTURES} pictures are searched, got {count}")
        check_options(request)
        if request.like is not None and request.text:
            raise RangeError("search takes a text or a picture (like), got both; leave one out")
        if request.like is not None and request.like >= count + len(request.rows):
            raise RangeError(f"like must be below the number of pictures, {count + len(request.rows)}")
        self._encoder = encoder_of(open_model(request.model or None, task="search"), open_model=open_model)
        asks = request.like is None and not (request.encode and not request.text)
        self._query = self._encoder.query(request.text) if asks else None
        self._request = request
        self._encoded = [_row_of(row, number) for number, row in enumerate(request.rows)]

    def add(self, picture: Picture8) -> None:
        """Encode the next picture."""
        self._encoded.append(self._encoder.encode(picture))

    def finish(self) -> dict[str, Any]:
        """The best pictures as `Hits.to_dict` gives them, each by its `index`; the rows where they were asked for."""
        like, query = self._request.like, self._query
        if like is not None:
            query = self._encoder.query_like_row(self._encoded[like].row)
        threshold = 0.0 if like is not None else self._encoder.threshold
        scores = [probability_of(self._encoder, query, one) for one in self._encoded] if query else []
        best = sorted(range(len(scores)), key=lambda number: -scores[number])[: self._request.top]
        out: dict[str, Any] = {
            "text": self._request.text,
            "model": self._encoder.card.name,
            "searched": len(scores),
            "threshold": threshold,
            "hits": [{"index": n, "score": round(scores[n], 6), "fits": scores[n] >= threshold} for n in best],
            "broken": {},
        }
        if self._request.encode:
            out["rows"] = [_text_of(one) for one in self._encoded[len(self._request.rows) :]]
        return out


def _text_of(encoded: EncodedRow) -> str:
    return f"{base64.b64encode(encoded.row.tobytes()).decode()} {encoded.tags}"


def _row_of(text: str, number: int) -> EncodedRow:
    body, _, tags = text.partition(" ")
    try:
        row = np.frombuffer(base64.b64decode(body, validate=True), np.int8)
    except (binascii.Error, ValueError):
        row = np.empty(0, np.int8)
    if len(row) != 2 * WIDTH:
        raise RangeError(f"rows[{number}] is no row that this server gave; send the picture with encode=true")
    return EncodedRow(row, tags)
