"""Changes to an exported ONNX file: inputs of any sides, and pixels taken as they are.

torch can trace a network with open sides, but reasoning about them takes it minutes. A convolutional network traced
with sides of one size depends on that size in three places only: where maps are enlarged to a size, where places are
listed, and where padding follows TensorFlow's SAME, which depends on whether a side is even. This file does not know
about networks, tasks or cards.
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

    Every `Resize` must double its maps, every `Reshape` list the places of maps: (N, C, H, W) to (N, C, H·W), or
    (N, H, W, A·C) to (N, H·W·A, C). Where one strided convolution is padded more at the end than at the beginning,
    all of them are taken to be padded as SAME.

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
            opened = _open_places(_constant(graph, node.input[1]), shapes.get(node.input[0], ()))
            if opened is None:
                raise ModelError(f"{path}: {node.name} does more than list places; export with fixed sides")
            name = f"{node.input[1]}_open"
            if _constant(graph, name) is None:  # one constant may serve several nodes
                graph.initializer.append(numpy_helper.from_array(opened, name))
            node.input[1] = name
            kept = [a for a in node.attribute if a.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
        elif node.op_type in ("Flatten", "Expand", "Tile", "Pad", "Slice", "Gemm"):
            raise ModelError(f"{path}: {node.op_type} {node.name} may depend on the sides; export with fixed sides")
    _pad_as_same(graph)
    sides = graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_param, sides[3].dim_param = f"{step_px}h", f"{step_px}w"
    for value in graph.output:
        axes = value.type.tensor_type.shape.dim
        for number, axis in enumerate(axes):
            if (number == 1 and len(axes) == 3) or (number >= 2 and len(axes) == 4):
                axis.dim_param = f"{value.name}_{number}"  # places, or rows and columns
    del graph.value_info[:]
    _save(model, path)


def _open_places(wanted: Any, before: list[int | str] | tuple[()]) -> Any:
    """The shape that lists the places of maps of any size; None where a `Reshape` does something else."""
    if wanted is None or wanted.size != 3 or len(before) != 4:
        return None
    _, *sides = (s for s in before)
    if any(isinstance(side, str) for side in sides):
        return None
    first, second, third = (int(side) for side in sides)
    _, places, numbers = (int(n) for n in wanted)
    if places == first and numbers in (-1, second * third):  # (N, C, H, W) to (N, C, H·W)
        return np.array([0, places, -1], np.int64)
    if numbers > 0 and third % numbers == 0 and places * numbers == first * second * third:
        return np.array([0, -1, numbers], np.int64)  # (N, H, W, A·C) to (N, H·W·A, C)
    return None


def _pad_as_same(graph: Any) -> None:
    """Let the runtime pad strided convolutions, where one of them shows that they are padded as SAME."""
    strided = []
    is_same = False
    for node in graph.node:
        if node.op_type == "Conv":
            given = {a.name: list(a.ints) for a in node.attribute if a.name in ("pads", "strides", "kernel_shape")}
            pads = given.get("pads", [0, 0, 0, 0])
            is_same |= pads[:2] != pads[2:]
            if max(given.get("strides", [1])) > 1 and max(given.get("kernel_shape", [3])) > 1:
                strided.append(node)
    for node in strided if is_same else ():
        kept = [a for a in node.attribute if a.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("auto_pad", "SAME_UPPER")])


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
