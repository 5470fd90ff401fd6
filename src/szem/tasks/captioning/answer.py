"""`caption` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import OpenModel
from szem.tasks.option import check_options, option
from szem.tasks.search.encoder import encoder_of
from szem.tasks.search.search import rank_with

__all__ = ["CaptionRequest", "answer_caption"]

_MAX_BEAMS, _MAX_SENTENCES, _MAX_OTHERS = 20, 8, 20
_MAX_RANKED, _MAX_LETTERS = 256, 500


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
        encoder = encoder_of(open_model(None, task="search"), open_model=open_model)
        rows = rank_with(encoder, encoder.encode(picture), sentences)
        answer["ranking"] = [{"text": text, "score": round(score, 6)} for text, score in rows]
    return answer
