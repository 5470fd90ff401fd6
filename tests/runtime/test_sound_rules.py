"""Listeners of one's own: waveforms and bands, scores of windows and of moments; what does not fit is reported."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import szem
from szem.errors import CardError
from szem.runtime.adding import Declared
from szem.runtime.cards import SoundInput
from szem.tasks.models import add_model

from .. import sounds

onnx = pytest.importorskip("onnx")


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))

    def save(model: Any, labels: str) -> dict[str, Any]:
        onnx.save(model, tmp_path / "mine.onnx")
        (tmp_path / "labels.txt").write_text(labels)
        return {"file": tmp_path / "mine.onnx", "labels": tmp_path / "labels.txt", "task": "listen"}

    return save


def declared(**fields: Any) -> Declared:
    return Declared(sound=SoundInput(kind="sound", rate_hz=16000, **fields))


FITTING = [
    # graph, declared, head found, samples of a window, bands
    (sounds.waveform_graph(), {}, "probabilities", 8000, 0),
    (sounds.waveform_graph(samples="T"), {}, "probabilities", 0, 0),
    (sounds.waveform_graph(batch=1), {}, "probabilities", 8000, 0),
    (sounds.waveform_graph(with_axis=True), {}, "probabilities", 8000, 0),
    (sounds.bands_graph(), {}, "logits", 400 + 19 * 160, 8),
    (sounds.bands_graph(logits=False), {}, "probabilities", 400 + 19 * 160, 8),
    (sounds.bands_graph(frames=True), {}, "frames", 400 + 19 * 160, 8),
    (sounds.bands_graph(moments="T", bands="M"), {"bands": 8, "samples": 8000}, "logits", 8000, 8),
]


@pytest.mark.parametrize(("graph", "given", "head", "samples", "bands"), FITTING)
def test_a_listener_of_ones_own_listens(
    put: Any, graph: Any, given: dict[str, Any], head: str, samples: int, bands: int
) -> None:
    model = add_model(**put(graph, "loud\nvery loud\n"), declared=declared(**given))
    assert model.card.head == head
    assert isinstance(model.card.input, SoundInput)
    assert (model.card.input.samples, model.card.input.bands) == (samples, bands)
    found = szem.listen(np.concatenate([sounds.quiet(2), sounds.noise(2, level=0.5)]), rate_hz=16000, model="mine")
    assert found.duration_s == 4
    if not bands:
        assert found.counts["loud"] == 1


UNFIT = [
    # graph, labels, declared, what is said
    (sounds.bands_graph(moments="T", bands="M"), "a\nb\n", {}, "say it with --bands"),
    (sounds.bands_graph(), "a\nb\n", {"bands": 64}, "takes 8 bands, 64 are declared"),
    (sounds.waveform_graph(), "a\nb\n", {"bands": 64}, "leave --bands out"),
    (sounds.waveform_graph(), "a\nb\nc\n", {}, "with 3 labels"),
    (sounds.waveform_graph(), "a\nb\n", {"samples": 16000}, "takes 8000 samples, 16000 are declared"),
]


@pytest.mark.parametrize(("graph", "labels", "given", "says"), UNFIT)
def test_what_does_not_fit_is_reported(put: Any, graph: Any, labels: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(CardError, match=says):
        add_model(**put(graph, labels), declared=declared(**given))
