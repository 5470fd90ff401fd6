"""`text` as a request: options in, JSON values out."""

from dataclasses import dataclass
from typing import Any

from szem.arrays import Picture8
from szem.tasks.contracts import OpenModel
from szem.tasks.option import option
from szem.tasks.text.read import DEFAULT_SIDE_PX, text_reader_of
from szem.tasks.text.regions import MAX_SIDE_PX, MIN_SIDE_PX

__all__ = ["TextRequest", "answer_text"]


@dataclass(frozen=True, kw_only=True)
class TextRequest:
    """Which lines are wanted: the lowest confidence (0.5); the longer side of the picture in which they are looked
    for (1600); whether other scripts than the Latin one are read; whether each symbol comes beside its word.

    `model`: one of those for text.
    """

    threshold: float = option(0.5, minimum=0, maximum=1)
    side_px: int = option(DEFAULT_SIDE_PX, minimum=MIN_SIDE_PX, maximum=MAX_SIDE_PX)
    any_script: bool = False
    symbols: bool = False
    model: str = option("", most=200)


def answer_text(picture: Picture8, request: TextRequest, open_model: OpenModel) -> dict[str, Any]:
    """Text as `Text.to_dict` gives it.

    Raises:
        MissingExtraError: the networks are not installed.
    """
    reader = text_reader_of(open_model(request.model or None, task="text"))
    found = reader(picture, threshold=request.threshold, side_px=request.side_px, any_script=request.any_script)
    return found.to_dict(symbols=request.symbols)
