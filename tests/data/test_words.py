"""data/words.py: sentences as words and numbers."""

import pytest

from szem.data.words import END, UNKNOWN, Vocabulary, build_vocabulary, split_words

SENTENCES = [
    # a sentence, its words
    ("A dog runs .", ["a", "dog", "runs"]),  # case and the final stop
    ("Two dogs, one cat; three?!", ["two", "dogs", "one", "cat", "three"]),
    ("a man's hat", ["a", "man", "'s", "hat"]),  # as the Penn Treebank takes it apart
    ("a man 's hat", ["a", "man", "'s", "hat"]),  # as Flickr8k writes it
    ("a man’s hat", ["a", "man", "'s", "hat"]),  # a typographic apostrophe
    ("he doesn't look", ["he", "does", "n't", "look"]),
    ("a t-shirt and a 4-wheeler", ["a", "t-shirt", "and", "a", "4-wheeler"]),
    ("at 2.5 m , no. 5", ["at", "2.5", "m", "no", "5"]),
    ('"quoted" (in brackets) & more', ["quoted", "in", "brackets", "more"]),
    ("egy kutya fűben", ["egy", "kutya", "fűben"]),
    ("", []),
    (" . - '", []),
]


@pytest.mark.parametrize(("text", "words"), SENTENCES)
def test_sentences_are_split(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_rare_words_are_unknown_and_marks_are_not_words() -> None:
    words = build_vocabulary(["a dog", "a dog", "a fox"], minimum=2)
    assert words.words == ("<pad>", "<start>", "<end>", "<unknown>", "a", "dog")
    assert words.encode("A fox, a dog") == [4, UNKNOWN, 4, 5]
    assert words.encode("<start>") == [UNKNOWN]


def test_numbers_become_a_sentence_up_to_its_end() -> None:
    words = Vocabulary(["<pad>", "<start>", "<end>", "<unknown>", "man", "'s", "hat", "n't", "does"])
    assert words.decode([4, 5, 6, END, 4]) == "man's hat"
    assert words.decode([8, 7]) == "doesn't"
    assert words.decode([5]) == "'s"
    assert words.decode([]) == ""
