"""runtime/adding.py: a model of one's own works, or the message says what does not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from szem.errors import CardError, FileMissingError, ModelError, UnknownNameError
from szem.runtime.adding import Declared
from szem.runtime.onnx import ort
from szem.runtime.sessions import Session
from szem.runtime.store import find_model
from szem.tasks.classification.classify import Classifier, classify
from szem.tasks.models import add_model

onnx = pytest.importorskip("onnx")

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
    picture = np.zeros((30, 20, 3), np.uint8)
    picture[..., 0] = 250
    assert classify(picture, model="tone-teller", maps=True)[0].name == "red"
    assert find_model("tone-teller").folder == model.folder


def test_probabilities_are_distinguished_from_raw_scores(given_files: tuple[Path, Path], toy_graph: ToyGraph) -> None:
    file, labels = given_files
    file.write_bytes(toy_graph(softmax=True, with_maps=False))
    assert add_model(file, task="classify", labels=labels).card.head == "probabilities"


def test_a_taken_name_is_refused(given_files: tuple[Path, Path]) -> None:
    file, labels = given_files
    add_model(file, task="classify", labels=labels, name="mine")
    with pytest.raises(UnknownNameError, match="there already"):
        add_model(file, task="classify", labels=labels, name="mine")


def test_what_does_not_fit_is_reported_and_leaves_nothing_behind(
    given_files: tuple[Path, Path], tmp_path: Path
) -> None:
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


# Files of torch's exporter, other numbers, other batches ---------------------------------------------------------


def in_two_files(folder: Path, toy: bytes, *, location: str = "net.onnx.data", write: bool = True) -> Path:
    """The toy network as torch exports it: its weights in a file beside it."""
    network = onnx.load_model_from_string(toy)
    (weight,) = network.graph.initializer
    data = weight.raw_data
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "4"), ("length", str(len(data)))):
        weight.external_data.add(key=key, value=value)
    if write:
        (folder / location).write_bytes(bytes(4) + data)
    (folder / "net.onnx").write_bytes(network.SerializeToString())
    return folder / "net.onnx"


def test_weights_in_a_file_beside_it_are_taken_along(
    given_files: tuple[Path, Path], tmp_path: Path, toy_graph: ToyGraph
) -> None:
    source = in_two_files(tmp_path, toy_graph())
    model = add_model(source, task="classify", labels=given_files[1])
    for file in tmp_path.glob("net.onnx*"):
        file.unlink()
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 250
    assert classify(red, model=model.folder)[0].name == "red"
    assert sorted(file.name for file in model.folder.iterdir()) == ["card.json", "labels.txt", "model.onnx"]


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("../secret", r"net\.onnx: its weights 'w' lie in '\.\./secret'; they must lie in the folder"),
        ("/etc/hostname", "must lie in the folder"),
        ("C:\\weights.bin", "must lie in the folder"),
        ("a\\..\\..\\b", "must lie in the folder"),
        ("", "must lie in the folder"),
        ("gone.bin", r"net\.onnx: its weights lie in gone\.bin, which is not beside it; copy both files"),
    ],
)
def test_weights_elsewhere_are_refused_by_the_name_of_the_users_file(
    given_files: tuple[Path, Path], tmp_path: Path, toy_graph: ToyGraph, location: str, match: str
) -> None:
    source = in_two_files(tmp_path, toy_graph(), location=location, write=False)
    with pytest.raises((ModelError, FileMissingError), match=match):
        add_model(source, task="classify", labels=given_files[1])
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_names_that_are_no_text_are_refused(
    given_files: tuple[Path, Path], tmp_path: Path, toy_graph: ToyGraph
) -> None:
    source = in_two_files(tmp_path, toy_graph())
    source.write_bytes(source.read_bytes().replace(b"net.onnx.data", b"net\xa4onnx.data"))
    with pytest.raises(ModelError, match=r"net\.onnx: damaged"):
        add_model(source, task="classify", labels=given_files[1])
    source.write_bytes(toy_graph(with_maps=False).replace(b"scores", b"\xa4cores"))
    with pytest.raises(ModelError, match=r"net\.onnx: not a model"):
        add_model(source, task="classify", labels=given_files[1])


def test_weights_that_were_cut_off_are_refused(
    given_files: tuple[Path, Path], tmp_path: Path, toy_graph: ToyGraph
) -> None:
    source = in_two_files(tmp_path, toy_graph())
    (tmp_path / "net.onnx.data").write_bytes(bytes(10))
    with pytest.raises(ModelError, match=r"net\.onnx\.data has 10 bytes, weights 'w' need 40; it is cut off"):
        add_model(source, task="classify", labels=given_files[1])


@pytest.mark.parametrize("batch", [1, 4, "N"])
def test_half_precision_and_fixed_batches(
    given_files: tuple[Path, Path], toy_graph: ToyGraph, batch: int | str
) -> None:
    kind = onnx.TensorProto.FLOAT16
    file, labels = given_files
    network = onnx.load_model_from_string(toy_graph(batch=batch, with_maps=False))
    graph = network.graph
    graph.input[0].type.tensor_type.elem_type = kind
    graph.output[0].type.tensor_type.elem_type = kind
    weight = onnx.numpy_helper.to_array(graph.initializer[0]).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
    file.write_bytes(network.SerializeToString())
    model = add_model(file, task="classify", labels=labels)
    assert model.card.precision == "float16"
    pictures = [np.full((8, 8, 3), value, np.uint8) for value in (0, 250, 0, 250, 250)]
    found = Classifier(Session(model))(pictures)
    assert [tags[0].name for tags in found] == ["dark", "bright", "dark", "bright", "bright"]


def test_names_and_sides_that_the_file_carries_are_taken(given_files: tuple[Path, Path], toy_graph: ToyGraph) -> None:
    file, _ = given_files
    network = onnx.load_model_from_string(toy_graph())
    for axis in (2, 3):
        network.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    onnx.helper.set_model_props(network, {"names": "{0: 'dark', 2: 'red  one', 1: 'bright'}", "imgsz": "[8, 8]"})
    file.write_bytes(network.SerializeToString())
    model = add_model(file, task="classify")
    assert model.labels == ("dark", "bright", "red one")
    assert (model.card.picture.width_px, model.card.picture.height_px) == (8, 8)


@pytest.mark.parametrize(
    "names", ["dark, bright,red one", '["dark", "bright", "red one"]', '{"2": "red one", "0": "dark", "1": "bright"}']
)
def test_names_are_read_as_exporters_write_them(
    given_files: tuple[Path, Path], toy_graph: ToyGraph, names: str
) -> None:
    file, _ = given_files
    network = onnx.load_model_from_string(toy_graph())
    onnx.helper.set_model_props(network, {"names": names})
    file.write_bytes(network.SerializeToString())
    assert add_model(file, task="classify").labels == ("dark", "bright", "red one")


@pytest.mark.parametrize("names", ["", "5", "{", "[1, 2]", "__import__('os')", "[" * 5000])
def test_a_file_without_names_needs_labels(given_files: tuple[Path, Path], toy_graph: ToyGraph, names: str) -> None:
    file, _ = given_files
    network = onnx.load_model_from_string(toy_graph())
    onnx.helper.set_model_props(network, {"names": names})
    file.write_bytes(network.SerializeToString())
    with pytest.raises(CardError, match=r"Tone Teller\.onnx: carries no names of its classes; .*--labels"):
        add_model(file, task="classify")


def test_what_was_assumed_of_the_input_stands_on_the_card(given_files: tuple[Path, Path]) -> None:
    file, labels = given_files
    model = add_model(file, task="classify", labels=labels, name="assumed")
    assert model.card.picture.mean == (123.675, 116.28, 103.53)
    assert "ImageNet's mean and deviation, as usual for head logits" in model.card.limits[0]
    declared = Declared(mean=(0.0, 0.0, 0.0), scale=(255.0, 255.0, 255.0))
    assert add_model(file, task="classify", labels=labels, name="said", declared=declared).card.limits == ()


def test_two_labels_of_one_name_are_two_classes(given_files: tuple[Path, Path]) -> None:
    file, labels = given_files
    labels.write_text("dark\nlight\nlight\n")
    declared = Declared(mean=(0.0, 0.0, 0.0), scale=(255.0, 255.0, 255.0))
    model = add_model(file, task="classify", labels=labels, declared=declared)
    found = classify(np.full((8, 8, 3), 250, np.uint8), model=model.folder)
    assert [(label.name, label.index) for label in found][:2] in (
        [("light", 1), ("light", 2)],
        [("light", 2), ("light", 1)],
    )


@pytest.mark.parametrize(("field", "value"), [("ir_version", 99), ("opset", 99)])
def test_a_file_for_a_newer_onnx_runtime_is_refused_with_what_to_do(
    given_files: tuple[Path, Path], toy_graph: ToyGraph, field: str, value: int
) -> None:
    file, labels = given_files
    network = onnx.load_model_from_string(toy_graph())
    if field == "opset":
        network.opset_import[0].version = value
    else:
        network.ir_version = value
    file.write_bytes(network.SerializeToString())
    with pytest.raises(
        ModelError, match=r"Tone Teller\.onnx: [^/]*pip install -U onnxruntime\), or export with an older"
    ):
        add_model(file, task="classify", labels=labels)


@pytest.mark.parametrize("opset", [21, 22, 23])
def test_recent_opsets_are_taken(given_files: tuple[Path, Path], toy_graph: ToyGraph, opset: int) -> None:
    file, labels = given_files
    if opset > 21 and tuple(int(part) for part in ort.__version__.split(".")[:2]) < (1, 23):
        pytest.skip("this ONNX Runtime is older than the opset")
    network = onnx.load_model_from_string(toy_graph())
    network.opset_import[0].version = opset
    file.write_bytes(network.SerializeToString())
    assert add_model(file, task="classify", labels=labels).card.head == "logits"
