"""A plain sentence from confident tags: what is there, how many, of which colour, and on what it stands.

It says less than a network would and only what was measured. This file does not know about networks.
"""

from collections.abc import Sequence

from szem.results.caption import Tag
from szem.tasks.captioning.nouns import plural_of

__all__ = ["MAIN_CONFIDENCE", "plain_sentence", "plain_tags"]

MAIN_CONFIDENCE = 0.5  # confidence from which the main object is said
_ALSO_CONFIDENCE = 0.7  # from which others are said beside it, if it does not stand or lie on them
_MAIN_AREA = 0.04  # fraction of the picture that the main object covers at least
_ALSO_AREA = 0.02
_CLOSE_AREA = 0.55  # from which it is a close-up
_MOST = 3  # kinds of objects in a sentence
_NUMBERS = ("no", "one", "two", "three", "four", "five")
_SURFACES = ("dining table", "couch", "bed", "bench")
_SPOKEN = {"dining table": "table", "tv": "television", "sports ball": "ball", "cell phone": "phone",
           "potted plant": "potted plant", "skis": "pair of skis", "scissors": "pair of scissors"}  # fmt: skip
# Colours of an object's middle that belong to it; those of people, vehicles' windows or food say little.
_COLORED = frozenset(
    {"cat", "dog", "horse", "cow", "sheep", "bear", "bird", "car", "bus", "truck", "train", "motorcycle", "boat",
     "cup", "bowl", "vase", "umbrella", "backpack", "suitcase", "handbag", "couch", "chair", "frisbee", "kite",
     "bottle", "airplane"}
)  # fmt: skip


def plain_tags(tags: Sequence[Tag], *, minimum: float = MAIN_CONFIDENCE) -> list[Tag]:
    """The tags that a sentence is made from, the main object first; none where no tag is confident enough.

    The main object is the one that covers most of the picture, people first; what has no box is said only where
    nothing with a box is.
    """
    certain = [tag for tag in tags if tag.confidence >= minimum]
    placed = sorted((tag for tag in certain if tag.area >= _ALSO_AREA), key=lambda tag: -_weight(tag))
    if placed and placed[0].area >= _MAIN_AREA:
        main, *others = placed
        also = [t for t in others if t.confidence >= _ALSO_CONFIDENCE or (t.name in _SURFACES and _rests(main, t))]
        return [main, *also][:_MOST]
    return [tag for tag in certain if tag.box is None][:1]


def plain_sentence(tags: Sequence[Tag], *, minimum: float = MAIN_CONFIDENCE) -> tuple[str, float]:
    """A sentence and its confidence, the lowest of its tags'; empty where no tag is confident enough.

    >>> cup = Tag(name="cup", confidence=0.9, box=(0.3, 0.2, 0.7, 0.7), color="red")
    >>> table = Tag(name="dining table", confidence=0.8, box=(0, 0.4, 1, 1))
    >>> plain_sentence([cup, table])
    ('a red cup on a table', 0.8)
    >>> plain_sentence([Tag(name="person", confidence=0.9, count=2, box=(0, 0, 0.5, 1)), cup])
    ('two people and a red cup', 0.9)
    >>> plain_sentence([Tag(name="dog", confidence=0.4, box=(0, 0, 1, 1))])
    ('', 0.0)
    """
    said = plain_tags(tags, minimum=minimum)
    if not said:
        return "", 0.0
    surface = next((tag for tag in said if tag.name in _SURFACES), None)
    others = [tag for tag in said if tag is not surface]
    confidence = min(tag.confidence for tag in said)
    if surface is not None and others and all(_rests(tag, surface) for tag in others):
        return f"{_join([_phrase(tag) for tag in others])} on {_phrase(surface)}", confidence
    text = _join([_phrase(tag) for tag in said])
    if len(said) == 1 and said[0].count == 1 and said[0].area >= _CLOSE_AREA and said[0].name != "person":
        text += ", close up"
    return text, confidence


def _weight(tag: Tag) -> float:
    """People and animals come before furniture of the same size."""
    factor = 0.25 if tag.name in _SURFACES else 2.0 if tag.name == "person" else 1.0
    return factor * tag.area * tag.confidence


def _phrase(tag: Tag) -> str:
    noun = _SPOKEN.get(tag.name, tag.name)
    adjective = f"{tag.color} " if tag.color and tag.name in _COLORED and tag.count == 1 else ""
    if tag.count == 1:
        text = adjective + noun
        return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
    number = _NUMBERS[tag.count] if tag.count < len(_NUMBERS) else "several"
    return f"{number} {plural_of(noun)}"


def _join(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _rests(tag: Tag, surface: Tag) -> bool:
    """Whether an object's lower edge lies within a surface, and the object is not larger than that."""
    if tag.box is None or surface.box is None or tag.area > surface.area:
        return False
    middle = (tag.box[0] + tag.box[2]) / 2
    return surface.box[0] <= middle <= surface.box[2] and surface.box[1] < tag.box[3] <= surface.box[3] + 0.02
