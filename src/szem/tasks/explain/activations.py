"""Activations as functions of one number, as ONNX defines them."""

import math
from collections.abc import Callable

import numpy as np

from szem.runtime.graph import Node
from szem.runtime.graph_run import Probe

__all__ = ["activation_of"]


def activation_of(probe: Probe, node: Node, index: tuple[int, ...]) -> Callable[[float], float] | None:
    """An activation as a function of one number."""
    op = node.op
    if op == "Clip":
        low = _limit(probe, node, "min", 1, -math.inf)
        high = _limit(probe, node, "max", 2, math.inf)
        return lambda x: min(max(x, low), high)
    if op == "PRelu":
        slope = probe.constant(node.input(1))
        if slope is None:
            return None
        own = float(np.broadcast_to(slope, probe.shapes[node.outputs[0]])[index])
        return lambda x: x if x > 0 else own * x
    alpha = node.number("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2, "QuickGelu": 1.702}.get(op, 1.0))
    beta = node.number("beta", 0.5)
    table: dict[str, Callable[[float], float]] = {
        "Relu": lambda x: max(x, 0.0),
        "LeakyRelu": lambda x: x if x >= 0 else alpha * x,
        "Elu": lambda x: x if x >= 0 else alpha * math.expm1(x),
        "Celu": lambda x: max(x, 0.0) + min(0.0, alpha * math.expm1(x / alpha)),
        "Sigmoid": _sigmoid,
        "HardSigmoid": lambda x: min(max(alpha * x + beta, 0.0), 1.0),
        "HardSwish": lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0),
        "Swish": lambda x: x * _sigmoid(alpha * x),
        "QuickGelu": lambda x: x * _sigmoid(alpha * x),
        "Mish": lambda x: x * math.tanh(_softplus(x)),
        "Tanh": math.tanh,
        "Softplus": _softplus,
        "Softsign": lambda x: x / (1 + abs(x)),
        "ThresholdedRelu": lambda x: x if x > alpha else 0.0,
        "Gelu": _gelu_tanh if node.text("approximate", "none") == "tanh" else _gelu,
        "FastGelu": _gelu_tanh,
    }
    if op == "Selu":
        a, gamma = node.number("alpha", 1.67326319217681884765625), node.number("gamma", 1.05070102214813232421875)
        return lambda x: gamma * (x if x > 0 else a * math.expm1(x))
    return table.get(op)


def _limit(probe: Probe, node: Node, name: str, position: int, default: float) -> float:
    if name in node.attributes:
        return node.number(name, default)
    value = probe.constant(node.input(position)) if node.input(position) else None
    return default if value is None else float(value)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def _gelu_tanh(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
