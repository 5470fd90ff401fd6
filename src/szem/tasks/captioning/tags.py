"""What is surely in a picture, by the detector and the classifier together, each with a calibrated confidence.

The detector knows 80 classes and where they are, the classifier 1,000 labels of the whole picture. For a class that
both know, a logistic curve joins their scores. This file does not know about sentences.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array, Picture8
from szem.results.boxes import Boxes
from szem.results.caption import Tag
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import Session
from szem.tasks.captioning.nouns import NAMES, common_noun, words_of_class
from szem.tasks.captioning.place_colors import main_color
from szem.tasks.classification.classify import Classifier
from szem.tasks.detection.detect import Detector

__all__ = ["Detected", "TagEvidence", "TagRules", "Tagger", "tagger_of"]

Detected = Mapping[str, Sequence[Array] | Array]
"""What `Detector.run` gives for one picture."""

_SAME_OBJECT = 0.7  # intersection over union from which boxes of two classes are about one object
_LOWEST = 0.02  # detector scores below are no evidence at all


@dataclass(frozen=True, kw_only=True)
class TagRules:
    """Constants of the curves, fitted on pictures that neither network was measured on, and thresholds.

    The confidence of a class is the logistic of `base + detector * logit(score)` of its best box; for classes that
    the classifier knows too, `label * ln((mass + 0.003) / 0.003) + both` is added, the mass being the sum of its
    labels' scores.
    """

    base: float = 0.357
    detector: float = 0.811
    label: float = 0.712
    both: float = -1.98
    absent_score: float = 0.05  # a class whose best box and whose labels are below these is contradicted
    absent_mass: float = 0.05
    box: float = 0.55  # calibrated score from which a box counts as one more of its class
    color: float = 0.55  # fraction of an object's middle from which its colour is said


@dataclass(frozen=True, eq=False)
class TagEvidence:
    """What the two networks say of one picture."""

    tags: tuple[Tag, ...]  # the most confident first
    absent: frozenset[str] = field(repr=False)  # classes of the detector without any evidence


class Tagger:
    """Detector and classifier, ready to be called; keeps nothing between calls.

    Args:
        detector: An open model of 80 classes; a class it does not know is never contradicted.
        classifier: An open model whose labels carry WordNet ids, as the shipped one does.
        rules: Constants.
    """

    def __init__(self, detector: Session, classifier: Session, *, rules: TagRules | None = None) -> None:
        self.rules = rules or TagRules()
        self._detector = Detector(detector, threshold=_LOWEST)
        self._classifier = Classifier(classifier)
        self._known = [name for name in NAMES if name in self._detector.classes]
        self._nouns = [common_noun(*pair) for pair in zip(self._classifier.names, self._classifier.ids, strict=True)]
        self._class_of_label = [_class_of_noun(noun) for noun in self._nouns]
        self._both = frozenset(self._class_of_label) - {""}

    def __call__(self, picture: Picture8, *, detected: Detected | None = None) -> TagEvidence:
        """Run both networks.

        Args:
            picture: (H, W, 3).
            detected: What `Detector.run` gave for the picture, where that was done already.
        """
        return self.combine(picture, self._boxes(picture, detected), self._classifier.scores(picture))

    def look(
        self, picture: Picture8
    ) -> tuple[TagEvidence, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The tags together with the numbers that they come from, for a network that reads those.

        Returns:
            The tags; (1, classes) best score of each class of the detector; (1, labels) logits and (1, C) features of
            the classifier.
        Raises:
            UnknownNameError: the classifier gives no features.
        """
        boxes = self._boxes(picture, None)
        best = np.full((1, len(self._detector.classes)), _LOWEST, np.float32)
        np.maximum.at(best[0], boxes.indices, boxes.scores)
        session = self._classifier.session
        out = session.run(prepare_picture(picture, self._classifier.card.picture), roles=["logits", "features"])
        logits = out["logits"].astype(np.float32)
        scores = np.exp(logits[0] - logits[0].max())
        evidence = self.combine(picture, boxes, scores / scores.sum())
        return evidence, best, logits, out["features"].astype(np.float32)

    def _boxes(self, picture: Picture8, detected: Detected | None) -> Boxes:
        outputs = self._detector.run(self._detector.prepare(picture)) if detected is None else detected
        return self._detector.finish(outputs, (picture.shape[0], picture.shape[1]))

    def combine(self, picture: Picture8, boxes: Boxes, scores: NDArray[np.float32]) -> TagEvidence:
        """From the answers of the two networks.

        Args:
            picture: (H, W, 3).
            boxes: Down to a score of 0.02.
            scores: (labels,) of the classifier.
        """
        rules = self.rules
        by_class: dict[str, list[int]] = {}
        for place, label in enumerate(boxes.labels):
            by_class.setdefault(label, []).append(place)
        mass, by_noun = self._masses(scores)
        tags, absent = [], set()
        for name in self._known:
            places = by_class.get(name, [])
            best = float(boxes.scores[places].max()) if places else 0.0
            if best < rules.absent_score and mass.get(name, 0.0) < rules.absent_mass:
                absent.add(name)
                continue
            confidence = self._confidence(name, best, mass.get(name, 0.0))
            tags.append(self._tag(picture, boxes, places, name, confidence, scores))
        for noun, weight in by_noun.items():
            if weight >= rules.absent_mass:
                tags.append(Tag(name=noun, confidence=min(1.0, weight)))
        tags.sort(key=lambda tag: -tag.confidence)
        return TagEvidence(tuple(tags), frozenset(absent))

    def _masses(self, scores: NDArray[np.float32]) -> tuple[dict[str, float], dict[str, float]]:
        """Sum of the labels' scores by class of the detector, and by noun for what it does not know."""
        mass: dict[str, float] = {}
        nouns: dict[str, float] = {}
        for place in np.flatnonzero(scores > 1e-4):
            name, noun = self._class_of_label[place], self._nouns[place]
            if name:
                mass[name] = mass.get(name, 0.0) + float(scores[place])
            elif noun:
                nouns[noun] = nouns.get(noun, 0.0) + float(scores[place])
        return mass, nouns

    def _confidence(self, name: str, score: float, mass: float) -> float:
        rules = self.rules
        bounded = min(max(score, _LOWEST), 0.995)
        value = rules.base + rules.detector * math.log(bounded / (1 - bounded))
        if name in self._both:
            value += rules.label * math.log((mass + 0.003) / 0.003) + rules.both
        return 1 / (1 + math.exp(-value))

    def _tag(
        self,
        picture: Picture8,
        boxes: Boxes,
        places: Sequence[int],
        name: str,
        confidence: float,
        scores: NDArray[np.float32],
    ) -> Tag:
        detail = self._detail(name, scores)
        if not places:
            return Tag(name=name, confidence=confidence, detail=detail)
        height, width = picture.shape[:2]
        size = np.array([width, height, width, height])
        many = max(1, sum(bool(boxes.scores[k] >= self.rules.box) and not _is_taken(boxes, k) for k in places))
        best = max(places, key=lambda place: boxes.scores[place])
        x0, y0, x1, y1 = (float(v) for v in boxes.boxes_xyxy[best] / size)
        color, fraction = main_color(picture, (x0, y0, x1, y1))
        return Tag(
            name=name,
            confidence=confidence,
            count=many,
            box=(x0, y0, x1, y1),
            color=color if fraction >= self.rules.color else "",
            detail=detail,
        )

    def _detail(self, name: str, scores: NDArray[np.float32]) -> str:
        """What the classifier calls it more closely: the label that has most of the picture's probability."""
        place = int(scores.argmax())
        return self._classifier.names[place] if scores[place] >= 0.5 and self._class_of_label[place] == name else ""


def _is_taken(boxes: Boxes, place: int) -> bool:
    """Whether a box of another class with a higher score is about the same: one animal is not a dog and a cat."""
    x0, y0, x1, y1 = boxes.boxes_xyxy[:, :4].T
    a0, b0, a1, b1 = boxes.boxes_xyxy[place]
    shared = np.clip(np.minimum(x1, a1) - np.maximum(x0, a0), 0, None)
    shared *= np.clip(np.minimum(y1, b1) - np.maximum(y0, b0), 0, None)
    union = (x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - shared
    others = (boxes.scores > boxes.scores[place]) & (boxes.indices != boxes.indices[place])
    return bool((others & (shared > _SAME_OBJECT * union)).any())


_NOUN_CLASSES: Mapping[str, str] = {
    "cup of coffee": "cup", "taxi": "car", "race car": "car", "fire truck": "truck", "school bus": "bus",
    "phone": "cell phone", "television": "tv", "ship": "boat", "burger": "sandwich", "glass of wine": "wine glass",
}  # fmt: skip


@cache
def _class_of_noun(noun: str) -> str:
    """The detector's class that a label's noun belongs to; empty where there is none."""
    if noun in NAMES:
        return noun
    return _NOUN_CLASSES.get(noun) or next((name for name in NAMES if noun in words_of_class(name)), "")


@cache
def tagger_of(detector: Session, classifier: Session) -> Tagger:
    """The tagger of two open models, made once."""
    return Tagger(detector, classifier)
