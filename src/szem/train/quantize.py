"""From a float ONNX file to int8 arithmetic, by the ranges seen on real inputs.

Three things are done beyond what ONNX Runtime's quantiser does by itself:

* **Weights that cannot saturate.** Without VNNI, x86 adds two products of 8 bits in 16 bits and clips. The usual
  remedy is 7-bit weights everywhere. Here a channel's scale grows only as far as its own neighbouring weights need,
  so most channels keep nearly 8 bits, and the result is the same on every processor.
* **Biases that take up the rounding.** Rounding a weight shifts the mean of its channel by the error times the mean
  of what comes in; that shift is known, so it goes into the bias (M. Nagel et al., Data-Free Quantization Through
  Weight Equalization and Bias Correction, 2019, arXiv:1906.04721, section 4.2).
* **Pixels as they are.** Where the graph begins with `(pixels - mean) / scale`, that is exactly a quantised number
  with zero point `mean` and step `1 / scale`: the arithmetic is taken out, and uint8 pixels are the first layer's
  input.

This file does not know about torch, tasks or cards.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from szem.arrays import Array
from szem.errors import ModelError, RangeError
from szem.runtime.onnx import import_quantization
from szem.runtime.sessions import OnnxFile

__all__ = ["QUANTIZED_OPS", "correct_bias", "last_convolutions", "quantize_onnx", "safe_weight_scales"]

_quantization = import_quantization()

QUANTIZED_OPS = ("Conv", "Clip", "Relu", "Add", "Concat", "MaxPool", "Resize")
_ACTIVATIONS = ("HardSwish", "HardSigmoid")  # computed in float; a convolution before one is not the last
_WEIGHT_ONLY_OPS = ("Gemm",)  # small work, large weights: stored in 8 bits, computed in float
_LIMIT = 32767 / 255  # two neighbouring weights of one sign may add up to this many steps


def quantize_onnx(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    samples: Sequence[Array],
    ops: Sequence[str] = QUANTIZED_OPS,
    keep_float: Sequence[str] = (),
) -> None:
    """Quantise a float ONNX file with one input.

    Args:
        source: The float file.
        target: Where the int8 file goes.
        samples: Real inputs, each with its batch axis; about a hundred are enough. Never those a score is taken on.
        ops: Which kinds of nodes compute in int8.
        keep_float: Names of outputs whose last node stays in float although its kind is in `ops`.
    Raises:
        RangeError: no samples.
        ModelError: the file cannot be read, run or quantised.
    """
    if not samples:
        raise RangeError("quantising needs real inputs to see their ranges, got none; give about a hundred")
    try:
        model = onnx.load(os.fspath(source))
    except Exception as error:  # protobuf's errors have no common base
        raise ModelError(f"{source}: not an ONNX file ({error}); export it anew") from error
    graph = model.graph
    nodes = _quantised_nodes(graph, ops, keep_float)
    convs = [n for n in nodes if n.op_type == "Conv" and _constant(graph, n.input[1]) is not None]
    scales = {n.input[1]: _scales_of(graph, n) for n in convs}
    correct_bias(model, convs, scales, samples=samples)
    overrides: dict[str, list[dict[str, Any]]] = {name: _override(steps) for name, steps in scales.items()}
    overrides |= _hard_swish_ranges(model, convs, samples=samples)
    pixels = _pixel_scale(graph)
    if pixels is not None and not any(pixels[0] in node.input for node in nodes):
        pixels = None  # the first layer stays in float, and with it the arithmetic before it
    if pixels is not None:
        tensor, step, zero = pixels
        overrides[tensor] = [{"scale": np.array(step, np.float32), "zero_point": np.array(zero, np.uint8)}]
    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        corrected, draft = Path(folder) / "corrected.onnx", Path(folder) / "int8.onnx"
        _drop_unused(graph)
        onnx.save(model, corrected)
        _run_quantiser(corrected, draft, samples, [n.name for n in nodes], overrides)
        quantised = onnx.load(draft)
        if pixels is not None:
            _feed_pixels(quantised.graph, pixels[0])
        _store_weights_in_8_bits(quantised.graph)
        onnx.checker.check_model(quantised)
        onnx.save(quantised, draft)
        OnnxFile(draft)  # refuses what cannot be run
        draft.replace(target)


def last_convolutions(source: str | os.PathLike[str], *, ops: Sequence[str] = QUANTIZED_OPS) -> tuple[str, ...]:
    """Names of what those convolutions give that no node of these kinds reads: a network's numbers before its answer.

    In 8 bits they would be the coarsest, and hardly anything is saved there.

    Raises:
        ModelError: not an ONNX file.
    """
    try:
        graph = onnx.load(os.fspath(source)).graph
    except Exception as error:
        raise ModelError(f"{source}: not an ONNX file ({error}); export it anew") from error
    read = {name for node in graph.node if node.op_type in (*ops, *_ACTIVATIONS) for name in node.input}
    return tuple(n.output[0] for n in graph.node if n.op_type == "Conv" and n.output[0] not in read)


def safe_weight_scales(weight: Array) -> NDArray[np.float64]:
    """The step of each output channel, just large enough that two neighbouring products never saturate.

    Args:
        weight: (O, I, kh, kw) of a convolution that is not depthwise.
    Returns:
        (O,) real value of one quantisation step; weights divided by it lie within ±127.

    >>> [round(float(s) * 127) for s in safe_weight_scales(np.float32([[127, 0], [127, 127]])[..., None, None])]
    [127, 253]
    """
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1).astype(np.float64)  # as the products are laid out
    steps = np.abs(rows).max(1) / 127
    steps[steps == 0] = 1.0
    worst = np.zeros(len(rows))
    for sign in (1, -1):
        part = np.maximum(sign * rows, 0)
        pairs = part[:, :-1] + part[:, 1:] if part.shape[1] > 1 else part
        worst = np.maximum(worst, pairs.max(1))
    safe: NDArray[np.float64] = np.maximum(steps, worst / (_LIMIT - 1))  # one step of room for rounding
    return safe


def correct_bias(
    model: Any, convs: Sequence[Any], scales: dict[str, NDArray[np.float64]], *, samples: Sequence[Array]
) -> None:
    """Add to each convolution's bias the mean that rounding its weights takes away.

    Args:
        model: An `onnx.ModelProto`; changed in place.
        convs: The convolutions whose weights will be rounded.
        scales: Weight name -> (O,) step of each output channel.
        samples: Real inputs.
    """
    means = _channel_means(model, list(dict.fromkeys(n.input[0] for n in convs)), samples)
    for node in convs:
        weight = _constant(model.graph, node.input[1])
        assert weight is not None
        step = scales[node.input[1]].reshape(-1, *[1] * (weight.ndim - 1))
        lost = (weight - np.clip(np.round(weight / step), -127, 127) * step).sum(axis=tuple(range(2, weight.ndim)))
        groups = _attribute(node, "group", 1)
        per_group = means[node.input[0]].reshape(groups, -1)  # (G, I / G)
        shift = (lost.reshape(groups, -1, lost.shape[1]) * per_group[:, None]).sum(2).reshape(-1)
        _add_to_bias(model.graph, node, shift.astype(np.float32))


class _Reader(_quantization.CalibrationDataReader):  # type: ignore[misc, name-defined, unused-ignore]
    """Hands the samples to the quantiser one by one."""

    def __init__(self, name: str, samples: Sequence[Array]) -> None:
        self._items: Iterator[dict[str, Array]] = iter([{name: sample} for sample in samples])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._items, None)


def _run_quantiser(
    source: Path,
    target: Path,
    samples: Sequence[Array],
    nodes: list[str],
    overrides: dict[str, list[dict[str, Any]]],
) -> None:
    name = OnnxFile(source).inputs[0].name
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # ONNX Runtime advises a pre-processing that the exporter has done already
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _quantization.quantize_static(
                source,
                target,
                _Reader(name, samples),
                # the same speed as QOperator here, and other runtimes read it too
                quant_format=_quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=_quantization.QuantType.QUInt8,
                weight_type=_quantization.QuantType.QInt8,
                nodes_to_quantize=nodes,
                extra_options={"TensorQuantOverrides": overrides, "CalibMovingAverage": True},
            )
    except Exception as error:
        raise ModelError(f"{source}: cannot be quantised ({error})") from error
    finally:
        root.setLevel(level)


def _constant(graph: Any, name: str) -> Array | None:
    for initializer in graph.initializer:
        if initializer.name == name:
            return np.asarray(numpy_helper.to_array(initializer))
    return None


def _attribute(node: Any, name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _scales_of(graph: Any, node: Any) -> NDArray[np.float64]:
    weight = _constant(graph, node.input[1])
    assert weight is not None
    if _attribute(node, "group", 1) == 1:
        return safe_weight_scales(weight)
    peaks = np.abs(weight).max(axis=tuple(range(1, weight.ndim))).astype(np.float64)
    return np.where(peaks == 0, 1.0, peaks / 127)  # depthwise adds in 32 bits: nothing saturates


def _override(steps: NDArray[np.float64]) -> list[dict[str, Any]]:
    common = {"quant_type": _quantization.QuantType.QInt8, "symmetric": True, "axis": 0}
    return [
        (common if index == 0 else {}) | {"rmin": np.float32(-127 * step), "rmax": np.float32(127 * step)}
        for index, step in enumerate(steps)
    ]


def _quantised_nodes(graph: Any, ops: Sequence[str], keep_float: Sequence[str]) -> list[Any]:
    """Convolutions, and what directly follows quantised nodes: joined answers of float heads are not rounded."""
    chosen: list[Any] = []
    made: set[str] = set()
    for node in graph.node:  # in the order in which they run
        follows = node.op_type == "Conv" or bool(made & set(node.input))
        if node.op_type in ops and follows and not set(node.output) & set(keep_float):
            chosen.append(node)
            made |= set(node.output)
    return chosen


def _hard_swish_ranges(
    model: Any, convs: Sequence[Any], *, samples: Sequence[Array]
) -> dict[str, list[dict[str, Any]]]:
    """Ranges of what only hard swish reads: it gives 0 below -3, so no step is spent there."""
    readers: dict[str, list[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    names = [n.output[0] for n in convs if set(readers.get(n.output[0], ())) == {"HardSwish"}]
    if not names:
        return {}
    largest = _reduced(model, names, samples, "ReduceMax", [0, 1, 2, 3])
    return {
        name: [
            {
                "quant_type": _quantization.QuantType.QUInt8,
                "rmin": np.float32(-3),
                "rmax": np.float32(max(float(np.mean(largest[name])), 1e-3)),
            }
        ]
        for name in names
    }


def _channel_means(model: Any, tensors: list[str], samples: Sequence[Array]) -> dict[str, Array]:
    """Mean over items, rows and columns of some tensors inside the graph: (C,) each."""
    rows = _reduced(model, tensors, samples, "ReduceMean", [0, 2, 3])
    return {tensor: np.mean(values, axis=0) for tensor, values in rows.items()}


def _reduced(
    model: Any, tensors: list[str], samples: Sequence[Array], reduce: str, axes: Sequence[int]
) -> dict[str, list[Array]]:
    """What a reduction gives of tensors inside the graph, sample by sample."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    names = [f"szem_mean_{index}" for index in range(len(tensors))]
    probe.graph.initializer.append(numpy_helper.from_array(np.array(axes), "szem_axes"))
    for tensor, name in zip(tensors, names, strict=True):
        probe.graph.node.append(helper.make_node(reduce, [tensor, "szem_axes"], [name], keepdims=0))
        probe.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "probe.onnx"
        onnx.save(probe, file)
        session = OnnxFile(file)
        rows = [session.run({session.inputs[0].name: sample}, names) for sample in samples]
    return {tensor: [row[i] for row in rows] for i, tensor in enumerate(tensors)}


def _add_to_bias(graph: Any, node: Any, shift: NDArray[np.float32]) -> None:
    bias = _constant(graph, node.input[2]) if len(node.input) > 2 else np.zeros_like(shift)
    assert bias is not None
    name = f"{node.output[0]}_bias_corrected"
    graph.initializer.append(numpy_helper.from_array((bias + shift).astype(np.float32), name))
    if len(node.input) > 2:
        node.input[2] = name
    else:
        node.input.append(name)


def _producer(graph: Any, name: str) -> Any | None:
    return next((node for node in graph.node if name in node.output), None)


def _pixel_scale(graph: Any) -> tuple[str, float, int] | None:
    """If the graph begins with `(pixels - mean) / scale`: the tensor after it, the step, the zero point."""
    for node in graph.node:
        if node.op_type != "Div":
            continue
        before = _producer(graph, node.input[0])
        scale = _constant(graph, node.input[1])
        if before is None or before.op_type != "Sub" or scale is None or scale.size != 1:
            continue
        mean = _constant(graph, before.input[1])
        cast = _producer(graph, before.input[0])
        if mean is None or mean.size != 1 or cast is None or cast.op_type != "Cast":
            continue
        zero = float(mean.reshape(()))
        if zero == round(zero) and 0 <= zero <= 255 and _is_raw(graph, cast.input[0]):
            return node.output[0], 1 / float(scale.reshape(())), round(zero)
    return None


def _is_raw(graph: Any, name: str) -> bool:
    """Whether a tensor is the uint8 input itself, or the input with its axes moved."""
    before = _producer(graph, name)
    if before is not None:
        return before.op_type == "Transpose" and _is_raw(graph, before.input[0])
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    return bool(kinds.get(name) == onnx.TensorProto.UINT8)


def _feed_pixels(graph: Any, tensor: str) -> None:
    """Take Cast, Sub, Div and QuantizeLinear out: what they compute is the pixel itself."""
    quantise = next(n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == tensor)
    chain = [quantise]
    while chain[-1].op_type != "Cast":
        before = _producer(graph, chain[-1].input[0])
        assert before is not None
        chain.append(before)
    raw = chain[-1].input[0]
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == quantise.output[0]:
                node.input[index] = raw
    for node in chain:
        graph.node.remove(node)
    _drop_unused(graph)


def _store_weights_in_8_bits(graph: Any) -> None:
    for node in [n for n in graph.node if n.op_type in _WEIGHT_ONLY_OPS]:
        weight = _constant(graph, node.input[1])
        if weight is None or weight.dtype != np.float32 or not _attribute(node, "transB", 0):
            continue
        name = node.input[1]
        steps = np.abs(weight).max(1) / 127
        steps[steps == 0] = 1.0
        small = np.round(weight / steps[:, None]).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(small, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(steps.astype(np.float32), f"{name}_step"))
        graph.initializer.append(numpy_helper.from_array(np.zeros(len(steps), np.int8), f"{name}_zero"))
        restored = f"{name}_restored"
        parts = [f"{name}_int8", f"{name}_step", f"{name}_zero"]
        graph.node.insert(0, helper.make_node("DequantizeLinear", parts, [restored], axis=0))
        for other in graph.node:
            for index, given in enumerate(other.input):
                if given == name:
                    other.input[index] = restored
    _drop_unused(graph)


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for initializer in [i for i in graph.initializer if i.name not in used]:
        graph.initializer.remove(initializer)
