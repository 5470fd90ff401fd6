"""Drawing on the wire: pictures for a sentence, with the sketches they grew from, and films between two sentences.

Knows nothing of HTTP.
"""

import base64
from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.data.words import split_words
from szem.errors import RangeError
from szem.media.pictures import encode_picture
from szem.serve.engine import Engine
from szem.tasks.generation.generate import EXAMPLES, Generator, names_subject, open_painter, what_it_draws

__all__ = ["GenerateRequest", "describe_painter", "draw_sentence"]

_MOST_PICTURES, _MOST_FRAMES = 16, 48
_LONGEST = 500  # letters
_SAMPLES = 2  # over which the influence of words is averaged


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """A sentence, and how it is to be drawn.

    `n`: pictures, each from chance of its own (1). `seed`: the same gives the same pictures (0). `truncation`: how
    far chance may go, 0 to 1.5; −1 for what the model's card says. `sketches`: also the small pictures of the first
    stage. `influence`: also what each word's share in the picture is. `to`: a second sentence; the answer then has a
    film of `frames` pictures (24) on the way to it, from the first picture's chance. `model`: one of those for
    generate.
    """

    text: str = ""
    n: int = 1
    seed: int = 0
    truncation: float = -1.0
    sketches: bool = False
    influence: bool = False
    to: str = ""
    frames: int = 24
    model: str = ""


async def describe_painter(engine: Engine) -> dict[str, Any]:
    """Answer `GET /v1/szem/generate`: the built-in sentences, and what can be drawn.

    Raises:
        UnsupportedError: no model is installed.
    """
    painter = await _open(engine, "")
    return {
        "model": painter.card.name,
        "truncation": painter.truncation,
        "examples": list(EXAMPLES),
        **what_it_draws(),
    }


async def draw_sentence(engine: Engine, request: GenerateRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/generate`; pictures are PNG files in base64, frames of films JPEGs.

    Raises:
        RangeError: a number is out of its range, or a text is too long or has no word.
        UnknownNameError: no such model, or a text without a word that it knows; the message says what it can draw.
        UnsupportedError: no model is installed.
    """
    for name, value, least, most in (
        ("n", request.n, 1, _MOST_PICTURES),
        ("frames", request.frames, 2, _MOST_FRAMES),
    ):
        if not least <= value <= most:
            raise RangeError(f"{name} must be {least} to {most}, got {value}")
    for name, text in (("text", request.text), ("to", request.to)):
        if len(text) > _LONGEST:
            raise RangeError(f"{name} must have at most {_LONGEST} letters, got {len(text)}")
    painter = await _open(engine, request.model)
    return await engine.run(_draw, painter, request)


async def _open(engine: Engine, model: str) -> Generator:
    await engine.session("generate", model)  # says clearly where there is none
    return await engine.run(lambda: open_painter(model or None))


def _draw(painter: Generator, request: GenerateRequest) -> dict[str, Any]:
    how: dict[str, Any] = {
        "seed": request.seed,
        "truncation": None if request.truncation == -1 else request.truncation,
    }
    drawn = painter(request.text, n=request.n, **how)
    answer = drawn.to_dict() | {
        "names_subject": names_subject(request.text),
        "pictures": [_png(picture) for picture in drawn.pictures],
    }
    if request.sketches:
        answer["sketches"] = [_png(sketch) for sketch in drawn.sketches]
    if request.influence and len(split_words(request.text)) > 1:
        words = painter.influence(request.text, samples=_SAMPLES, **how)
        answer["influence"] = [
            {"word": one.word, "share": round(one.share, 4), "change": round(one.change, 4)} for one in words
        ]
    if request.to:
        film = painter.between(request.text, request.to, frames=request.frames, **how)
        answer["film"] = [_base64(encode_picture(frame, suffix=".jpg")) for frame in film]
    return answer


def _png(picture: Picture8) -> str:
    return _base64(encode_picture(picture))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
