"""How confident a captioner may be of what it says: a curve fitted on pictures held out from training.

Measured through the shipped path: the task on the ONNX files.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.data.words import split_words
from szem.media.pictures import read_picture
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.captioning.caption import Captioner
from szem.tasks.captioning.confidence import CONFIDENCE
from szem.tasks.captioning.judgement import is_right
from szem.train.captioning.data import CaptionedPictures

__all__ = ["calibrate", "fit_logistic", "show_nothing"]

_MINIMUM = 50  # with fewer pictures a curve says little
_BEAMS = 10
_TOGETHER = 8  # pictures at a time


def calibrate(model: Model, held_out: CaptionedPictures) -> dict[str, float]:
    """The constants of the confidence on a captioner's card; none where too few pictures are held out.

    What is right says `judgement.is_right`. Pictures that show nothing (noise, plain colour, slopes, shuffled pixels)
    are never right.
    """
    files = held_out.files
    if len(files) < _MINIMUM:
        return {}
    captioner = Captioner(Session(model, threads=1))
    people = [[split_words(s) for s in sentences] for sentences in held_out.sentences]
    evidence: list[tuple[float, ...]] = []
    right: list[bool] = []
    for start in range(0, len(files), _TOGETHER):
        found = _say(captioner, [read_picture(file) for file in files[start : start + _TOGETHER]])
        for place, (what, words) in enumerate(found, start=start):
            evidence.append(what)
            right.append(is_right(words, people[place]))
    count = max(20, len(files) // 4)
    examples = [read_picture(file) for file in files[:: max(1, len(files) // count)]][:count]
    for picture in show_nothing(examples):
        evidence.append(_say(captioner, [picture])[0][0])
        right.append(False)
    base, *weights = fit_logistic(np.array(evidence), np.array(right, np.float64))
    named = zip(CONFIDENCE, weights, strict=True)
    return {"confidence_base": base, **{f"confidence_{name}": weight for name, weight in named}}


def show_nothing(examples: Sequence[Picture8]) -> Iterator[Picture8]:
    """Pictures without anything to recognise, one for each example, of its size: five kinds in turn.

    >>> [p.shape for p in show_nothing([np.zeros((4, 6, 3), np.uint8)])]
    [(4, 6, 3)]
    """
    rng = np.random.default_rng(0)
    for number, example in enumerate(examples):
        height, width = example.shape[:2]
        kind = number % 5
        if kind == 0:  # noise
            yield rng.integers(0, 256, example.shape, dtype=np.uint8)
        elif kind == 1:  # one colour, with a little grain
            grain = rng.normal(0, 2, example.shape) + rng.integers(0, 256, 3)
            yield np.clip(grain, 0, 255).astype(np.uint8)
        elif kind == 2:  # a slope between two colours
            fraction = np.linspace(0, 1, width)[None, :, None]
            ends = rng.integers(0, 256, (2, 3))
            yield np.broadcast_to((1 - fraction) * ends[0] + fraction * ends[1], example.shape).astype(np.uint8)
        elif kind == 3:  # the picture's own pixels, shuffled
            yield rng.permutation(example.reshape(-1, 3)).reshape(example.shape)
        else:  # coarse noise
            small = rng.integers(0, 256, (max(1, height // 16), max(1, width // 16), 3), dtype=np.uint8)
            rows, columns = np.arange(height) * len(small) // height, np.arange(width) * small.shape[1] // width
            yield small[rows][:, columns]


def fit_logistic(evidence: Array, right: NDArray[np.float64], *, ridge: float = 1e-3) -> tuple[float, ...]:
    """Base and weights of the logistic curve that fits best (Newton's method).

    Args:
        evidence: (N, D).
        right: (N,), 0 or 1.
        ridge: How much large weights cost.

    >>> base, weight = fit_logistic(np.array([[0.0], [1], [2], [3]]), np.array([0.0, 0, 1, 1]), ridge=0.1)
    >>> bool(weight > 0 > base)
    True
    """
    rows = np.column_stack((np.ones(len(evidence)), evidence.astype(np.float64)))
    weights = np.zeros(rows.shape[1])
    cost = np.diag([0.0, *[ridge] * evidence.shape[1]])
    for _ in range(50):
        fraction = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (right - fraction) - cost @ weights
        bend = (rows * (fraction * (1 - fraction))[:, None]).T @ rows + cost + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return tuple(float(w) for w in weights)


def _say(captioner: Captioner, pictures: Sequence[Picture8]) -> list[tuple[tuple[float, ...], list[str]]]:
    """For each picture the evidence, and the words of the best sentence."""
    encoded = captioner.encode(pictures)
    found = captioner.search(encoded, beams=_BEAMS)
    return [
        (captioner.evidence(one, hypotheses[:1])[0], split_words(captioner.words.decode(hypotheses[0].numbers)))
        for one, hypotheses in zip(encoded, found, strict=True)
    ]
