"""Sentences as letters, letters as numbers: what the lip reader's speller writes.

The first four numbers are the marks of `szem.data.words`. This file does not know about networks.
"""

from collections.abc import Iterable, Sequence

from szem.data.words import END, FIRST_WORD, UNKNOWN

__all__ = ["LETTERS", "decode_letters", "encode_letters"]

LETTERS = ("<pad>", "<start>", "<end>", "<unknown>", " ", "'", *"abcdefghijklmnopqrstuvwxyz")
"""The speller's letters in order."""
_NUMBERS = {letter: number for number, letter in enumerate(LETTERS)}


def encode_letters(words: Sequence[str]) -> list[int]:
    """The numbers of a sentence's letters, the words parted by spaces.

    >>> encode_letters(["at", "a"])
    [6, 25, 4, 6]
    """
    return [_NUMBERS.get(letter, UNKNOWN) for letter in " ".join(words)]


def decode_letters(numbers: Iterable[int]) -> str:
    """The sentence of some numbers, up to the end mark.

    >>> decode_letters([6, 25, 4, 6, 2, 9])
    'at a'
    """
    out = []
    for number in numbers:
        if number == END:
            break
        if number >= FIRST_WORD:
            out.append(LETTERS[number])
    return "".join(out)
