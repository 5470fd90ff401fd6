"""The weights of an ONNX file in any of szem's precisions, as float32 and by the names that torch gave them.

The exporter and the quantiser change names: a weight stored as float16 or int8 has a suffix and a node that restores
it, the bias of a quantised convolution has a number for a name, and so has the weight of a linear layer, which is
stored transposed. The graph says whose they are: a convolution names its weight, an addition behind a product the
bias of the same layer. This file does not know about networks.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

__all__ = ["read_weights"]

_SUFFIXES = ("_float16", "_int8", "_quantized")
_PASSED = ("QuantizeLinear", "DequantizeLinear")  # between a product and the addition of its bias


def read_weights(file: Path) -> dict[str, NDArray[np.float32]]:
    """Every weight whose layer can be told; a normalisation made part of its convolution is `...conv.weight_bias`.

    Raises:
        OSError: the file cannot be read.
    """
    graph = onnx.load(file).graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    origin = {name: _plain(name) for name in values}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
        if node.op_type in ("Cast", "DequantizeLinear") and all(name in values for name in node.input):
            restored = values[node.input[0]].astype(np.float32)
            if node.op_type == "DequantizeLinear":
                axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
                restored = _dequantised(restored, [values[name] for name in node.input[1:]], axis)
            values[node.output[0]], origin[node.output[0]] = restored, origin[node.input[0]]
        elif node.op_type == "Mul" and all(name in values for name in node.input):  # scales of `store_as_int8`
            values[node.output[0]] = values[node.input[0]] * values[node.input[1]]
            origin[node.output[0]] = origin[node.input[0]]
    # What was restored comes after what it was restored from, and takes its place.
    found = {origin[name]: value.astype(np.float32) for name, value in values.items() if value.dtype.kind in "fiu"}
    for node in graph.node:
        names = list(node.input)
        if node.op_type == "Conv" and len(names) == 3 and names[1] in origin and names[2] in values:
            bias = values[names[2]].astype(np.float32)
            found[f"{origin[names[1]]}_bias"] = bias
            # Equal biases are one initializer in the file, under the name of the first layer.
            found.setdefault(f"{origin[names[1]].removesuffix('weight')}bias", bias)
        elif node.op_type == "MatMul" and names[1] in values:
            added = _added(node, users, origin)
            if added.endswith(".bias"):
                found[f"{added.removesuffix('bias')}weight"] = values[names[1]].astype(np.float32).T
    return found


def _plain(name: str) -> str:
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.removeprefix("net.")


def _dequantised(
    stored: NDArray[np.float32], scale_and_zero: list[NDArray[np.generic]], axis: int
) -> NDArray[np.float32]:
    scale = scale_and_zero[0].astype(np.float32)
    zero = scale_and_zero[1].astype(np.float32) if len(scale_and_zero) > 1 else np.zeros_like(scale)
    shape = [-1 if place == axis else 1 for place in range(stored.ndim)] if scale.ndim else []
    return ((stored - zero.reshape(shape)) * scale.reshape(shape)).astype(np.float32)


def _added(node: onnx.NodeProto, users: dict[str, list[onnx.NodeProto]], origin: dict[str, str]) -> str:
    """The name of the bias that is added to a product; "" where none is."""
    while len(following := users.get(node.output[0], [])) == 1:
        following_node = following[0]
        if following_node.op_type == "Add":
            other = next((name for name in following_node.input if name != node.output[0]), "")
            return origin.get(other, "")
        if following_node.op_type not in _PASSED:
            break
        node = following_node
    return ""
