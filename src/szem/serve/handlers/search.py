"""Search on the wire: how near each of some pictures lies to a sentence. Knows nothing of HTTP or of folders."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Array
from szem.errors import RangeError
from szem.serve.messages import Image
from szem.serve.pictures import PictureLoader
from szem.serve.status import FieldsError, Violation
from szem.tasks.captioning.caption import Captioner, open_captioner

__all__ = ["SearchRequest", "search_pictures"]

_MOST_PICTURES = 64
_LONGEST = 500  # letters


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """A sentence, and up to 64 pictures to search."""

    text: str = ""
    images: tuple[Image, ...] = ()


async def search_pictures(pictures: PictureLoader, request: SearchRequest) -> dict[str, Any]:
    """Answer `POST /v1/szem/search`: for each picture, nearest first, its index and the cosine with the sentence.

    Raises:
        FieldsError: no picture, or too many.
        RangeError: no word in the text, or too long a text.
        UnsupportedError: no model for it is installed.
    """
    if not 1 <= len(request.images) <= _MOST_PICTURES:
        told = f"1 to {_MOST_PICTURES} pictures are searched, got {len(request.images)}"
        raise FieldsError(f"images: {told}", violations=[Violation("images", told)])
    if len(request.text) > _LONGEST:
        raise RangeError(f"text must have at most {_LONGEST} letters, got {len(request.text)}")
    engine = pictures.engine
    await engine.session("caption")  # says clearly where there is none
    captioner = await engine.run(lambda: open_captioner(threads=1))
    wanted: Array = (await engine.run(captioner.place, [request.text]))[0]

    async def score(number: int, image: Image) -> float:
        async with pictures.opened(image, place=f"images[{number}]") as picture:
            place: Array = (await engine.run(_place, captioner, picture))[0]
        return float(place @ wanted)

    scores = [await score(number, image) for number, image in enumerate(request.images)]
    best = sorted(range(len(scores)), key=lambda number: -scores[number])
    return {"text": request.text, "hits": [{"index": n, "score": round(scores[n], 6)} for n in best]}


def _place(captioner: Captioner, picture: Array) -> Array:
    return captioner.picture_places([picture])
