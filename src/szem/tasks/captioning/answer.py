"""`caption` and `search` as requests: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import OpenModel

__all__ = ["CaptionRequest", "SearchAnswer", "SearchRequest", "answer_caption"]

_MAX_BEAMS, _MAX_SENTENCES, _MAX_OTHERS = 20, 8, 20
_MAX_RANKED, _MAX_LETTERS = 256, 500
_MAX_PICTURES = 64


@dataclass(frozen=True, kw_only=True)
class CaptionRequest:
    """How sentences are wanted.

    `beams`: sentences followed at a time (10). `n`: different sentences at most (1). `start`: how each begins.
    `attention`: also where the network looked for each word. `others`: for each word so many others that were likely.
    `rank`: a list of sentences, answered in the order in which they match the picture. `model`: one of those for
    caption.
    """

    beams: int = 10
    n: int = 1
    start: str = ""
    attention: bool = False
    others: int = 0
    rank: tuple[str, ...] | None = None
    model: str = ""


def answer_caption(picture: Picture8, request: CaptionRequest, open_model: OpenModel) -> dict[str, Any]:
    """Sentences as `Caption.to_dict` gives them, with `ranking` if it was asked for.

    Raises:
        RangeError, UnknownNameError: an option is wrong.
        UnsupportedError: no model is installed.
    """
    for name, value, lowest, highest in (
        ("beams", request.beams, 1, _MAX_BEAMS),
        ("n", request.n, 1, _MAX_SENTENCES),
        ("others", request.others, 0, _MAX_OTHERS),
    ):
        if not lowest <= value <= highest:
            raise RangeError(f"{name} must be {lowest} to {highest}, got {value}")
    _check_text("start", request.start)
    sentences = request.rank or ()
    if len(sentences) > _MAX_RANKED:
        raise RangeError(f"rank takes at most {_MAX_RANKED} sentences, got {len(sentences)}")
    for sentence in sentences:
        _check_text("a sentence of rank", sentence)
    captioner = captioner_of(open_model(request.model or None, task="caption"))
    answer = captioner(
        [picture],
        beams=request.beams,
        n=request.n,
        start=request.start,
        attention=request.attention,
        others=request.others,
    )[0].to_dict()
    if sentences:
        scores = captioner.place(sentences) @ captioner.picture_places([picture])[0]
        rows = sorted(zip(sentences, scores.tolist(), strict=True), key=lambda row: -row[1])
        answer["ranking"] = [{"text": text, "score": round(score, 6)} for text, score in rows]
    return answer


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """A sentence to search for, and how many pictures at most (10). `model`: one of those for caption."""

    text: str = ""
    top: int = 10
    model: str = ""


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
        if not 1 <= request.top <= _MAX_PICTURES:
            raise RangeError(f"top must be 1 to {_MAX_PICTURES}, got {request.top}")
        _check_text("text", request.text)
        self._captioner = captioner_of(open_model(request.model or None, task="caption"))
        self._wanted = self._captioner.place([request.text])[0]
        self._request = request
        self._scores: list[float] = []

    def add(self, picture: Picture8) -> None:
        """Score the next picture."""
        self._scores.append(float(self._captioner.picture_places([picture])[0] @ self._wanted))

    def finish(self) -> dict[str, Any]:
        """The best pictures as `Hits.to_dict` gives them, each by its `index` in the request."""
        best = sorted(range(len(self._scores)), key=lambda number: -self._scores[number])[: self._request.top]
        return {
            "text": self._request.text,
            "model": self._captioner.card.name,
            "searched": len(self._scores),
            "hits": [{"index": number, "score": round(self._scores[number], 6)} for number in best],
            "broken": {},
        }


def _check_text(name: str, text: str) -> None:
    if len(text) > _MAX_LETTERS:
        raise RangeError(f"{name} must have at most {_MAX_LETTERS} letters, got {len(text)}")
