"""Detect objects in a picture: fit it into the network's input, run it, decode, suppress duplicates, map boxes back.

The three steps can be called one by one, so that a pipeline does them on threads of its own. This file does not know
about video, tracks, files or training.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8, check_picture
from szem.errors import CardError, RangeError, UnknownNameError
from szem.media.pictures import PictureLike, as_pictures
from szem.results.boxes import Boxes, known_classes, known_name
from szem.runtime.cards import PictureInput
from szem.runtime.prepare import find_window, prepare_picture
from szem.tasks.detection.candidates import Decoder
from szem.tasks.detection.decoders import DECODERS
from szem.tasks.detection.duplicates import Overlaps, drop_duplicates
from szem.tasks.models import ModelLike, as_session

__all__ = ["Detector", "detect", "finish_boxes", "tight_rules"]

_OVERLAPS = Overlaps()
_MOST = 300  # candidates a picture that are looked at further
_STEP_PX = 32  # sides of an open input are multiples of this, the largest stride
_FALLBACK = 0.3  # threshold where a card names none


def detect(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    threshold: float | Mapping[str, float] | None = None,
    classes: str | Collection[str] | None = None,
) -> Boxes:
    """Detect objects in a picture.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one if left out.
        threshold: Boxes below this score are dropped; one for all classes or by name, by default the card's.
        classes: Only these names, or a single one; None for all.
    Returns:
        Boxes, best first.
    Raises:
        MediaError, FileMissingError: the picture cannot be read.
        ShapeError, DTypeError: not a picture, or classes that are no names.
        UnknownNameError: no such model or class.
        RangeError: a threshold is not in 0..1.
    """
    detector = Detector(model, threshold=threshold)
    names = None if classes is None else known_classes(classes, detector.classes)
    return detector(picture).keep(classes=names)


class Detector:
    """A detection model ready to be called; keeps nothing between calls.

    `prepare`, `run` and `finish` are the three steps of a call; each may run on another thread.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
        threshold: Boxes below this score are dropped; one for all classes or by name (others keep the card's).
        overlap: Of two boxes of one class that overlap more than this (intersection over union), the better stays;
            by default what the card says, or 0.5.
    Raises:
        CardError: the card has no labels, or its outputs are not those of a detector.
        UnknownNameError: a threshold names a class that there is not.
        RangeError: a threshold or the overlap is not in 0..1.
    """

    def __init__(
        self,
        model: ModelLike | None = None,
        *,
        threshold: float | Mapping[str, float] | None = None,
        overlap: float | None = None,
    ) -> None:
        self.session = session = as_session(model, task="detect")
        self.card = session.model.card
        self.classes = session.model.labels
        if not self.classes:
            raise CardError(f"{session.model.folder}: a detector needs labels; name them on its card")
        decoder = DECODERS.get(self.card.head)
        if decoder is None or not all(session.has(role) for role in decoder.roles):
            raise CardError(
                f"{session.model.folder}: head {self.card.head!r} is not one of a detector's; "
                f"there are {', '.join(DECODERS)}"
            )
        if overlap is not None and not 0 < overlap <= 1:
            raise RangeError(f"overlap must lie in 0..1, got {overlap}")
        self._decoder, self.overlaps = decoder, Overlaps.of_card(self.card.constants, same=overlap)
        self.thresholds = _lowest(self.classes, self.card.thresholds, threshold)  # (C,) calibrated scores
        self._raw = self._to_raw(self.thresholds)

    @overload
    def __call__(self, pictures: PictureLike) -> Boxes: ...  # type: ignore[overload-overlap]  # a path of text is a sequence too
    @overload
    def __call__(self, pictures: Sequence[PictureLike]) -> list[Boxes]: ...
    def __call__(self, pictures: PictureLike | Sequence[PictureLike]) -> Boxes | list[Boxes]:
        """Detect objects in a picture, or in each of several.

        Args:
            pictures: One picture or a list; each what `as_picture` takes. Sizes may differ.
        Returns:
            `Boxes` of the one picture, or a list with those of each, in order; boxes best first.
        Raises:
            ShapeError, DTypeError: not a picture.
        """
        found = []
        several, is_one = as_pictures(pictures)
        for picture in several:
            batch = self.prepare(picture)
            height, width = picture.shape[:2]
            found.append(self.finish(self.run(batch), (height, width)))
        return found[0] if is_one else found

    def prepare(self, picture: Picture8) -> Array:
        """From a picture to a batch of one, as the network takes it.

        Pictures of one size give batches of one shape, which can be joined along the first axis.

        Raises:
            ShapeError, DTypeError: not a picture.
        """
        height, width = check_picture(picture).shape[:2]
        return prepare_picture(picture, self._rules(height, width))

    def inner_size(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width at which a whole picture lies in the network's input; None where its edges are cut off.

        A decoder that gives pictures of this size saves `prepare` the scaling; `finish` then takes this size too, and
        its boxes are enlarged by `Boxes.resized`.
        """
        window = find_window(height, width, self._rules(height, width))
        whole = (window.height, window.width) == (height, width)
        return (window.in_height, window.in_width) if whole else None

    def run(self, batch: Array) -> Mapping[str, Sequence[Array] | Array]:
        """Run the network: role -> a row per picture."""
        decoder = self._decoder
        roles = (*decoder.roles, *(role for role in decoder.optional if self.session.has(role)))
        if not decoder.axes:
            return self.session.run(batch, roles=roles)
        # Exports for a single picture leave the first axis out, and list the boxes of a batch one after the other: so
        # one picture at a time, as often as a fixed batch asks.
        rows: dict[str, list[Array]] = {role: [] for role in roles}
        for one in batch:
            full = np.repeat(one[None], self.session.batch_limit or 1, axis=0)
            for role, values in self.session.run(full, roles=roles).items():
                rows[role].append(values if values.ndim == decoder.axes.get(role) else values[0])
        return rows

    def finish(self, outputs: Mapping[str, Sequence[Array] | Array], size: tuple[int, int], *, row: int = 0) -> Boxes:
        """From the network's outputs to boxes in pixels of the picture.

        Args:
            outputs: What `run` gave.
            size: Height and width of the picture that was prepared.
            row: Which picture of the batch.
        """
        rules = self._rules(*size)
        one = {role: values[row] for role, values in outputs.items()}
        found = finish_boxes(
            self._decoder,
            one,
            rules,
            size,
            self._raw,
            classes=self.classes,
            model=self.card.name,
            overlaps=self.overlaps,
        )
        return replace(found, scores=self._to_confidence(found.scores))

    def _rules(self, height: int, width: int) -> PictureInput:
        """The card's rules; where the file leaves the sides open, the smallest input that holds the picture."""
        _, *sides = self.session.input.shape
        if self.card.picture.resize != "letterbox" or sides.count(None) < 2:
            return self.card.picture
        return tight_rules(self.card.picture, height, width)

    def _to_confidence(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        calibration = self.card.calibration
        return scores if calibration is None else calibration.apply(scores)

    def _to_raw(self, thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
        calibration = self.card.calibration
        return thresholds if calibration is None else calibration.undo(thresholds)


def finish_boxes(
    decoder: Decoder,
    outputs: Mapping[str, Array],
    rules: PictureInput,
    size: tuple[int, int],
    lowest: NDArray[np.float32],
    *,
    classes: tuple[str, ...],
    model: str,
    overlaps: Overlaps = _OVERLAPS,
) -> Boxes:
    """From the outputs for one picture to its boxes, best first: decode, drop doubles, bring back.

    Args:
        decoder: Of the head's layout.
        outputs: Role -> array, of one picture.
        rules: How the picture was prepared.
        size: Height and width of the picture.
        lowest: (C,) scores below are left out.
        classes: Names.
        model: Name, for the result.
        overlaps: Which boxes are duplicates of better ones.
    """
    height, width = size
    # A network that counts the background as class 0 has one class more than its labels.
    is_shifted = decoder.counts_background and not is_background(classes[0])
    if is_shifted:
        lowest = np.concatenate([np.full(1, np.inf, np.float32), lowest])
    found = decoder.decode(outputs, (rules.height_px, rules.width_px), lowest)
    if is_shifted:
        found = replace(found, indices=found.indices - 1)
    if len(found.scores) > _MOST:
        found = found.take(np.argpartition(-found.scores, _MOST)[:_MOST])
    if not decoder.is_final and len(found.scores):
        found = found.take(drop_duplicates(found.boxes_xyxy, found.scores, found.indices, overlaps))
    found = found.take(np.argsort(-found.scores, kind="stable"))
    window = find_window(height, width, rules)
    scale = np.array([window.width / window.in_width, window.height / window.in_height] * 2, np.float32)
    shift = np.array([window.pad_left, window.pad_top] * 2, np.float32)
    origin = np.array([window.left, window.top] * 2, np.float32)
    limits = np.array([width, height] * 2, np.float32)
    boxes = ((found.boxes_xyxy - shift) * scale + origin).clip(0, limits)
    seen = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    found = found.take(seen)
    return Boxes(
        boxes_xyxy=boxes[seen],
        scores=found.scores,
        indices=found.indices,
        classes=classes,
        width=width,
        height=height,
        model=model,
    )


def is_background(name: str) -> bool:
    """Whether a label names what is no object, as the first label of many a network does.

    >>> is_background("__background__"), is_background("N/A"), is_background("cat")
    (True, True, False)
    """
    return name.strip("_ ").lower() in ("background", "bg", "n/a", "none")


@lru_cache(maxsize=256)
def tight_rules(rules: PictureInput, height: int, width: int) -> PictureInput:
    """The rules with the smallest input that holds a picture, its sides multiples of 32.

    >>> rules = tight_rules(PictureInput(width_px=320, height_px=320, resize="letterbox"), 216, 288)
    >>> rules.height_px, rules.width_px
    (256, 320)
    """
    scale = min(rules.width_px / width, rules.height_px / height)
    wide, high = (max(_STEP_PX, -(-round(side * scale) // _STEP_PX) * _STEP_PX) for side in (width, height))
    return rules.model_copy(update={"width_px": wide, "height_px": high})


def _lowest(
    classes: tuple[str, ...], card: Mapping[str, float], wanted: float | Mapping[str, float] | None
) -> NDArray[np.float32]:
    """(C,) the lowest score of each class."""
    if isinstance(wanted, int | float):
        named: Mapping[str, float] = dict.fromkeys(classes, float(wanted))
    else:
        named = {known_name(name, classes): value for name, value in (wanted or {}).items()}
    unknown = sorted(set(named) - set(classes))
    if unknown:
        raise UnknownNameError(f"no class called {unknown[0]!r}; there are {', '.join(classes)}")
    both: dict[str, Any] = {**card, **named}
    values = np.array([both.get(name, _FALLBACK) for name in classes], np.float32)
    if not ((values >= 0) & (values <= 1)).all():
        raise RangeError(f"thresholds must lie in 0..1, got {values.min()} to {values.max()}")
    return values
