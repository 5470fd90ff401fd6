"""tasks/captioning/bleu_cider.py: the numbers are pycocoevalcap's; recall is counted by hand."""

import numpy as np
import pytest

from szem.tasks.captioning.bleu_cider import Cider, bleu, recall

FOUND = ["a dog runs in the snow", "two men on a a beach", "a boy", "a"]
PEOPLE = [
    ["a brown dog runs through snow", "the dog is in the snow"],
    ["two men walk on a beach", "men at the sea"],
    ["a boy jumps", "a boy in red jumps high", "boy"],
    ["nothing here", "a cat sleeps on the red sofa"],
]


def split() -> tuple[list[list[str]], list[list[list[str]]]]:
    return [text.split() for text in FOUND], [[text.split() for text in people] for people in PEOPLE]


def test_scores_are_those_of_pycocoevalcap() -> None:
    # pycocoevalcap 1.2 on the same words: Bleu(4).compute_score(...)[0], Cider().compute_score(...)[0]
    found, people = split()
    assert bleu(found, people) == pytest.approx(
        [0.933333333208889, 0.7706746354763544, 0.4202916043841148, 5.930963119214359e-05], rel=1e-9
    )
    assert Cider(people).mean(found) == pytest.approx(1.9287001017620287, rel=1e-9)


def test_bleu_by_hand() -> None:
    # 3 words, 2 of them right; the nearest reference has 4: brevity exp(1 - 4/3)
    one = bleu([["a", "red", "fox"]], [[["a", "red", "dog", "runs"]]])[0]
    assert one == pytest.approx(2 / 3 * np.exp(1 - 4 / 3), rel=1e-6)


def test_what_people_say_scores_best_and_nonsense_nothing() -> None:
    _, people = split()
    cider = Cider(people)
    for place, captions in enumerate(people):
        if len(captions[0]) > 2:
            assert cider.score(captions[0], place) > cider.score(captions[0][::-1], place)
        assert cider.score(["xyz"], place) == 0.0
    assert cider.score([], 0) == 0.0
    assert cider.score_against(people[0][0], people[0]) == pytest.approx(cider.score(people[0][0], 0))


def test_recall_by_hand() -> None:
    fit = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.9], [0.3, 0.4, 0.5], [0.9, 0.0, 0.1]])
    owner = np.array([0, 1, 2, 2])
    # sentence 0 finds 0, 1 finds 2 (wrong), 2 finds 2, 3 finds 0 (wrong); pictures: 0 takes 0, 1 takes 1, 2 takes 1
    assert recall(fit, owner, best=1) == (0.5, pytest.approx(2 / 3))
    assert recall(fit, owner, best=3) == (1.0, 1.0)
