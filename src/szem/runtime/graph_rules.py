"""What each operation needs of its inputs to make a part of its output: one rule per operation.

A region is one (first, last) pair, both included, per axis of a value. An operation without a rule is taken to need
all of its inputs, which is never wrong, only wide. `graph_fields` walks these rules back to the input.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from szem.runtime.graph import Node
from szem.runtime.graph_run import Probe

__all__ = ["WEIGHT_INPUT", "Region", "aligned_region", "convolution_geometry", "join_regions", "needed_regions"]

Region = tuple[tuple[int, int], ...]

_GLOBAL = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"}
_WINDOWS = {"MaxPool", "AveragePool", "LpPool", "QLinearAveragePool"}
_CONVOLUTIONS = {"Conv", "QLinearConv", "ConvInteger", "FusedConv"}
# Position of each convolution's weights among its inputs.
WEIGHT_INPUT = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "ConvTranspose": 1, "QLinearConv": 3}
# Operations whose output at a place needs their inputs at that place only.
_POINTWISE_TEXT = """
    Relu LeakyRelu Elu Celu Selu Sigmoid HardSigmoid HardSwish Swish Mish Tanh Clip Softplus Softsign PRelu Shrink
    ThresholdedRelu Gelu QuickGelu FastGelu BiasGelu Erf Exp Log Sqrt Reciprocal Abs Neg Sign Floor Ceil Round Sin Cos
    Not Cast CastLike Identity Dropout BatchNormalization QuantizeLinear DequantizeLinear QLinearSigmoid
    QLinearLeakyRelu IsNaN IsInf Add Sub Mul Div Pow Max Min Sum Mean Where Mod And Or Xor Equal Greater Less
    GreaterOrEqual LessOrEqual BitShift QLinearAdd QLinearMul Expand
"""
_POINTWISE = frozenset(_POINTWISE_TEXT.split())


def convolution_geometry(
    node: Node, probe: Probe
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, stride, dilation and the padding before each spatial axis, of a convolution or pooling.

    Returns:
        Four tuples, one number per spatial axis; padding is what `auto_pad` comes to on the real sizes.
    """
    if node.op in WEIGHT_INPUT:
        kernel = probe.shapes.get(node.input(WEIGHT_INPUT[node.op])) or _constant_shape(node, probe)
        kernel = kernel[2:]
    else:
        kernel = node.ints("kernel_shape")
    n = len(kernel)
    stride = node.ints("strides", (1,) * n)
    dilation = node.ints("dilations", (1,) * n)
    pads = node.ints("pads", (0,) * 2 * n)[:n]
    mode = node.text("auto_pad", "NOTSET")
    if mode == "VALID":
        pads = (0,) * n
    if mode.startswith("SAME") and node.op != "ConvTranspose":
        sizes = probe.shapes[node.input(0)][2:]
        outs = probe.shapes[node.outputs[0]][2:]
        lower = mode == "SAME_LOWER"
        pads = tuple(
            ((o - 1) * s + (k - 1) * d + 1 - size + (1 if lower else 0)) // 2
            if (o - 1) * s + (k - 1) * d >= size
            else 0
            for size, o, k, s, d in zip(sizes, outs, kernel, stride, dilation, strict=True)
        )
    elif node.op == "ConvTranspose":
        pads = _transposed_pads(node, probe, kernel, stride, dilation)
    return kernel, stride, dilation, pads


def _transposed_pads(
    node: Node, probe: Probe, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    n = len(kernel)
    mode = node.text("auto_pad", "NOTSET")
    if mode == "NOTSET" and not node.ints("output_shape"):
        return node.ints("pads", (0,) * 2 * n)[:n]
    extra = node.ints("output_padding", (0,) * n)
    sizes = probe.shapes[node.input(0)][2:]
    outs = probe.shapes[node.outputs[0]][2:]
    totals = [
        s * (size - 1) + e + (k - 1) * d + 1 - out
        for size, out, k, s, d, e in zip(sizes, outs, kernel, stride, dilation, extra, strict=True)
    ]
    return tuple(total - total // 2 if mode == "SAME_LOWER" else total // 2 for total in totals)


def _constant_shape(node: Node, probe: Probe) -> tuple[int, ...]:
    weights = probe.constant(node.input(WEIGHT_INPUT[node.op]))
    return () if weights is None else weights.shape


def join_regions(a: Region | None, b: Region) -> Region:
    """The smallest region that holds both."""
    if a is None:
        return b
    return tuple((min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a, b, strict=True))


def _all(shape: tuple[int, ...]) -> Region:
    return tuple((0, side - 1) for side in shape)


def needed_regions(node: Node, probe: Probe, position: int, region: Region) -> Mapping[str, Region]:
    """The regions of a node's inputs that a region of its output is made from."""
    rule = _rule(node)
    shape = probe.shapes.get(node.outputs[position], ())
    if rule is not None and len(shape) == len(region):
        try:
            found = rule(node, probe, position, region)
        except (IndexError, KeyError, TypeError, ValueError, ZeroDivisionError):  # attributes of another kind
            found = None
        if found is not None:
            return found
    inner = node.attributes.get("_captures", ())
    return {name: _all(probe.shapes[name]) for name in (*node.inputs, *inner) if name in probe.shapes}


_Rule = Callable[[Node, Probe, int, Region], "dict[str, Region] | None"]


def _rule(node: Node) -> _Rule | None:
    if node.op in _CONVOLUTIONS or node.op in _WINDOWS:
        return _window
    if node.op == "ConvTranspose":
        return _transposed
    if node.op in _GLOBAL:
        return _global
    if node.op in _POINTWISE:
        return _broadcast
    return _RULES.get(node.op)


def _window(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    kernel, stride, dilation, pads = convolution_geometry(node, probe)
    spatial = tuple(
        (low * s - p, high * s - p + (k - 1) * d)
        for (low, high), k, s, d, p in zip(region[2:], kernel, stride, dilation, pads, strict=True)
    )
    shape = probe.shapes[node.input(0)]
    channels = region[1] if node.op in _WINDOWS else _group_channels(node, probe, region[1], shape[1])
    return {node.input(0): (region[0], channels, *spatial)}


def aligned_region(node: Node, probe: Probe, region: Region, part: Region) -> Region:
    """Of an atrous kernel that hangs over the border, keep the taps inside: the last one may lie short of the border.

    Exact for one neuron; for several the part is left as it is.
    """
    if node.op not in _CONVOLUTIONS | _WINDOWS:
        return part
    kernel, _, dilation, _ = convolution_geometry(node, probe)
    sides = probe.shapes[node.input(0)][2:]
    kept = list(part)
    for axis, (k, d, side) in enumerate(zip(kernel, dilation, sides, strict=True), start=2):
        if d > 1 and region[axis][0] == region[axis][1]:
            taps = [part[axis][0] + i * d for i in range(k) if 0 <= part[axis][0] + i * d < side]
            kept[axis] = (taps[0], taps[-1]) if taps else kept[axis]
    return tuple(kept)


def _group_channels(node: Node, probe: Probe, wanted: tuple[int, int], channels: int) -> tuple[int, int]:
    groups = node.integer("group", 1)
    per_in = channels // groups
    per_out = max(probe.shapes[node.outputs[0]][1] // groups, 1)
    return (wanted[0] // per_out * per_in, (wanted[1] // per_out + 1) * per_in - 1)


def _transposed(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    kernel, stride, dilation, pads = convolution_geometry(node, probe)
    spatial = []
    for (low, high), k, s, d, p in zip(region[2:], kernel, stride, dilation, pads, strict=True):
        first = -((-(low + p - (k - 1) * d)) // s)
        last = (high + p) // s
        spatial.append((min(first, last), max(first, last)))
    shape = probe.shapes[node.input(0)]
    return {node.input(0): (region[0], _group_channels(node, probe, region[1], shape[1]), *spatial)}


def _global(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    return {node.input(0): (*region[:2], *_all(shape)[2:])}


def _broadcast(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    """Same place in every input; an axis of length 1 that was stretched gives its only place."""
    found: dict[str, Region] = {}
    out = probe.shapes[node.outputs[0]]
    for name in node.inputs:
        shape = probe.shapes.get(name)
        if shape is None:
            continue
        tail = region[len(region) - len(shape) :] if shape else ()
        outs = out[len(out) - len(shape) :] if shape else ()
        part = tuple(
            (0, 0) if side == 1 and other != 1 else span for side, other, span in zip(shape, outs, tail, strict=True)
        )
        found[name] = join_regions(found.get(name), part)
    return found


def _concat(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    names = [n for n in node.inputs if n in probe.shapes]
    if node.op == "QLinearConcat":
        names = list(node.inputs[2::3])
    rank = len(region)
    axis = node.integer("axis", 0) % rank
    found: dict[str, Region] = {}
    start = 0
    for name in names:
        side = probe.shapes[name][axis]
        low, high = region[axis][0] - start, region[axis][1] - start
        start += side
        if high < 0 or low >= side:
            continue
        span = (max(low, 0), min(high, side - 1))
        found[name] = join_regions(found.get(name), (*region[:axis], span, *region[axis + 1 :]))
    return found


def _transpose(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    order = node.ints("perm", tuple(reversed(range(len(region)))))
    back: list[tuple[int, int]] = [(0, 0)] * len(order)
    for out_axis, in_axis in enumerate(order):
        back[in_axis] = region[out_axis]
    return {node.input(0): tuple(back)}


def _pad(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region] | None:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    pads = _numbers(node, probe, "pads", 1)
    if pads is None:
        return None
    axes = _numbers(node, probe, "axes", 3) or list(range(len(shape)))
    before = dict(zip([a % len(shape) for a in axes], pads[: len(axes)], strict=True))
    mode = node.text("mode", "constant")
    part = []
    for axis, ((low, high), side) in enumerate(zip(region, shape, strict=True)):
        low, high = low - before.get(axis, 0), high - before.get(axis, 0)
        if mode == "edge":
            low, high = min(max(low, 0), side - 1), min(max(high, 0), side - 1)
        elif mode == "reflect" and (low < 0 or high >= side):
            mirrored = (side - 1) - np.abs((side - 1) - np.abs(np.arange(low, high + 1)))
            low, high = int(mirrored.min()), int(mirrored.max())
        elif mode == "wrap" and (low < 0 or high >= side):
            low, high = 0, side - 1
        part.append((low, high))
    return {node.input(0): tuple(part)}


def _slice(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region] | None:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    starts = _numbers(node, probe, "starts", 1)
    if starts is None:
        return None
    axes = _numbers(node, probe, "axes", 3) or list(range(len(starts)))
    steps = _numbers(node, probe, "steps", 4) or [1] * len(starts)
    part = list(region)
    for axis, start, step in zip(axes, starts, steps, strict=True):
        side = shape[axis % len(shape)]
        begin = max(start + side, 0) if start < 0 else min(start, side if step > 0 else side - 1)
        low, high = part[axis % len(shape)]
        ends = (begin + low * step, begin + high * step)
        part[axis % len(shape)] = (min(ends), max(ends))
    return {node.input(0): tuple(part)}


def _split(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:
    axis = node.integer("axis", 0) % len(region)
    start = sum(probe.shapes[out][axis] for out in node.outputs[:position])
    span = (region[axis][0] + start, region[axis][1] + start)
    return {node.input(0): (*region[:axis], span, *region[axis + 1 :])}


def _reduce(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    axes = _numbers(node, probe, "axes", 1)
    if axes is None:
        axes = [] if node.integer("noop_with_empty_axes", 0) else list(range(len(shape)))
    gone = {axis % len(shape) for axis in axes}
    kept = iter(region)
    part = []
    for axis, side in enumerate(shape):
        if axis in gone:
            part.append((0, side - 1))
            if node.integer("keepdims", 1):
                next(kept)
        else:
            part.append(next(kept))
    return {node.input(0): tuple(part)}


def _reshape(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    """Axes that keep their length keep their place; the others are followed through the flat order of numbers."""
    source, target = probe.shapes[node.input(0)], probe.shapes[node.outputs[0]]
    part: list[tuple[int, int]] = []
    i = j = 0
    while i < len(source) or j < len(target):
        a, b = [i], [j]
        i, j = i + 1, j + 1
        left = math.prod(source[k] for k in a if k < len(source))
        right = math.prod(target[k] for k in b if k < len(target))
        while left != right or (i < len(source) and j >= len(target)) or (j < len(target) and i >= len(source)):
            if (left <= right and i < len(source)) or j >= len(target):
                a.append(i)
                left *= source[i]
                i += 1
            else:
                b.append(j)
                right *= target[j]
                j += 1
        a, b = [k for k in a if k < len(source)], [k for k in b if k < len(target)]
        part += _refold([region[k] for k in b], [target[k] for k in b], [source[k] for k in a])
    return {node.input(0): tuple(part)}


def _refold(region: list[tuple[int, int]], target: list[int], source: list[int]) -> list[tuple[int, int]]:
    if len(target) == len(source) == 1:
        return region
    if not source:
        return []
    low = high = 0
    for (first, last), side in zip(region, target, strict=True):
        low, high = low * side + min(max(first, 0), side - 1), high * side + min(max(last, 0), side - 1)
    part: list[tuple[int, int]] = []
    loose = False
    for k, side in enumerate(source):
        rest = math.prod(source[k + 1 :])
        first, last = low // rest % side, high // rest % side
        part.append((0, side - 1) if loose else (first, last))
        loose = loose or first != last
    return part


def _resize(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    source, target = probe.shapes[node.input(0)], probe.shapes[node.outputs[0]]
    mode = node.text("mode", "nearest")
    where = node.text("coordinate_transformation_mode", "half_pixel" if node.op == "Resize" else "asymmetric")
    reach = {"nearest": 0.5, "linear": 1.0, "bilinear": 1.0, "cubic": 2.0}.get(mode, 2.0)
    part = []
    for (low, high), size, out in zip(region, source, target, strict=True):
        if size == out:
            part.append((low, high))
            continue
        ends = [_resize_position(i, size, out, where) for i in (low, high)]
        if mode == "nearest":
            rounding = node.text("nearest_mode", "round_prefer_floor" if node.op == "Resize" else "floor")
            part.append((_nearest(ends[0], rounding), _nearest(ends[1], rounding)))
        else:
            part.append((math.floor(ends[0] - reach) + 1, math.ceil(ends[1] + reach) - 1))
    return {node.input(0): tuple(part)}


def _resize_position(index: int, size: int, out: int, where: str) -> float:
    if where == "asymmetric":
        return index * size / out
    if where == "align_corners":
        return index * (size - 1) / (out - 1) if out > 1 else 0.0
    if where == "pytorch_half_pixel" and out == 1:
        return 0.0
    return (index + 0.5) * size / out - 0.5


def _nearest(x: float, rounding: str) -> int:
    if rounding == "floor":
        return math.floor(x)
    if rounding == "ceil":
        return math.ceil(x)
    return math.ceil(x - 0.5) if rounding == "round_prefer_floor" else math.floor(x + 0.5)


def _depth_to_space(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    block = node.integer("blocksize", 1)
    channels = (0, probe.shapes[node.input(0)][1] - 1)
    return {node.input(0): (region[0], channels, *((low // block, high // block) for low, high in region[2:]))}


def _space_to_depth(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    block = node.integer("blocksize", 1)
    channels = (0, probe.shapes[node.input(0)][1] - 1)
    spatial = ((low * block, high * block + block - 1) for low, high in region[2:])
    return {node.input(0): (region[0], channels, *spatial)}


def _matmul(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    """Rows of the first, columns of the second, and every term between."""
    left, right = node.input(0), node.input(3 if node.op == "QLinearMatMul" else 1)
    found: dict[str, Region] = {}
    for name, own in ((left, 0), (right, 1)):
        shape = probe.shapes.get(name)
        if shape is None or len(shape) < 2:
            continue
        extra = len(region) - len(shape)
        batch = [(0, 0) if side == 1 else region[axis + extra] for axis, side in enumerate(shape[:-2])]
        rows = region[-2] if own == 0 else (0, shape[-2] - 1)
        columns = (0, shape[-1] - 1) if own == 0 else region[-1]
        found[name] = (*batch, rows, columns)
    return found


def _gemm(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    if node.integer("transA", 0):
        return {node.input(0): ((0, shape[0] - 1), region[0])}
    return {node.input(0): (region[0], (0, shape[1] - 1))}


def _whole_axis(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    axis = node.integer("axis", -1) % len(shape)
    last = len(shape) if node.op == "LayerNormalization" else axis + 1
    return {node.input(0): tuple((0, s - 1) if axis <= a < last else region[a] for a, s in enumerate(shape))}


def _whole_map(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    channels = region[1]
    if node.op == "GroupNormalization":
        per = shape[1] // node.integer("num_groups", 1)
        channels = (channels[0] // per * per, (channels[1] // per + 1) * per - 1)
    return {node.input(0): (region[0], channels, *_all(shape)[2:])}


def _lrn(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region]:  # noqa: ARG001
    size = node.integer("size", 1)
    low, high = region[1]
    top = probe.shapes[node.input(0)][1] - 1
    span = (max(low - (size - 1) // 2, 0), min(high + math.ceil((size - 1) / 2), top))
    return {node.input(0): (region[0], span, *region[2:])}


def _gather(node: Node, probe: Probe, position: int, region: Region) -> dict[str, Region] | None:  # noqa: ARG001
    shape = probe.shapes[node.input(0)]
    index = probe.constant(node.input(1))
    if index is None or index.ndim > 1:
        return None
    axis = node.integer("axis", 0) % len(shape)
    places = np.atleast_1d(index) % shape[axis]
    if index.ndim == 1:
        low, high = region[axis]
        places = places[low : high + 1]
    span = (int(places.min()), int(places.max()))
    return {node.input(0): (*region[:axis], span, *region[axis + index.ndim :])}


def _numbers(node: Node, probe: Probe, attribute: str, position: int) -> list[int] | None:
    """Integers that older files keep as an attribute and newer ones as an input."""
    if attribute in node.attributes:
        return list(node.ints(attribute))
    name = node.input(position)
    if not name:
        return None
    value = probe.constant(name)
    return None if value is None else [int(v) for v in np.atleast_1d(value)]


_RULES: dict[str, _Rule] = {
    "Concat": _concat,
    "QLinearConcat": _concat,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "MatMul": _matmul,
    "QLinearMatMul": _matmul,
    "MatMulInteger": _matmul,
    "Gemm": _gemm,
    "QGemm": _gemm,
    "Softmax": _whole_axis,
    "LogSoftmax": _whole_axis,
    "LayerNormalization": _whole_axis,
    "InstanceNormalization": _whole_map,
    "GroupNormalization": _whole_map,
    "LRN": _lrn,
    "Gather": _gather,
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"), _reduce),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), _reduce),
}
