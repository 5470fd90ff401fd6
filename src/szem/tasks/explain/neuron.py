"""The sum behind one number of a map: inputs × weights + bias, then what follows, worked out one by one.

Everything is computed here in float64 from the numbers the layer read, and stands beside what ONNX Runtime got.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.results.explanation import NeuronSum, SumStep
from szem.runtime.graph import Node
from szem.runtime.graph_fields import trace_back
from szem.runtime.graph_layers import GraphLayer, to_maps
from szem.runtime.graph_quant import Quantisation, find_quantisation, to_real, weight_quantisation
from szem.runtime.graph_rules import WEIGHT_INPUT, convolution_geometry, needed_regions
from szem.runtime.graph_run import Probe
from szem.tasks.explain.activations import activation_of
from szem.tasks.explain.explain import Explorer, check_position
from szem.tasks.explain.preprocess import PreparedInput

__all__ = ["dense_weights", "explain_neuron"]

_Numbers = NDArray[np.float64]


@dataclass
class _Work:
    """What was read and how it was put together."""

    rule: str
    inputs: _Numbers = field(default_factory=lambda: np.zeros((0, 1, 1)))
    weights: _Numbers | None = None
    inside: NDArray[np.bool_] | None = None
    first: tuple[int, int, int] = (0, 0, 0)
    spacing: tuple[int, int] = (1, 1)
    bias: float | None = None
    total: float | None = None


def explain_neuron(
    explorer: Explorer, prepared: PreparedInput, layer: str | int, *, map: int, row: int, column: int
) -> NeuronSum:
    """Work out one number of one map.

    Args:
        explorer: The opened network.
        prepared: From `explorer.prepare(picture)`.
        layer: Which layer.
        map: Which of its maps.
        row: Where in the map.
        column: Where in the map.
    Raises:
        UnknownNameError: no such layer.
        ShapeError: no such neuron.
    """
    found = explorer.layer(layer)
    check_position(found.row, map, row, column)
    probe = explorer.probe
    values = probe.run(explorer.feed(prepared.values), [*found.sources, found.output])
    index = _full_index(values[found.output].shape, found, (map, row, column))
    work = _work(probe, found, values, index)
    steps: list[SumStep] = []
    # What the network computed; the sum that is worked out here must agree with it.
    measured = float(to_real(probe, found.output, values[found.output])[index])
    value = measured
    if work.total is not None:
        value = work.total
        steps.append(SumStep("products" if work.weights is not None else work.rule, value))
        if work.bias is not None:
            value += work.bias
            steps.append(SumStep("bias", value))
        value = _follow(probe, found, value, index, steps)
    # The patch of the input that the neuron sees.
    region = trace_back(probe, found.output, tuple((i, i) for i in index), to=explorer.layout.name)
    box = None
    if region is not None:
        rows, columns = region[2:] if explorer.layout.layout == "NCHW" else region[1:3]
        box = (columns[0], rows[0], columns[1], rows[1])
    shown = np.ones(work.inputs.shape[1:], np.bool_) if work.inside is None else work.inside
    return NeuronSum(
        layer=found.row.name,
        map=map,
        row=row,
        column=column,
        rule=work.rule,
        inputs=work.inputs.astype(np.float32),
        weights=None if work.weights is None else work.weights.astype(np.float32),
        inside=shown,
        first=work.first,
        spacing=work.spacing,
        steps=tuple(steps),
        value=value,
        measured=measured,
        quantum=_quantum(probe, found),
        field_xyxy=None if box is None else prepared.to_picture(box),
        input_xyxy=box,
    )


def dense_weights(explorer: Explorer, layer: GraphLayer) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The (inputs, outputs) weights and (outputs,) bias of a dense layer (or a 1×1 convolution of one place).

    Returns:
        None where the layer is something else, or an activation follows.
    """
    probe, node = explorer.probe, layer.main
    if layer.row.activation is not None:
        return None
    if node.op in ("Conv", "QLinearConv") and layer.row.kind == "pointwise":
        weights = _weights(probe, node)[:, :, 0, 0].T
        bias = [_bias(probe, node, i) or 0.0 for i in range(weights.shape[1])]
        return weights, np.array(bias)
    matrix = _dense_matrix(probe, node)
    if matrix is None or layer.row.kind != "dense":
        return None
    offset = _dense_bias(probe, node)
    for extra in layer.tail:
        if extra.op != "Add":
            continue
        added = probe.constant(next(n for n in extra.inputs if n in probe.graph.constant_names))
        offset = offset + (0.0 if added is None else added.reshape(-1).astype(np.float64))
    return matrix, np.broadcast_to(offset, (matrix.shape[1],)).astype(np.float64)


def _full_index(shape: tuple[int, ...], layer: GraphLayer, place: tuple[int, int, int]) -> tuple[int, ...]:
    order = to_maps(np.arange(math.prod(shape)).reshape(shape), layer.axes)
    return tuple(int(i) for i in np.unravel_index(int(order[place]), shape))


def _quantum(probe: Probe, layer: GraphLayer) -> float:
    for node in (layer.main, *layer.tail):
        for out in node.outputs:
            found = find_quantisation(probe, out) if node.op in ("QuantizeLinear", "QLinearConv", "QGemm") else None
            if found is not None:
                return float(found.scale.max())
    return 0.0


def _work(probe: Probe, layer: GraphLayer, values: dict[str, Array], index: tuple[int, ...]) -> _Work:
    rule = _WORKS.get(layer.main.op)
    if rule is None or len(probe.shapes[layer.main.outputs[0]]) != len(index):
        return _Work("other")
    real = {name: to_real(probe, name, value).astype(np.float64) for name, value in values.items()}
    return rule(probe, layer.main, real, index)


def _convolution(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    kernel, stride, dilation, pads = convolution_geometry(node, probe)
    if len(kernel) != 2:
        return _Work("other")
    source = real[node.input(0)][index[0]]  # (C, H, W)
    weights = _weights(probe, node)[index[1]]  # (C / groups, kh, kw)
    out_maps = probe.shapes[node.outputs[0]][1]
    start = index[1] // max(out_maps // node.integer("group", 1), 1) * weights.shape[0]
    corner = [index[2 + a] * stride[a] - pads[a] for a in (0, 1)]
    patch, inside = _window_of(source[start : start + weights.shape[0]], corner, kernel, dilation)
    return _Work(
        "weighted sum",
        patch,
        weights,
        inside,
        (start, corner[0], corner[1]),
        (dilation[0], dilation[1]),
        _bias(probe, node, index[1]),
        float((patch * weights).sum()),
    )


def _window_of(
    source: _Numbers, corner: list[int], kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[_Numbers, NDArray[np.bool_]]:
    ys = corner[0] + dilation[0] * np.arange(kernel[0])
    xs = corner[1] + dilation[1] * np.arange(kernel[1])
    inside = ((ys >= 0) & (ys < source.shape[1]))[:, None] & ((xs >= 0) & (xs < source.shape[2]))[None]
    patch = source[:, ys.clip(0, source.shape[1] - 1)[:, None], xs.clip(0, source.shape[2] - 1)[None]]
    return np.where(inside, patch, 0.0), inside


def _transposed(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    """Turn the picture round: which inputs were spread onto this place, and with which weight."""
    kernel, stride, dilation, pads = convolution_geometry(node, probe)
    if len(kernel) != 2:
        return _Work("other")
    source = real[node.input(0)][index[0]]
    weights = _weights(probe, node)  # (C, M / groups, kh, kw)
    per_out = weights.shape[1]
    groups = node.integer("group", 1)
    group, channels = index[1] // per_out, source.shape[0] // groups
    taps: list[list[tuple[int, int]]] = []
    for a in (0, 1):
        hits = [
            ((index[2 + a] + pads[a] - k * dilation[a]) // stride[a], k)
            for k in range(kernel[a])
            if (index[2 + a] + pads[a] - k * dilation[a]) % stride[a] == 0
        ]
        taps.append(sorted(hits))
    ys, xs = ([i for i, _ in t] for t in taps)
    own = source[group * channels : (group + 1) * channels]
    inside = np.array([[0 <= y < own.shape[1] and 0 <= x < own.shape[2] for x in xs] for y in ys], np.bool_)
    inside = inside.reshape(len(ys), len(xs))
    patch = np.zeros((channels, len(ys), len(xs)))
    used = np.zeros_like(patch)
    for i, (y, ky) in enumerate(taps[0]):
        for j, (x, kx) in enumerate(taps[1]):
            used[:, i, j] = weights[group * channels : (group + 1) * channels, index[1] % per_out, ky, kx]
            if inside[i, j]:
                patch[:, i, j] = own[:, y, x]
    spacing = (ys[1] - ys[0] if len(ys) > 1 else 1, xs[1] - xs[0] if len(xs) > 1 else 1)
    first = (group * channels, ys[0] if ys else 0, xs[0] if xs else 0)
    bias = _bias(probe, node, index[1])
    return _Work("weighted sum", patch, used, inside, first, spacing, bias, float((patch * used).sum()))


def _dense(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    weights = _dense_matrix(probe, node)
    if weights is None:
        return _Work("other")
    source = real[node.input(0)]
    if node.integer("transA", 0):
        source = source.T
    numbers = source[index[:-1]].reshape(-1, 1, 1)
    column = weights[:, index[-1]].reshape(-1, 1, 1)
    bias = None
    if node.input(_DENSE_BIAS.get(node.op, 99)):
        bias = float(np.broadcast_to(_dense_bias(probe, node), probe.shapes[node.outputs[0]])[index])
    return _Work("weighted sum", numbers, column, bias=bias, total=float((numbers * column).sum()))


_DENSE_BIAS = {"Gemm": 2, "QGemm": 6}


def _dense_matrix(probe: Probe, node: Node) -> _Numbers | None:
    """(inputs, outputs) as real numbers, `alpha` included."""
    weights = _matrix(probe, node, {"QGemm": 3, "QLinearMatMul": 3}.get(node.op, 1))
    if weights is None or weights.ndim != 2:
        return None
    return (weights.T if node.integer("transB", 0) else weights) * node.number("alpha", 1.0)


def _dense_bias(probe: Probe, node: Node) -> _Numbers:
    name = node.input(_DENSE_BIAS.get(node.op, 99))
    added = probe.constant(name) if name else None
    if added is None:
        return np.zeros(1)
    offset = added.astype(np.float64)
    if node.op == "QGemm":
        return offset * _scales(probe, node, 1, 4, offset.size)
    return offset * node.number("beta", 1.0)


def _matrix(probe: Probe, node: Node, position: int) -> _Numbers | None:
    raw = probe.constant(node.input(position))
    if raw is None:
        return None
    if node.op in ("QGemm", "QLinearMatMul"):
        pair = weight_quantisation(probe, node.input(position + 1), node.input(position + 2))
        if pair is None:
            return None
        axis = 0 if node.integer("transB", 0) else 1  # where the outputs are
        return Quantisation(pair.scale, pair.zero, axis).apply(raw).astype(np.float64)
    return raw.astype(np.float64)


def _weights(probe: Probe, node: Node) -> _Numbers:
    raw = probe.constant(node.input(WEIGHT_INPUT[node.op]))
    if raw is None:
        raise KeyError(node.name)
    if node.op == "QLinearConv":
        pair = weight_quantisation(probe, node.input(4), node.input(5))
        if pair is not None:
            return pair.apply(raw).astype(np.float64)
    return raw.astype(np.float64)


def _bias(probe: Probe, node: Node, out_map: int) -> float | None:
    name = node.input({"QLinearConv": 8, "ConvInteger": 99}.get(node.op, 2))
    raw = probe.constant(name) if name else None
    if raw is None:
        return None
    value = float(raw.reshape(-1)[out_map])
    if node.op == "QLinearConv":
        value *= float(_scales(probe, node, 1, 4, raw.size)[out_map])
    return value


def _scales(probe: Probe, node: Node, source: int, weights: int, count: int) -> _Numbers:
    """What one integer of a quantised bias stands for, per output."""
    a, b = probe.constant(node.input(source)), probe.constant(node.input(weights))
    if a is None or b is None:
        raise KeyError(node.name)
    return np.broadcast_to(a.astype(np.float64).reshape(-1) * b.astype(np.float64).reshape(-1), (count,))


def _pool(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    kernel, stride, dilation, pads = convolution_geometry(node, probe)
    if len(kernel) != 2:
        return _Work("other")
    source = real[node.input(0)][index[0], index[1]][None]
    corner = [index[2 + a] * stride[a] - pads[a] for a in (0, 1)]
    patch, inside = _window_of(source, corner, kernel, dilation)
    if node.op == "MaxPool":
        total, rule = float(patch[0][inside].max()), "maximum"
    else:
        counted = inside
        if node.integer("count_include_pad", 0):  # padding counts, but not what lies beyond it (ceil_mode)
            ends = [probe.shapes[node.input(0)][2 + a] + node.ints("pads", (0,) * 4)[2 + a] for a in (0, 1)]
            counted = (corner[0] + dilation[0] * np.arange(kernel[0]) < ends[0])[:, None] & (
                corner[1] + dilation[1] * np.arange(kernel[1]) < ends[1]
            )[None]
        total, rule = float(patch[0][inside].sum()) / max(int(counted.sum()), 1), "mean"
    return _Work(rule, patch, None, inside, (index[1], corner[0], corner[1]), (dilation[0], dilation[1]), total=total)


def _global_pool(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    source = real[node.input(0)]
    if node.op == "ReduceMean":
        region = needed_regions(node, probe, 0, tuple((i, i) for i in index))[node.input(0)]
        wanted = ((index[0],) * 2, (index[1],) * 2, *((0, side - 1) for side in source.shape[2:]))
        if source.ndim != 4 or region != wanted:
            return _Work("other")
    patch = source[index[0], index[1]][None]
    if node.op == "GlobalMaxPool":
        return _Work("maximum", patch, first=(index[1], 0, 0), total=float(patch.max()))
    return _Work("mean", patch, first=(index[1], 0, 0), total=float(patch.mean()))


def _pointwise(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    names = [node.input(0), node.input(3)] if node.op.startswith("QLinear") else [n for n in node.inputs if n]
    numbers = []
    for name in names:
        source = real.get(name)
        if source is None:
            constant = probe.constant(name)
            if constant is None:
                return _Work("other")
            source = constant.astype(np.float64)
        numbers.append(float(np.broadcast_to(source, probe.shapes[node.outputs[0]])[index]))
    multiply = "Mul" in node.op
    total = math.prod(numbers) if multiply else sum(numbers)
    return _Work("product" if multiply else "sum", np.array(numbers).reshape(-1, 1, 1), total=total)


def _copy(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    """Concatenation: the number is one of its inputs'."""
    axis = node.integer("axis", 0) % len(index)
    place = index[axis]
    for name in node.inputs:
        side = probe.shapes[name][axis] if name in probe.shapes else 0
        if place < side and name in real:
            value = float(real[name][(*index[:axis], place, *index[axis + 1 :])])
            return _Work("copy", np.array([[[value]]]), first=(place, *index[2:4]), total=value)  # type: ignore[arg-type]
        place -= side
    return _Work("other")


def _activate(probe: Probe, node: Node, real: dict[str, _Numbers], index: tuple[int, ...]) -> _Work:
    function = activation_of(probe, node, index)
    if function is None or node.input(0) not in real:
        return _Work("other")
    value = float(real[node.input(0)][index])
    return _Work(node.op, np.array([[[value]]]), total=function(value))


def _follow(probe: Probe, layer: GraphLayer, value: float, index: tuple[int, ...], steps: list[SumStep]) -> float:
    """What is done to the sum afterwards, one step each."""
    if layer.main.op in ("QLinearConv", "QLinearAdd", "QLinearMul", "QGemm", "QLinearMatMul") or (
        layer.main.op in ("QLinearGlobalAveragePool", "QLinearAveragePool")
    ):
        value = _round(probe, layer.main.outputs[0], value)
        steps.append(SumStep("round", value))
    before_gate = gate = None
    for node in layer.tail:
        if node.op in ("Identity", "Dropout", "Cast", "DequantizeLinear"):
            continue
        if node.op == "QuantizeLinear":
            value = _round(probe, node.outputs[0], value)
            steps.append(SumStep("round", value))
            continue
        if node.op in ("Sigmoid", "HardSigmoid") and any(node.outputs[0] in n.inputs for n in layer.tail):
            function = activation_of(probe, node, index)
            before_gate, gate = value, function(value) if function else None
            continue
        if node.op == "Mul" and gate is not None and before_gate is not None:
            value, gate = before_gate * gate, None
            steps.append(SumStep(layer.row.activation or "Swish", value))
            continue
        value, name = _one_step(probe, node, value, index)
        steps.append(SumStep(name, value))
    return value


def _one_step(probe: Probe, node: Node, value: float, index: tuple[int, ...]) -> tuple[float, str]:
    if node.op == "BatchNormalization":
        gamma, beta, mean, variance = (_at(probe, node.input(i), index[1]) for i in (1, 2, 3, 4))
        spread = math.sqrt(variance + node.number("epsilon", 1e-5))
        return (value - mean) / spread * gamma + beta, "normalise"
    if node.op in ("Add", "Mul"):
        other = next(n for n in node.inputs if n in probe.graph.constant_names)
        constant = probe.constant(other)
        assert constant is not None
        added = float(np.broadcast_to(constant, probe.shapes[node.outputs[0]])[index])
        return (value + added, "bias") if node.op == "Add" else (value * added, "scale")
    function = activation_of(probe, node, index)
    return (math.nan if function is None else function(value)), node.op


def _at(probe: Probe, name: str, position: int) -> float:
    value = probe.constant(name)
    return math.nan if value is None else float(value.reshape(-1)[position])


def _round(probe: Probe, name: str, value: float) -> float:
    """Round to the integers that the value's type holds, and back."""
    pair = find_quantisation(probe, name)
    if pair is None:
        return value
    scale, zero = float(pair.scale.reshape(-1)[0]), int(pair.zero.reshape(-1)[0])
    span = np.iinfo(probe.dtypes[name])
    integer = min(max(int(np.rint(value / scale)) + zero, int(span.min)), int(span.max))
    return (integer - zero) * scale


_WORKS: dict[str, Callable[[Probe, Node, dict[str, _Numbers], tuple[int, ...]], _Work]] = {
    **dict.fromkeys(("Conv", "QLinearConv", "FusedConv"), _convolution),
    "ConvTranspose": _transposed,
    **dict.fromkeys(("Gemm", "QGemm", "MatMul", "QLinearMatMul"), _dense),
    **dict.fromkeys(("MaxPool", "AveragePool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "QLinearGlobalAveragePool"), _global_pool),
    **dict.fromkeys(("Add", "Sum", "Mul", "QLinearAdd", "QLinearMul"), _pointwise),
    "Concat": _copy,
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Elu", "Celu", "Selu", "Sigmoid", "HardSigmoid"), _activate),
    **dict.fromkeys(("HardSwish", "Swish", "Mish", "Tanh", "Clip", "Softplus", "Softsign", "Gelu"), _activate),
}
