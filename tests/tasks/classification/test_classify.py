"""classify.py on the shipped model: names, maps that add up, the same answer alone and in a crowd."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from szem.errors import CardError, FileMissingError, RangeError, ShapeError, UnknownNameError
from szem.media.samples import read_sample, sample_path
from szem.runtime.sessions import Session
from szem.tasks.classification.classify import Classifier, classify
from szem.tasks.classification.evaluate import labelled_pictures
from szem.tasks.evaluate import evaluate
from szem.tasks.models import default_model, open_model


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Session(default_model("classify"), threads=1), workers=2)


SEEN = [
    # bundled picture, words of which one must be the best label
    ("cat", ("cat", "tabby", "Egyptian")),
    ("coffee", ("espresso", "cup", "coffee")),
    ("rocket", ("missile", "projectile", "space", "beacon", "lighthouse")),
]


@pytest.mark.parametrize(("sample", "words"), SEEN, ids=[name for name, _ in SEEN])
def test_the_bundled_pictures_get_sensible_names(sample: str, words: tuple[str, ...]) -> None:
    best = classify(sample_path(sample))[0]
    assert any(word in best.name for word in words), best


def test_scores_are_fractions_best_first() -> None:
    labels = classify(read_sample("coffee"), top=1000)
    assert len(labels) == 1000
    assert labels.scores.sum() == pytest.approx(1, abs=1e-4)
    assert (np.diff(labels.scores) <= 0).all()
    assert all(label.id.startswith("n") for label in labels)


def test_the_mean_of_a_map_is_the_score_before_softmax(classifier: Classifier) -> None:
    labels = classifier([read_sample("cat")], top=5, maps=True)[0]
    means = np.array([labels.maps[label.index].values.mean(dtype=np.float64) for label in labels])
    fractions = np.array([label.score for label in labels], np.float64)
    np.testing.assert_allclose(np.exp(means - means[0]), fractions / fractions[0], rtol=1e-3)


def test_maps_cost_nothing_while_nobody_asks(classifier: Classifier) -> None:
    plain = classifier([read_sample("cat")])[0]
    assert plain.maps == {}
    assert plain.names == classifier([read_sample("cat")], maps=True)[0].names


def test_a_batch_gives_each_picture_its_own_labels(classifier: Classifier) -> None:
    pictures = [read_sample("cat"), read_sample("coffee"), read_sample("cat")[:200, :300]]
    for alone, among in zip(classifier(pictures, maps=True), classifier.together(pictures, maps=True), strict=True):
        assert alone.names == among.names
        np.testing.assert_allclose(alone.scores, among.scores, atol=1e-4)
        for index, found in alone.maps.items():
            np.testing.assert_allclose(found.values, among.maps[index].values, atol=1e-2)


def test_a_map_covers_the_part_the_network_saw(classifier: Classifier) -> None:
    picture = read_sample("cat")  # 300 × 451
    labels = classifier([picture], maps=True, top=1)[0]
    x0, y0, x1, y1 = labels.maps[labels[0].index].box_xyxy
    assert (x0 + x1) / 2 == pytest.approx(451 / 2, abs=1)
    assert (y0 + y1) / 2 == pytest.approx(150, abs=1)
    assert x1 - x0 == y1 - y0 == pytest.approx(300 * 0.875, abs=1)
    assert labels.draw(picture).shape == picture.shape


def test_a_picture_scores_the_same_alone_and_in_a_batch(classifier: Classifier) -> None:
    pictures = [read_sample(name) for name in ("cat", "coffee", "cameraman", "coins")]
    together = classifier(pictures, top=1000)
    for picture, labels in zip(pictures, together, strict=True):
        alone = classifier([picture], top=1000)[0]
        assert np.array_equal(alone.scores, labels.scores)
        assert alone.names == labels.names


def test_the_number_of_threads_changes_nothing(classifier: Classifier) -> None:
    two = Classifier(Session(default_model("classify"), threads=2))
    picture = read_sample("coffee")
    np.testing.assert_allclose(two.scores(picture), classifier.scores(picture), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 9)])
def test_pictures_of_any_size_get_names(classifier: Classifier, size: tuple[int, int]) -> None:
    assert len(classifier([np.zeros((*size, 3), np.uint8)])[0]) == 5


def test_no_pictures_give_no_labels(classifier: Classifier) -> None:
    assert classifier([]) == []


def test_mistakes_are_reported(tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(RangeError, match="at least 1"):
        classify(read_sample("cat"), top=0)
    with pytest.raises(UnknownNameError, match="efficientnet-lite0"):
        classify(read_sample("cat"), model="nonesuch")
    with pytest.raises(FileMissingError, match="no such file"):
        classify(tmp_path / "none.jpg")
    with pytest.raises(ShapeError, match=r"\(H, W, 3\)"):
        classify(np.zeros((3, 3, 2), np.uint8))
    with pytest.raises(RangeError, match="workers"):
        Classifier(classifier.session, workers=0)


def test_a_card_without_labels_makes_no_classifier() -> None:
    session = Session(default_model("classify"), threads=1)
    bare = session.model.card.model_copy(update={"labels_file": None})
    session.model = replace(session.model, card=bare)
    with pytest.raises(CardError, match="needs labels"):
        Classifier(session)


def test_the_verb_shares_one_session() -> None:
    assert open_model(task="classify") is open_model("efficientnet-lite0", task="classify")


@pytest.mark.slow
@pytest.mark.data
def test_the_scores_on_the_card_can_be_measured_again(data_dir: Path) -> None:
    model = default_model("classify")
    stated = {s.metric: s for s in model.card.scores if s.split == "odd"}
    found = evaluate(model, data_dir / "imagenet", split="odd")
    measured_again = [m for m in found if m.metric in stated]
    assert {m.metric for m in measured_again} == {"top-1", "top-5"}
    for measured in measured_again:
        assert measured.n == stated[measured.metric].n
        assert measured.value == pytest.approx(stated[measured.metric].value, abs=0.009)  # at most one picture of 125


def test_int8_is_within_a_point_of_the_float_network() -> None:
    card = default_model("classify").card
    stated = {s.metric: s.value for s in card.scores}
    assert card.precision == "int8"
    assert stated["top-1"] >= stated["top-1 of the float network"] - 0.01
    assert stated["top-5"] >= stated["top-5 of the float network"] - 0.01


def test_a_folder_per_class_is_read_too(tmp_path: Path) -> None:
    from szem.media.pictures import write_picture

    for name in ("cat", "dog", "unknown"):
        write_picture(tmp_path / name / "a.png", np.zeros((4, 4, 3), np.uint8))
    pairs = labelled_pictures(tmp_path, ("dog", "cat"))
    assert [(path.parent.name, label) for path, label in pairs] == [("cat", 1), ("dog", 0)]
    assert len(labelled_pictures(tmp_path, ("dog", "cat"), "odd")) == 1
    with pytest.raises(
        UnknownNameError, match=r"no class of the data .cat, dog, unknown. is one of the model's .bird"
    ):
        labelled_pictures(tmp_path, ("bird",))
    with pytest.raises(UnknownNameError, match="even, odd"):
        labelled_pictures(tmp_path, ("dog",), "third")


def test_a_faulty_index_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("image,class_index\na.png,0\nb.png,seven\n")
    with pytest.raises(ValueError, match="line 3"):
        labelled_pictures(tmp_path, ("dog",))
    (tmp_path / "index.csv").write_text("image,class_index\na.png,9\n")
    with pytest.raises(RangeError, match=r"0\.\.0"):
        labelled_pictures(tmp_path, ("dog",))


def test_measuring_without_data_or_measurer_is_reported(tmp_path: Path) -> None:
    model = default_model("classify")
    with pytest.raises(FileMissingError, match="no such folder"):
        evaluate(model, tmp_path / "none")
    card = model.card.model_copy(update={"task": "divine"})
    with pytest.raises(UnknownNameError, match="nothing measures task 'divine'; there are classify"):
        evaluate(replace(model, card=card), tmp_path)


def test_the_network_lab_opens_the_shipped_model() -> None:
    from szem.tasks.explain.explain import explain

    found = explain(read_sample("coffee"), default_model("classify"), timed=False)
    assert sum(row.op == "Conv" for row in found.rows) == 49  # stem, 16 blocks of two or three, head
    assert found.rows[-1].op == "Gemm"  # the maps that are switched off are no layer
