"""How far a reading may be trusted: each word, the sentence, and whether this is speech the reader knows at all.

Each answer is a logistic curve over a few measures of what the networks said, fitted on sentences and on other videos
that neither training nor the scores of the card have seen; the curves' numbers stand on the model's card. This file
does not know videos or faces.

Source of the idea: a network's probability says little about input of another kind (D. Hendrycks, K. Gimpel, A
Baseline for Detecting Misclassified and Out-of-Distribution Examples, 2017, arXiv:1610.02136); two readers that agree
say more.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from szem.tasks.lipreading.networks import NetworkOutput

__all__ = ["KINDS", "ConfidenceCurves", "measure_video", "measure_words"]

KINDS = ("word", "sentence", "known")
"""What is answered: that a word is right, that all are, that this is speech the reader knows."""
_FLOOR = 1e-4
_UNCLEAR = 0.05  # a sentence that is right with a smaller chance is not worth saying


class ConfidenceCurves:
    """The curves of a card.

    Args:
        constants: Of the card: `trust.KIND.CHANNEL.N` for each measure and, last, what is added; without them every
            answer is 1.
    """

    def __init__(self, constants: Mapping[str, float]) -> None:
        self.curves = {}
        for name in sorted({key.rpartition(".")[0] for key in constants if key.startswith("trust.")}):
            places = [key for key in constants if key.rpartition(".")[0] == name]
            self.curves[name] = np.array([constants[f"{name}.{i}"] for i in range(len(places))])
        self.minimum = {key.removeprefix("least."): v for key, v in constants.items() if key.startswith("least.")}

    def probabilities(self, kind: str, used: str, measures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Measures (N, M) to probabilities (N,)."""
        curve = self.curves.get(f"trust.{kind}.{used}")
        if curve is None:
            return np.ones(len(measures))
        found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(measures @ curve[:-1] + curve[-1], -50, 50)))
        return found

    def is_readable(self, used: str, known: float, whole: float) -> bool:
        """Whether a video is to be read: it is likely enough speech the reader knows, and the sentence not all wrong.

        Args:
            used: The channel.
            known: The chance of the first.
            whole: The chance that all words are right.
        """
        return known >= self.minimum.get(used, 0.0) and whole >= _UNCLEAR


def measure_words(read: NetworkOutput) -> NDArray[np.float64]:
    """(W, 4) of each word: its mean chance in its moments, the poorest third of them, the speller's mean chance of
    all letters, and how surely the sentence wins; each as log-odds or logarithm."""
    rows = []
    spelling = _spelling(read)
    margin = min(10.0, read.log_probability - read.second)
    for span in read.spans:
        inside = np.exp(read.probabilities[span.first : span.last, span.label].astype(np.float64))
        poorest = np.sort(inside)[: max(1, len(inside) // 3)]
        rows.append((_log_odds(inside.mean()), _log_odds(poorest.mean()), spelling, margin))
    return np.array(rows, np.float64).reshape(-1, 4)


def measure_video(read: NetworkOutput) -> NDArray[np.float64]:
    """(1, 7) of the video: of the words' measures the mean and the least, how surely the sentence wins and is
    spelled, whether the speller writes the same by itself, how undecided the moments are, and how many are speech."""
    words = measure_words(read)
    if not len(words):
        return np.array([[-5.0, -9.0, 0.0, -5.0, 0.0, 3.0, 0.0]])
    probabilities = np.exp(read.probabilities.astype(np.float64))
    undecided = float(-(probabilities * read.probabilities).sum(-1).mean())
    speech = float((read.probabilities.argmax(-1) > 0).mean())
    agrees = float(read.own.text == read.spelled.text)
    return np.array(
        [[words[:, 0].mean(), words[:, 0].min(), words[0, 3], _spelling(read), agrees, undecided, speech]]
    )


def _spelling(read: NetworkOutput) -> float:
    return max(-5.0, read.spelled.log_probability / (1 + len(read.spelled.text)))


def _log_odds(probability: float) -> float:
    held_out = min(max(probability, _FLOOR), 1 - _FLOOR)
    return math.log(held_out / (1 - held_out))
