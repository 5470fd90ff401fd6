"""What a captioner may say of a picture: words that the picture's evidence contradicts are not followed.

Three rules, applied to the probabilities of the next word:

- objects: a word that names one of the detector's classes needs some evidence for that class;
- colours: a colour needs pixels that people would call so, where the network looks;
- sex: where the network does not clearly prefer one, the words for both add their probability to the neutral one.

This file does not know where the evidence comes from.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.data.words import Vocabulary
from szem.tasks.captioning.nouns import GENDERED, NAMES, words_of_class
from szem.tasks.captioning.place_colors import COLOR_WORDS

__all__ = ["WordRules"]

_SPELLINGS = {"gray": "grey", "blonde": "yellow tan brown", "blond": "yellow tan brown", "golden": "yellow brown tan",
              "silver": "grey", "gold": "yellow", "beige": "tan"}  # fmt: skip
_PRONOUNS = (("he", "his", "him", "himself"), ("she", "her", "hers", "herself"))  # follow a word for that sex


class WordRules:
    """The rules for one vocabulary, made once.

    Args:
        words: The captioner's.
        color: Fraction of the place looked at that a colour must have to be said.
        sex: Fraction of the probability of both sexes that one must have to be said.
    """

    def __init__(self, words: Vocabulary, *, color: float, sex: float) -> None:
        self._color, self._sex = color, sex
        numbers = words.numbers
        self._classes = {name: [numbers[w] for w in words_of_class(name) if w in numbers] for name in NAMES}
        spelled: Mapping[str, str] = {**{word: word for word in COLOR_WORDS}, **_SPELLINGS}
        known = {word: some for word, some in spelled.items() if word in numbers}
        self._color_numbers = np.array([numbers[word] for word in known], np.int64)
        self._color_of = np.array([[c in some.split() for c in COLOR_WORDS] for some in known.values()], bool)
        present = {neutral: sexes for neutral, sexes in GENDERED.items() if neutral in numbers}
        self._neutral = [numbers[neutral] for neutral in present]
        self._sexed = [
            [[numbers[w] for w in sexes[at] if w in numbers] for sexes in present.values()] for at in range(2)
        ]  # for each sex the words beside each neutral one
        self._pronouns = [
            ([numbers[word] for word in pronouns if word in numbers], {n for some in self._sexed[at] for n in some})
            for at, pronouns in enumerate(_PRONOUNS)
        ]

    def words_of(self, name: str) -> list[int]:
        """The vocabulary's words for a class, as numbers."""
        return self._classes.get(name, [])

    def banned(self, absent: Collection[str]) -> NDArray[np.int64]:
        """The words that name classes for which there is no evidence."""
        return np.array(sorted({n for name in absent for n in self._classes.get(name, ())}), np.int64)

    def apply(
        self,
        log_probabilities: NDArray[np.float32],
        looked: Array,
        said: Sequence[tuple[int, ...]],
        *,
        banned: NDArray[np.int64],
        colors: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        """The log probabilities with what must not be said at -inf.

        Args:
            log_probabilities: (K, words).
            looked: (K, S) attention of each beam.
            said: The words of each beam.
            banned: From `banned`.
            colors: (S, colours) from `color_fractions`; None where the network does not look at places.
        """
        out = log_probabilities.copy()
        out[:, banned] = -np.inf
        if colors is not None and len(self._color_numbers) and looked.shape[1] == len(colors):
            measured = np.asarray(looked, np.float32) @ colors  # (K, colours)
            best = np.where(self._color_of, measured[:, None], 0).max(-1)  # (K, known words)
            rows, places = np.nonzero(best < self._color)
            out[rows, self._color_numbers[places]] = -np.inf
        self._apply_sex(out)
        for row, before in enumerate(said):
            for pronouns, sex in self._pronouns:
                if sex.isdisjoint(before):
                    out[row, pronouns] = -np.inf
        return out

    def _apply_sex(self, out: NDArray[np.float32]) -> None:
        """A sex needs most of the probability of both; else the neutral words take what the others had."""
        probability = np.exp(out)
        sexed = [np.array([n for some in words for n in some], np.int64) for words in self._sexed]
        masses = [probability[:, numbers].sum(1) for numbers in sexed]
        enough = self._sex * (masses[0] + masses[1])
        for mass, numbers in zip(masses, sexed, strict=True):
            out[np.ix_(np.flatnonzero(mass < enough), numbers)] = -np.inf
        unclear = np.flatnonzero((masses[0] < enough) & (masses[1] < enough))
        for neutral, one, two in zip(self._neutral, *self._sexed, strict=True):
            total = probability[unclear][:, [neutral, *one, *two]].sum(1)
            out[unclear, neutral] = np.log(np.maximum(total, 1e-30))
