"""runtime/adding.py: a model of one's own works, or the message says what does not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from szem.errors import CardError, FileMissingError, ModelError, UnknownNameError
from szem.runtime.adding import Declared
from szem.runtime.store import find_model
from szem.tasks.models import add_model

ToyGraph = Callable[..., bytes]


@pytest.fixture
def given_files(tmp_path: Path, toy_graph: ToyGraph, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    (tmp_path / "Tone Teller.onnx").write_bytes(toy_graph())
    (tmp_path / "labels.txt").write_text("dark\nbright\nred\n")
    return tmp_path / "Tone Teller.onnx", tmp_path / "labels.txt"


def test_an_added_model_classifies(given_files: tuple[Path, Path]) -> None:
    file, labels = given_files
    declared = Declared(mean=(0.0, 0.0, 0.0), scale=(255.0, 255.0, 255.0))
    model = add_model(file, task="classify", labels=labels, declared=declared)
    assert (model.name, model.card.head) == ("tone-teller", "logits")
    assert model.card.outputs == {"logits": "scores", "maps": "maps"}
    from szem.tasks.classification.classify import classify

    picture = np.zeros((30, 20, 3), np.uint8)
    picture[..., 0] = 250
    assert classify(picture, model="tone-teller", maps=True)[0].name == "red"
    assert find_model("tone-teller").folder == model.folder


def test_shares_are_told_from_raw_scores(given_files: tuple[Path, Path], toy_graph: ToyGraph) -> None:
    file, labels = given_files
    file.write_bytes(toy_graph(softmax=True, with_maps=False))
    assert add_model(file, task="classify", labels=labels).card.head == "probabilities"


def test_a_taken_name_is_refused(given_files: tuple[Path, Path]) -> None:
    file, labels = given_files
    add_model(file, task="classify", labels=labels, name="mine")
    with pytest.raises(UnknownNameError, match="there already"):
        add_model(file, task="classify", labels=labels, name="mine")


def test_what_does_not_fit_is_told_and_leaves_nothing_behind(given_files: tuple[Path, Path], tmp_path: Path) -> None:
    file, labels = given_files
    for task in ("divine", "caption", "lipwords"):  # no such task; not one file; takes clips
        with pytest.raises(UnknownNameError, match=r"there are classify, segment, outline, detect, listen$"):
            add_model(file, task=task, labels=labels)
    with pytest.raises(FileMissingError, match="no such file"):
        add_model(tmp_path / "none.onnx", task="classify", labels=labels)
    for name in ("ünlü!", "../zz", "a/b", ".."):
        with pytest.raises(CardError, match="cannot be a model's name"):
            add_model(file, task="classify", labels=labels, name=name)
    labels.write_text("only one\n")
    with pytest.raises(CardError, match="1 labels"):
        add_model(file, task="classify", labels=labels)
    labels.write_text("a\nb\nc\n")
    file.write_bytes(b"no model")
    with pytest.raises(ModelError, match="not a model"):
        add_model(file, task="classify", labels=labels)
    assert list((tmp_path / "home" / "models").iterdir()) == []
