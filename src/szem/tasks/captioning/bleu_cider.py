"""How near sentences are to those people wrote: BLEU and CIDEr-D, as the captioning literature measures them.

Both give what pycocoevalcap gives for the same words (tests hold its numbers). This file does not know about
pictures; sentences come as lists of words (`data.words.split_words`).

Source: K. Papineni et al., BLEU, 2002, section 2 (over a whole set, shortest distance in length as in the COCO
captions server); R. Vedantam et al., CIDEr, 2015, arXiv:1411.5726, section 3 and its CIDEr-D.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from szem.arrays import Array

__all__ = ["Cider", "bleu", "recall"]

_Words = Sequence[str]
_Grams = Counter[tuple[str, ...]]
_Weighed = tuple[list[dict[tuple[str, ...], float]], list[float], int]
_LONGEST = 4
_SIGMA = 6.0  # of the penalty on a difference in length, in words


def bleu(found: Sequence[_Words], references: Sequence[Sequence[_Words]]) -> list[float]:
    """BLEU-1 to BLEU-4 of a set of sentences, each 0..1.

    Args:
        found: A sentence for each picture.
        references: The sentences people wrote, for each picture.

    >>> [round(b, 3) for b in bleu([["a", "dog", "runs"]], [[["a", "dog", "runs", "fast"], ["the", "dog"]]])][:2]
    [1.0, 1.0]
    """
    right, given = [0] * _LONGEST, [0] * _LONGEST
    found_length = wanted_length = 0
    for words, people in zip(found, references, strict=True):
        found_length += len(words)
        wanted_length += min((abs(len(r) - len(words)), len(r)) for r in people)[1]
        for n in range(1, _LONGEST + 1):
            most: _Grams = Counter()
            for reference in people:
                most |= _grams(reference, n)
            right[n - 1] += (_grams(words, n) & most).total()
            given[n - 1] += max(0, len(words) - n + 1)
    ratio = (found_length + 1e-15) / (wanted_length + 1e-9)
    brevity = 1.0 if ratio >= 1 else math.exp(1 - 1 / ratio)
    out, product = [], 1.0
    for n in range(_LONGEST):
        product *= (right[n] + 1e-15) / (given[n] + 1e-9)
        out.append(product ** (1 / (n + 1)) * brevity)
    return out


class Cider:
    """CIDEr-D against fixed references, whose words it weighs by how rare they are among them.

    Args:
        references: The sentences people wrote, for each picture.

    >>> cider = Cider([[["a", "red", "dog"]], [["a", "cat"]]])
    >>> cider.score(["a", "red", "dog"], 0) > 3 * cider.score(["a", "dog"], 0) > 0
    True
    """

    def __init__(self, references: Sequence[Sequence[_Words]]) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()
        for people in references:
            self._seen.update({gram for words in people for n in range(1, 5) for gram in _grams(words, n)})
        self._log_pictures = math.log(max(1, len(references)))
        self._references = [[self._weighed(words) for words in people] for people in references]

    def score(self, words: _Words, picture: int) -> float:
        """One sentence for one picture, 0..10."""
        return self._against(words, self._references[picture])

    def score_against(self, words: _Words, references: Sequence[_Words]) -> float:
        """One sentence for references of its own, 0..10, with the rarity of phrases as before."""
        return self._against(words, [self._weighed(reference) for reference in references])

    def _against(self, words: _Words, references: Sequence[_Weighed]) -> float:
        vectors, norms, length = self._weighed(words)
        total = 0.0
        for others, other_norms, other_length in references:
            close = math.exp(-((length - other_length) ** 2) / (2 * _SIGMA**2))
            for mine, theirs, a, b in zip(vectors, others, norms, other_norms, strict=True):
                if a and b:
                    shared = sum(
                        min(value, theirs[gram]) * theirs[gram] for gram, value in mine.items() if gram in theirs
                    )
                    total += close * shared / (a * b)
        return 10 * total / _LONGEST / max(1, len(references))

    def mean(self, found: Sequence[_Words]) -> float:
        """The mean over all pictures, as it is reported."""
        return sum(self.score(words, picture) for picture, words in enumerate(found)) / max(1, len(found))

    def _weighed(self, words: _Words) -> _Weighed:
        """Counts times rarity for each length of phrase, the norms, and the number of pairs of words."""
        vectors, norms = [], []
        for n in range(1, _LONGEST + 1):
            vector = {
                gram: count * (self._log_pictures - math.log(max(1, self._seen[gram])))
                for gram, count in _grams(words, n).items()
            }
            vectors.append(vector)
            norms.append(math.sqrt(sum(value * value for value in vector.values())))
        return vectors, norms, max(0, len(words) - 1)


def recall(fit: Array, owner: Array, *, best: int) -> tuple[float, float]:
    """How often what belongs together is found.

    Args:
        fit: (sentences, pictures), how well each fits each.
        owner: (sentences,), the picture of each sentence.
        best: How many answers are looked at.
    Returns:
        Fraction of sentences whose picture is among the best, and of pictures one of whose sentences is.

    >>> recall(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), best=1)
    (0.5, 1.0)
    """
    own = fit[np.arange(len(owner)), owner]
    to_picture = float(((fit > own[:, None]).sum(1) < best).mean())
    order = np.argsort(-fit, axis=0, kind="stable")[:best]  # (best, pictures)
    to_sentence = float((owner[order] == np.arange(fit.shape[1])).any(0).mean())
    return to_picture, to_sentence


def _grams(words: _Words, n: int) -> _Grams:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
