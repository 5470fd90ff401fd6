"""Give the integers of a quantised network back as the real numbers they stand for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from szem.arrays import Array
from szem.runtime.graph_run import Probe

__all__ = ["Quantisation", "find_quantisation", "to_real"]

# Operation -> where its output's scale and zero point stand among its inputs.
_OUTPUT_SCALE = {
    "QuantizeLinear": 1,
    "QLinearConv": 6,
    "QLinearMatMul": 6,
    "QLinearAdd": 6,
    "QLinearMul": 6,
    "QGemm": 7,
    "QLinearGlobalAveragePool": 3,
    "QLinearAveragePool": 3,
    "QLinearSigmoid": 3,
    "QLinearLeakyRelu": 3,
    "QLinearSoftmax": 3,
    "QLinearReduceMean": 3,
    "QLinearConcat": 0,
    "DynamicQuantizeLinear": -1,
}


@dataclass(frozen=True, eq=False)
class Quantisation:
    """`real = (integer - zero) * scale`; one pair for all, or one per step along an axis."""

    scale: NDArray[np.float32]
    zero: NDArray[np.int32]
    axis: int

    def apply(self, integers: Array) -> NDArray[np.float32]:
        """Turn integers into the numbers they stand for."""
        scale, zero = self.scale, self.zero
        if scale.size > 1:
            shape = [1] * integers.ndim
            shape[self.axis] = -1
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        real: NDArray[np.float32] = (integers.astype(np.int32) - zero).astype(np.float32) * scale
        return real


def find_quantisation(probe: Probe, value: str) -> Quantisation | None:
    """How an integer value inside a network stands for real numbers; None where the file does not say."""
    seen = 0
    while seen < 64:  # a chain of operations that only move numbers about
        node = probe.graph.producers.get(value)
        if node is None:
            return None
        position = _OUTPUT_SCALE.get(node.op)
        if position is not None:
            axis = node.integer("axis", 1) if node.op == "QuantizeLinear" else 1
            return _read(probe, node.input(position), node.input(position + 1), axis) if position >= 0 else None
        value = next((n for n in node.inputs if n and n not in probe.graph.constant_names), "")
        seen += 1
    return None


def weight_quantisation(probe: Probe, scale: str, zero: str) -> Quantisation | None:
    """The pair of a weight, one per output map where there are several."""
    return _read(probe, scale, zero, 0)


def _read(probe: Probe, scale: str, zero: str, axis: int) -> Quantisation | None:
    numbers = probe.constant(scale)
    if numbers is None:
        return None
    offset = probe.constant(zero) if zero else None
    offset = np.zeros_like(numbers) if offset is None else offset
    return Quantisation(numbers.astype(np.float32), np.asarray(offset).astype(np.int32), axis)


def to_real(probe: Probe, name: str, value: Array) -> NDArray[np.float32]:
    """The real numbers of a value: floats as they are, quantised integers given back, others as plain numbers."""
    if value.dtype in (np.int8, np.uint8, np.int16, np.uint16) and name not in probe.inputs:
        found = find_quantisation(probe, name)
        if found is not None:
            return found.apply(value)
    return value.astype(np.float32, copy=False)
