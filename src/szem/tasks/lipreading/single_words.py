"""Which word or phrase a mouth said, from one take: mouth crops in, the likeliest words out.

A take is brought to a fixed number of frames, however many it had. This file does not know about videos or faces, but
takes a `MouthTrack` of one.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.errors import CardError, RangeError, ShapeError, UnknownNameError
from szem.results.labels import Label, Labels
from szem.results.mouth import MouthTrack
from szem.runtime.cards import ClipInput
from szem.runtime.sessions import OnnxFile
from szem.runtime.store import Model, find_model
from szem.tasks.models import default_model

__all__ = ["KINDS", "RATE_HZ", "LipWordReader", "fit_clip", "open_lip_words", "read_lip_word", "tight_crops"]

RATE_HZ = 15.0  # of the crops the network has learned from
KINDS = ("word", "phrase", "any")
_MIN_FRAMES = 3
_TIGHT = 1.12  # width of the crops it has learned from, in widths of the mouth
_SHAPE = 80 / 128  # height of them, in their width


def read_lip_word(
    track: MouthTrack, *, kind: str = "any", top: int = 5, model: str | os.PathLike[str] | None = None
) -> Labels:
    """Tell which word or phrase was said.

    Args:
        track: The mouth while it was said, at any frame rate.
        kind: Only words, only phrases, or any.
        top: How many at most.
        model: A model for this task; the shipped one if left out.
    Raises:
        ShapeError: too few frames.
        RangeError, UnknownNameError: an option is wrong.
    """
    seconds = len(track) / track.rate_hz if track.rate_hz else 0.0
    return open_lip_words(model)([tight_crops(track)], [seconds], kind=kind, top=top)[0]


def open_lip_words(model: str | os.PathLike[str] | None = None) -> "LipWordReader":
    """Open a model by name, once per process.

    Raises:
        UnknownNameError: no such model.
        As `LipWordReader`.
    """
    found = default_model("lipwords") if model is None else find_model(model, task="lipwords")
    return _reader_of(found.folder, found.card.sha256)


@cache
def _reader_of(folder: Path, sha256: str) -> "LipWordReader":  # noqa: ARG001
    return LipWordReader(find_model(folder, task="lipwords"))


class LipWordReader:
    """A model of words from lips, ready to be called; keeps nothing between calls.

    Args:
        model: A model of task `lipwords`.
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        CardError: the card lacks what it needs.
        ChecksumError: the file is not the card's.
    """

    def __init__(self, model: Model, *, threads: int | None = 1) -> None:
        card = model.card
        if not isinstance(card.input, ClipInput) or not {"frames", "words"} <= card.constants.keys():
            raise CardError(f"{model.folder}: not a model of words from lips")
        self.card, self.words = card, model.labels
        self._size = (card.input.height_px, card.input.width_px)
        self._frames, self._first_phrase = int(card.constants["frames"]), int(card.constants["words"])
        self._file = OnnxFile(model.file(), threads=threads)

    def __call__(
        self, clips: Sequence[NDArray[np.uint8]], seconds: Sequence[float], *, kind: str = "any", top: int = 5
    ) -> list[Labels]:
        """Tell what was said in each clip.

        Args:
            clips: Each (T, h, w) grey, the mouth filling most of the width.
            seconds: How long each took.
            kind: One of `KINDS`.
            top: How many words at most.
        Returns:
            One `Labels` a clip, in order.
        Raises:
            ShapeError: not clips, or too few frames in one.
            RangeError: `top` is below 1.
            UnknownNameError: no such kind.
        """
        if kind not in KINDS:
            raise UnknownNameError(f"no kind called {kind!r}; there are {', '.join(KINDS)}")
        if top < 1:
            raise RangeError(f"top must be at least 1, got {top}")
        if not clips:
            return []
        crops = np.stack([fit_clip(clip, frames=self._frames, size=self._size) for clip in clips])
        lengths = np.array(seconds, np.float32).reshape(-1, 1)
        # what is said does not depend on left and right: the mean of both is surer
        logits = sum(
            self._file.run({"crops": np.ascontiguousarray(seen), "seconds": lengths}, ["logits"])[0]
            for seen in (crops, crops[..., ::-1])
        )
        ours = {"word": slice(0, self._first_phrase), "phrase": slice(self._first_phrase, None), "any": slice(None)}
        allowed = np.full(len(self.words), -np.inf)
        allowed[ours[kind]] = 0
        scores = logits / 2 + allowed
        fractions = np.exp(scores - scores.max(axis=1, keepdims=True))
        fractions /= fractions.sum(axis=1, keepdims=True)
        return [self._labels(row, top) for row in fractions]

    def _labels(self, fractions: NDArray[np.float32], top: int) -> Labels:
        best = np.argsort(-fractions, kind="stable")[:top]
        return Labels(
            items=tuple(
                Label(index=int(i), name=self.words[i], score=float(fractions[i])) for i in best if fractions[i] > 0
            ),
            model=self.card.name,
        )


def fit_clip(clip: NDArray[np.uint8], *, frames: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """A clip (T, h, w) at another number of frames and another size, mixed from neighbours: float32.

    Raises:
        ShapeError: not a clip, or too few frames.
    """
    if clip.ndim != 3 or len(clip) < _MIN_FRAMES or 0 in clip.shape:
        raise ShapeError(f"a clip must be (T, h, w) with at least {_MIN_FRAMES} frames, got {clip.shape}")
    rows, columns = size
    how = cv2.INTER_AREA if clip.shape[2] > columns else cv2.INTER_LINEAR
    small = np.stack([cv2.resize(frame, (columns, rows), interpolation=how) for frame in clip]).astype(np.float32)
    at = np.linspace(0, len(clip) - 1, frames)
    below = np.floor(at).astype(np.int64)
    part = (at - below)[:, None, None].astype(np.float32)
    mixed: NDArray[np.float32] = small[below] * (1 - part) + small[np.minimum(below + 1, len(clip) - 1)] * part
    return mixed


def tight_crops(track: MouthTrack) -> NDArray[np.uint8]:
    """The inner part of a track's crops, as wide about the mouth as those the network has learned from.

    Raises:
        ShapeError: the mouth is never seen.
    """
    if not track.valid.any():
        raise ShapeError("the mouth is not seen in any frame; give a video with a face")
    lips = track.points_xy[track.valid]
    corners = track.corners_xy[track.valid]
    mouth = float(np.median(np.linalg.norm(lips[:, 6] - lips[:, 0], axis=1)))
    whole = float(np.median(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)))
    rows, columns = track.crops.shape[1:]
    wide = min(columns, max(8, round(columns * mouth * _TIGHT / max(whole, 1e-6))))
    tall = min(rows, max(5, round(wide * _SHAPE)))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    return track.crops[:, top : top + tall, left : left + wide]
