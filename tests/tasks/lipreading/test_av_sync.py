"""tasks/lipreading/av_sync.py on probabilities written by hand: what rules what out, and how late the second is."""

import numpy as np
import pytest

from szem.tasks.lipreading.av_sync import find_delay, strain_of, strain_of_pair
from szem.tasks.lipreading.ctc import CtcSpan, align, log_probability
from szem.tasks.lipreading.networks import NetworkOutput, SpelledSentence

NOTHING = SpelledSentence("", 0.0, np.zeros((0, 1), np.float32))


def reading(*labels: int, confidences: float = 0.97, begin: int = 2, classes: int = 8) -> NetworkOutput:
    """Each label for three moments and two of silence, begun at a moment of forty."""
    probabilities = np.full((40, classes), (1 - confidences) / (classes - 1))
    probabilities[:, 0] = confidences
    for number, label in enumerate(labels):
        here = slice(begin + 5 * number, begin + 5 * number + 3)
        probabilities[here] = (1 - confidences) / (classes - 1)
        probabilities[here, label] = confidences
    logs = np.log(probabilities).astype(np.float32)
    return NetworkOutput(
        logs, labels, tuple(align(logs, labels)), log_probability(logs, labels), -99.0, NOTHING, NOTHING
    )


def test_what_was_read_strains_nothing() -> None:
    read = reading(1, 2, 3)
    assert strain_of(read, (1, 2, 3)) == 0
    assert strain_of(read, (1, 2, 4)) > 5


def test_one_sentence_at_two_times_strains_nothing() -> None:
    assert strain_of_pair(reading(1, 2, 3), reading(1, 2, 3, begin=20)) == pytest.approx(0, abs=1e-6)


def test_an_unsure_reading_gives_way_to_a_sure_one_and_two_sure_ones_do_not() -> None:
    confidences, unsure = reading(1, 2, 3), reading(1, 2, 4, confidences=0.3)
    assert strain_of_pair(confidences, unsure) < 3
    assert strain_of_pair(confidences, reading(4, 5, 6)) > 25


def test_a_third_reading_may_be_the_common_one() -> None:
    first, second, third = reading(1, 2, 3, confidences=0.6), reading(4, 2, 5, confidences=0.6), reading(1, 2, 5)
    assert strain_of_pair(first, second, third) <= strain_of_pair(first, second)


DELAYS = [
    # words and when they begin of one, of the other, how much later
    (([1, 2, 3], 2), ([1, 2, 3], 12), 10.0),
    (([1, 2, 3], 12), ([1, 2, 3], 2), -10.0),
    (([1, 2, 3], 2), ([1, 7, 3], 6), 4.0),  # one is another
    (([1, 2, 3], 2), ([2, 3], 12), 5.0),  # one is missing
]


@pytest.mark.parametrize(("first", "second", "later"), DELAYS)
def test_the_delay_is_that_of_the_words_in_both(
    first: tuple[list[int], int], second: tuple[list[int], int], later: float
) -> None:
    one, other = (reading(*labels, begin=begin).spans for labels, begin in (first, second))
    assert find_delay(one, other) == later


def test_one_word_out_of_place_does_not_move_the_delay() -> None:
    first = [CtcSpan(n, 10 * n, 10 * n + 4) for n in range(1, 6)]
    second = [CtcSpan(n, 10 * n + (3 if n != 2 else 9), 10 * n + (7 if n != 2 else 9)) for n in range(1, 6)]
    assert find_delay(first, second) == 3


def test_readings_without_a_word_in_common_have_no_delay() -> None:
    assert find_delay(reading(1, 2).spans, reading(3, 4).spans) is None
    assert find_delay((), ()) is None
