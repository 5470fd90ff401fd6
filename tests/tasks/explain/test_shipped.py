"""The shipped networks in the lab: the same answer as their task gives, and sums that equal the runtime's."""

import numpy as np
import pytest

from szem.errors import CardError
from szem.media.samples import read_sample
from szem.runtime.cards import PictureInput
from szem.runtime.store import Model, list_models
from szem.tasks.classification.classify import classify
from szem.tasks.explain.attribution import find_class_map
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron

SHIPPED = [model for model in list_models() if model.is_shipped]
MODELS = [model for model in SHIPPED if isinstance(model.card.input, PictureInput)]
OTHERS = [model for model in SHIPPED if model not in MODELS]


@pytest.fixture(scope="module")
def classifier() -> Explorer:
    return Explorer()


def test_the_lab_sees_what_the_classifier_sees(classifier: Explorer) -> None:
    for name in ("cat", "coffee", "rocket"):
        picture = read_sample(name)
        found = classifier.top(classifier.prepare(picture).values)
        expected = classify(picture)
        assert [entry[1] for entry in found] == [label.name for label in expected.items]
        assert [entry[2] for entry in found] == pytest.approx([label.score for label in expected.items], abs=1e-6)


def test_the_class_map_is_the_classifiers_own(classifier: Explorer) -> None:
    picture = read_sample("cat")
    labels = classify(picture, maps=True)
    own = labels.maps[labels.items[0].index]
    found = find_class_map(classifier, classifier.prepare(picture), class_index=labels.items[0].index).evidence
    a, b = (np.asarray(m, np.float64).ravel() for m in (own.values, found))
    assert np.corrcoef(a, b)[0, 1] > 0.99


@pytest.mark.parametrize("model", OTHERS, ids=lambda m: m.name)
def test_a_network_of_sound_or_text_is_refused(model: Model) -> None:
    with pytest.raises(CardError, match=f"{model.name}: takes .*, not pictures"):
        Explorer(model)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_shipped_network_opens_and_its_sums_are_right(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer(model)
    prepared = explorer.prepare(read_sample("cat"))
    # One run gives what all sums need; a run for each layer would take a hundred times as long.
    names = {name for layer in explorer.layers for name in (*layer.sources, layer.output)}
    values = explorer.probe.run(explorer.feed(prepared.values), names)
    monkeypatch.setattr(explorer.probe, "run", lambda _, wanted: {name: values[name] for name in wanted})
    rng = np.random.default_rng(4)
    sums = 0
    for row in explorer.rows:
        m, y, x = (int(rng.integers(n)) for n in row.output_shape)
        neuron = explain_neuron(explorer, prepared, row.index, map=m, row=y, column=x)
        assert neuron.value == pytest.approx(neuron.measured, abs=1e-4, rel=1e-5), row
        sums += neuron.weights is not None
    assert sums >= 40
