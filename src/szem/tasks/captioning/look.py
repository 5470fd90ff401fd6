"""The caption in `szem look`."""

from typing import Any

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.caption import Caption
from szem.results.look import LookResult
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import LookPart, OpenModel, Run

__all__ = ["CAPTION"]

_BEAMS = 3  # more find likelier sentences at twice the time


def _open_caption(open_model: OpenModel) -> Run:
    """Open the captioner; what the detector found for the boxes is used again for its tags."""
    captioner = captioner_of(open_model(task="caption"), open_model=open_model)

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        encoded = captioner.encode([picture], detected=shared.get("detected"))
        return captioner.to_caption(encoded[0], captioner.search(encoded, beams=_BEAMS)[0])

    return run


def _caption_rows(caption: Caption) -> list[Row]:
    if caption.source == "none":
        return [Row(name="no caption: nothing was recognised for certain")]
    return [Row(name=caption.text, value=caption.confidence, note="from tags" if caption.source == "tags" else "")]


CAPTION = LookPart(title="Caption and its confidence", open=_open_caption, rows=_caption_rows, after=("boxes",))
