"""Run a network and read any value inside it: shapes, constants, activations, the time each operation takes.

A `Probe` is an ONNX Runtime session in which every value inside the network can be asked for. It runs the network as
it was exported, without fusing operations, so that nothing between two of them is hidden. Times are measured in a
second session that runs as in use (`measure`), which `Runner` also is. This file does not know layers or pictures.
"""

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx

from szem.arrays import Array
from szem.errors import FormatError, RangeError, ShapeError, TooLargeError, UnknownNameError, UnsupportedError
from szem.files import ScratchFolder
from szem.runtime.graph import Graph, ValueInfo
from szem.runtime.graph_limits import check_cost
from szem.runtime.onnx import ort
from szem.runtime.sessions import session_options

__all__ = ["PictureLayout", "Probe", "Runner", "Timing", "find_picture_input", "measure"]

POOL_BYTES = 4 << 30  # what all networks being looked into may hold together
_ELEMENTS = {
    onnx.TensorProto.FLOAT: "float",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.DOUBLE: "double",
    onnx.TensorProto.UINT8: "uint8",
}
_DTYPES = {"float": np.float32, "float16": np.float16, "double": np.float64, "uint8": np.uint8}


@dataclass(frozen=True)
class PictureLayout:
    """Which input takes the picture, and in what form. A side of `None` is free."""

    name: str
    layout: str  # NCHW or NHWC
    channels: int
    height: int | None
    width: int | None
    batch: int | None
    dtype: str = "float"  # float, float16, double or uint8

    def shape(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The input's whole shape at a size."""
        batch = self.batch or 1
        if self.layout == "NCHW":
            return (batch, self.channels, height, width)
        return (batch, height, width, self.channels)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one run, the median of several: in all, and by node name; `other_ms` belongs to no node."""

    total_ms: float
    by_node_ms: Mapping[str, float]
    other_ms: float
    runs: int


def find_picture_input(graph: Graph) -> PictureLayout:
    """Find the input that takes a picture: four axes, 1, 3 or 4 channels second or last.

    Raises:
        UnsupportedError: there is none.
    """
    for value in graph.inputs:
        found = _as_picture(value)
        if found is not None:
            return found
    got = ", ".join(f"{v.name} {v.shape}" for v in graph.inputs) or "no inputs"
    raise UnsupportedError(
        f"{graph.name}: the lab looks at networks that take a picture (batch, 1|3|4, height, width), got {got}"
    )


def _as_picture(value: ValueInfo) -> PictureLayout | None:
    if value.shape is None or len(value.shape) != 4 or value.elem_type not in _ELEMENTS:
        return None
    batch, a, b, c = value.shape
    kind = _ELEMENTS[value.elem_type]  # type: ignore[index, unused-ignore]
    if c in (1, 3, 4) and a not in (1, 3, 4):
        return PictureLayout(value.name, "NHWC", c, a, b, batch, kind)
    if a in (1, 3, 4) or a is None:
        return PictureLayout(value.name, "NCHW", a or 3, b, c, batch, kind)
    return None


@cache
def _use_shared_arena() -> None:
    """Give all probes one pool of memory with a lid on it; a network that wants more is stopped, not the machine."""
    kind = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(kind, ort.OrtArenaCfg(POOL_BYTES, -1, -1, -1))


class Probe:
    """A network opened so that every value inside can be read.

    Args:
        graph: From `read_graph`.
        shapes: Input name -> whole shape; for inputs whose sides are free.
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        UnsupportedError: an operation ONNX Runtime does not have.
        FormatError: it contradicts itself.
        TooLargeError: one picture would take more multiplications or memory than the limits allow.
    """

    def __init__(
        self, graph: Graph, *, shapes: Mapping[str, tuple[int, ...]] | None = None, threads: int | None = None
    ) -> None:
        self.graph = graph
        data = _tapped(graph, shapes or {})
        options = _options(threads)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.use_env_allocators", "1")
        _use_shared_arena()
        self._session = _open(data, options, graph.name)
        odd = [node for node in self._session.get_inputs() if _dtype(node.type) in (object, np.str_)]
        if odd:
            raise UnsupportedError(f"{graph.name}: input {odd[0].name!r} is {odd[0].type}; the lab takes numbers")
        self.inputs: dict[str, tuple[type, tuple[int, ...]]] = {
            node.name: (_dtype(node.type), tuple(s if isinstance(s, int) else 1 for s in node.shape))
            for node in self._session.get_inputs()
        }
        self.shapes: dict[str, tuple[int, ...]] = {n: s for n, (_, s) in self.inputs.items()}
        self.dtypes: dict[str, type] = {n: t for n, (t, _) in self.inputs.items()}
        for node in self._session.get_outputs():
            self.dtypes[node.name] = _dtype(node.type)
            if node.shape and all(
                isinstance(side, int) and side >= 0 for side in node.shape
            ):  # none: a number, or unknown
                self.shapes[node.name] = tuple(node.shape)
        self._known: dict[str, Array] = {}
        self._names = {node.name for node in self._session.get_outputs()}
        check_cost(graph, self.shapes)
        unknown = [n for n in self._names if n not in self.shapes or n in graph.constant_names]
        ends = [value.name for value in graph.outputs if value.name in self._names]
        for name, value in self.run({}, unknown or ends).items():  # one run at least: here a contradiction shows
            self.shapes[name] = value.shape
            if name in graph.constant_names:
                self._known[name] = value

    def constant(self, name: str) -> Array | None:
        """A value that does not depend on the input (a weight, a size), or None."""
        if name in self._known:
            return self._known[name]
        value = self.graph.initializer(name)
        if value is not None:
            self._known[name] = value
        return value

    def run(self, feeds: Mapping[str, Array], names: Iterable[str]) -> dict[str, Array]:
        """Run once and read values.

        Args:
            feeds: Input name -> array; inputs left out are zeros.
            names: Values inside the network; inputs and constants may be named too.
        Returns:
            Name -> array.
        Raises:
            UnknownNameError: no such value.
            ShapeError: an array does not fit its input.
            TooLargeError: memory or time went past the limits.
            FormatError: the network cannot be run on these inputs.
        """
        wanted = list(dict.fromkeys(names))
        full = self._fill(feeds)
        found: dict[str, Array] = {n: full[n] for n in wanted if n in full}
        for name in wanted:
            if name not in found and name not in self._names:
                value = self.constant(name)
                if value is None:
                    raise UnknownNameError(f"{self.graph.name}: no value called {name!r} inside")
                found[name] = value
        asked = [n for n in wanted if n not in found]
        if asked:
            found |= dict(zip(asked, self._run(asked, full), strict=True))
        return found

    def _fill(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        full: dict[str, Array] = {}
        for name, (dtype, shape) in self.inputs.items():
            given = feeds.get(name)
            if given is not None and given.shape != shape:
                raise ShapeError(f"{self.graph.name}: input {name!r} takes {shape}, got {given.shape}")
            full[name] = np.zeros(shape, dtype) if given is None else np.ascontiguousarray(given, dtype=dtype)
        extra = set(feeds) - set(full)
        if extra:
            raise UnknownNameError(f"{self.graph.name}: no input called {sorted(extra)}; it has {sorted(full)}")
        return full

    def _run(self, names: list[str], full: dict[str, Array]) -> list[Array]:
        limits = self.graph.limits
        options = ort.RunOptions()
        options.log_severity_level = 4
        options.only_execute_path_to_fetches = True
        timer = threading.Timer(limits.max_run_s, lambda: setattr(options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            values = self._session.run(names, full, options)
        except Exception as error:
            text = str(error)
            if "terminate flag" in text:
                raise TooLargeError(
                    f"{self.graph.name}: one run takes more than {limits.max_run_s:.0f} s; take a smaller network"
                ) from error
            if "Available memory" in text or "bad allocation" in text or "Failed to allocate" in text:
                raise TooLargeError(
                    f"{self.graph.name}: one run wants more than {POOL_BYTES / 2**30:.1f} GiB of memory; "
                    "take a smaller picture or network"
                ) from error
            raise FormatError(f"{self.graph.name}: it cannot be run ({_plain(error)}); export it again") from error
        finally:
            timer.cancel()
        for name, value in zip(names, values, strict=True):
            if not isinstance(value, np.ndarray):
                raise UnsupportedError(f"{self.graph.name}: {name!r} is a {type(value).__name__}, not an array")
        return list(values)


class Runner:
    """A network opened to run as in use: fused, all outputs asked for at once. Open it only after a `Probe` has run.

    Args:
        graph: From `read_graph`.
        outputs: The values to read; by default the network's outputs.
        shapes: As for `Probe`.
        threads: Threads within one run; None for as many as there are cores.
    Raises:
        As `Probe`.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        outputs: Iterable[str] = (),
        shapes: Mapping[str, tuple[int, ...]],
        threads: int | None = None,
    ) -> None:
        model = onnx.ModelProto()
        model.CopyFrom(graph.proto)
        _fix_inputs(model, shapes)
        self.outputs = list(outputs) or [value.name for value in graph.outputs]
        there = {value.name for value in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.outputs if name not in there)
        options = _options(threads)
        if not graph.may_be_fused:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = _open(model.SerializeToString(), options, graph.name)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once on every input."""
        return dict(zip(self.outputs, self._session.run(self.outputs, dict(feeds)), strict=True))


def measure(
    graph: Graph, feeds: Mapping[str, Array], *, shapes: Mapping[str, tuple[int, ...]], runs: int = 7
) -> Timing:
    """Measure how long each operation takes when the network runs as in use (fused, all cores).

    ONNX Runtime fuses operations; a fused one counts for the operation it grew from. What it adds of its own
    (reordering memory) is `other_ms`. A network with control flow that nobody vouches for is measured as exported.

    Args:
        graph: From `read_graph`; call this only after a `Probe` of it has run, which is what checks the limits.
        feeds: Every input.
        shapes: As for `Probe`.
        runs: How many times; the median counts, after one run to warm up.
    Raises:
        As `Probe`.
    """
    if runs < 1:
        raise RangeError(f"runs must be at least 1, got {runs}")
    model, names = _renamed(graph, shapes)
    options = _options(None)
    if not graph.may_be_fused:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with ScratchFolder("profile") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(folder.path / "run")
        session = _open(model.SerializeToString(), options, graph.name)
        started = time.perf_counter()
        for done in range(runs + 1):
            session.run(None, dict(feeds))
            if done and time.perf_counter() - started > graph.limits.max_run_s / 4:
                break
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return _read_profile(events, names)


def _read_profile(events: list[dict[str, object]], names: Mapping[str, str]) -> Timing:
    """Median time per node over the runs, the first (warm-up) left out."""
    runs: list[dict[str, float]] = [{}]
    totals: list[float] = []
    for event in events:
        name, duration = str(event.get("name", "")), float(str(event.get("dur", 0))) / 1000
        if name == "model_run":
            totals.append(duration)
            runs.append({})
        elif event.get("cat") == "Node" and name.endswith("_kernel_time"):
            owner = _owner(name.removesuffix("_kernel_time"), names)
            runs[-1][owner] = runs[-1].get(owner, 0.0) + duration
    kept = runs[1 : len(totals)] or runs[:1]
    nodes = {name for run in kept for name in run}
    median = {name: float(np.median([run.get(name, 0.0) for run in kept])) for name in sorted(nodes)}
    other = median.pop("", 0.0)
    return Timing(float(np.median(totals[1:] or totals)), median, other, len(kept))


def _owner(fused: str, names: Mapping[str, str]) -> str:
    """The node of ours that a node of ONNX Runtime's grew from, by the marks `_renamed` left; "" for its own."""
    if fused in names:
        return names[fused]
    for mark in re.findall(r"szem[nv]\d+_", fused):
        if mark in names:
            return names[mark]
    return ""


def _renamed(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> tuple[onnx.ModelProto, dict[str, str]]:
    """A copy whose nodes and inner values carry marks that survive fusing, and mark -> node name."""
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    _fix_inputs(model, shapes)
    names: dict[str, str] = {}
    keep = {value.name for value in (*model.graph.input, *model.graph.output)}
    for node in graph.nodes:
        keep.update(node.attributes.get("_captures", ()))  # subgraphs see these by name
    values: dict[str, str] = {}
    for index, made in enumerate(model.graph.node):
        names[f"szemn{index}_"] = names[f"szemv{index}_"] = made.name
        made.name = f"szemn{index}_"
        for position, out in enumerate(made.output):
            if out and out not in keep:
                values[out] = f"szemv{index}_{position}"
            elif out:
                names[f"{out}_nchwc"] = names[f"szemn{index}_"]
    for made in model.graph.node:
        made.input[:] = [values.get(name, name) for name in made.input]
        made.output[:] = [values.get(name, name) for name in made.output]
    return model, names


def _tapped(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """The network's bytes with every inner value made an output."""
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    _fix_inputs(model, shapes)
    del model.graph.output[:]
    names = dict.fromkeys(out for node in graph.nodes for out in node.outputs if out)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    data: bytes = model.SerializeToString()
    return data


def _fix_inputs(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    del model.graph.value_info[:]  # what the exporter believed of shapes may no longer hold
    for value in model.graph.input:
        sides = value.type.tensor_type.shape.dim
        for side, size in zip(sides, shapes.get(value.name, ()), strict=False):
            side.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _options(threads: int | None) -> ort.SessionOptions:
    options = session_options(threads)
    options.log_severity_level = 4  # what a stranger's network does wrong is told by its exception
    return options


def _open(data: bytes, options: ort.SessionOptions, title: str) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = _plain(error)
        if "is not a registered function/op" in str(error) or "NOT_IMPLEMENTED" in str(error):
            raise UnsupportedError(f"{title}: an operation ONNX Runtime does not have ({text})") from error
        raise FormatError(f"{title}: ONNX Runtime cannot open it ({text}); export it again") from error


def _plain(error: BaseException) -> str:
    """What ONNX Runtime says, without the paths of the machine it was built on."""
    text = re.sub(r"/onnxruntime_src/\S+\s*|\[ONNXRuntimeError\]\s*:\s*\d+\s*:\s*", "", str(error))
    return " ".join(text.split())[:240]


def _dtype(text: str) -> type:
    """The numpy type of `tensor(float)`; `object` for what numpy has no type for."""
    kind = text.removeprefix("tensor(").removesuffix(")")
    if kind in _DTYPES:
        return _DTYPES[kind]
    try:
        return np.dtype(kind).type
    except TypeError:
        return object
