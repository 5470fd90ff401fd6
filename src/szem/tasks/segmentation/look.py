"""Masks in `szem look`."""

from typing import Any

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.look import LookResult
from szem.results.masks import Masks
from szem.tasks.contracts import LookPart, OpenModel, Run
from szem.tasks.segmentation.agreement import open_agreement
from szem.tasks.segmentation.segment import segment_with

__all__ = ["MASKS", "mask_rows"]

_MIN_FRACTION = 0.005  # smaller areas are not worth a row
_MIN_CONFIDENCE = 0.5  # nor is what the network itself doubts


def _open_masks(open_model: OpenModel) -> Run:
    """Open the model for things.

    Raises:
        UnknownNameError: there is none.
    """

    session = open_model(task="segment")
    agreement = open_agreement(session, open_model)

    def run(picture: Picture8, shared: dict[str, Any]) -> LookResult:
        if agreement is not None:
            detector = agreement.detector
            found_boxes = shared["detected"] = detector.run(detector.prepare(picture))
            shared["boxes"] = detector.finish(found_boxes, (picture.shape[0], picture.shape[1]))
        shared["masks"] = found = segment_with(session, picture, agreement=agreement, boxes=shared.get("boxes"))
        return found

    return run


def mask_rows(masks: Masks) -> list[Row]:
    """A row a class, with its fraction of the picture and its colour; none where nothing else was surely seen."""
    return [
        Row(name=area.label, value=area.fraction, note=f"confidence {area.confidence:.0%}", rgb=area.rgb)
        for area in masks.areas
        if area.fraction >= _MIN_FRACTION and area.confidence >= _MIN_CONFIDENCE
    ]


MASKS = LookPart(title="Masks, fraction of the picture", open=_open_masks, rows=mask_rows, drawn=True)
