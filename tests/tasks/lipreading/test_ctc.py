"""tasks/lipreading/ctc.py: sums and beams against all alignments tried one by one; times by hand."""

import itertools

import numpy as np
import pytest

from szem.errors import RangeError, ShapeError
from szem.tasks.lipreading.ctc import CtcSpan, align, best_path, log_probability, search_ctc


def some_probabilities(seed: int, moments: int = 5, classes: int = 3) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 1.5, (moments, classes))
    return np.log(np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)).astype(np.float32)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label)


def every_sequence(probabilities: np.ndarray) -> dict[tuple[int, ...], float]:
    """The chance of each sequence, by trying all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        probability = float(np.exp(sum(probabilities[t, label] for t, label in enumerate(path))))
        found[collapsed(path)] = found.get(collapsed(path), 0.0) + probability
    return found


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_all_paths(seed: int) -> None:
    probabilities = some_probabilities(seed)
    truth = every_sequence(probabilities)
    assert sum(truth.values()) == pytest.approx(1, abs=1e-5)
    for sequence, probability in truth.items():
        assert np.exp(log_probability(probabilities, sequence)) == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_wide_beam_finds_the_likeliest_sequence_and_its_probability(seed: int) -> None:
    probabilities = some_probabilities(seed)
    truth = every_sequence(probabilities)
    found = search_ctc(probabilities, beams=400, per_moment=3)
    assert found[0].classes == max(truth, key=lambda key: truth[key])
    assert found[0].log_probability == pytest.approx(np.log(truth[found[0].classes]), abs=1e-4)
    assert [r.log_probability for r in found] == sorted((r.log_probability for r in found), reverse=True)


def test_sum_beats_the_likeliest_path_where_many_paths_agree() -> None:
    # path (0, 0) has .36, but word 1 has .24 + .24 + .16
    probabilities = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32))
    assert best_path(probabilities) == ()
    assert search_ctc(probabilities, beams=4)[0].classes == (1,)


@pytest.mark.parametrize(
    ("path", "words", "spans"),
    [
        ((0, 0, 1, 1, 0, 2, 2), (1, 2), [CtcSpan(1, 2, 4), CtcSpan(2, 5, 7)]),  # with a pause between
        ((1, 1, 2, 2, 2), (1, 2), [CtcSpan(1, 0, 2), CtcSpan(2, 2, 5)]),  # word on word, no silence at all
        ((1, 0, 1, 1), (1, 1), [CtcSpan(1, 0, 1), CtcSpan(1, 2, 4)]),  # the same word twice needs a silence
        ((0, 0, 0), (), []),  # nothing said
    ],
)
def test_times_are_those_of_the_clear_path(
    path: tuple[int, ...], words: tuple[int, ...], spans: list[CtcSpan]
) -> None:
    probabilities = np.full((len(path), 3), 0.05)
    probabilities[np.arange(len(path)), path] = 0.9
    assert best_path(np.log(probabilities)) == words
    assert align(np.log(probabilities), words) == spans


def test_too_few_moments_are_an_error() -> None:
    with pytest.raises(ShapeError, match="2 words need"):
        align(some_probabilities(0, moments=1), (1, 2))
    with pytest.raises(ShapeError, match="2 words need"):
        align(some_probabilities(0, moments=2), (1, 1))  # a silence must lie between


def test_wrong_options_and_shapes_are_errors() -> None:
    with pytest.raises(RangeError, match="1 or more"):
        search_ctc(some_probabilities(0), beams=0)
    with pytest.raises(ShapeError, match="T, classes"):
        best_path(np.zeros(3, np.float32))
