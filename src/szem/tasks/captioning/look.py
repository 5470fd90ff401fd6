"""The caption in `szem look`."""

from szem.media.legend import Row
from szem.results.caption import Caption
from szem.tasks.captioning.caption import captioner_of
from szem.tasks.contracts import LookPart, OpenModel, Run

__all__ = ["CAPTION"]


def _open_caption(open_model: OpenModel) -> Run:
    captioner = captioner_of(open_model(task="caption"))
    return lambda picture, shared: captioner([picture])[0]  # noqa: ARG005


def _caption_rows(caption: Caption) -> list[Row]:
    return [Row(name=caption.text, value=caption.confidence, note="" if caption.is_confident else "not sure")]


CAPTION = LookPart(title="Caption and its confidence", open=_open_caption, rows=_caption_rows)
