"""How well objects were tracked: MOTA, IDF1 and HOTA of boxes with ids against true boxes with ids.

Own code, because `motmetrics` was last released in 2022 and calls what NumPy 2 has removed, and `trackeval` brings
`opencv-python`, which overwrites the `opencv-python-headless` that szem needs. Checked against `trackeval` 1.3.0 on
random tracks: the numbers are equal to 1e-12. This file does not know videos or detectors.

Sources: MOTA: K. Bernardin and R. Stiefelhagen, Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics, 2008. IDF1: E. Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking,
2016, https://arxiv.org/abs/1609.01775. HOTA: J. Luiten et al., HOTA: A Higher Order Metric for Evaluating
Multi-Object Tracking, 2021, https://arxiv.org/abs/2009.07736.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from szem.errors import ShapeError

__all__ = ["FrameIds", "TrackScores", "score_tracks"]

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741

_ALPHAS = np.arange(0.05, 0.99, 0.05)  # overlaps over which HOTA is averaged
_OVERLAP = 0.5  # of MOTA and IDF1
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class FrameIds:
    """The boxes of one frame, each with the id of its object.

    Args:
        ids: (N,) int, no id twice.
        boxes_xyxy: (N, 4) pixels.
    Raises:
        ShapeError: as many ids as boxes are needed, each once.
    """

    ids: I
    boxes_xyxy: F

    def __post_init__(self) -> None:
        ids, boxes = np.asarray(self.ids, np.int64), np.asarray(self.boxes_xyxy, np.float64).reshape(-1, 4)
        if ids.shape != (len(boxes),) or len(np.unique(ids)) != len(ids):
            raise ShapeError(f"each box of a frame needs an id of its own, got {ids.tolist()} for {len(boxes)} boxes")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "boxes_xyxy", boxes)


@dataclass(frozen=True, kw_only=True)
class TrackScores:
    """What was counted; all fractions are at most 1, and higher is better."""

    mota: float  # 1 - (missed + false + switched) / true boxes; negative where more is wrong than there is
    idf1: float  # F1 of boxes whose id is that of one and the same true object all along
    hota: float  # geometric mean of finding objects and of keeping their ids
    deta: float  # the part of HOTA that is detection
    assa: float  # the part that is association
    switches: int  # times a true object got another id
    missed: int  # true boxes without a box
    false: int  # boxes without a true one
    boxes: int  # true boxes
    objects: int  # true objects


def score_tracks(truth: Sequence[Sequence[FrameIds]], found: Sequence[Sequence[FrameIds]]) -> TrackScores:
    """Score the tracks of some videos together.

    Args:
        truth: For each video, its frames.
        found: Likewise, as many.
    Raises:
        ShapeError: there are not as many frames.

    >>> true = [[FrameIds(np.array([1]), np.array([[0, 0, 10, 10]])) for _ in range(4)]]
    >>> same = [[FrameIds(np.array([7 + k // 2]), np.array([[0, 0, 10, 10]])) for k in range(4)]]
    >>> scores = score_tracks(true, same)  # the id changes halfway
    >>> scores.switches, scores.mota, round(scores.idf1, 3), round(scores.hota, 3)
    (1, 0.75, 0.5, 0.707)
    """
    if [len(frames) for frames in truth] != [len(frames) for frames in found]:
        raise ShapeError("as many frames are needed of what is true and of what was found, in each video")
    clear, identity = np.zeros(4), np.zeros(3)
    hota = np.zeros((3, len(_ALPHAS)))
    weight = np.zeros(len(_ALPHAS))
    objects = 0
    for true_frames, found_frames in zip(truth, found, strict=True):
        video = _Video(true_frames, found_frames)
        objects += video.true_count
        clear += video.clear()
        identity += video.identity()
        counts, association = video.hota()
        hota += counts
        weight += association
    matched, missed, false, switches = (int(value) for value in clear)
    hit, miss, wrong = hota
    deta = hit / np.maximum(hit + miss + wrong, 1)
    assa = weight / np.maximum(hit, 1)
    true_positive, false_negative, false_positive = identity
    return TrackScores(
        mota=(matched - false - switches) / max(matched + missed, 1),
        idf1=float(2 * true_positive / max(2 * true_positive + false_negative + false_positive, 1)),
        hota=float(np.sqrt(deta * assa).mean()),
        deta=float(deta.mean()),
        assa=float(assa.mean()),
        switches=switches,
        missed=missed,
        false=false,
        boxes=matched + missed,
        objects=objects,
    )


class _Video:
    """One video: ids as rows and columns of tables, and the overlaps of each frame."""

    def __init__(self, truth: Sequence[FrameIds], found: Sequence[FrameIds]) -> None:
        true_rows = {number: k for k, number in enumerate(sorted({int(i) for f in truth for i in f.ids}))}
        found_rows = {number: k for k, number in enumerate(sorted({int(i) for f in found for i in f.ids}))}
        self.true_count, self.found_count = len(true_rows), len(found_rows)
        self.frames = [
            (
                np.array([true_rows[int(i)] for i in true.ids], np.int64),
                np.array([found_rows[int(i)] for i in one.ids], np.int64),
                _overlaps(true.boxes_xyxy, one.boxes_xyxy),
            )
            for true, one in zip(truth, found, strict=True)
        ]
        self.true_boxes, self.found_boxes = np.zeros(self.true_count), np.zeros(self.found_count)
        for rows, columns, _ in self.frames:
            self.true_boxes[rows] += 1
            self.found_boxes[columns] += 1

    def clear(self) -> F:
        """Matched, missed, false, switches; a pair that was matched in the frame before stays one if it can."""
        counts = np.zeros(4)
        last = np.full(self.true_count, -1)  # each true object's last partner
        before = np.full(self.true_count, -1)  # the same, of the frame before
        for rows, columns, overlaps in self.frames:
            worth = overlaps + 1000 * (columns[None] == before[rows][:, None])
            worth[overlaps < _OVERLAP - _EPS] = 0
            a, b = linear_sum_assignment(-worth)
            kept = worth[a, b] > _EPS
            a, b = a[kept], b[kept]
            partners = last[rows[a]]
            counts += (len(a), len(rows) - len(a), len(columns) - len(a),
                       int(((partners >= 0) & (partners != columns[b])).sum()))  # fmt: skip
            last[rows[a]] = columns[b]
            before[:] = -1
            before[rows[a]] = columns[b]
        return counts

    def identity(self) -> F:
        """True positives, false negatives and false positives of the best pairing of whole tracks."""
        common = np.zeros((self.true_count, self.found_count))
        for rows, columns, overlaps in self.frames:
            common[np.ix_(rows, columns)] += overlaps >= _OVERLAP
        n, m = common.shape
        # Each true object is paired with a track, or with nothing at the cost of all its boxes; likewise each track.
        cost = np.full((n + m, n + m), 1e10)
        cost[n:, m:] = 0
        cost[:n, :m] = self.true_boxes[:, None] + self.found_boxes[None] - 2 * common
        cost[np.arange(n), m + np.arange(n)] = self.true_boxes
        cost[n + np.arange(m), np.arange(m)] = self.found_boxes
        a, b = linear_sum_assignment(cost)
        both = (a < n) & (b < m)
        hit = float(common[a[both], b[both]].sum())
        return np.array([hit, self.true_boxes.sum() - hit, self.found_boxes.sum() - hit])

    def hota(self) -> tuple[F, F]:
        """(3, A) matched, missed, false at each overlap; (A,) sum over the matches of how well their ids are kept."""
        likely = np.zeros((self.true_count, self.found_count))
        for rows, columns, overlaps in self.frames:
            total = overlaps.sum(0)[None] + overlaps.sum(1)[:, None] - overlaps
            likely[np.ix_(rows, columns)] += np.divide(
                overlaps, total, out=np.zeros_like(overlaps), where=total > _EPS
            )
        sizes = self.true_boxes[:, None] + self.found_boxes[None]
        aligned = likely / np.maximum(sizes - likely, _EPS)
        counts = np.zeros((3, len(_ALPHAS)))
        together = np.zeros((len(_ALPHAS), self.true_count, self.found_count))
        for rows, columns, overlaps in self.frames:
            a, b = linear_sum_assignment(-aligned[np.ix_(rows, columns)] * overlaps)
            for k, alpha in enumerate(_ALPHAS):
                kept = overlaps[a, b] >= alpha - _EPS
                counts[:, k] += (kept.sum(), len(rows) - kept.sum(), len(columns) - kept.sum())
                together[k, rows[a[kept]], columns[b[kept]]] += 1
        kept_well = together / np.maximum(sizes[None] - together, 1)
        return counts, (together * kept_well).sum((1, 2))


def _overlaps(a: F, b: F) -> F:
    """(N, M) intersection over union."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    out: F = common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)
    return out
