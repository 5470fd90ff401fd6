"""What a sentence demands that can be checked: objects of the detector's classes, how many, and of which colour.

This file does not know about networks or pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from szem.data.words import split_words
from szem.results.caption import Tag
from szem.tasks.captioning.nouns import named_classes, plural_of, words_of_class
from szem.tasks.captioning.place_colors import COLOR_WORDS

__all__ = ["Demand", "DemandEvidence", "demands_of", "demands_probability", "evidence_of", "is_only_demands"]

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6}
_ONE = frozenset({"one", "1", "single", "lone"})
_MANY = frozenset({"several", "many", "some", "multiple"})
_COLORS = {word: word for word in COLOR_WORDS} | {"gray": "grey"}
# A colour that the measurement may give instead of the word that people use.
_NEAR = {
    "grey": {"black", "white"}, "black": {"grey"}, "tan": {"brown", "yellow"}, "brown": {"tan", "orange", "red"},
    "orange": {"red", "brown", "yellow"}, "purple": {"pink", "blue"}, "pink": {"purple", "red"},
    "yellow": {"orange", "tan"}, "red": {"orange"}, "white": {"grey"}, "green": set(), "blue": set(),
}  # fmt: skip
# Words that ask for nothing by themselves.
_EMPTY = frozenset(
    ["a", "an", "the", "and", "with", "of", "some", "photo", "photos", "picture", "pictures", "image", "images"]
)
# Where the object is there, how often the number that is asked for is the true one: by boxes of 80 pictures of COCO
# train2017 (on 76 of val2017 0.62, 0.08, 0.84 and 0.30).
_COUNTED, _COUNTED_OTHERWISE, _SEVERAL, _SEVERAL_OF_ONE = 0.59, 0.08, 0.95, 0.32
# And the colour: by what people say in 500 pictures of Flickr8k that were held out.
_MEASURED, _MEASURED_NEAR, _MEASURED_OTHERWISE, _UNMEASURED = 0.64, 0.15, 0.055, 0.11
_BEFORE = 3  # words before the noun in which its number and colour stand


@dataclass(frozen=True)
class Demand:
    """An object that the sentence names.

    Args:
        name: Class of the detector.
        count: How many: 0 says nothing, -1 several.
        color: Of `COLOR_WORDS`; empty where none is said.
    """

    name: str
    count: int = 0
    color: str = ""


@dataclass(frozen=True)
class DemandEvidence:
    """How the tags of a picture answer the demands, each -1 (contradicted) to 1 (confirmed); 0 where nothing is asked
    or nothing was measured."""

    objects: float = 0.0
    counts: float = 0.0
    colors: float = 0.0


def demands_of(text: str) -> tuple[Demand, ...]:
    """The objects that a sentence names, with their number and colour.

    >>> demands_of("two dogs beside a red car")
    (Demand(name='dog', count=2, color=''), Demand(name='car', count=0, color='red'))
    """
    words = split_words(text)
    out: dict[str, Demand] = {}
    last = -1
    for name, place in named_classes(words):
        before = words[max(last + 1, place - _BEFORE) : place]
        color = next((_COLORS[word] for word in reversed(before) if word in _COLORS), "")
        out.setdefault(name, Demand(name, _count(before, words[place], name), color))
        last = place
    return tuple(out.values())


def is_only_demands(text: str) -> bool:
    """Whether a sentence asks for nothing but objects, their number and their colour.

    >>> is_only_demands("two dogs and a red car"), is_only_demands("two dogs in the snow")
    (True, False)
    """
    words = split_words(text)
    named = named_classes(words)
    for name, place in named:
        words[place] = ""
        if " " in name and place and words[place - 1] == name.split()[0]:
            words[place - 1] = ""
    known = _EMPTY | _NUMBERS.keys() | _ONE | _MANY | _COLORS.keys() | {""}
    return bool(named) and all(word in known for word in words)


def _count(before: Sequence[str], noun: str, name: str) -> int:
    for word in reversed(before):
        if word in _NUMBERS:
            return _NUMBERS[word]
        if word in _MANY:
            return -1
        if word in _ONE:
            return 1
    return -1 if any(plural_of(word) == noun != word for word in words_of_class(name)) else 0


def evidence_of(demands: Sequence[Demand], tags: Sequence[Tag]) -> DemandEvidence:
    """Compare what is asked with what was found.

    Args:
        demands: From `demands_of`.
        tags: Of the picture.
    """
    if not demands:
        return DemandEvidence()
    found = {tag.name: tag for tag in tags}
    objects, counts, colors = [], [], []
    for demand in demands:
        tag = found.get(demand.name)
        objects.append(2 * tag.confidence - 1 if tag else -1.0)
        if tag is None or tag.confidence < 0.5:
            continue
        if demand.count:
            counts.append(_agreement(demand.count, tag.count))
        if demand.color and tag.color:
            colors.append(1.0 if tag.color == demand.color else 0.0 if tag.color in _NEAR[demand.color] else -1.0)
    return DemandEvidence(min(objects), min(counts, default=0.0), min(colors, default=0.0))


def demands_probability(demands: Sequence[Demand], tags: Sequence[Tag]) -> float:
    """How likely a picture shows what is demanded, by its tags alone: 0.01 to 0.99.

    >>> car = Tag("car", 0.9, color="red")
    >>> texts = ("a car", "a red car", "a blue car", "cars")
    >>> [round(demands_probability(demands_of(text), [car]), 2) for text in texts]
    [0.9, 0.58, 0.05, 0.29]
    """
    found = {tag.name: tag for tag in tags}
    out = 0.99
    for demand in demands:
        tag = found.get(demand.name)
        if tag is None:
            return 0.01
        probability = tag.confidence
        if demand.count == -1:
            probability *= _SEVERAL if tag.count > 1 else _SEVERAL_OF_ONE
        elif demand.count:
            probability *= _COUNTED if demand.count == tag.count else _COUNTED_OTHERWISE
        if demand.color:
            probability *= _color_factor(demand.color, tag.color)
        out = min(out, probability)
    return max(out, 0.01)


def _color_factor(asked: str, measured: str) -> float:
    if not measured:
        return _UNMEASURED
    return _MEASURED if measured == asked else _MEASURED_NEAR if measured in _NEAR[asked] else _MEASURED_OTHERWISE


def _agreement(wanted: int, counted: int) -> float:
    """Small objects are missed and crowds are not counted, so one more or less is half a contradiction."""
    if wanted == -1:
        return 1.0 if counted > 1 else -0.5
    if wanted == counted:
        return 1.0
    return -0.5 if abs(wanted - counted) == 1 and min(wanted, counted) > 1 else -1.0
