"""Group the operations of a network into the layers people speak of, and count what each costs.

A layer is one main operation with what hangs on it: its bias, its normalisation, its activation, the rounding of an
int8 network. Operations that only compute shapes, or change nothing, are no layers. This file does not run pictures.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from szem.arrays import Array
from szem.results.explanation import LayerRow
from szem.runtime.graph import Graph, Node
from szem.runtime.graph_costs import count_multiplications, count_parameters
from szem.runtime.graph_fields import field_of, find_grown, trace_back
from szem.runtime.graph_names import name_blocks, name_layers
from szem.runtime.graph_rules import WEIGHT_INPUT, convolution_geometry
from szem.runtime.graph_run import PictureLayout, Probe

__all__ = ["ACTIVATIONS", "GraphLayer", "find_layers", "to_maps"]

_ACTIVATION_TEXT = """
    Relu LeakyRelu PRelu Elu Celu Selu Sigmoid HardSigmoid HardSwish Swish Mish Tanh Clip Softplus Softsign
    ThresholdedRelu Gelu QuickGelu FastGelu QLinearSigmoid QLinearLeakyRelu
"""
ACTIVATIONS = frozenset(_ACTIVATION_TEXT.split())
_SHAPE_TEXT = "Reshape Flatten Transpose Squeeze Unsqueeze Slice Split Pad Expand Tile Gather DepthToSpace"
_SILENT = frozenset(("Identity", "Dropout", "Cast", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"))
_SUMS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul"))
_KINDS = {
    "ConvTranspose": "transposed",
    "Gemm": "dense",
    "QGemm": "dense",
    "MaxPool": "max-pool",
    "AveragePool": "average-pool",
    "QLinearAveragePool": "average-pool",
    "GlobalAveragePool": "global-average-pool",
    "QLinearGlobalAveragePool": "global-average-pool",
    "GlobalMaxPool": "global-max-pool",
    "Add": "add",
    "Sum": "add",
    "QLinearAdd": "add",
    "Mul": "multiply",
    "QLinearMul": "multiply",
    "Concat": "concat",
    "QLinearConcat": "concat",
    "Resize": "resize",
    "Upsample": "resize",
    "Softmax": "softmax",
    "LogSoftmax": "softmax",
    "QLinearSoftmax": "softmax",
    "BatchNormalization": "normalise",
    "InstanceNormalization": "normalise",
    "LayerNormalization": "normalise",
    "GroupNormalization": "normalise",
    "LRN": "normalise",
    **dict.fromkeys(ACTIVATIONS, "activation"),
    **dict.fromkeys(_SHAPE_TEXT.split(), "shape"),
}


@dataclass(frozen=True, eq=False)
class GraphLayer:
    """A layer: its row of the table, and where its numbers are in the graph."""

    row: LayerRow
    main: Node
    tail: tuple[Node, ...]  # what hangs on it, in order
    sources: tuple[str, ...]  # the values it reads, constants left out
    output: str  # the value that the next layers read, as float where there is one
    axes: tuple[int, int, int] | None  # which axes of the output are maps, rows, columns; None without rows


@dataclass
class _Group:
    main: Node
    tail: list[Node]
    output: str


def find_layers(probe: Probe, picture: PictureLayout) -> tuple[GraphLayer, ...]:
    """Group a network into layers, in the order they run.

    Args:
        probe: The opened network.
        picture: Which input takes the picture.
    """
    groups = _group(probe)
    layouts = _layouts(probe, picture)
    owners = {out: i for i, g in enumerate(groups) for node in (g.main, *g.tail) for out in node.outputs}
    names = name_layers(probe.graph, [group.main for group in groups])
    counted: set[str] = set()
    grown = find_grown(probe.graph)
    layers = []
    for index, group in enumerate(groups):
        layer = _describe(probe, picture, group, index, names[index], layouts, counted, grown)
        reads = dict.fromkeys(_owner(probe, name, owners) for name in layer.sources)
        layers.append(replace(layer, row=replace(layer.row, inputs=tuple(r for r in reads if r != index))))
    blocks = name_blocks([layer.row for layer in layers])
    return tuple(replace(layer, row=replace(layer.row, block=b)) for layer, b in zip(layers, blocks, strict=True))


def _group(probe: Probe) -> list[_Group]:
    graph = probe.graph
    plumbing = _plumbing(graph)
    taken: set[int] = set()
    groups = []
    for node in graph.nodes:
        silent = node.op in _SILENT or (node.op == "Pad" and _same_shape(probe, node))
        silent = silent or any(0 in probe.shapes.get(out, ()) for out in node.outputs)  # switched off, gives nothing
        if node.index in taken or node.index in plumbing or silent or not node.outputs:
            continue
        group = _Group(node, [], node.outputs[0])
        _absorb(probe, group, plumbing)
        taken.update(n.index for n in (node, *group.tail))
        groups.append(group)
    return groups


def _plumbing(graph: Graph) -> set[int]:
    """Operations on constants and on shapes, which no picture flows through."""
    found: set[int] = set()
    dry = set(graph.constant_names)
    for node in graph.nodes:
        wet = node.op not in ("Shape", "Size") and any(n and n not in dry for n in node.inputs)
        if not wet and "_captures" not in node.attributes:
            found.add(node.index)
            dry.update(node.outputs)
    return found


def _same_shape(probe: Probe, node: Node) -> bool:
    return probe.shapes.get(node.input(0)) == probe.shapes.get(node.outputs[0])


def _absorb(probe: Probe, group: _Group, plumbing: set[int]) -> None:
    """Take what follows the main operation and belongs to it."""
    graph = probe.graph
    ends = {value.name for value in graph.outputs}
    value, active, pending = group.output, group.main.op in ACTIVATIONS, list[Node]()
    while value not in ends:
        next_nodes = [n for n in graph.consumers.get(value, ()) if n.index not in plumbing]
        swish = _swish(graph, value, next_nodes)
        if swish and not active:
            pending += swish
            active = True
        elif next_nodes and all(n.op == "DequantizeLinear" for n in next_nodes):
            pending.append(next_nodes[0])  # several readers may each have a copy
        elif len(next_nodes) == 1 and _belongs(probe, group, next_nodes[0], value, active):
            pending.append(next_nodes[0])
            active = active or next_nodes[0].op in ACTIVATIONS
        else:
            break
        value = pending[-1].outputs[0]
        if pending[-1].op != "QuantizeLinear":  # never stop between rounding and what gives the number back
            group.tail += pending
            group.output, pending = value, []


def _belongs(probe: Probe, group: _Group, node: Node, value: str, active: bool) -> bool:
    if node.op in _SILENT:
        return True
    if active or len(node.outputs) != 1:
        return False
    if node.op in ACTIVATIONS:
        return group.main.op not in ("Softmax", "Split")
    sums = group.main.op in _SUMS
    if node.op == "BatchNormalization":
        return sums and node.inputs[0] == value
    other = [name for name in node.inputs if name != value]
    constant = len(other) == 1 and other[0] in probe.graph.constant_names
    return sums and constant and node.op in ("Add", "Mul") and _same_place(probe, node)


def _same_place(probe: Probe, node: Node) -> bool:
    """Whether the output is as large as the larger input, so that nothing was stretched."""
    shapes = [probe.shapes.get(name, ()) for name in node.inputs]
    return probe.shapes.get(node.outputs[0]) in shapes


def _swish(graph: Graph, value: str, nodes: list[Node]) -> list[Node]:
    """x · sigmoid(x), written by exporters as two operations."""
    if len(nodes) != 2:
        return []
    gate = next((n for n in nodes if n.op in ("Sigmoid", "HardSigmoid")), None)
    product = next((n for n in nodes if n.op == "Mul"), None)
    if gate is None or product is None or set(product.inputs) != {value, gate.outputs[0]}:
        return []
    return [gate, product] if graph.consumers.get(gate.outputs[0]) == (product,) else []


def _owner(probe: Probe, name: str, owners: dict[str, int]) -> int:
    """The layer a value comes from, seen through operations that change nothing; -1 for an input."""
    while name not in owners:
        node = probe.graph.producers.get(name)
        if node is None:
            return -1
        name = next((n for n in node.inputs if n and n not in probe.graph.constant_names), "")
        if not name:
            return -1
    return owners[name]


def _layouts(probe: Probe, picture: PictureLayout) -> dict[str, str]:
    """Value -> order of its axes, where it is not N, maps, rows, columns: exports from TensorFlow keep maps last."""
    found: dict[str, str] = {picture.name: picture.layout}
    for node in probe.graph.nodes:
        if node.op in WEIGHT_INPUT or "Pool" in node.op or not node.outputs:
            continue
        known = next((found[name] for name in node.inputs if name in found), "NCHW")
        shape = probe.shapes.get(node.outputs[0], ())
        if len(shape) != 4:
            continue
        if node.op == "Transpose":
            order = node.ints("perm", (3, 2, 1, 0))
            known = "".join(known[axis] for axis in order)
        elif node.op in ("Reshape", "Unsqueeze"):
            known = "NCHW"
        if known != "NCHW":
            found[node.outputs[0]] = known
    return found


def _axes(shape: tuple[int, ...], layout: str) -> tuple[int, int, int] | None:
    if len(shape) != 4:
        return None
    return (layout.index("C"), layout.index("H"), layout.index("W"))


def to_maps(value: Array, axes: tuple[int, int, int] | None) -> Array:
    """Arrange a value (of the first picture of a batch) as (maps, rows, columns).

    Tokens (N, T, C) become C maps of T rows and one column; a vector (N, C) becomes C maps of one number.

    >>> to_maps(np.zeros((1, 7, 5)), None).shape
    (5, 7, 1)
    """
    if axes is not None:
        return value.transpose(*(a for a in range(4) if a not in axes), *axes)[0]
    if value.ndim > 4:
        return value[0].reshape(value.shape[1], -1, value.shape[-1])
    if value.ndim == 3:
        return value[0].T[..., None]
    return value.reshape(-1, value.shape[-1])[0].reshape(-1, 1, 1) if value.ndim else value.reshape(1, 1, 1)


def _describe(
    probe: Probe,
    picture: PictureLayout,
    group: _Group,
    index: int,
    name: str,
    layouts: dict[str, str],
    counted: set[str],
    grown: frozenset[str],
) -> GraphLayer:
    main = group.main
    shape = probe.shapes[group.output]
    axes = _axes(shape, layouts.get(group.output, "NCHW"))
    maps = to_maps(np.empty(shape, np.bool_), axes).shape
    kernel = stride = dilation = None
    if main.op in WEIGHT_INPUT or "kernel_shape" in main.attributes:
        found = convolution_geometry(main, probe)
        kernel, stride, dilation = (_pair(part) for part in found[:3])
    # Weights are inputs in ONNX too; a layer's sources are what was computed from the picture.
    sources = tuple(n for n in dict.fromkeys(main.inputs) if n and n not in probe.graph.constant_names)
    nodes = (main, *group.tail)
    shared, unshared = count_parameters(probe, nodes, counted)
    field = None
    if axes and picture.name in probe.inputs:
        input_axes = (2, 3) if picture.layout == "NCHW" else (1, 2)
        field = field_of(probe, group.output, to=picture.name, axes=axes[1:], input_axes=input_axes, grown=grown)
    whole = probe.shapes[picture.name][2:] if picture.layout == "NCHW" else probe.shapes[picture.name][1:3]
    sees_all = field is not None and field[0][0] >= whole[0] and field[0][1] >= whole[1] and field[1] == (0.0, 0.0)
    # Without rows and columns there is no field: an output sees all of the picture or nothing of it.
    if not axes:
        sees_all = _reaches(probe, group.output, picture.name)
    row = LayerRow(
        index=index,
        name=name,
        kind=_kind(main, probe, kernel, dilation),
        op=main.op,
        activation=_activation(group),
        block="",
        inputs=(),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=main.integer("group", 1) if main.op in WEIGHT_INPUT else 1,
        output_shape=maps,
        parameters=shared,
        parameters_unshared=unshared,
        multiplications=count_multiplications(probe, nodes),
        field_px=None if field is None else field[0],
        field_stride_px=None if field is None else field[1],
        centre_px=None if field is None else field[2],
        sees_all=sees_all,
    )
    return GraphLayer(row, main, tuple(group.tail), sources, group.output, axes)


def _reaches(probe: Probe, value: str, name: str) -> bool:
    """Whether one number of a value without rows depends on the whole of an input."""
    shape = probe.shapes[value]
    found = trace_back(probe, value, tuple((0, 0 if axis else side - 1) for axis, side in enumerate(shape)), to=name)
    return found is not None and all(
        high - low + 1 == side for (low, high), side in zip(found, probe.shapes[name], strict=True)
    )


def _pair(numbers: tuple[int, ...]) -> tuple[int, int] | None:
    if not numbers:
        return None
    return (numbers[0], numbers[1]) if len(numbers) > 1 else (1, numbers[0])


def _kind(main: Node, probe: Probe, kernel: tuple[int, int] | None, dilation: tuple[int, int] | None) -> str:
    if main.op in WEIGHT_INPUT and main.op != "ConvTranspose":
        groups = main.integer("group", 1)
        channels = probe.shapes[main.input(0)][1]
        if dilation is not None and max(dilation) > 1:
            return "atrous"
        if groups > 1:
            return "depthwise" if groups == channels else "grouped"
        return "pointwise" if kernel == (1, 1) else "convolution"
    if "MatMul" in main.op:
        return "dense" if any(n in probe.graph.constant_names for n in main.inputs[:4]) else "attention"
    if main.op == "ReduceMean" and len(probe.shapes[main.input(0)]) == 4 and _size(probe, main.outputs[0]) < 65_536:
        return "global-average-pool"
    return _KINDS.get(main.op, "other")


def _activation(group: _Group) -> str | None:
    ops = [node.op for node in group.tail]
    for op, after in zip(ops, [*ops[1:], ""], strict=False):
        if op in ("Sigmoid", "HardSigmoid") and after == "Mul":
            return "Swish" if op == "Sigmoid" else "HardSwish"
        if op in ACTIVATIONS:
            return op
    return None


def _size(probe: Probe, name: str) -> int:
    return math.prod(probe.shapes[name])
