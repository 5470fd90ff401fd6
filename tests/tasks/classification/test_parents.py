"""One word for several classes: which classes it has, that its probability is their sum, and when it is not said."""

import numpy as np
import pytest

from szem.media.samples import sample_path
from szem.results.labels import PARENT
from szem.runtime.store import find_model, shipped_folder
from szem.tasks.classification.classify import classify
from szem.tasks.classification.parents import PARENT_THRESHOLD, find_parents

MODEL = find_model("efficientnet-lite0")
TABLE = {
    line.split("\t")[0]: line.split("\t")[1:]
    for line in (shipped_folder().parent / "tasks/classification/parents.tsv").read_text("utf-8").splitlines()
}


def scores_of(**given: float) -> np.ndarray:
    scores = np.zeros(len(MODEL.labels), np.float32)
    for name, score in given.items():
        scores[MODEL.labels.index(name.replace("_", " "))] = score
    return scores


def said(scores: np.ndarray) -> dict[str, float]:
    return {label.name: round(label.score, 4) for label in find_parents(MODEL.label_ids, scores)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"tabby_cat": 0.2, "tiger_cat": 0.2, "Egyptian_Mau": 0.2}, {"cat": 0.6, "animal": 0.6}),
        ({"lion": 0.5, "tabby_cat": 0.4}, {"animal": 0.9, "big cat": 0.5, "cat": 0.4}),
        ({"minivan": 0.5, "school_bus": 0.35}, {"vehicle": 0.85, "car": 0.5, "bus": 0.35}),
        ({"meatloaf": 0.9}, {"food": 0.9}),  # no bread, whatever WordNet says
        ({"slide_rule": 0.9}, {}),  # no computer
        ({"espresso": 0.29}, {}),  # below the threshold
        ({"espresso": 0.31}, {"drink": 0.31, "food": 0.31}),
        ({"window_screen": 1.0}, {}),  # of no word
    ],
)
def test_a_word_has_the_probability_of_its_classes(given: dict[str, float], wanted: dict[str, float]) -> None:
    found = said(scores_of(**given))
    assert found == wanted
    assert list(found) == list(wanted)  # best first, the narrower of two equal ones before


def test_rounding_never_exceeds_the_whole() -> None:
    scores = np.full(len(MODEL.labels), 1.0000001 / 398, np.float32)
    assert max(said(scores).values()) <= 1


def test_a_model_of_other_classes_has_no_words() -> None:
    assert find_parents(("", ""), np.array([0.5, 0.5], np.float32)) == ()
    assert find_parents(("n02123045", ""), np.array([0.9, 0.1], np.float32)) == ()  # one cat alone


def test_the_table_knows_only_classes_of_imagenet_and_each_word_once() -> None:
    known = set(MODEL.label_ids)
    for word, (id, *members) in TABLE.items():
        assert id.startswith("n"), word
        assert len(members) == len(set(members)) > 1, word
        assert set(members) <= known, word
        assert set(members) != known, word
    assert {"animal", "vehicle", "food", "cat", "dog"} <= set(TABLE)
    assert set(TABLE["terrier"][1:]) < set(TABLE["dog"][1:]) < set(TABLE["animal"][1:])


def test_a_photograph_has_its_words_in_python() -> None:
    found = classify(sample_path("cat"))
    assert {"cat", "animal"} == {label.name for label in found.parents}
    assert all(label.score >= PARENT_THRESHOLD and label.index == PARENT for label in found.parents)
