"""`lipwords` as a request: a video of one word or phrase and options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.errors import UnknownNameError
from szem.tasks.contracts import OpenModel
from szem.tasks.faces.detect import face_detector_of
from szem.tasks.lipreading.answer import crops_to_dict, face_of
from szem.tasks.lipreading.lipread import mouth_of
from szem.tasks.lipreading.single_words import KINDS, open_lip_words, read_lip_word
from szem.tasks.option import check_options, option

__all__ = ["CONFIDENT_SCORE", "LipwordsRequest", "answer_lipwords"]

CONFIDENT_SCORE = 0.5
"""At or above this score the likeliest is right in 81 of 100 takes of people never learned from, below in 46."""

_MAX_TOP = 20


@dataclass(frozen=True, kw_only=True)
class LipwordsRequest:
    """Which word or phrase is to be named.

    `kind`: word, phrase or any. `top`: how many of the likeliest. `face`: largest, or 1, 2 … from the left. `study`:
    also the track of the mouth and its crops. `model`: one of those for lipwords.
    """

    kind: str = option("any", most=20)
    top: int = option(5, minimum=1, maximum=_MAX_TOP)
    face: str = option("largest", most=20)
    study: bool = False
    model: str = option("", most=200)


def answer_lipwords(video: bytes, request: LipwordsRequest, open_model: OpenModel) -> dict[str, Any]:
    """The likeliest words as `Labels.to_dict` gives them; `is_confident`, and `reason` where nothing can be read.

    Raises:
        MediaError: the video cannot be read.
        RangeError, UnknownNameError: an option is wrong.
        UnsupportedError: no model is installed.
    """
    check_options(request)
    if request.kind not in KINDS:
        raise UnknownNameError(f"no kind called {request.kind[:20]!r}; there are {', '.join(KINDS)}")
    # the network takes two inputs, so it is no `Session`: it is opened once per process
    reader = open_lip_words(request.model or None)
    face = face_of(request.face)
    track, reason = mouth_of(video, face, face_detector_of(open_model(None, task="faces")))
    if track is None or reason:
        answer: dict[str, Any] = {"model": reader.card.name, "labels": [], "is_confident": False, "reason": reason}
    else:
        found = read_lip_word(track, kind=request.kind, top=request.top, model=request.model or None)
        answer = {**found.to_dict(), "is_confident": found.items[0].score >= CONFIDENT_SCORE, "reason": ""}
    if request.study and track is not None:
        answer |= {"track": track.to_dict(), "crops": crops_to_dict(track.crops)}
    return answer
