"""What is sure of each of 50 kinds of birds, written down by hand: colours its feathers can have, its beak, its size.

The colours are those of both sexes and of young birds; a picture decides which of them are reported. This file does
not know pictures.
"""

from dataclasses import dataclass

__all__ = ["BIRD_KINDS", "BirdFacts"]


@dataclass(frozen=True)
class BirdFacts:
    """Sure facts about a kind."""

    colors: tuple[str, ...]  # plain words
    beak: tuple[str, ...]  # words before "beak"
    size: str = ""  # small, medium sized or large


def _kind(colors: str, beak: str, size: str) -> BirdFacts:
    return BirdFacts(tuple(colors.split()), tuple(b.strip() for b in beak.split(",") if b.strip()), size)


BIRD_KINDS: dict[str, BirdFacts] = {
    "Acadian Flycatcher": _kind("green grey white yellow brown", "short, flat", "small"),
    "American Crow": _kind("black", "thick, black", "large"),
    "American Goldfinch": _kind("yellow black white brown", "short, small, pointed", "small"),
    "Black billed Cuckoo": _kind("brown white grey", "black, curved", "medium sized"),
    "Black footed Albatross": _kind("brown grey black white", "long, hooked, large", "large"),
    "Boat tailed Grackle": _kind("black blue brown", "long, black, pointed", "large"),
    "Bobolink": _kind("black white yellow brown", "short, pointed", "small"),
    "Brandt Cormorant": _kind("black brown blue", "long, hooked", "large"),
    "Brewer Blackbird": _kind("black brown grey blue", "short, pointed", "medium sized"),
    "Bronzed Cowbird": _kind("black brown blue", "thick, short, black", "medium sized"),
    "Brown Creeper": _kind("brown white grey", "thin, long, curved", "small"),
    "Cardinal": _kind("red brown black grey orange", "short, thick, orange", "medium sized"),
    "Chuck will Widow": _kind("brown grey black", "tiny, very short", "medium sized"),
    "Crested Auklet": _kind("black grey", "short, orange", "medium sized"),
    "Eared Grebe": _kind("black brown grey white", "thin, pointed", "small"),
    "Eastern Towhee": _kind("black white brown orange", "short, pointed", "medium sized"),
    "European Goldfinch": _kind("brown red white black yellow", "pointed, pale", "small"),
    "Fish Crow": _kind("black", "thick, black", "large"),
    "Frigatebird": _kind("black white red brown", "long, hooked", "large"),
    "Gadwall": _kind("brown grey black white", "flat, broad", "large"),
    "Gray Catbird": _kind("grey black", "thin, black, short", "medium sized"),
    "Gray crowned Rosy Finch": _kind("brown grey pink black", "short, pointed", "small"),
    "Great Crested Flycatcher": _kind("brown yellow grey green", "broad, dark", "medium sized"),
    "Groove billed Ani": _kind("black", "thick, large, curved", "medium sized"),
    "Indigo Bunting": _kind("blue brown black", "short, pointed", "small"),
    "Laysan Albatross": _kind("white black grey brown", "long, hooked, large", "large"),
    "Lazuli Bunting": _kind("blue orange white brown black", "short, pointed", "small"),
    "Least Auklet": _kind("black white grey", "tiny, very short", "small"),
    "Least Flycatcher": _kind("grey brown white green", "short, flat", "small"),
    "Mangrove Cuckoo": _kind("brown grey white orange", "curved, long", "medium sized"),
    "Northern Flicker": _kind("brown black grey white", "long, pointed", "medium sized"),
    "Northern Fulmar": _kind("white grey brown", "thick, hooked", "large"),
    "Olive sided Flycatcher": _kind("brown grey white green", "dark, pointed", "medium sized"),
    "Painted Bunting": _kind("blue red green yellow", "short, pointed", "small"),
    "Parakeet Auklet": _kind("black white grey", "short, orange", "medium sized"),
    "Pelagic Cormorant": _kind("black green blue", "long, thin, hooked", "large"),
    "Purple Finch": _kind("red pink brown white", "short, thick", "small"),
    "Red faced Cormorant": _kind("black blue", "long, thin, hooked", "large"),
    "Red winged Blackbird": _kind("black brown red orange", "pointed, black", "medium sized"),
    "Rhinoceros Auklet": _kind("grey black brown white", "orange, horned", "medium sized"),
    "Rusty Blackbird": _kind("black brown blue", "pointed, thin", "medium sized"),
    "Scissor tailed Flycatcher": _kind("grey white black orange pink", "short, dark", "medium sized"),
    "Shiny Cowbird": _kind("black blue brown purple", "short, pointed", "medium sized"),
    "Sooty Albatross": _kind("brown grey black", "long, hooked, black", "large"),
    "Spotted Catbird": _kind("green brown white", "thick, pale", "medium sized"),
    "Vermilion Flycatcher": _kind("red brown black orange", "short, black", "small"),
    "Yellow bellied Flycatcher": _kind("yellow green grey", "short, flat", "small"),
    "Yellow billed Cuckoo": _kind("brown white grey", "yellow, curved", "medium sized"),
    "Yellow breasted Chat": _kind("yellow green white grey", "thick, dark", "small"),
    "Yellow headed Blackbird": _kind("black yellow white brown", "pointed, black", "medium sized"),
}
