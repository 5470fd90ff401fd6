"""Beam search: the likeliest sentences of a network that says one word at a time.

All beams of all pictures go through the network in one call. A guide may change the probabilities of a picture's next
words, and words may be required: then the beams are kept apart by which requirements they have met, so that a
sentence that names a required word late is not lost to likelier ones that do not. This file does not know where the
scores come from, so ONNX Runtime and torch are searched by the same code.

Source: O. Vinyals et al., Show and Tell, 2015, arXiv:1411.4555, section 3.1; length normalisation: Y. Wu et al.,
2016, arXiv:1609.08144, section 7, with the plain power of the length; repeated triples of words are not followed:
R. Paulus et al., 2017, arXiv:1705.04304, section 2.5; required words: P. Anderson et al., Guided Open Vocabulary
Image Captioning with Constrained Beam Search, 2017, arXiv:1612.00576, section 3.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.data.words import END, PAD, START, UNKNOWN

__all__ = ["Guide", "Hypothesis", "Step", "search_beams"]

Step = Callable[[NDArray[np.int64], Array], tuple[Array, Array, Array]]
"""(B, K) last words and the state to (B, K, words) scores before softmax, (B, K, S) places, and the new state."""

Guide = Callable[[int, Sequence[tuple[int, ...]], NDArray[np.float32], Array], NDArray[np.float32]]
"""(picture, the words of each beam, (K, words) log probabilities, (K, S) places looked at) to the log probabilities
to use instead, in a new array; -inf for what must not be said."""

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
    met: int = 0  # which requirements, a bit each


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
    guide: Guide | None = None,
    required: Sequence[Collection[int]] = (),
) -> list[list[Hypothesis]]:
    """Find sentences for pictures.

    Args:
        step: Runs the network once.
        state: (pictures, beams, ...), before the first word.
        pictures: How many.
        beams: How many sentences are followed at a time; with requirements they are divided among those that have
            met the same ones, so at least 2 to the power of their number.
        longest: Most words of a sentence.
        power: Of the length, by which the log probability is divided; 0 does not.
        prefix: Words every sentence starts with.
        again: Words that may be said more than once; None for all.
        may_repeat: Also follow words said twice in a row and triples said before, as letters need.
        guide: Changes the probabilities of the next words.
        required: Sets of words; a sentence ends only when it has a word of each.
    Returns:
        For each picture all sentences that ended among the likeliest, at least one, the best first. Where no sentence
        could meet the requirements, those that met the most.
    """
    groups = 1 << len(required)
    width = beams // groups  # beams of one group
    assert width >= 1, "fewer beams than groups"
    alive = [[_Beam()] for _ in range(pictures)]
    ended: list[list[tuple[int, Hypothesis]]] = [[] for _ in range(pictures)]
    last = np.full((pictures, beams), START, np.int64)
    free = None if again is None else frozenset(again)
    bits: NDArray[np.int64] | None = None  # (words,) the requirements that a word meets
    for length in range(longest + 1):
        scores, looked, state = step(last, state)
        probabilities = _log_softmax(scores)
        if bits is None:
            bits = _bits(required, probabilities.shape[-1])
        forced = prefix[length] if length < len(prefix) else None
        rows = np.tile(np.arange(beams), (pictures, 1))
        for picture, followed in enumerate(alive):
            if not followed:
                continue
            found = probabilities[picture, : len(followed)]
            if guide is not None:
                found = guide(picture, [beam.numbers for beam in followed], found, looked[picture, : len(followed)])
            choices = _choices(found, followed, free, length, len(prefix), may_repeat=may_repeat)
            if forced is not None:
                choices[:] = _NOTHING
                choices[:, forced] = np.maximum(found[:, forced], probabilities[picture, : len(followed), forced])
            elif length == longest:
                choices[:, :END] = choices[:, END + 1 :] = _NOTHING
            totals = choices + np.array([[beam.total] for beam in followed], np.float32)
            before = np.array([beam.met for beam in followed])
            going: list[_Beam] = []
            for met in range(groups):
                if groups > 1:
                    here = np.where((before[:, None] | bits) == met, totals, np.float32(_NOTHING))
                    if met < groups - 1 and length < longest:
                        here[:, END] = _NOTHING
                else:
                    here = totals
                # Twice as many as are followed: where all of the best end here, enough others are left to go on with.
                best = np.argpartition(-here, min(2 * width, here.size - 1), axis=None)[: 2 * width]
                best = best[np.argsort(-here.ravel()[best], kind="stable")]
                followed_here = 0
                for place, flat in enumerate(best):
                    row, word = divmod(int(flat), here.shape[1])
                    total, beam = float(here[row, word]), followed[row]
                    if total < _NOTHING / 2:
                        break
                    if word == END and forced is None:
                        # An end that is not among the best would lose to what goes on.
                        if place < width:
                            ended[picture].append((met, _finish(beam, float(found[row, END]), power)))
                    elif followed_here < width:
                        rows[picture, len(going)] = row
                        followed_here += 1
                        going.append(
                            _Beam(
                                (*beam.numbers, word),
                                (*beam.log_probabilities, float(choices[row, word])),
                                (*beam.looked, looked[picture, row]),
                                total,
                                met,
                            )
                        )
            alive[picture] = [] if _is_done(ended[picture], going, width, groups, power) else going
        if not any(alive):
            break
        for picture, followed in enumerate(alive):
            last[picture, : len(followed)] = [beam.numbers[-1] for beam in followed]
        # Each row goes on with the state of the row that it continues.
        state = state[np.arange(pictures)[:, None], rows]
    return [_best(hypotheses) for hypotheses in ended]


def _choices(
    found: NDArray[np.float32],
    followed: Sequence[_Beam],
    free: frozenset[int] | None,
    length: int,
    given: int,
    *,
    may_repeat: bool,
) -> NDArray[np.float32]:
    """The log probabilities without the words that are not followed."""
    choices = np.maximum(found, np.float32(_NOTHING))
    choices[:, [PAD, START, UNKNOWN]] = _NOTHING
    if length == given == 0:
        choices[:, END] = _NOTHING  # not a word at all is no sentence
    for row, beam in enumerate(followed):
        for word in () if may_repeat else _repeats(beam.numbers, free):
            choices[row, word] = _NOTHING
    return choices


def _bits(required: Sequence[Collection[int]], words: int) -> NDArray[np.int64]:
    bits = np.zeros(words, np.int64)
    for number, group in enumerate(required):
        bits[list(group)] |= 1 << number
    return bits


def _best(ended: list[tuple[int, Hypothesis]]) -> list[Hypothesis]:
    """Those that met the most requirements, the best first."""
    most = max(met.bit_count() for met, _ in ended)
    return sorted((one for met, one in ended if met.bit_count() == most), key=lambda one: -one.rank)


def _finish(beam: _Beam, end: float, power: float) -> Hypothesis:
    rank = (beam.total + end) / (len(beam.numbers) + 1) ** power
    return Hypothesis(beam.numbers, beam.log_probabilities, end, beam.looked, rank)


def _is_done(
    ended: Sequence[tuple[int, Hypothesis]], going: Sequence[_Beam], width: int, groups: int, power: float
) -> bool:
    """Whether what is still going cannot come among the best; a longer sentence could, so this is for its length."""
    if not going:
        return True
    ranks = sorted(one.rank for met, one in ended if met == groups - 1)
    if len(ranks) < width:
        return False
    return max(beam.total for beam in going) / (len(going[0].numbers) + 1) ** power <= ranks[-width]


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
