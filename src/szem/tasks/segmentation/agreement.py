"""Two networks about one picture: classes of a segmentation that the detector does not see are only kept if certain.

`things` was trained on few pictures, and by itself names what is not there: a motorbike behind an astronaut. On 195
held-out pictures 0.74 of the classes that it names are there; with the detector's agreement 0.95. This file does not
know how pictures are prepared or drawn.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8
from szem.results.boxes import Boxes
from szem.results.class_aliases import coco_name
from szem.runtime.sessions import Session
from szem.tasks.contracts import OpenModel
from szem.tasks.detection.detect import Detector
from szem.tasks.models import open_model as open_for_process
from szem.tasks.segmentation.instance_masks import iter_probabilities

__all__ = ["DetectorAgreement", "open_agreement"]

_CERTAIN, _WEIGHT = "agreement.certain", "agreement.weight"
_LARGEST_PX = 1024  # longest side at which outlines are drawn
_ALSO = {"truck": "car"}  # COCO's trucks are vans and pick-ups as well, which PASCAL VOC calls cars


class DetectorAgreement:
    """A detector and an outline model that a segmentation is compared with.

    Args:
        detector: Finds the objects, at its own thresholds.
        outliner: An `outline` model, for the pixels of each.
        certain: Mean probability from which on a class stays that the detector does not see.
        weight: Of the outlines, 0..1; the rest is the segmentation's.
    """

    def __init__(self, detector: Detector, outliner: Session, *, certain: float, weight: float) -> None:
        self.detector, self.outliner = detector, outliner
        self.certain, self.weight = certain, weight

    def __call__(
        self,
        probabilities: NDArray[np.float32],
        picture: Picture8,
        *,
        classes: Sequence[str],
        confidence: Sequence[float],
        boxes: Boxes | None = None,
    ) -> NDArray[np.float32]:
        """Mix the outlines of the detected objects in, and give to the background what nothing confirms.

        Args:
            probabilities: (h, w, C) of each cell.
            picture: (H, W, 3) uint8 RGB, the same view.
            classes: C names, of COCO or PASCAL VOC; the first is the background.
            confidence: (C,) mean probability of each class where it wins.
            boxes: What the detector finds in the picture, if that is known.
        Returns:
            (h, w, C), of sum 1.
        """
        boxes = self.detector(picture) if boxes is None else boxes
        place = {coco_name(name): index for index, name in enumerate(classes)}
        seen = {_ALSO.get(label, label) for label in boxes.labels} & place.keys()
        kept = np.array([index == 0 or value >= self.certain for index, value in enumerate(confidence)])
        kept[[place[name] for name in seen]] = True
        outlines = self._outlines(picture, boxes, place, probabilities.shape)
        mixed = (1 - self.weight) * probabilities + self.weight * outlines
        mixed[..., 0] += self.weight * (1 - outlines.max(2)) + mixed[..., ~kept].sum(2)
        mixed[..., ~kept] = 0
        out: NDArray[np.float32] = (mixed / mixed.sum(2, keepdims=True)).astype(np.float32)
        return out

    def _outlines(
        self, picture: Picture8, boxes: Boxes, place: Mapping[str, int], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """(h, w, C): the probability that a cell belongs to a detected object of each class."""
        shrink = _LARGEST_PX / max(picture.shape[:2])
        if shrink < 1:  # the cells are coarser anyway
            picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA).astype(np.uint8)
            boxes = boxes.resized(picture.shape[1], picture.shape[0])
        height, width = picture.shape[:2]
        out = np.zeros(shape, np.float32)
        known = [index for index, label in enumerate(boxes.labels) if label in place]
        found = iter_probabilities(self.outliner, picture, boxes.boxes_xyxy[known])
        for index, inside in zip(known, found, strict=True):
            if inside is None:
                continue
            plane = np.zeros((height, width), np.float32)
            plane[inside.rows, inside.columns] = inside.probability
            cells = cv2.resize(plane, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
            label = place[boxes.labels[index]]
            out[..., label] = np.maximum(out[..., label], cells)
        return out


def open_agreement(session: Session, open_model: OpenModel | None = None) -> DetectorAgreement | None:
    """What a segmentation model's card says of its agreement; None where it says nothing.

    Args:
        session: The segmentation model.
        open_model: Opens the shipped detector and outline model; without it they are kept open for the process.
    Raises:
        UnknownNameError: one of them is not installed.
    """
    constants = session.model.card.constants
    if _CERTAIN not in constants:
        return None
    opened = open_model or partial(open_for_process, threads=session.threads)
    return DetectorAgreement(
        Detector(opened(task="detect")),
        opened(task="outline"),
        certain=constants[_CERTAIN],
        weight=constants.get(_WEIGHT, 0.0),
    )
