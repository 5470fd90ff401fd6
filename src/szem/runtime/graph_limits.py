"""What a network costs before it runs: refused here, or never begun.

Most operations do as much work as they make numbers, times the terms of one sum (`_terms`). Some have a loop inside
and make few numbers of much work: recurrent layers, `Einsum`, `Loop` and `Scan`; they are counted by their inputs.
What the shapes do not say (a loop that ends by a condition) is left to the time limit of the run, and of the worker.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from szem.errors import TooLargeError
from szem.runtime.graph import Graph, Node

__all__ = ["check_cost"]

Shapes = Mapping[str, tuple[int, ...]]
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
# A loop with more iterations ends by its condition: exporters write the largest int64 for "while".
_MAX_TRIPS = 1 << 40


def check_cost(graph: Graph, shapes: Shapes) -> None:
    """Refuse what would run for hours, or hold more than the memory allowed.

    Args:
        graph: The network.
        shapes: Value name -> shape, as far as known.
    Raises:
        TooLargeError: one value, or all work together, is past the limits.
    """
    limits, total = graph.limits, 0.0
    for node in graph.nodes:
        for out in node.outputs:
            shape = shapes.get(out)
            if shape is None:
                continue
            size = _size(shape)
            if size * 4 > limits.max_value_bytes:
                raise TooLargeError(
                    f"{graph.name}: {node.name} makes {size:,.0f} numbers ({_sides(shape)}), more than "
                    f"{limits.max_value_bytes / 2**30:.1f} GiB; take a smaller picture or network"
                )
            total += size * _terms(node.op, node.inputs, shapes)
    constants = _small_constants(graph)
    for node, proto in zip(graph.nodes, graph.proto.graph.node, strict=True):
        total += _inner_work(node, proto, shapes, constants)
        if total > limits.max_multiplications:
            raise TooLargeError(
                f"{graph.name}: {total:.3g} multiplications for one picture, the limit is "
                f"{limits.max_multiplications:.3g} (at {node.name}); take a smaller picture or network"
            )


def _inner_work(node: Node, proto: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, int]) -> float:
    """Work of a loop inside one node; 0 for nodes without."""
    if node.op in _GATES:
        return _recurrent_work(node, shapes)
    if node.op == "Einsum":
        return _einsum_work(node, shapes)
    if node.op in ("Loop", "Scan"):
        return _trips(node, proto, shapes, constants) * _count_body(proto, shapes, constants)
    return 0.0


def _recurrent_work(node: Node, shapes: Shapes) -> float:
    """Steps x directions x batch x gates x hidden x (inputs + hidden)."""
    x, recurrence = shapes.get(node.input(0)), shapes.get(node.input(2))
    if x is None or len(x) != 3:
        return 0.0
    steps, batch, inputs = (x[1], x[0], x[2]) if node.integer("layout", 0) == 1 else x
    hidden = node.integer("hidden_size", 0) or (recurrence[-1] if recurrence else 1)
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    return float(directions) * steps * batch * _GATES[node.op] * hidden * (float(inputs) + hidden)


def _einsum_work(node: Node, shapes: Shapes) -> float:
    """The product of all indices: what the naive sum takes, which ONNX Runtime may at worst."""
    sides: dict[str, int] = {}
    terms = node.text("equation", "").replace(" ", "").partition("->")[0].split(",")
    for term, name in zip(terms, node.inputs, strict=False):
        shape = shapes.get(name)
        letters = term.replace(".", "")
        if shape is None:
            continue
        for letter, side in zip(reversed(letters), reversed(shape), strict=False):
            sides[letter] = max(sides.get(letter, 1), side)
    return _size(tuple(sides.values()))


def _trips(node: Node, proto: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, int]) -> float:
    """How often a loop runs; 1 where only running it tells."""
    if node.op == "Loop":
        most = constants.get(node.input(0), 1)
        return float(most) if most <= _MAX_TRIPS or not node.input(1) or _never_stops(proto) else 1.0
    count = node.integer("num_scan_inputs", 1)
    first = shapes.get(node.inputs[len(node.inputs) - count]) if 0 < count <= len(node.inputs) else None
    axes = node.ints("scan_input_axes", (0,))
    return float(first[axes[0]]) if first and axes and -len(first) <= axes[0] < len(first) else 1.0


def _never_stops(proto: onnx.NodeProto) -> bool:
    """Whether the body hands its condition on as it came: then the number of trips alone ends the loop."""
    body = next((a.g for a in proto.attribute if a.name == "body"), None)
    if body is None or len(body.input) < 2 or not body.output:
        return False
    source = body.output[0].name
    for inner in reversed(body.node):
        if source in inner.output:
            if inner.op_type == "Constant":
                return True
            if inner.op_type != "Identity":
                return False
            source = inner.input[0]
    return source == body.input[1].name


def _count_body(proto: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, int]) -> float:
    """Work of one trip through a loop's body, at least; loops inside loops multiply."""
    total = 0.0
    stack: list[tuple[Any, Shapes, float]] = [(a.g, shapes, 1.0) for a in proto.attribute if a.g.node]
    while stack:
        body, outer, times = stack.pop()
        known = {**outer, **{tensor.name: tuple(tensor.dims) for tensor in body.initializer}}
        for inner in body.node:
            total += times * _min_work(inner, known)
            factor = times * max(1.0, _inner_trips(inner, known, constants))
            stack += [(a.g, known, factor) for a in inner.attribute if a.g.node]
    return total


def _inner_trips(node: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, int]) -> float:
    """How often a loop inside a loop runs, as far as its inputs from outside say; 1 for other nodes."""
    if node.op_type == "Loop" and node.input:
        trips = constants.get(node.input[0], 1)
        return float(trips) if trips <= _MAX_TRIPS else 1.0
    if node.op_type == "Scan":
        count = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 1)
        lengths = [shapes[name][0] for name in node.input[-count:] if shapes.get(name)] if count > 0 else []
        return float(max(lengths, default=1))
    return 1.0


def _min_work(node: onnx.NodeProto, shapes: Shapes) -> float:
    """What a node of a body costs at least: each number of an input that is known is used once, in a product of two
    matrices once for each column of the second."""
    known = [shapes.get(name) for name in node.input]
    work = max((_size(shape) for shape in known if shape), default=1.0)
    if node.op_type in ("MatMul", "Gemm") and len(known) > 1 and known[0] and known[1]:
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        work = max(work, _size(known[0]) * known[1][-2 if turned and len(known[1]) > 1 else -1])
    return max(work, 1.0)


def _small_constants(graph: Graph) -> dict[str, int]:
    """Single integers that stand in the file: numbers of trips."""
    found: dict[str, int] = {}

    def note(name: str, tensor: onnx.TensorProto) -> None:
        if prod(tensor.dims) == 1 and tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            found[name] = int(np.ravel(numpy_helper.to_array(tensor))[0])

    stack: list[Any] = [graph.proto.graph]
    while stack:
        part = stack.pop()
        for tensor in part.initializer:
            note(tensor.name, tensor)
        for node in part.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value":
                    note(node.output[0], attribute.t)
                elif node.op_type == "Constant" and attribute.name == "value_int":
                    found[node.output[0]] = attribute.i
                stack += [g for g in (*attribute.graphs, attribute.g) if g.node]
    return found


def _terms(op: str, inputs: tuple[str, ...], shapes: Shapes) -> float:
    """How many products one output of this operation sums, roughly."""
    position = {"QLinearConv": 3, "QLinearMatMul": 0, "QGemm": 0}.get(op, 0 if "MatMul" in op or op == "Gemm" else 1)
    shape = shapes.get(inputs[position]) if position < len(inputs) else None
    if shape is None or not shape:
        return 1.0
    if "Conv" in op:
        return _size(shape[1:])
    if "MatMul" in op or "Gemm" in op:
        return float(max(shape[-1], shape[-2] if len(shape) > 1 else 1))
    return 1.0


def _size(shape: tuple[int, ...]) -> float:
    return float(np.prod([float(side) for side in shape]))


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape)
