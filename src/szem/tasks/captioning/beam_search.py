"""Beam search: the likeliest sentences of a network that says one word at a time.

All beams of all pictures go through the network in one call. This file does not know where the scores come from, so
ONNX Runtime and torch are searched by the same code.

Source: O. Vinyals et al., Show and Tell, 2015, arXiv:1411.4555, section 3.1; length normalisation: Y. Wu et al.,
2016, arXiv:1609.08144, section 7, with the plain power of the length; repeated triples of words are not followed:
R. Paulus et al., 2017, arXiv:1705.04304, section 2.5.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.data.words import END, PAD, START, UNKNOWN

__all__ = ["Hypothesis", "Step", "search_beams"]

Step = Callable[[NDArray[np.int64], Array], tuple[Array, Array, Array]]
"""(B, K) last words and the state to (B, K, words) scores before softmax, (B, K, S) places, and the new state."""

_NOTHING = -1e30


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A sentence as it was found: words without start and end."""

    numbers: tuple[int, ...]
    log_probabilities: tuple[float, ...]  # of each word, natural logarithm
    end_log_probability: float  # of ending here
    looked: tuple[Array, ...]  # (S,) for each word
    rank: float  # log probability with the length taken out: what it was chosen by

    @property
    def log_probability(self) -> float:
        """Of the whole sentence, its end included."""
        return sum(self.log_probabilities) + self.end_log_probability


@dataclass(frozen=True, eq=False)
class _Beam:
    numbers: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    looked: tuple[Array, ...] = ()
    total: float = 0.0


def search_beams(
    step: Step,
    state: Array,
    *,
    pictures: int,
    beams: int,
    longest: int,
    power: float,
    prefix: Sequence[int] = (),
    again: Collection[int] | None = None,
    may_repeat: bool = False,
) -> list[list[Hypothesis]]:
    """Find sentences for pictures.

    Args:
        step: Runs the network once.
        state: (pictures, beams, ...), before the first word.
        pictures: How many.
        beams: How many sentences are followed at a time.
        longest: Most words of a sentence.
        power: Of the length, by which the log probability is divided; 0 does not.
        prefix: Words every sentence starts with.
        again: Words that may be said more than once; None for all.
        may_repeat: Also follow words said twice in a row and triples said before, as letters need.
    Returns:
        For each picture all sentences that ended among the likeliest, at least one, the best first.
    """
    alive = [[_Beam()] for _ in range(pictures)]
    ended: list[list[Hypothesis]] = [[] for _ in range(pictures)]
    last = np.full((pictures, beams), START, np.int64)
    silent = [PAD, START, UNKNOWN]
    free = None if again is None else frozenset(again)
    for length in range(longest + 1):
        scores, looked, state = step(last, state)
        probabilities = _log_softmax(scores)
        forced = prefix[length] if length < len(prefix) else None
        rows = np.tile(np.arange(beams), (pictures, 1))
        for picture, followed in enumerate(alive):
            if not followed:
                continue
            found = probabilities[picture, : len(followed)]
            choices = found.copy()
            choices[:, silent] = _NOTHING
            if length == len(prefix) == 0:
                choices[:, END] = _NOTHING  # not a word at all is no sentence
            for row, beam in enumerate(followed):
                for word in () if may_repeat else _repeats(beam.numbers, free):
                    choices[row, word] = _NOTHING
            if forced is not None:
                choices[:] = _NOTHING
                choices[:, forced] = found[:, forced]
            elif length == longest:
                choices[:, :END] = choices[:, END + 1 :] = _NOTHING
            totals = choices + np.array([[beam.total] for beam in followed], np.float32)
            width = totals.shape[1]
            # Twice as many as are followed: where all of the best end here, enough others are left to go on with.
            best = np.argpartition(-totals, min(2 * beams, totals.size - 1), axis=None)[: 2 * beams]
            best = best[np.argsort(-totals.ravel()[best], kind="stable")]
            going: list[_Beam] = []
            for place, flat in enumerate(best):
                row, word = divmod(int(flat), width)
                total, beam = float(totals[row, word]), followed[row]
                if total < _NOTHING / 2:
                    break
                if word == END and forced is None:
                    # An end that is not among the best `beams` would lose to what goes on.
                    if place < beams:
                        ended[picture].append(_finish(beam, float(found[row, END]), power))
                elif len(going) < beams:
                    rows[picture, len(going)] = row
                    going.append(
                        _Beam(
                            (*beam.numbers, word),
                            (*beam.log_probabilities, float(found[row, word])),
                            (*beam.looked, looked[picture, row]),
                            total,
                        )
                    )
            alive[picture] = [] if _is_done(ended[picture], going, beams, power) else going
        if not any(alive):
            break
        for picture, followed in enumerate(alive):
            last[picture, : len(followed)] = [beam.numbers[-1] for beam in followed]
        # Each row goes on with the state of the row that it continues.
        state = state[np.arange(pictures)[:, None], rows]
    return [sorted(hypotheses, key=lambda t: -t.rank) for hypotheses in ended]


def _finish(beam: _Beam, end: float, power: float) -> Hypothesis:
    rank = (beam.total + end) / (len(beam.numbers) + 1) ** power
    return Hypothesis(beam.numbers, beam.log_probabilities, end, beam.looked, rank)


def _is_done(ended: Sequence[Hypothesis], going: Sequence[_Beam], beams: int, power: float) -> bool:
    """Whether what is still going cannot come among the best; a longer sentence could, so this is for its length."""
    if not going:
        return True
    if len(ended) < beams:
        return False
    worst = sorted(hypotheses.rank for hypotheses in ended)[-beams]
    return max(beam.total for beam in going) / (len(going[0].numbers) + 1) ** power <= worst


def _repeats(numbers: tuple[int, ...], free: frozenset[int] | None) -> list[int]:
    """Words that would repeat the last one, complete three words that were said before, or come but once."""
    if not numbers:
        return []
    pair = numbers[-2:]
    triples = [numbers[i + 2] for i in range(len(numbers) - 2) if numbers[i : i + 2] == pair]
    return [numbers[-1], *triples, *([] if free is None else (n for n in numbers if n not in free))]


def _log_softmax(scores: Array) -> NDArray[np.float32]:
    wide = scores.astype(np.float32)
    wide -= wide.max(-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(-1, keepdims=True))
    return wide
