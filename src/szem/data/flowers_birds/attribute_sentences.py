"""Sentences for what was seen on a photograph of a flower or a bird, in many wordings.

Each sentence says some of what is known, in changing order and with changing words for the parts; the same chance
gives the same sentence. Nothing is said that is not in `Attributes` or in the tables of kinds. This file does not
know pictures.
"""

import numpy as np

from szem.data.flowers_birds.attributes import Attributes
from szem.data.flowers_birds.bird_facts import BIRD_KINDS
from szem.data.flowers_birds.flower_facts import shape_of

__all__ = ["COLOR_WORDS", "word_seen"]

# Plain colour -> what people also call it, in sentences.
COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "white": ("white",),
    "yellow": ("yellow", "yellow", "yellow", "golden"),
    "orange": ("orange",),
    "red": ("red", "red", "red", "crimson", "scarlet"),
    "pink": ("pink", "pink", "pink", "rose colored"),
    "purple": ("purple", "purple", "purple", "violet"),
    "blue": ("blue",),
    "green": ("green",),
    "brown": ("brown", "brown", "brown", "tan"),
    "black": ("black", "black", "black", "dark"),
    "grey": ("grey", "gray", "grey", "silver"),
}
_TONES = {"light": ("light", "pale", "soft"), "dark": ("dark", "deep"), "": ("",), "cream": ("creamy",)}
_TONED = {
    ("white", "cream"): ("cream", "off white"),
    ("purple", "light"): ("lavender", "lilac"),
    ("pink", "dark"): ("magenta",),
}
_MIDDLES = (
    "center", "centre", "middle", "stamen", "stamens", "pistil", "pistils", "anthers", "filaments", "stigma",
)  # fmt: skip
_GROUNDS = {
    "green": (
        "with green leaves behind it",
        "in front of green leaves",
        "surrounded by green",
        "on a green background",
    ),
    "dark": ("on a dark background", "in front of a dark background", "against black"),
    "blue": ("against a blue sky", "on a blue background"),
    "light": ("on a light background", "on a white background"),
    "brown": ("on brown ground", "on a brown background"),
    "grey": ("on a grey background",),
}


def word_seen(seen: Attributes, rng: np.random.Generator) -> str:
    """One sentence.

    >>> daisy = Attributes("flower", "oxeye daisy", "white", centre="yellow", ground="green")
    >>> word_seen(daisy, np.random.default_rng(4)) == word_seen(daisy, np.random.default_rng(4))
    True
    """
    return (_flower if seen.subject == "flower" else _bird)(seen, rng)


def _flower(seen: Attributes, rng: np.random.Generator) -> str:
    pick = _Picker(rng)
    words, whole = shape_of(seen.kind)
    color = pick.color(seen.main, seen.tone)
    counts = tuple(word for word in words if word in _COUNTS)
    adjectives = pick.some(tuple(word for word in words if word not in _COUNTS), most=2)
    many = f"{pick.one(counts)} " if counts and pick.probability(0.3) else ""
    joined = _and(adjectives)
    both = f"{color} and {pick.color(seen.second)}" if seen.second and pick.probability(0.7) else color
    kind = seen.kind if seen.kind and pick.probability(0.45) else ""
    name = kind or pick.one(("flower", "flower", "flower", "bloom", "blossom"))
    before = pick.shuffled([both, *adjectives[:1]]) if pick.probability(0.4) else [both]
    petals = many + (f"{' '.join(before)} petals" if not any(" and " in b for b in before) else f"{both} petals")
    heads = [
        f"this {name} has {petals}",
        f"this flower has {petals}",
        f"this flower has petals that are {both}",
        f"the petals of this {name} are {both}",
        f"the flower has {petals}",
        f"{_a(name)} with {petals}",
        f"this {name} is {both}",
        f"this flower is {both} in color",
        f"the petals on this flower are {both}",
        f"the flower shown has {petals}",
        f"{both} {name}",
        f"{_a(f'{color} {name}')}",
        f"this flower has petals that are {_and([both, *adjectives])}",
        f"this {name} is {_and([both, *adjectives[:1]])}",
    ]
    head = pick.one(heads)
    tails: list[str] = []
    if seen.centre and pick.probability(0.75):
        part, tint = pick.one(_MIDDLES), pick.color(seen.centre)
        tails.append(
            pick.one((f"a {tint} {part}", f"{tint} {part}", f"{_a(part)} that is {tint}", f"{tint} in the middle"))
            if not part.endswith("s")
            else f"{tint} {part}"
        )
    if seen.rim and pick.probability(0.7):
        tint = pick.color(seen.rim)
        tails.append(pick.one((f"{tint} edges", f"a {tint} tip", f"{tint} tips", f"{tint} at the edges")))
    if joined and " that are " not in head and pick.probability(0.5):
        tails.append(f"petals that are {joined}" if pick.probability(0.4) else f"{joined} petals")
    if seen.second and seen.second not in head and pick.probability(0.5):
        tint = pick.color(seen.second)
        tails.append(pick.one((f"some {tint}", f"{tint} markings", f"touches of {tint}", f"{tint} on the petals")))
    tails = pick.shuffled(tails)[:2]
    text = head
    if tails:
        links = (
            (" with ", " with ") if not head.startswith(("this", "the flower")) else (" with ", " and has ", " with ")
        )
        link = " and " if " with " in head else pick.one(links)
        text += link + " and ".join(tails)
    if whole and pick.probability(0.25):
        extra = pick.one(whole)
        text += f", {extra}"
    if seen.ground in _GROUNDS and pick.probability(0.25):
        text += f" {pick.one(_GROUNDS[seen.ground])}"
    return text


def _bird(seen: Attributes, rng: np.random.Generator) -> str:
    pick = _Picker(rng)
    about = BIRD_KINDS.get(seen.kind)
    color = pick.color(seen.main)
    second = pick.color(seen.second) if seen.second else ""
    both = f"{color} {pick.one(('and', 'with'))} {second}" if second and pick.probability(0.7) else color
    name = seen.kind.lower() if seen.kind and pick.probability(0.3) else "bird"
    size = f"{about.size} " if about and about.size and name == "bird" and pick.probability(0.3) else ""
    heads = [
        f"this {size}{name} is {both}",
        f"this {name} is {both} in color",
        f"a {size}{both.replace(' with ', ' and ')} {name}",
        f"the {size}{name} is {both}",
        f"this {name} has {color} feathers" + (f" with some {second}" if second else ""),
        f"this is a {size}{color} {name}" + (f" with {second} on it" if second else ""),
    ]
    text = pick.one(heads)
    tails: list[str] = []
    if about and about.beak and pick.probability(0.65):
        shape = _and(pick.some(about.beak, most=2, minimum=1), comma=True)
        word = pick.one(("beak", "bill"))
        very = "very " if shape.startswith(("short", "long")) and pick.probability(0.3) else ""
        tails.append(f"{_a(very + shape)} {word}")
    if seen.centre and pick.probability(0.7):
        tails.append(f"{_a(pick.color(seen.centre))} {pick.one(('belly', 'breast', 'belly and breast'))}")
    if seen.rim and pick.probability(0.6):
        tails.append(f"{_a(pick.color(seen.rim))} {pick.one(('crown', 'head', 'back'))}")
    tails = pick.shuffled(tails)[:2]
    if tails:
        text += pick.one((" and has ", " with ", " and has ")) + " and ".join(tails)
    return text


_COUNTS = ("one", "three", "four", "five", "six", "eight", "ten", "many")


class _Picker:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def probability(self, fraction: float) -> bool:
        return bool(self.rng.random() < fraction)

    def one(self, items: tuple[str, ...] | list[str]) -> str:
        return items[int(self.rng.integers(len(items)))]

    def some(self, items: tuple[str, ...], *, most: int, minimum: int = 0) -> list[str]:
        count = int(self.rng.integers(min(minimum, len(items)), min(most, len(items)) + 1))
        return [items[i] for i in self.rng.choice(len(items), count, replace=False)] if count else []

    def shuffled(self, items: list[str]) -> list[str]:
        return [items[i] for i in self.rng.permutation(len(items))]

    def color(self, word: str, tone: str = "") -> str:
        if (word, tone) in _TONED and self.probability(0.4):
            return self.one(_TONED[word, tone])
        name = self.one(COLOR_WORDS[word])
        shade = self.one(_TONES[tone]) if name == word and self.probability(0.6) else ""
        return f"{shade} {name}".strip()


def _and(words: list[str], *, comma: bool = False) -> str:
    if comma:
        return " ".join(words)
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""


def _a(text: str) -> str:
    return f"{'an' if text[:1] in 'aeiou' else 'a'} {text}"
