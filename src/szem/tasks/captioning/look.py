"""The caption in `szem look`."""

from szem.media.legend import Row
from szem.results.caption import Caption
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import LookPart, OpenModel, Run

__all__ = ["CAPTION"]

_BEAMS = 3  # more find likelier sentences at twice the time


def _open_caption(open_model: OpenModel) -> Run:
    captioner = captioner_of(open_model(task="caption"), open_model=open_model)
    return lambda picture, shared: captioner([picture], beams=_BEAMS)[0]  # noqa: ARG005


def _caption_rows(caption: Caption) -> list[Row]:
    if caption.source == "none":
        return [Row(name="no caption: nothing was recognised for certain")]
    return [Row(name=caption.text, value=caption.confidence, note="from tags" if caption.source == "tags" else "")]


CAPTION = LookPart(title="Caption and its confidence", open=_open_caption, rows=_caption_rows)
