"""Sentences on the wire: what a picture shows, word by word, and how well given sentences fit it.

Knows nothing of HTTP.
"""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.errors import RangeError
from szem.serve.engine import Engine
from szem.serve.messages import Image
from szem.serve.protojson import Json
from szem.tasks.captioning.caption import Captioner, open_captioner

__all__ = ["CaptionRequest", "caption_picture"]

_MOST_BEAMS, _MOST_SENTENCES, _MOST_OTHERS = 20, 8, 20
_MOST_RANKED, _LONGEST_RANKED = 256, 500


@dataclass(frozen=True, kw_only=True)
class CaptionRequest:
    """A picture, and how its sentences are wanted.

    `beams`: sentences followed at a time (10). `n`: different sentences at most (1). `start`: how each begins.
    `attention`: also where the network looked for each word. `others`: for each word so many others that might have
    come. `rank`: a list of sentences, answered in the order in which they fit the picture.
    """

    image: Image | None = None
    beams: int = 10
    n: int = 1
    start: str = ""
    attention: bool = False
    others: int = 0
    rank: Json | None = None


async def caption_picture(engine: Engine, picture: Picture8, request: CaptionRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/caption`.

    Raises:
        RangeError, UnknownNameError: an option is wrong.
        UnsupportedError: no model for it is installed.
    """
    for name, value, least, most in (
        ("beams", request.beams, 1, _MOST_BEAMS),
        ("n", request.n, 1, _MOST_SENTENCES),
        ("others", request.others, 0, _MOST_OTHERS),
    ):
        if not least <= value <= most:
            raise RangeError(f"{name} must be {least} to {most}, got {value}")
    if len(request.start) > _LONGEST_RANKED:
        raise RangeError(f"start must have at most {_LONGEST_RANKED} letters, got {len(request.start)}")
    sentences = _read_sentences(request.rank)
    await engine.session("caption")  # says clearly where there is none
    captioner = await engine.run(lambda: open_captioner(threads=1))
    return await engine.run(_answer, captioner, picture, request, sentences)


def _answer(captioner: Captioner, picture: Picture8, request: CaptionRequest, sentences: list[str]) -> dict[str, Any]:
    said = captioner(
        [picture],
        beams=request.beams,
        n=request.n,
        start=request.start,
        attention=request.attention,
        others=request.others,
    )[0]
    answer = said.to_dict()
    if sentences:
        scores = captioner.place(sentences) @ captioner.picture_places([picture])[0]
        rows = sorted(zip(sentences, scores.tolist(), strict=True), key=lambda row: -row[1])
        answer["ranking"] = [{"text": text, "score": round(score, 6)} for text, score in rows]
    return answer


def _read_sentences(given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise RangeError('rank must be a list of sentences, as in ["a dog", "a cat"]')
    if len(given) > _MOST_RANKED or any(len(text) > _LONGEST_RANKED for text in given):
        raise RangeError(f"rank takes at most {_MOST_RANKED} sentences of at most {_LONGEST_RANKED} letters each")
    return given
