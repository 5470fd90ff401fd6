"""What `look` says of every pixel: opened once, its rows for people.

The table of tasks in `look` holds one line that names these two functions.
"""

from collections.abc import Callable
from typing import Any

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.masks import Masks

__all__ = ["mask_rows", "open_masks"]

_LEAST = 0.005  # shares below this are not worth a row
_SURE = 0.5  # nor is what the network itself doubts


def open_masks() -> Callable[[Picture8, dict[str, Any]], Masks]:
    """Open the model for things.

    Raises:
        UnknownNameError: there is none.
    """
    from szem.runtime.sessions import open_model
    from szem.tasks.segment import segment_with

    session = open_model(task="segment")

    def run(picture: Picture8, shared: dict[str, Any]) -> Masks:
        shared["masks"] = found = segment_with(session, picture)
        return found

    return run


def mask_rows(masks: Masks) -> list[Row]:
    """A row a class, with its share of the picture and its colour; none where nothing else was surely seen."""
    return [
        Row(name=area.label, value=area.share, note=f"sure {area.confidence:.0%}", rgb=area.rgb)
        for area in masks.areas
        if area.share >= _LEAST and area.confidence >= _SURE
    ]
