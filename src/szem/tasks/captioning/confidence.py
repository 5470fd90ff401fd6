"""What the confidence of a sentence is made of, and the curve over it. This file does not know about networks."""

import math
from collections.abc import Mapping, Sequence

from szem.results.caption import Tag
from szem.tasks.captioning.nouns import named_classes
from szem.tasks.captioning.tags import TagEvidence

__all__ = ["CONFIDENCE", "logit_of", "support_of"]

CONFIDENCE = {
    "rank": 1.0,  # log probability with the length taken out, plus `fit` times the cosine of sentence and picture
    "support": 0.0,  # lowest confidence among the tags that the sentence names; 1 where it names none
    "confirmed": 0.0,  # highest confidence among them; 0 where it names none
    "missing": 0.0,  # largest confidence times root of the area among the tags that it does not name
}
"""What the confidence of a sentence is made of: constant `confidence_NAME` of the card -> its value without one."""


def support_of(words: Sequence[str], evidence: TagEvidence | None) -> tuple[float, float, float]:
    """How the tags of a picture agree with a sentence: `support`, `confirmed` and `missing` of `CONFIDENCE`.

    Args:
        words: Of the sentence.
        evidence: None where the captioner is not grounded.
    """
    if evidence is None:
        return 0.0, 0.0, 0.0
    named = {name for name, _ in named_classes(list(words))}
    tags = {tag.name: tag for tag in evidence.tags}
    support = [tags[name].confidence if name in tags else 0.0 for name in named]
    missing = [tag.confidence * math.sqrt(_area(tag)) for tag in tags.values() if tag.name not in named]
    return min(support, default=1.0), max(support, default=0.0), max(missing, default=0.0)


def logit_of(constants: Mapping[str, float], evidence: Sequence[float]) -> float:
    """The logistic curve over the evidence, before the logistic function; fitted on pictures held out.

    Args:
        constants: Of the card: `confidence_base`, and a weight `confidence_NAME` for each name of `CONFIDENCE`.
        evidence: A number for each of them.
    """
    weights = (constants.get(f"confidence_{key}", default) for key, default in CONFIDENCE.items())
    return constants.get("confidence_base", 0.0) + sum(w * v for w, v in zip(weights, evidence, strict=True))


def _area(tag: Tag) -> float:
    """Fraction of the picture; a label of the whole picture without a box counts as half of it."""
    return tag.area if tag.box is not None else 0.5
