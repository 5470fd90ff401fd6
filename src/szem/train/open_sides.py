"""Changes to an exported ONNX file: inputs of any sides, and pixels taken as they are.

torch can trace a network with open sides, but reasoning about them takes it minutes. A convolutional network traced
with sides of one size depends on that size in two places only: where maps are enlarged to a size, and where places
are listed. This file does not know about networks, tasks or cards.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from szem.errors import ModelError

__all__ = ["open_outputs", "open_sides", "take_pixels"]


def open_outputs(path: Path) -> None:
    """Forget the sides of outputs, of which the exporter takes some to be as long as in its example."""
    model = onnx.load(path)
    del model.graph.value_info[:]
    for output in model.graph.output:
        for place, side in enumerate(output.type.tensor_type.shape.dim):
            side.ClearField("dim_value")
            side.dim_param = f"{output.name}_{place}"
    onnx.save(model, path)


def open_sides(path: Path, *, step_px: int) -> None:
    """Let a file traced with sides of one size take any sides that `step_px` divides.

    Every `Resize` must double its maps, every `Reshape` list the places of maps: (N, C, H, W) to (N, C, H·W).

    Raises:
        ModelError: the graph holds something else that depends on the sides.
    """
    model = onnx.load(path)
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "szem_double"))
    shapes = {value.name: _sides(value) for value in onnx.shape_inference.infer_shapes(model).graph.value_info} | {
        value.name: _sides(value) for value in graph.input
    }
    for node in graph.node:
        if node.op_type == "Resize":
            before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
            if len(before) != 4 or (after and [2 * s for s in before[2:] if isinstance(s, int)] != list(after[2:])):
                raise ModelError(f"{path}: {node.name} does not double its maps; export with fixed sides")
            del node.input[2:]
            node.input.append("szem_double")
        elif node.op_type == "Reshape":
            wanted = _constant(graph, node.input[1])  # (N, C, H·W)
            before = shapes.get(node.input[0], ())
            if wanted is None or wanted.size != 3 or len(before) != 4 or wanted[1] != before[1]:
                raise ModelError(f"{path}: {node.name} does more than list places; export with fixed sides")
            name = f"{node.input[1]}_open"
            if _constant(graph, name) is None:  # one constant may serve several nodes
                graph.initializer.append(numpy_helper.from_array(np.array([0, int(wanted[1]), -1], np.int64), name))
            node.input[1] = name
            kept = [a for a in node.attribute if a.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
        elif node.op_type in ("Flatten", "Expand", "Tile", "Pad", "Slice", "Gemm"):
            raise ModelError(f"{path}: {node.op_type} {node.name} may depend on the sides; export with fixed sides")
    sides = graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_param, sides[3].dim_param = f"{step_px}h", f"{step_px}w"
    for value in graph.output:
        axes = value.type.tensor_type.shape.dim
        for number, axis in enumerate(axes):
            if (number == 1 and len(axes) == 3) or (number >= 2 and len(axes) == 4):
                axis.dim_param = f"{value.name}_{number}"  # places, or rows and columns
    del graph.value_info[:]
    _save(model, path)


def take_pixels(path: Path, *, mean: float, scale: float) -> None:
    """Let a file take (N, H, W, 3) uint8 and normalise by itself: `(value - mean) / scale`."""
    model = onnx.load(path)
    graph = model.graph
    given = graph.input[0]
    n, _, h, w = (d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim)
    inner = f"{given.name}_scaled"
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == given.name:
                node.input[place] = inner
    first = [
        helper.make_node("Transpose", [given.name], ["szem_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["szem_planes"], ["szem_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["szem_float", "szem_mean"], ["szem_shifted"]),
        helper.make_node("Div", ["szem_shifted", "szem_scale"], [inner]),
    ]
    graph.initializer.append(numpy_helper.from_array(np.array(mean, np.float32), "szem_mean"))
    graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), "szem_scale"))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*first, *rest])
    taken = helper.make_tensor_value_info(given.name, TensorProto.UINT8, [n, h, w, 3])
    del graph.input[:]
    graph.input.append(taken)
    _save(model, path)


def _sides(value: Any) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def _constant(graph: Any, name: str) -> Any:
    return next((numpy_helper.to_array(i) for i in graph.initializer if i.name == name), None)


def _save(model: Any, path: Path) -> None:
    _drop_unread(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ModelError(f"{path}: the changed graph is not valid ({error})") from error
    onnx.save(model, path)


def _drop_unread(graph: Any) -> None:
    """Nodes and constants that nothing reads any more."""
    while True:
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        unread = [node for node in graph.node if not read & set(node.output)]
        if not unread:
            break
        for node in unread:
            graph.node.remove(node)
    for constant in [c for c in graph.initializer if c.name not in read]:
        graph.initializer.remove(constant)
