"""Sentences as words, words as numbers: the same for training, scoring and search.

The tokenisation follows what image captioning scores use (the Penn Treebank's, in lower case, without punctuation;
X. Chen et al., Microsoft COCO Captions, 2015, arXiv:1504.00325, section 3), as far as English sentences about
pictures need it: words and numbers, kept whole where a hyphen, point or comma stands inside; `'s` and `n't` apart.
This file does not know about networks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["END", "FIRST_WORD", "PAD", "START", "UNKNOWN", "Vocabulary", "build_vocabulary", "split_words"]

PAD, START, END, UNKNOWN = range(4)
FIRST_WORD = 4
_MARKS = ("<pad>", "<start>", "<end>", "<unknown>")
_WORD = re.compile(r"n't|'(?:s|re|ve|ll|d|m)\b|[^\W_]+?(?=n't)|[^\W_]+(?:[-.,/][^\W_]+)*")


def split_words(text: str) -> list[str]:
    """Split a sentence into words.

    >>> split_words("A man's T-shirt, 2.5 inches - he didn't see it .")
    ['a', 'man', "'s", 't-shirt', '2.5', 'inches', 'he', 'did', "n't", 'see', 'it']
    """
    return _WORD.findall(text.lower().replace("’", "'"))


class Vocabulary:
    """Words in a fixed order, after four marks: padding, start, end and unknown.

    >>> words = Vocabulary(["<pad>", "<start>", "<end>", "<unknown>", "dog"])
    >>> words.encode("A dog"), words.decode([4, 2, 4])
    ([3, 4], 'dog')
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """The numbers of a sentence's words."""
        return [self.numbers.get(word, UNKNOWN) for word in split_words(text)]

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence of some numbers, up to the end mark."""
        words: list[str] = []
        for number in numbers:
            if number == END:
                break
            if number >= FIRST_WORD:
                word = self.words[number]
                if word[0] == "'" or word == "n't":
                    words[-1:] = ["".join((*words[-1:], word))]
                else:
                    words.append(word)
        return " ".join(words)


def build_vocabulary(sentences: Iterable[str], *, minimum: int) -> Vocabulary:
    """The words that occur at least so often, the most frequent first.

    >>> build_vocabulary(["a dog", "a cat", "a dog"], minimum=2).words[4:]
    ('a', 'dog')
    """
    counts = Counter(word for sentence in sentences for word in split_words(sentence))
    kept = sorted((word for word, count in counts.items() if count >= minimum), key=lambda w: (-counts[w], w))
    return Vocabulary((*_MARKS, *kept))
