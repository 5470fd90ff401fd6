"""plain_sentence.py, nouns.py, judgement.py: sentences from tags, objects that words name, what counts as right."""

import pytest

from szem.results.caption import Tag
from szem.tasks.captioning.judgement import chair, is_right
from szem.tasks.captioning.nouns import NAMES, common_noun, named_classes, words_of_class
from szem.tasks.captioning.plain_sentence import plain_sentence


def tag(name: str, confidence: float = 0.9, box=(0.2, 0.2, 0.7, 0.7), **more) -> Tag:
    return Tag(name=name, confidence=confidence, box=box, **more)


SENTENCES = [
    # tags, the sentence
    ([], ""),
    ([tag("cat", 0.4)], ""),  # not confident
    ([tag("cat", box=(0.1, 0.1, 0.15, 0.15))], ""),  # too small to be what the picture is about
    ([tag("cat", color="black", box=(0, 0, 1, 0.9))], "a black cat, close up"),
    ([tag("elephant", count=2)], "two elephants"),
    ([tag("person", count=9, color="red")], "several people"),
    ([tag("dog"), tag("person", count=2)], "two people and a dog"),
    (
        [tag("cup", color="red", box=(0.4, 0.3, 0.6, 0.6)), tag("dining table", box=(0, 0.4, 1, 1))],
        "a red cup on a table",
    ),
    ([tag("cat", box=(0.1, 0.1, 0.9, 0.4)), tag("couch", box=(0, 0.5, 1, 1))], "a cat and a couch"),
    ([Tag(name="rocket", confidence=0.9)], "a rocket"),
    (
        [tag("cat"), Tag(name="rocket", confidence=0.99)],
        "a cat",
    ),  # a label without a place only where nothing has one
]


@pytest.mark.parametrize(("tags", "text"), SENTENCES)
def test_tags_make_a_plain_sentence(tags: list[Tag], text: str) -> None:
    said, confidence = plain_sentence(tags)
    assert said == text
    assert bool(confidence) == bool(text)


def test_no_word_names_two_classes() -> None:
    words = [word for name in NAMES for word in words_of_class(name)]
    assert len(set(words)) == len(words)
    assert len(NAMES) == 80


def test_objects_are_read_from_sentences() -> None:
    assert named_classes(["a", "hot", "dog", "beside", "a", "fire", "hydrant"]) == [
        ("hot dog", 1),
        ("fire hydrant", 5),
    ]
    assert named_classes(["an", "orange", "sky"]) == []
    assert [common_noun("x", number) for number in ("n02099601", "n02124075", "n01616318")] == ["dog", "cat", "bird"]


def test_a_sentence_is_right_by_what_people_say_and_mark() -> None:
    people = [["a", "kitten", "sleeps", "on", "a", "sofa"]]
    assert is_right(["a", "cat", "sleeping", "on", "a", "couch"], people)
    assert not is_right(["a", "cat", "on", "a", "chair"], people)
    assert is_right(["a", "cat", "on", "a", "chair"], people, {"chair"})
    assert not is_right(["a", "cat", "runs", "through", "deep", "snow"], people)
    assert not is_right([], people)
    assert chair([["a", "cat", "on", "a", "chair"]], [people], [[]]) == (0.5, 1.0)
