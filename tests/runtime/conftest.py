"""Small models made on the spot: a folder with an ONNX file and a card that fits it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from szem.runtime.cards import Card, Made, PictureInput, TrainingData, hash_file, write_card

onnx = pytest.importorskip("onnx")

LABELS = ("dark", "bright", "red")


def mean_colour_graph(*, softmax: bool = False, batch: int | str = "N", with_maps: bool = True) -> bytes:
    """(N, 3, 8, 8) -> three scores by hand: -mean, +mean, mean of the red channel; maps whose means they are."""
    helper = onnx.helper
    weight = np.array([[-1, -1, -1], [1, 1, 1], [3, 0, 0]], np.float32).reshape(3, 3, 1, 1) / 3
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["shares"], axis=1))
    last = "shares" if softmax else "scores"
    outputs = [helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, [batch, 3])]
    if with_maps:
        outputs.append(helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, [batch, 3, 8, 8]))
    graph = helper.make_graph(
        nodes,
        "mean_colour",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 3, 8, 8])],
        outputs,
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def card_for(file: Path, **changes: object) -> Card:
    """A card that fits `mean_colour_graph`; `changes` replace fields."""
    fields: dict[str, object] = {
        "name": file.parent.name,
        "task": "classify",
        "version": "1",
        "summary": "Tells dark from bright from red.",
        "file": file.name,
        "sha256": hash_file(file),
        "size_bytes": file.stat().st_size,
        "parameters": 9,
        "input": PictureInput(
            width_px=8, height_px=8, resize="stretch", mean=(0.0, 0.0, 0.0), scale=(255.0, 255.0, 255.0)
        ),
        "head": "logits",
        "outputs": {"logits": "scores", "maps": "maps"},
        "labels": LABELS,
        "made": Made(recipe="by hand", command="none"),
        "training_data": (TrainingData(name="none", terms="none"),),
        "licence": "Apache-2.0",
    }
    return Card.model_validate(fields | changes)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Make a model folder; returns it. Keyword arguments replace fields of the card."""

    def make(name: str = "toy", *, parent: Path | None = None, graph: bytes | None = None, **changes: object) -> Path:
        folder = (parent or tmp_path) / name
        folder.mkdir(parents=True)
        file = folder / "model.onnx"
        file.write_bytes(mean_colour_graph() if graph is None else graph)
        write_card(folder, card_for(file, **changes))
        return folder

    return make


@pytest.fixture
def toy_graph() -> Callable[..., bytes]:
    """What makes the bytes of a small ONNX file."""
    return mean_colour_graph
