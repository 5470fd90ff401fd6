"""`generate` as a request: a sentence and options in, JSON values with pictures out."""

import base64
from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.data.words import split_words
from szem.media.pictures import encode_picture
from szem.tasks.contracts import OpenModel
from szem.tasks.generation.generate import EXAMPLES, generator_of, what_it_draws
from szem.tasks.option import check_options, option

__all__ = ["GenerateRequest", "answer_generate", "describe_generator"]

_MAX_PICTURES, _MAX_FRAMES = 16, 48
_MAX_LETTERS = 500
_SAMPLES = 2  # over which the influence of words is averaged


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """A sentence, and how it is to be drawn.

    `n`: pictures, each from noise of its own (1). `seed`: the same gives the same pictures (0). `truncation`: how far
    the noise may go, 0 to 1.5; when left out, what the model's card says. `sketches`: also the small pictures of the
    first stage. `influence`: also how much each word changes the picture. `to`: a second sentence; the answer then
    has a video of `frames` pictures (24) on the way to it. `model`: one of those for generate.
    """

    text: str = option("", most=_MAX_LETTERS)
    n: int = option(1, minimum=1, maximum=_MAX_PICTURES)
    seed: int = option(0, minimum=0, maximum=2**31 - 1)
    truncation: float | None = option(None, minimum=0.0, maximum=1.5)
    sketches: bool = False
    influence: bool = False
    to: str = option("", most=_MAX_LETTERS)
    frames: int = option(24, minimum=2, maximum=_MAX_FRAMES)
    model: str = option("", most=200)


def describe_generator(open_model: OpenModel) -> dict[str, Any]:
    """What can be drawn: the built-in sentences, and what sentences may name.

    Raises:
        UnsupportedError: no model is installed.
    """
    generator = generator_of(open_model(task="generate"))
    return {
        "model": generator.card.name,
        "truncation": generator.truncation,
        "examples": list(EXAMPLES),
        **what_it_draws(),
    }


def answer_generate(request: GenerateRequest, open_model: OpenModel) -> dict[str, Any]:
    """The answer of `Generated.to_dict` with its pictures: PNG files in base64, frames of a video as JPEGs.

    Raises:
        RangeError: a number is out of its range, or a text is too long or has no word.
        UnknownNameError: no such model, or a text without a word that it knows; the message says what it can draw.
        UnsupportedError: no model is installed.
    """
    check_options(request)
    generator = generator_of(open_model(request.model or None, task="generate"))
    options: dict[str, Any] = {"seed": request.seed, "truncation": request.truncation}
    drawn = generator(request.text, n=request.n, **options)
    answer = drawn.to_dict() | {"pictures": [_png(picture) for picture in drawn.pictures]}
    if request.sketches:
        answer["sketches"] = [_png(sketch) for sketch in drawn.sketches]
    if request.influence and len(split_words(request.text)) > 1:
        words = generator.influence(request.text, samples=_SAMPLES, **options)
        answer["influence"] = [
            {"word": one.word, "fraction": round(one.fraction, 4), "change": round(one.change, 4)} for one in words
        ]
    if request.to:
        video = generator.between(request.text, request.to, frames=request.frames, **options)
        answer["video"] = [_base64(encode_picture(frame, suffix=".jpg")) for frame in video]
    return answer


def _png(picture: Picture8) -> str:
    return _base64(encode_picture(picture))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
