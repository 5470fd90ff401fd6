"""Whether a sentence is right, by what people wrote of the picture and the objects they marked in it.

Source: objects that are not there: A. Rohrbach et al., Object Hallucination in Image Captioning, 2018,
arXiv:1809.02156, section 3.1. This file does not know about networks.
"""

from collections.abc import Collection, Sequence

from szem.tasks.captioning.nouns import named_classes

__all__ = ["chair", "is_right"]

# Words that say nothing of a picture by themselves.
_EMPTY_WORDS = """
    a an the is are was were be been being has have having and of in on at with to by for from as up down out into
    onto over off near next his her their its it he she they him that which who while one other another through 's
    there this some two three four five several group close very
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def is_right(words: Sequence[str], people: Sequence[Sequence[str]], present: Collection[str] = ()) -> bool:
    """Whether every object that a sentence names is there, and people say at least half of its content.

    Args:
        words: Of the sentence.
        people: The words of each sentence that people wrote.
        present: Classes that people marked with boxes.

    >>> people = [["a", "dog", "runs", "on", "grass"], ["a", "puppy", "plays"]]
    >>> is_right(["a", "dog", "is", "running"], people), is_right(["a", "cat", "on", "grass"], people)
    (True, False)
    """
    objects = named_classes(words)
    if {name for name, _ in objects} - _objects_of(people, present):
        return False
    known = {_stem(word) for sentence in people for word in sentence}
    places = {place for _, place in objects}
    content = [place for place, word in enumerate(words) if word not in _EMPTY]
    said = sum(place in places or _stem(words[place]) in known for place in content)
    return bool(content) and 2 * said >= len(content)


def chair(
    sentences: Sequence[Sequence[str]], people: Sequence[Sequence[Sequence[str]]], present: Sequence[Collection[str]]
) -> tuple[float, float]:
    """CHAIRi and CHAIRs: the fraction of the objects named that are not there, and of the sentences with such a one.

    Args:
        sentences: The words of one sentence for each picture.
        people: The words of people's sentences for each picture.
        present: The classes that people marked in each picture.

    >>> chair([["a", "dog"], ["a", "cat", "and", "a", "dog"]], [[], [["a", "cat"]]], [["dog"], []])
    (0.333..., 0.5)
    """
    named = absent = wrong = 0
    for words, said, marked in zip(sentences, people, present, strict=True):
        objects = [name for name, _ in named_classes(words)]
        missing = [name for name in objects if name not in _objects_of(said, marked)]
        named, absent, wrong = named + len(objects), absent + len(missing), wrong + bool(missing)
    return absent / max(named, 1), wrong / max(len(sentences), 1)


def _objects_of(people: Sequence[Sequence[str]], present: Collection[str]) -> set[str]:
    return {name for sentence in people for name, _ in named_classes(sentence)} | set(present)


def _stem(word: str) -> str:
    """A word without its ending: running, runs and run are one."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if ending in ("ing", "ed") and len(word) > 3 and word[-1] == word[-2]:
                word = word[:-1]
            break
    return word.rstrip("e")
