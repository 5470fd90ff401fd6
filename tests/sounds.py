"""Sounds and listeners made on the spot, for tests: a network that hears how loud it is, low and high."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000


def noise(seconds: float, *, level: float = 0.2, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """White noise."""
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate_hz)).astype(np.float32)


def quiet(seconds: float) -> NDArray[np.float32]:
    """What a microphone hears of itself."""
    return noise(seconds, level=0.001, seed=1)


def tone(hertz: float, seconds: float, *, level: float = 0.3) -> NDArray[np.float32]:
    """A pure tone."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def waveform_graph(*, samples: int | str = 8000, batch: int | str = "N", with_axis: bool = False) -> Any:
    """(N, samples) -> chances of "loud" and of "very loud", by the mean square."""
    import onnx

    helper, number = onnx.helper, onnx.numpy_helper.from_array
    shape = [batch, 1, samples] if with_axis else [batch, samples]
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["power"], axes=[-1], keepdims=1),
        helper.make_node("Reshape", ["power", "flat"], ["column"]),
        helper.make_node("MatMul", ["column", "slope"], ["raised"]),
        helper.make_node("Add", ["raised", "offset"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["chances"]),
    ]
    constants = [
        number(np.array([-1, 1]), "flat"),
        number(np.array([[4000.0, 400.0]], np.float32), "slope"),
        number(np.array([-6.0, -20.0], np.float32), "offset"),
    ]
    return _model(nodes, shape, [("chances", [batch, 2])], constants)


def bands_graph(*, moments: int | str = 20, bands: int | str = 8, frames: bool = False, logits: bool = True) -> Any:
    """(N, moments, bands) -> "low" and "high": how much stronger one half of the bands is than the other."""
    import onnx

    helper, number = onnx.helper, onnx.numpy_helper.from_array
    half = np.zeros((8, 2), np.float32)
    half[:4] = [0.25, -0.25]
    half[4:] = [-0.25, 0.25]
    nodes = [helper.make_node("MatMul", ["x", "half"], ["moments"])]
    last, shape = "moments", ["N", moments, 2]
    if not frames:
        nodes.append(helper.make_node("ReduceMean", ["moments"], ["scores"], axes=[1], keepdims=0))
        last, shape = "scores", ["N", 2]
    if frames or not logits:
        nodes.append(helper.make_node("Sigmoid", [last], ["chances"]))
        last = "chances"
    return _model(nodes, ["N", moments, bands], [(last, shape)], [number(half, "half")])


def _model(nodes: list[Any], shape: list[Any], outputs: list[tuple[str, list[Any]]], constants: list[Any]) -> Any:
    import onnx

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "listener",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, wide) for name, wide in outputs],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_listener(folder: Path, model: Any, labels: tuple[str, ...], **changes: Any) -> Path:
    """A model's folder around a graph."""
    import onnx

    from szem.runtime.cards import Card, Made, SoundInput, hash_file, write_card

    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    onnx.save(model, file)
    fields: dict[str, Any] = {
        "name": folder.name,
        "task": "listen",
        "version": "1",
        "summary": "Hears how loud it is.",
        "sha256": hash_file(file),
        "size_bytes": file.stat().st_size,
        "parameters": 4,
        "input": SoundInput(kind="sound", rate_hz=RATE_HZ, samples=8000),
        "head": "probabilities",
        "outputs": {"probabilities": "chances"},
        "labels": labels,
        "made": Made(recipe="by hand", command="none"),
        "training_data": (),
        "licence": "Apache-2.0",
    }
    write_card(folder, Card.model_validate(fields | changes))
    return folder
