"""Scores of drawings: hand-worked values, their limits, and what they must not accept."""

import numpy as np
import pytest

from szem.errors import ShapeError
from szem.tasks.generation.frechet import diversity, frechet_distance, inception_score, r_precision


def test_frechet_distance_of_two_normals_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(3)
    mixed = rng.standard_normal((5, 5))
    a = rng.standard_normal((60_000, 5))
    b = rng.standard_normal((60_000, 5)) @ mixed + np.arange(5)
    # for C1 = 1 the trace term is tr(1 + C2 - 2 sqrt(C2))
    spread = np.linalg.eigvalsh(mixed.T @ mixed)
    truth = (np.arange(5) ** 2).sum() + (1 + spread - 2 * np.sqrt(spread)).sum()
    assert frechet_distance(a, b) == pytest.approx(truth, rel=0.03)


def test_frechet_distance_is_a_distance_also_with_fewer_items_than_features() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 20, 64))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, b) > 1


@pytest.mark.parametrize(("a", "b"), [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5, 3))])
def test_frechet_distance_needs_two_sets_of_one_width(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="two sets"):
        frechet_distance(np.zeros(a), np.zeros(b))


def test_inception_score_is_one_when_all_look_alike_and_the_classes_when_all_are_certain() -> None:
    assert inception_score(np.full((40, 8), 1 / 8))[0] == pytest.approx(1)
    assert inception_score(np.tile(np.eye(8), (20, 1)))[0] == pytest.approx(8)
    with pytest.raises(ShapeError, match="at least 10"):
        inception_score(np.eye(4))


def test_r_precision_of_guessing_is_one_among_all() -> None:
    rng = np.random.default_rng(1)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.standard_normal((2, 2000, 16)))
    a, b = a.astype(np.float32), b.astype(np.float32)
    assert r_precision(a, b, among=10) == pytest.approx(0.1, abs=0.03)
    assert r_precision(a, a, among=100) == 1
    assert r_precision(np.ones_like(a), b * 0 + 1, among=5) == 0  # a tie is no hit
    with pytest.raises(ShapeError, match="N of 3000"):
        r_precision(a, b, among=3000)


def test_diversity_counts_inside_groups_only() -> None:
    features = np.array([[1.0, 0], [2, 0], [0, 1], [0, 3]])
    assert diversity(features, np.array([0, 0, 1, 1])) == pytest.approx(0)
    assert diversity(features, np.array([0, 1, 0, 1])) == pytest.approx(1)
    assert diversity(features, np.arange(4)) == 0
