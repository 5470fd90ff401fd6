"""What a layer costs: learned numbers, shared and as if they were not, and multiplications for one picture."""

import math
from collections.abc import Sequence

import numpy as np

from szem.runtime.graph import Node
from szem.runtime.graph_rules import WEIGHT_INPUT
from szem.runtime.graph_run import Probe

__all__ = ["LEARNED", "count_multiplications", "count_parameters"]

# Which inputs of an operation hold learned numbers (when they are constants).
LEARNED = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "Gemm": (0, 1, 2),
    "QGemm": (0, 3, 6),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "PRelu": (1,),
    "Add": (0, 1),
    "Mul": (0, 1),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
}


def _constant_size(probe: Probe, name: str) -> int:
    value = probe.constant(name) if name in probe.graph.constant_names else None
    return 0 if value is None or value.dtype == np.int64 else value.size


def count_parameters(probe: Probe, nodes: Sequence[Node], counted: set[str]) -> tuple[int, int]:
    """Learned numbers: as stored, and if every neuron had its own. A weight used twice counts once."""
    shared = unshared = 0
    for node in nodes:
        for position in LEARNED.get(node.op, ()):
            name = node.input(position)
            size = _constant_size(probe, name)
            if not size or (size == 1 and node.op in ("Add", "Mul")):
                continue
            places = _places(probe, node, size)
            unshared += size * places
            shared += 0 if name in counted else size
            counted.add(name)
    return shared, unshared


def _places(probe: Probe, node: Node, size: int) -> int:
    """At how many places of its map the same numbers are used."""
    if node.op == "ConvTranspose" and size > probe.shapes[node.outputs[0]][1]:
        return math.prod(probe.shapes[node.input(0)][2:])
    shape = probe.shapes[node.outputs[0]]
    if node.op in WEIGHT_INPUT or (len(shape) == 4 and node.op in ("BatchNormalization", "PRelu", "Add", "Mul")):
        spatial = math.prod(shape[2:])
        return spatial if size < math.prod(shape) or node.op in WEIGHT_INPUT else 1
    if "MatMul" in node.op and len(shape) > 2:
        return math.prod(shape[1:-1])
    return 1


def count_multiplications(probe: Probe, nodes: Sequence[Node]) -> int:
    """Products for one picture (the first of a batch)."""
    total = 0
    for node in nodes:
        if not node.outputs or node.outputs[0] not in probe.shapes:
            continue
        shape = probe.shapes[node.outputs[0]]
        out = math.prod(shape[1:]) if len(shape) > 1 else math.prod(shape)
        if node.op == "ConvTranspose":
            source = probe.shapes[node.input(0)]
            weights = _weight_shape(probe, node)
            total += math.prod(source[1:]) * math.prod(weights[1:])
        elif node.op in WEIGHT_INPUT:
            total += out * math.prod(_weight_shape(probe, node)[1:])
        elif node.op in ("Gemm", "QGemm", "MatMul", "QLinearMatMul", "MatMulInteger"):
            source = probe.shapes[node.input(0)]
            total += out * (source[0] if node.integer("transA", 0) else source[-1])
        elif node.op in ("BatchNormalization", "Mul", "QLinearMul"):
            total += out
    return total


def _weight_shape(probe: Probe, node: Node) -> tuple[int, ...]:
    name = node.input(WEIGHT_INPUT[node.op])
    if name in probe.shapes:
        return probe.shapes[name]
    weights = probe.constant(name)
    return () if weights is None else weights.shape
