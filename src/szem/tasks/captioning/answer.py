"""`caption` and `search` as requests: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option

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

    beams: int = option(10, minimum=1, maximum=_MAX_BEAMS)
    n: int = option(1, minimum=1, maximum=_MAX_SENTENCES)
    start: str = option("", most=_MAX_LETTERS)
    attention: bool = False
    others: int = option(0, minimum=0, maximum=_MAX_OTHERS)
    rank: tuple[str, ...] | None = option(None, most=_MAX_RANKED, letters=_MAX_LETTERS)
    model: str = option("", most=200)


def answer_caption(picture: Picture8, request: CaptionRequest, open_model: OpenModel) -> dict[str, Any]:
    """Sentences as `Caption.to_dict` gives them, with `ranking` if it was asked for.

    Raises:
        RangeError, UnknownNameError: an option is wrong.
        UnsupportedError: no model is installed.
    """
    check_options(request)
    sentences = request.rank or ()
    captioner = captioner_of(open_model(request.model or None, task="caption"), open_model=open_model)
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
        self._captioner = captioner_of(open_model(request.model or None, task="caption"), open_model=open_model)
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
