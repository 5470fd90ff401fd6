"""tags.py: what is surely in a picture, how many of it, and that no network runs twice."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from szem.media.samples import read_sample
from szem.results.boxes import Boxes
from szem.tasks.captioning.tags import Tagger, tagger_of
from szem.tasks.detection.detect import Detector
from szem.tasks.look import Looker
from szem.tasks.models import open_model


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return tagger_of(open_model(task="detect", threads=1), open_model(task="classify", threads=1))


def boxes(*rows: tuple[str, float, Sequence[float]]) -> Boxes:
    names = [name for name, _, _ in rows]
    classes = tuple(dict.fromkeys(names))
    return Boxes(
        boxes_xyxy=np.array([box for _, _, box in rows], np.float32),
        scores=np.array([score for _, score, _ in rows], np.float32),
        indices=np.array([classes.index(name) for name in names], np.int64),
        classes=classes,
        width=100,
        height=100,
        model="m",
    )


NO_LABEL = np.full(1000, 1e-5, np.float32)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        # Two dogs far apart are two.
        ([("dog", 0.9, (0, 0, 40, 40)), ("dog", 0.8, (60, 0, 99, 40))], {"dog": 2}),
        # The second "dog" lies on a surer cat: one animal is not counted under two names.
        (
            [("dog", 0.9, (0, 0, 40, 40)), ("cat", 0.85, (60, 0, 99, 40)), ("dog", 0.6, (60, 1, 99, 41))],
            {"dog": 1, "cat": 1},
        ),
        # Doubtful boxes are not counted.
        ([("dog", 0.9, (0, 0, 40, 40)), ("dog", 0.3, (60, 0, 99, 40))], {"dog": 1}),
        ([("dog", 0.9, (0, 0, 40, 40)), ("dog", 0.8, (60, 0, 99, 40)), ("dog", 0.3, (0, 60, 40, 99))], {"dog": 2}),
    ],
)
def test_objects_are_counted_once(tagger: Tagger, found: Any, counts: dict[str, int]) -> None:
    picture = np.full((100, 100, 3), 128, np.uint8)
    evidence = tagger.combine(picture, boxes(*found), NO_LABEL)
    assert {tag.name: tag.count for tag in evidence.tags} == counts
    assert json.loads(json.dumps([tag.count for tag in evidence.tags])) == list(counts.values())
    assert "giraffe" in evidence.absent
    assert "dog" not in evidence.absent


def test_a_higher_score_gives_a_higher_confidence(tagger: Tagger) -> None:
    picture = np.full((100, 100, 3), 128, np.uint8)
    scores = (0.1, 0.4, 0.7, 0.95)
    tags = [tagger.combine(picture, boxes(("dog", s, (0, 0, 90, 90))), NO_LABEL).tags[0] for s in scores]
    confidences = [tag.confidence for tag in tags]
    assert confidences == sorted(confidences)
    assert confidences[0] < 0.2
    assert 0.6 < confidences[-1] < 0.8  # no label of the classifier says dog, so it stays in doubt


def test_look_runs_the_detector_once_for_boxes_masks_and_caption(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = Detector.run
    monkeypatch.setattr(Detector, "run", lambda self, batch: runs.append(len(batch)) or run(self, batch))
    looked = Looker(["masks", "boxes", "caption"])(read_sample("coffee"))
    assert runs == [1]
    assert "cup" in looked.results["caption"].text
