"""Is atrous convolution slow? Layers at rates 1 to 18 against dense layers of equal work, and DeepLab's head.

Run:  python benchmarks/atrous.py [--quick] [--engines onnxruntime openvino torch]
Prints milliseconds and the ratio to rate 1 of the same layer, which multiplies exactly as often.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from szem.nn.atrous import AtrousPyramid
from szem.nn.conv import ConvNorm
from szem.nn.separable import SeparableConv
from szem.train.export import export_onnx

RATES = (1, 2, 4, 6, 12, 18)
SIZES = ((33, 33), (23, 30))  # DeepLab's at 513 pixels and stride 16; a 360×480 road scene's
CHANNELS = 256


def layers() -> dict[str, Callable[[int], nn.Module]]:
    """What is compared: a dense 3×3, the same depthwise, the same taken apart."""
    return {
        "dense 3×3": lambda rate: ConvNorm(CHANNELS, CHANNELS, dilation=rate),
        "depthwise 3×3": lambda rate: ConvNorm(CHANNELS, CHANNELS, dilation=rate, groups=CHANNELS),
        "separable 3×3": lambda rate: SeparableConv(CHANNELS, CHANNELS, dilation=rate),
    }


def milliseconds(run: Callable[[], object], seconds: float) -> float:
    """The median of as many runs as fit, after three to warm up."""
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e3


def in_torch(net: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = x.contiguous(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            return net(x)

    return run


def in_onnxruntime(net: nn.Module, x: torch.Tensor, folder: Path) -> Callable[[], object]:
    from szem.runtime.sessions import OnnxFile

    file = folder / "net.onnx"
    export_onnx(net, file, examples=[x], inputs=["x"], outputs=["y"], dynamic=[{}])
    session, feed = OnnxFile(file), {"x": x.numpy()}
    return lambda: session.run(feed, ["y"])


def in_openvino(net: nn.Module, x: torch.Tensor, folder: Path) -> Callable[[], object]:
    import openvino

    file = folder / "net.onnx"
    export_onnx(net, file, examples=[x], inputs=["x"], outputs=["y"], dynamic=[{}])
    request = openvino.compile_model(str(file), "CPU").create_infer_request()
    feed = {"x": x.numpy()}
    return lambda: request.infer(feed)


def prepared(engine: str, net: nn.Module, x: torch.Tensor, folder: Path) -> Callable[[], object]:
    """The network in an engine, ready to run."""
    if engine == "torch":
        return in_torch(net, x)
    return (in_openvino if engine == "openvino" else in_onnxruntime)(net, x, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, two rates")
    parser.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino", "torch"])
    options = parser.parse_args()
    seconds, rates = (0.1, (1, 6)) if options.quick else (1.0, RATES)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    for engine in options.engines:
        for height, width in SIZES[: 1 if options.quick else None]:
            x = torch.rand(2, CHANNELS, height, width)
            for name, make in layers().items():
                dense = 0.0
                for rate in rates:
                    with tempfile.TemporaryDirectory() as folder:
                        took = milliseconds(prepared(engine, make(rate), x, Path(folder)), seconds)
                    dense = dense or took
                    print(
                        f"{engine:12} {height}×{width} {name:14} rate {rate:2} {took:8.2f} ms  {took / dense:5.2f}×"
                    )
            for separable in (False, True):
                kind = "separable" if separable else "dense"
                times = {}
                for title, head in (("atrous 6 12 18", (6, 12, 18)), ("rates 1 1 1", (1, 1, 1))):
                    net = AtrousPyramid(CHANNELS, CHANNELS, rates=head, separable=separable)
                    with tempfile.TemporaryDirectory() as folder:
                        times[title] = milliseconds(prepared(engine, net, x, Path(folder)), seconds)
                atrous, plain = times.values()
                print(
                    f"{engine:12} {height}×{width} head, {kind:9} {atrous:8.2f} ms, dense {plain:8.2f} ms  "
                    f"{atrous / plain:5.2f}×"
                )


if __name__ == "__main__":
    main()
