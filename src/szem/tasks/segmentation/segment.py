"""A class for every pixel: fit the picture into the network's input, run it, bring its scores back to the picture.

This file does not know about training, files or servers.
"""

from collections.abc import Mapping, Sequence
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.arrays import Picture8, check_picture
from szem.errors import RangeError
from szem.media.pictures import PictureLike, as_pictures
from szem.results.boxes import Boxes
from szem.results.masks import Masks
from szem.runtime.cards import PictureInput
from szem.runtime.prepare import InputWindow, find_window, prepare_picture
from szem.runtime.sessions import Session
from szem.tasks.models import ModelLike, as_session
from szem.tasks.segmentation.agreement import DetectorAgreement, open_agreement

__all__ = ["Segmenter", "segment", "segment_with"]

_BACKGROUND = "background"
_UNKNOWN = "unknown"
_CELL_PX = 2  # a cell of the scores holds two by two pixels of the input
_GUIDE_VARIANCE = 1e-3  # of the guided filter: contrast from which on there is an edge
_POSSIBLE = 0.2  # a class that is nowhere likelier wins nothing, smoothed or not
_LARGEST_PX = 1024  # scores are brought up to this side at most; beyond it the map of classes is enlarged instead


def segment(
    picture: PictureLike,
    *,
    model: ModelLike | None = None,
    threshold: float | None = None,
    threads: int | None = None,
) -> Masks:
    """Assign a class to every pixel of a picture.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        model: A model's name or folder, or one that is open; the shipped one for everyday objects if left out. `road`
            is for street scenes.
        threshold: Pixels whose likeliest class is less probable than this are `unknown`; the thresholds on the
            model's card if left out, 0 to name every pixel.
        threads: Threads within the run; by default as many as there are cores.
    Raises:
        RangeError: the threshold is not between 0 and 1.
        ShapeError, DTypeError: not a picture.
        UnknownNameError: no such model.
    """
    return Segmenter(model, threshold=threshold, threads=threads)(picture)


class Segmenter:
    """A segmentation model ready to be called; keeps nothing between calls.

    Args:
        model: A model's name or folder, or an open session; the shipped model if left out.
        threshold: As in `segment`.
        threads: Threads within the run; by default as many as there are cores.
    Raises:
        RangeError: the threshold is not between 0 and 1.
        UnknownNameError: no such model.
    """

    def __init__(
        self, model: ModelLike | None = None, *, threshold: float | None = None, threads: int | None = None
    ) -> None:
        self.threshold = _check_threshold(threshold)
        self.session = as_session(model, task="segment", threads=threads)
        self.card, self.classes = self.session.model.card, self.session.model.labels
        self.agreement = open_agreement(self.session)

    @overload
    def __call__(self, pictures: PictureLike) -> Masks: ...  # type: ignore[overload-overlap]  # a path of text is a sequence too
    @overload
    def __call__(self, pictures: Sequence[PictureLike]) -> list[Masks]: ...
    def __call__(self, pictures: PictureLike | Sequence[PictureLike]) -> Masks | list[Masks]:
        """Assign a class to every pixel of a picture, or of each of several.

        Args:
            pictures: One picture or a list; each what `as_picture` takes.
        Returns:
            `Masks` of the one picture, or a list with those of each, in order.
        """
        several, is_one = as_pictures(pictures)
        found = [
            segment_with(self.session, picture, threshold=self.threshold, agreement=self.agreement)
            for picture in several
        ]
        return found[0] if is_one else found


def segment_with(
    session: Session,
    picture: Picture8,
    *,
    map_side_px: int | None = None,
    threshold: float | None = None,
    agreement: DetectorAgreement | None = None,
    boxes: Boxes | None = None,
) -> Masks:
    """As `segment`, with a model that is open already.

    Args:
        session: The model.
        picture: (H, W, 3) uint8 RGB.
        map_side_px: The longest side of the map of classes at most; the picture's own size if left out.
        threshold: As in `segment`.
        agreement: What `open_agreement` gives of the model.
        boxes: What the detector finds in the picture, where it has run already.
    """
    check_picture(picture)
    height, width = picture.shape[:2]
    rules, classes = session.model.card.picture, session.model.labels
    window = find_window(height, width, rules, step_px=_CELL_PX)
    batch = prepare_picture(picture, rules, step_px=_CELL_PX)
    scores = session.run(batch, roles=["scores"])["scores"][0]  # (C, h, w)
    probabilities = _softmax(_cut_scores(scores, window, rules))  # (h', w', C)
    if cells := round(session.model.card.constants.get("smooth.cells", 0)):
        probabilities = smooth_along_edges(probabilities, picture, cells=cells)
    confidence = _confidence(probabilities)
    if agreement is not None:
        probabilities = agreement(probabilities, picture, classes=classes, confidence=confidence, boxes=boxes)
        confidence = _confidence(probabilities)
    wanted = _within(width, height, map_side_px or max(width, height))
    class_map, certainty = _name_pixels(probabilities, _within(*wanted, _LARGEST_PX))
    lowest = _lowest(classes, session.model.card.thresholds, _check_threshold(threshold))
    has_unknown = bool(lowest.any())
    if has_unknown:
        class_map[certainty < (255 * lowest)[class_map]] = len(classes)
        classes, confidence = (*classes, _UNKNOWN), (*confidence, 0.0)
    if class_map.shape != wanted[::-1]:
        class_map = cv2.resize(class_map, wanted, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        certainty = cv2.resize(certainty, wanted, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    return Masks(
        class_map=class_map,
        classes=classes,
        model=session.model.name,
        confidence=confidence,
        background=_BACKGROUND if _BACKGROUND in classes else None,
        unknown=_UNKNOWN if has_unknown else None,
        confidence_map=certainty,
    )


def _check_threshold(threshold: float | None) -> float | None:
    if threshold is not None and not 0 <= threshold <= 1:
        raise RangeError(f"threshold must be between 0 and 1, got {threshold}")
    return threshold


def _lowest(classes: Sequence[str], stated: Mapping[str, float], wanted: float | None) -> NDArray[np.float32]:
    """(C,) the lowest probability at which a pixel is named."""
    rows = [stated.get(name, 0.0) if wanted is None or name == _BACKGROUND else wanted for name in classes]
    return np.array(rows, np.float32)


def smooth_along_edges(probabilities: NDArray[np.float32], picture: Picture8, *, cells: int) -> NDArray[np.float32]:
    """Let neighbouring cells agree where the picture has no edge between them (guided filter).

    The network classifies four pixels at once, and each of the four may err by itself: unsmoothed areas have dotted
    edges. `things` has 4.2 areas a picture instead of 9.6, and no less mIoU; `road`, with poles and signs of a cell's
    width, loses 0.007: so the card says whether (`smooth.cells`).
    Source: K. He, J. Sun and X. Tang, Guided Image Filtering, 2013, equations 5 to 8.

    Args:
        probabilities: (h, w, C) of each cell.
        picture: (H, W, 3), the same view.
        cells: Half the filter's window.
    Returns:
        (h, w, C); classes that are likely nowhere are left as they are.
    """
    height, width = probabilities.shape[:2]
    chosen = np.flatnonzero(probabilities.max((0, 1)) >= _POSSIBLE)
    if len(chosen) < 2:
        return probabilities
    grey = cv2.cvtColor(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    guide = grey.astype(np.float32) / 255
    side = (2 * cells + 1,) * 2
    mean = cv2.blur(guide, side)
    variance = cv2.blur(guide * guide, side) - mean * mean + _GUIDE_VARIANCE
    out = probabilities.copy()
    for index in chosen:  # one class at a time: planes of one class lie together in memory
        plane = np.ascontiguousarray(probabilities[..., index])
        mean_plane = cv2.blur(plane, side)
        slope = (cv2.blur(guide * plane, side) - mean * mean_plane) / variance
        smooth = cv2.blur(slope, side) * guide + cv2.blur(mean_plane - slope * mean, side)
        out[..., index] = smooth.clip(0, 1)
    return out


def _within(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height in the same proportion, neither above `side`."""
    shrink = min(1.0, side / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _name_pixels(
    probabilities: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The likeliest class, (h, w), and its probability times 255, from (h', w', C) brought to `size` (width, height).

    One class at a time: all of them at full size would be read from memory again and again.
    """
    best = cv2.resize(np.ascontiguousarray(probabilities[..., 0]), size, interpolation=cv2.INTER_LINEAR)
    winner = np.zeros(best.shape, np.uint8)
    for index in range(1, probabilities.shape[2]):
        plane = cv2.resize(np.ascontiguousarray(probabilities[..., index]), size, interpolation=cv2.INTER_LINEAR)
        winner[plane > best] = index
        cv2.max(best, plane, dst=best)
    return winner, cv2.convertScaleAbs(best, alpha=255).astype(np.uint8, copy=False)


def _cut_scores(scores: NDArray[np.float32], window: InputWindow, wanted: PictureInput) -> NDArray[np.float32]:
    """The part of (C, h, w) that is the picture, as (h', w', C)."""
    cell_y, cell_x = wanted.height_px / scores.shape[1], wanted.width_px / scores.shape[2]
    top, left = round(window.pad_top / cell_y), round(window.pad_left / cell_x)
    bottom = top + max(1, round(window.in_height / cell_y))
    right = left + max(1, round(window.in_width / cell_x))
    return np.ascontiguousarray(scores[:, top:bottom, left:right].transpose(1, 2, 0), dtype=np.float32)


def _confidence(probabilities: NDArray[np.float32]) -> tuple[float, ...]:
    """Mean probability of each class over the cells it wins; 0 where it wins none."""
    cells = probabilities.reshape(-1, probabilities.shape[2])
    winner = cells.argmax(1)
    best = np.take_along_axis(cells, winner[:, None], 1)[:, 0]
    counts = np.bincount(winner, minlength=cells.shape[1])
    sums = np.bincount(winner, weights=best, minlength=cells.shape[1])
    return tuple(float(v) for v in sums / np.maximum(counts, 1))


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    lifted = np.exp(scores - scores.max(2, keepdims=True))
    out: NDArray[np.float32] = lifted / lifted.sum(2, keepdims=True)
    return out
