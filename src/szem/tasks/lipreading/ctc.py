"""From scores of each moment to words: the sum over all alignments (CTC), beam search without a grammar, times.

Class 0 is silence, the blank of CTC. NumPy only; this file does not know networks or the words themselves.

Source: A. Graves et al., Connectionist Temporal Classification, 2006; beam search: A. Hannun et al., First-Pass Large
Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs, 2014, arXiv:1408.2873, algorithm 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.errors import RangeError, ShapeError

__all__ = ["CtcHypothesis", "CtcSpan", "align", "best_path", "log_probability", "search_ctc"]

_NOTHING = -1e30
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class CtcHypothesis:
    """A sequence of classes and the natural logarithm of its chance, all alignments together."""

    classes: tuple[int, ...]
    log_probability: float


@dataclass(frozen=True)
class CtcSpan:
    """The moments of one class: from `first` up to, not with, `last`."""

    label: int
    first: int
    last: int


def best_path(log_probabilities: Scores) -> tuple[int, ...]:
    """The likeliest class of each moment, repeated ones taken as one, without silences: the greedy reading.

    Args:
        log_probabilities: (T, classes).

    >>> best_path(np.log(np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]])))
    (1, 1)
    """
    labels = _checked(log_probabilities).argmax(-1)
    firsts = labels[np.flatnonzero(np.diff(labels, prepend=0))]
    return tuple(int(label) for label in firsts if label)


def search_ctc(log_probabilities: Scores, *, beams: int, per_moment: int = 6) -> list[CtcHypothesis]:
    """The likeliest sequences, all alignments of each taken together, the best first.

    Args:
        log_probabilities: (T, classes), natural logarithms that add up to 1.
        beams: How many sequences are followed; 1 is greedy but sums alignments.
        per_moment: Classes looked at in each moment, the likeliest.
    Raises:
        RangeError: `beams` or `per_moment` is below 1.
    """
    if beams < 1 or per_moment < 1:
        raise RangeError(f"beams and per_moment must be 1 or more, got {beams} and {per_moment}")
    rows = _checked(log_probabilities).astype(np.float64)
    # sequence -> logarithms of the chance to be in silence after it, and in its last class
    alive: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, _NOTHING)}
    for row in rows:
        likely = np.argsort(-row, kind="stable")[:per_moment]
        following: dict[tuple[int, ...], list[float]] = {}
        for sequence, (silent, spoken) in alive.items():
            whole = float(np.logaddexp(silent, spoken))
            place = following.setdefault(sequence, [_NOTHING, _NOTHING])
            place[0] = float(np.logaddexp(place[0], whole + row[0]))
            if sequence:
                place[1] = float(np.logaddexp(place[1], spoken + row[sequence[-1]]))
            for label in likely:
                if label == 0:
                    continue
                before = silent if sequence and label == sequence[-1] else whole
                longer = following.setdefault((*sequence, int(label)), [_NOTHING, _NOTHING])
                longer[1] = float(np.logaddexp(longer[1], before + row[label]))
        best = sorted(following.items(), key=lambda item: -float(np.logaddexp(item[1][0], item[1][1])))[:beams]
        alive = {sequence: (values[0], values[1]) for sequence, values in best}
    return [CtcHypothesis(sequence, float(np.logaddexp(values[0], values[1]))) for sequence, values in alive.items()]


def log_probability(log_probabilities: Scores, classes: Sequence[int]) -> float:
    """The natural logarithm of the chance of a sequence, all alignments together.

    Args:
        log_probabilities: (T, classes).
        classes: Without silences.

    >>> float(np.exp(log_probability(np.log(np.full((2, 2), 0.5, np.float32)), [1])).round(3))
    0.75
    """
    rows = _checked(log_probabilities).astype(np.float64)
    states = _with_silences(classes)
    reach = np.full(len(states), _NOTHING)
    reach[0] = rows[0, 0]
    if len(states) > 1:
        reach[1] = rows[0, states[1]]
    leap = _may_leap(states)
    for row in rows[1:]:
        one = np.concatenate(([_NOTHING], reach[:-1]))
        two = np.where(leap, np.concatenate(([_NOTHING, _NOTHING], reach[:-2]))[: len(states)], _NOTHING)
        reach = np.logaddexp(np.logaddexp(reach, one), two) + row[states]
    return float(np.logaddexp(reach[-1], reach[-2]) if len(states) > 1 else reach[-1])


def align(log_probabilities: Scores, classes: Sequence[int]) -> list[CtcSpan]:
    """When each class of a sequence is said: the likeliest alignment (Viterbi).

    Raises:
        ShapeError: there are fewer moments than the sequence needs.

    >>> align(np.log(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])), [1])
    [CtcSpan(label=1, first=1, last=3)]
    """
    rows = _checked(log_probabilities).astype(np.float64)
    states = _with_silences(classes)
    count, length = len(rows), len(states)
    if not classes:
        return []
    reach = np.full((count, length), _NOTHING)
    came = np.zeros((count, length), np.int64)
    reach[0, :2] = rows[0, states[:2]]
    leap = _may_leap(states)
    for t in range(1, count):
        before = np.full((3, length), _NOTHING)
        before[0] = reach[t - 1]
        before[1, 1:] = reach[t - 1, :-1]
        before[2, 2:] = np.where(leap[2:], reach[t - 1, :-2], _NOTHING)
        came[t] = before.argmax(0)
        reach[t] = before.max(0) + rows[t, states]
    state = length - 1 if reach[-1, -1] >= reach[-1, -2] else length - 2
    if reach[-1, state] < _NOTHING / 2:
        raise ShapeError(f"{len(classes)} words need at least as many moments, got {count}; give a longer video")
    path = np.empty(count, np.int64)
    for t in range(count - 1, -1, -1):
        path[t] = state
        state -= came[t, state]
    spans = []
    for place, label in enumerate(classes):
        held_out = np.flatnonzero(path == 2 * place + 1)
        spans.append(CtcSpan(int(label), int(held_out[0]), int(held_out[-1]) + 1))
    return spans


def _checked(log_probabilities: Scores) -> Scores:
    if log_probabilities.ndim != 2 or 0 in log_probabilities.shape:
        raise ShapeError(f"scores must be (T, classes), got {log_probabilities.shape}")
    return log_probabilities


def _with_silences(classes: Sequence[int]) -> NDArray[np.int64]:
    states = np.zeros(2 * len(classes) + 1, np.int64)
    states[1::2] = classes
    return states


def _may_leap(states: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where the silence before a class may be passed over: not between equal classes."""
    leap = np.zeros(len(states), bool)
    leap[2:] = (states[2:] != 0) & (states[2:] != states[:-2])
    return leap
