"""Of which speech sounds the words of the GRID sentences are made, in British English.

Words that share sounds share movements of the lips; a network that is also asked for the sounds learns from fewer
videos. Signs are ARPAbet's, in lower case. This file does not know networks.
"""

__all__ = ["SOUNDS", "sounds_of"]

_WORDS = """
bin b ih n|lay l ey|place p l ey s|set s eh t|blue b l uw|green g r iy n|red r eh d|white w ay t|at ae t|by b ay
in ih n|with w ih dh|a ey|b b iy|c s iy|d d iy|e iy|f eh f|g jh iy|h ey ch|i ay|j jh ey|k k ey|l eh l|m eh m|n eh n
o ow|p p iy|q k y uw|r aa|s eh s|t t iy|u y uw|v v iy|w d ah b l y uw|x eh k s|y w ay|z z eh d|zero z ih r ow
one w ah n|two t uw|three th r iy|four f ao|five f ay v|six s ih k s|seven s eh v ah n|eight ey t|nine n ay n
again ah g eh n|now n aw|please p l iy z|soon s uw n
"""
_SOUNDS_OF = {
    parts[0]: tuple(parts[1:]) for line in _WORDS.split("\n") for word in line.split("|") if (parts := word.split())
}
SOUNDS = tuple(sorted({sound for sounds in _SOUNDS_OF.values() for sound in sounds}))
"""All sounds in order."""


def sounds_of(word: str) -> tuple[str, ...]:
    """The sounds of a word; none of a word that is not listed.

    >>> sounds_of("place"), sounds_of("hello")
    (('p', 'l', 'ey', 's'), ())
    """
    return _SOUNDS_OF.get(word, ())
