"""guide.py, place_colors.py: words that the picture contradicts are not said; a sex only where it is clear."""

import numpy as np
import pytest

from szem.data.words import Vocabulary
from szem.tasks.captioning.guide import WordRules
from szem.tasks.captioning.place_colors import COLOR_WORDS, color_fractions, main_color

WORDS = Vocabulary(
    [
        "<pad>",
        "<start>",
        "<end>",
        "<unknown>",
        "a",
        "cat",
        "kitten",
        "dog",
        "red",
        "blue",
        "man",
        "woman",
        "person",
        "his",
    ]
)
RULES = WordRules(WORDS, color=0.1, sex=0.75)
EVEN = np.full((1, 4), 0.25, np.float32)


def apply(
    probabilities: dict[str, float], *, absent: tuple[str, ...] = (), picture=None, said=()
) -> dict[str, float]:
    log = np.full((1, len(WORDS)), np.log(1e-6), np.float32)
    for word, probability in probabilities.items():
        log[0, WORDS.numbers[word]] = np.log(probability)
    colors = None if picture is None else color_fractions(picture, 2)
    before = tuple(WORDS.numbers[word] for word in said)
    out = RULES.apply(log, EVEN, [before], banned=RULES.banned(absent), colors=colors)
    assert out is not log
    return {word: float(np.exp(out[0, number])) for word, number in WORDS.numbers.items()}


def test_no_word_for_a_class_without_evidence_is_said() -> None:
    found = apply({"cat": 0.5, "kitten": 0.2, "dog": 0.3}, absent=("cat",))
    assert (found["cat"], found["kitten"]) == (0, 0)
    assert found["dog"] == pytest.approx(0.3)


def test_a_colour_is_said_only_where_it_is() -> None:
    red = np.zeros((8, 8, 3), np.uint8) + np.array([214, 30, 36], np.uint8)
    found = apply({"red": 0.5, "blue": 0.5}, picture=red)
    assert found["red"] == pytest.approx(0.5)
    assert found["blue"] == 0


@pytest.mark.parametrize(
    ("man", "woman", "says"),
    [
        (0.5, 0.1, {"man": 0.5, "woman": 0, "person": 0.1}),  # clear
        (0.1, 0.5, {"man": 0, "woman": 0.5, "person": 0.1}),
        (0.3, 0.2, {"man": 0, "woman": 0, "person": 0.6}),  # unclear: the neutral word takes both
    ],
)
def test_a_sex_is_said_only_where_it_is_clear(man: float, woman: float, says: dict[str, float]) -> None:
    found = apply({"man": man, "woman": woman, "person": 0.1})
    assert {word: round(found[word], 3) for word in says} == says


def test_a_pronoun_follows_a_word_of_its_sex() -> None:
    assert apply({"his": 0.4}, said=("a", "person"))["his"] == 0
    assert apply({"his": 0.4}, said=("a", "man"))["his"] == pytest.approx(0.4)


def test_the_colour_of_a_box_is_that_of_its_middle() -> None:
    picture = np.full((40, 40, 3), 255, np.uint8)
    picture[12:28, 12:28] = (30, 92, 206)
    assert main_color(picture, (0.1, 0.1, 0.9, 0.9)) == ("blue", pytest.approx(1, abs=0.4))
    assert main_color(picture, (0, 0, 0.1, 0.1))[0] == "white"
    assert color_fractions(picture, 1).shape == (1, len(COLOR_WORDS))
