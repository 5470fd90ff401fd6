"""How far one neuron sees after n layers, dense against atrous: field, gaps, parameters, and measured time.

The layers are real convolutions, built here and run by ONNX Runtime; the time is that of running them, no estimate.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from szem.errors import RangeError
from szem.runtime.graph import read_graph
from szem.runtime.graph_run import Runner

__all__ = ["MOST_MULTIPLICATIONS", "PRESETS", "StackLayer", "StackReport", "measure_stack", "pixels_seen"]

MOST_LAYERS = 12
MOST_FIELD_PX = 1025
MOST_MULTIPLICATIONS = 5e9  # of one run: about a second on a slow core
_MOST_TIMED = 20e9  # of all timed runs together


@dataclass(frozen=True)
class StackLayer:
    """One square convolution of a stack."""

    kernel: int
    stride: int = 1
    dilation: int = 1


# What is compared: the same number of layers, dense and at several rates, and dense kernels that see as far.
PRESETS: dict[str, tuple[StackLayer, ...]] = {
    "dense 3×3": (StackLayer(3),) * 3,
    "atrous, rates 1 2 4": (StackLayer(3), StackLayer(3, dilation=2), StackLayer(3, dilation=4)),
    "atrous, rate 2": (StackLayer(3, dilation=2),) * 3,
    "atrous, rate 4": (StackLayer(3, dilation=4),) * 3,
    "dense 5×5": (StackLayer(5),) * 3,
    "dense 15×15, one layer": (StackLayer(15),),
}


@dataclass(frozen=True)
class StackReport:
    """What a stack sees and costs."""

    layers: tuple[StackLayer, ...]
    field_px: int  # side of the square that one last neuron lies over
    seen_px: int  # pixels in one row of it that really count
    gaps_px: int  # pixels in one row that it skips
    parameters: int
    multiplications: int  # for one map of numbers of `side_px`
    time_ms: float | None  # median of several runs
    channels: int
    side_px: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def pixels_seen(layers: Sequence[StackLayer]) -> NDArray[np.int64]:
    """In how many ways each pixel of a row reaches one last neuron; 0 is a gap.

    Args:
        layers: From the picture upwards.
    Returns:
        (field,) counts; the sum is the product of the kernels.

    >>> pixels_seen([StackLayer(3), StackLayer(3)]).tolist()
    [1, 2, 3, 2, 1]
    >>> pixels_seen([StackLayer(3, dilation=2), StackLayer(3, dilation=2)]).tolist()
    [1, 0, 2, 0, 3, 0, 2, 0, 1]
    """
    _check(layers)
    counts = np.ones(1, np.int64)
    stride = 1
    for layer in layers:
        taps = np.zeros((layer.kernel - 1) * layer.dilation * stride + 1, np.int64)
        taps[:: layer.dilation * stride] = 1
        counts = np.convolve(counts, taps)
        if len(counts) > MOST_FIELD_PX:
            raise RangeError(f"these layers see more than {MOST_FIELD_PX} pixels; take fewer or smaller ones")
        stride *= layer.stride
    return counts


def measure_stack(
    layers: Sequence[StackLayer], *, channels: int = 32, side_px: int = 64, runs: int = 15, timed: bool = True
) -> StackReport:
    """Describe a stack of convolutions and measure how long it takes.

    Args:
        layers: From the picture upwards; as many maps go in as come out.
        channels: Maps of every layer.
        side_px: Rows and columns of what goes in.
        runs: How many times, less for a large stack; the median counts.
        timed: Run it; else only describe it.
    Raises:
        RangeError: a number outside what is allowed, or layers that leave nothing.
    """
    counts = pixels_seen(layers)
    if not (1 <= channels <= 256 and 8 <= side_px <= 512 and 1 <= runs <= 200):
        raise RangeError(f"take 1..256 channels, sides of 8..512 and 1..200 runs, got {channels}, {side_px}, {runs}")
    multiplications, side = 0, side_px
    for layer in layers:
        side = -(-side // layer.stride)
        multiplications += side * side * channels * channels * layer.kernel**2
    if multiplications > MOST_MULTIPLICATIONS:
        raise RangeError(
            f"{multiplications:.3g} multiplications are too many to wait for, the limit is "
            f"{MOST_MULTIPLICATIONS:.3g}; take a smaller side or fewer channels"
        )
    runs = max(1, min(runs, int(_MOST_TIMED // max(multiplications, 1))))
    return StackReport(
        layers=tuple(layers),
        field_px=len(counts),
        seen_px=int((counts > 0).sum()),
        gaps_px=int((counts == 0).sum()),
        parameters=sum(channels * channels * layer.kernel**2 + channels for layer in layers),
        multiplications=multiplications,
        time_ms=_time(layers, channels, side_px, runs) if timed else None,
        channels=channels,
        side_px=side_px,
    )


def build_stack(layers: Sequence[StackLayer], *, channels: int, side_px: int) -> bytes:
    """The stack as an ONNX file: convolutions with seeded weights, padded so that stride 1 keeps the size."""
    rng = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    for i, layer in enumerate(layers):
        shape = (channels, channels, layer.kernel, layer.kernel)
        values = rng.normal(0, 1 / np.sqrt(channels * layer.kernel**2), shape).astype(np.float32)
        weights += [
            numpy_helper.from_array(values, f"w{i}"),
            numpy_helper.from_array(np.zeros(channels, np.float32), f"b{i}"),
        ]
        pad = (layer.kernel - 1) * layer.dilation // 2
        nodes.append(
            helper.make_node(
                "Conv",
                [name, f"w{i}", f"b{i}"],
                [f"y{i}"],
                kernel_shape=[layer.kernel] * 2,
                strides=[layer.stride] * 2,
                dilations=[layer.dilation] * 2,
                pads=[pad] * 4,
            )
        )
        name = f"y{i}"
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, side_px, side_px]),
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "stack", ends[:1], ends[1:], weights)
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _time(layers: Sequence[StackLayer], channels: int, side_px: int, runs: int) -> float:
    runner = Runner(read_graph(build_stack(layers, channels=channels, side_px=side_px), name="stack"), shapes={})
    shape = (1, channels, side_px, side_px)
    feed = {"x": np.random.default_rng(1).normal(size=shape).astype(np.float32)}
    runner.run(feed)  # to warm up
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        runner.run(feed)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def _check(layers: Sequence[StackLayer]) -> None:
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise RangeError(f"a stack has 1 to {MOST_LAYERS} layers, got {len(layers)}")
    for layer in layers:
        if not (
            1 <= layer.kernel <= 31 and layer.kernel % 2 and 1 <= layer.stride <= 4 and 1 <= layer.dilation <= 32
        ):
            raise RangeError(f"kernels are odd and up to 31, strides 1..4, rates 1..32; got {layer}")
