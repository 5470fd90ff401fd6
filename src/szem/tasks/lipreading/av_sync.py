"""Whether lips and sound that were each read alone say the same, and how much later the sound says it.

Two readings of one sentence may differ in a letter, where the lips cannot tell b from p or noise covers the sound;
but then one could almost as well have read what the other did. Readings of two sentences rule each other out. How
likely a sentence is does not depend on when it is said, so that a sound that is late rules nothing out. This file
does not know videos, or how far a reading may be trusted.
"""

from collections.abc import Sequence

import numpy as np

from szem.tasks.lipreading.ctc import CtcSpan, log_probability
from szem.tasks.lipreading.networks import NetworkOutput

__all__ = ["find_delay", "strain_of", "strain_of_pair"]


def strain_of(read: NetworkOutput, labels: Sequence[int]) -> float:
    """How much less likely a sentence is than the one that was read: the difference of the logarithms, in nats."""
    return log_probability(read.probabilities, read.labels) - log_probability(read.probabilities, labels)


def strain_of_pair(first: NetworkOutput, second: NetworkOutput, *others: NetworkOutput) -> float:
    """How much both readings have to give way to say the same, in nats.

    Args:
        first: Of one channel alone.
        second: Of the other.
        others: Readings whose words may be the common ones, as may be those of the first two.
    """
    return min(strain_of(first, read.labels) + strain_of(second, read.labels) for read in (first, second, *others))


def find_delay(first: Sequence[CtcSpan], second: Sequence[CtcSpan]) -> float | None:
    """How many moments later the second says the words that both say, the median; None where they share none.

    >>> find_delay([CtcSpan(3, 0, 4), CtcSpan(5, 4, 9)], [CtcSpan(3, 10, 14), CtcSpan(8, 14, 15), CtcSpan(5, 15, 20)])
    10.5
    """
    # of what follows, the longest row of words in both
    shared = np.zeros((len(first) + 1, len(second) + 1), np.int64)
    for row in reversed(range(len(first))):
        for column in reversed(range(len(second))):
            is_same = first[row].label == second[column].label
            longest = max(shared[row + 1, column], shared[row, column + 1])
            shared[row, column] = shared[row + 1, column + 1] + 1 if is_same else longest
    later, row, column = [], 0, 0
    while row < len(first) and column < len(second):
        one, other = first[row], second[column]
        if one.label == other.label:
            later.append((other.first + other.last - one.first - one.last) / 2)
            row, column = row + 1, column + 1
        elif shared[row + 1, column] >= shared[row, column + 1]:
            row += 1
        else:
            column += 1
    return float(np.median(later)) if later else None
