"""Sentences made from what was seen: they say that and nothing else, in many wordings."""

import re

import numpy as np
import pytest

from szem.data.flowers_birds.attribute_sentences import COLOR_WORDS, word_seen
from szem.data.flowers_birds.attributes import Attributes
from szem.data.flowers_birds.bird_facts import BIRD_KINDS
from szem.data.flowers_birds.flower_facts import FLOWER_KINDS, shape_of

DAISY = Attributes("flower", "oxeye daisy", "white", centre="yellow", rim="pink", ground="green")
FINCH = Attributes("bird", "American Goldfinch", "yellow", second="black", rim="black")


def sentences(seen: Attributes, count: int = 300) -> list[str]:
    return [word_seen(seen, np.random.default_rng(number)) for number in range(count)]


@pytest.mark.parametrize("seen", [DAISY, FINCH, Attributes("flower", "", "blue"), Attributes("bird", "", "grey")])
def test_the_main_colour_is_always_said(seen: Attributes) -> None:
    words = set(COLOR_WORDS[seen.main])
    assert all(any(word in text for word in words) for text in sentences(seen))


def test_no_colour_is_said_that_was_not_seen() -> None:
    seen = Attributes("flower", "petunia", "purple")
    other = {word for color, words in COLOR_WORDS.items() if color != "purple" for word in words}
    for text in sentences(seen):
        assert not other & set(re.findall(r"[a-z]+", text)), text


def test_wordings_are_many_and_parts_keep_their_colours() -> None:
    made = sentences(DAISY)
    assert len(set(made)) > 200
    for text in made:  # the middle is yellow, never the white of the petals
        assert not re.search(
            r"(white|pink) (center|centre|middle|stamens?|pistils?|stigma|anthers|filaments)", text
        ), text
        assert not re.search(r"yellow (edges|tips?)\b", text), text


def test_the_same_seed_gives_the_same_sentence() -> None:
    assert sentences(FINCH, 20) == sentences(FINCH, 20)


def test_tables_hold_every_kind_with_plain_words_only() -> None:
    assert len(FLOWER_KINDS) == 102
    assert len(BIRD_KINDS) == 50
    for kind in FLOWER_KINDS:
        petals, whole = shape_of(kind)
        assert petals or whole, kind
        assert all(re.fullmatch(r"[a-z' -]+", word) for word in (*petals, *whole)), kind
    for kind, bird in BIRD_KINDS.items():
        assert bird.colors, kind
        assert set(bird.colors) <= set(COLOR_WORDS), kind


def test_an_unknown_kind_has_no_shape_words() -> None:
    assert shape_of("triffid") == ((), ())
    assert "triffid" in " ".join(sentences(Attributes("flower", "triffid", "red"), 20))
