"""tasks/captioning/beam_search.py: beams against all sentences tried one by one; nothing repeated; starts kept."""

import itertools
from typing import Any

import numpy as np
import pytest

from szem.data.words import END
from szem.tasks.captioning.beam_search import Hypothesis, search_beams

WORDS = 8  # four marks and four words


def probabilities(seed: int, length: int) -> np.ndarray:
    """(length + 1, words, words): scores of the next word after each word, at each place."""
    return np.random.default_rng(seed).normal(0, 2, (length + 1, WORDS, WORDS)).astype(np.float32)


def run(table: np.ndarray, *, beams: int, longest: int, pictures: int = 1, **options: Any) -> list[list[Hypothesis]]:
    calls = []

    def step(tokens: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        calls.append(tokens.shape)
        place = int(state[0, 0, 0])
        scores = table[place][tokens]
        return scores, np.full((*tokens.shape, 1), 1.0), state + 1

    found = search_beams(
        step, np.zeros((pictures, beams, 1)), pictures=pictures, beams=beams, longest=longest, **options
    )
    assert len(calls) <= longest + 1
    return found


def all_sentences(table: np.ndarray, longest: int, power: float) -> list[tuple[float, tuple[int, ...]]]:
    logs = table - np.log(np.exp(table).sum(-1, keepdims=True))
    out = []
    for length in range(1, longest + 1):
        for words in itertools.product(range(4, WORDS), repeat=length):
            if any(a == b for a, b in itertools.pairwise(words)):
                continue
            triples = [words[i : i + 3] for i in range(length - 2)]
            if len(set(triples)) < len(triples):
                continue
            path = (1, *words, END)
            total = sum(logs[i, a, b] for i, (a, b) in enumerate(itertools.pairwise(path)))
            out.append((total / (length + 1) ** power, words))
    return sorted(out, reverse=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("power", [0.0, 0.7])
def test_wide_beams_find_the_best_of_all_sentences(seed: int, power: float) -> None:
    table = probabilities(seed, 4)
    found = run(table, beams=400, longest=4, power=power)[0]
    best = all_sentences(table, 4, power)
    assert found[0].numbers == best[0][1]
    assert found[0].rank == pytest.approx(best[0][0], abs=1e-4)
    assert found[0].log_probability == pytest.approx(best[0][0] * (len(best[0][1]) + 1) ** power, abs=1e-3)


def test_no_word_twice_in_a_row_and_no_triple_again() -> None:
    table = np.full((13, WORDS, WORDS), -5, np.float32)
    table[:, :, 4] = 3  # word 4 always wins, then 5
    table[:, :, 5] = 2
    for hypotheses in run(table, beams=3, longest=12, power=0.0)[0]:
        numbers = hypotheses.numbers
        assert all(a != b for a, b in itertools.pairwise(numbers))
        triples = [numbers[i : i + 3] for i in range(len(numbers) - 2)]
        assert len(set(triples)) == len(triples)


def test_words_that_come_once_come_once() -> None:
    for seed in range(3):
        for hypotheses in run(probabilities(seed, 9), beams=4, longest=9, power=0.5, again=[4, 5])[0]:
            assert all(hypotheses.numbers.count(word) <= 1 for word in (6, 7))


def test_marks_are_never_said_and_a_sentence_is_never_empty() -> None:
    table = np.zeros((6, WORDS, WORDS), np.float32)
    table[..., :4] = 9  # the marks win everywhere
    for hypotheses in run(table, beams=3, longest=5, power=0.7)[0]:
        assert hypotheses.numbers
        assert min(hypotheses.numbers) >= 4


def test_a_start_is_kept_and_its_probabilities_are_counted() -> None:
    table = probabilities(5, 6)
    for hypotheses in run(table, beams=3, longest=6, power=0.7, prefix=[6, 5])[0]:
        assert hypotheses.numbers[:2] == (6, 5)
        assert len(hypotheses.log_probabilities) == len(hypotheses.looked) == len(hypotheses.numbers)
    assert run(table, beams=2, longest=6, power=0.7, prefix=[7, 7])[0][0].numbers[:2] == (7, 7)  # as it was asked


def test_pictures_are_searched_together_as_alone() -> None:
    table = probabilities(6, 5)
    together = run(table, beams=3, longest=5, power=0.7, pictures=3)
    alone = run(table, beams=3, longest=5, power=0.7)
    assert [[t.numbers for t in hypotheses] for hypotheses in together] == [[t.numbers for t in alone[0]]] * 3
