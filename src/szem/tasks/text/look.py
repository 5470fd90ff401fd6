"""The text in `szem look`."""

from szem.media.legend import Row
from szem.results.text import Text
from szem.tasks.contracts import LookPart, OpenModel, Run
from szem.tasks.text.read import text_reader_of

__all__ = ["TEXT"]

_SIDE_PX = 960  # finds what is readable at a glance, in a third of the time of the default


def _open_text(open_model: OpenModel) -> Run:
    reader = text_reader_of(open_model(task="text"))
    return lambda picture, shared: reader(picture, side_px=_SIDE_PX)  # noqa: ARG005


def _text_rows(text: Text) -> list[Row]:
    return [Row(name=line.text, value=line.confidence) for line in text.lines]


TEXT = LookPart(title="Text", open=_open_text, rows=_text_rows)
