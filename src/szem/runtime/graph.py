"""Read an ONNX file into a plain graph that is safe to look at: nodes, constants, inputs and outputs.

A file may come from anywhere, so it is judged before anything is built from it: its size, how many nodes it unfolds
to (functions that call functions can unfold without end), and where its weights lie (never outside the model's
folder). This file does not run anything and knows no layers; see `graph_run` and `graph_layers`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import numpy_helper

from szem.arrays import Array
from szem.errors import DeniedError, EmptyFileError, FileMissingError, FormatError, SzemError, TooLargeError

__all__ = ["DEFAULT_LIMITS", "Graph", "GraphLimits", "Node", "ValueInfo", "read_graph"]


@dataclass(frozen=True, kw_only=True)
class GraphLimits:
    """What a network may cost; each is checked before the cost arises, or stops the run."""

    max_bytes: int = 1_000_000_000  # the file and its external data together
    max_nodes: int = 20_000  # with functions and subgraphs unfolded
    max_multiplications: float = 2e12  # of one picture; about 1,000 times GoogLeNet
    max_value_bytes: int = 1 << 30  # one array inside the network
    max_run_s: float = 120.0  # one run; stopped between two nodes


DEFAULT_LIMITS = GraphLimits()


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` may hold empty names for inputs left out."""

    index: int
    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(repr=False)

    def ints(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self.attributes.get(name)
        return default if value is None else tuple(int(v) for v in np.atleast_1d(value))

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one integer."""
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        """An attribute that is one number."""
        return float(self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is text."""
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def input(self, position: int) -> str:
        """The name of an input, or "" where it is left out."""
        return self.inputs[position] if position < len(self.inputs) else ""


@dataclass(frozen=True)
class ValueInfo:
    """What the file says of an input or output: `None` stands for a side that is free."""

    name: str
    elem_type: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, eq=False)
class Graph:
    """An ONNX network, read and judged; `proto` has its weights inside and its nodes named."""

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    proto: onnx.ModelProto = field(repr=False)
    limits: GraphLimits = DEFAULT_LIMITS
    trusted: bool = False

    @cached_property
    def producers(self) -> dict[str, Node]:
        """Value name -> the node that makes it."""
        return {out: node for node in self.nodes for out in node.outputs if out}

    @cached_property
    def consumers(self) -> dict[str, tuple[Node, ...]]:
        """Value name -> the nodes that read it, in order."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name:
                    found.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def _tensors(self) -> dict[str, onnx.TensorProto]:
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    @cached_property
    def constant_names(self) -> frozenset[str]:
        """Values that do not depend on any input: weights, and what is computed from weights alone."""
        fixed = set(self._tensors)
        for node in self.nodes:
            free = node.attributes.get("_captures", ())
            if node.op.startswith("Random") or node.op in ("Multinomial", "Bernoulli"):
                continue
            if all(name in fixed for name in (*node.inputs, *free) if name):
                fixed.update(out for out in node.outputs if out)
        return frozenset(fixed)

    def initializer(self, name: str) -> Array | None:
        """A weight that stands in the file itself, or None."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        try:
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise FormatError(
                f"{self.name}: weight {name!r} is damaged ({error}); export the network again"
            ) from error

    @property
    def may_be_fused(self) -> bool:
        """Whether constants may be worked out beforehand: not in branches that were never run, unless trusted."""
        inner = bool(self.proto.functions) or any("_captures" in node.attributes for node in self.nodes)
        return self.trusted or not inner


def read_graph(
    source: str | Path | bytes,
    *,
    name: str | None = None,
    limits: GraphLimits = DEFAULT_LIMITS,
    trusted: bool = False,
) -> Graph:
    """Read an ONNX network.

    Args:
        source: A path to an `.onnx` file, or the file's bytes (then its weights must be inside).
        name: What to call it in messages; by default the file's name.
        limits: Refuse what costs more.
        trusted: It was installed on purpose, with a card.
    Raises:
        FileMissingError: the path, or an external data file, does not exist.
        EmptyFileError: no bytes.
        FormatError: not ONNX, damaged, or contradicting itself.
        TooLargeError: more bytes or nodes than `limits` allow.
        DeniedError: external data outside the model's own folder.
    """
    if isinstance(source, bytes):
        data, folder, title = source, None, name or "network"
    else:
        path = Path(source)
        data, folder, title = _read_file(path, limits), path.parent, name or path.name
    if not data:
        raise EmptyFileError(f"{title}: no bytes; the file is empty")
    if len(data) > limits.max_bytes:
        raise TooLargeError(_too_large(title, len(data), limits))
    model = _parse(data, title)
    try:
        return replace(_check_graph(model, folder, title, limits, len(data)), trusted=trusted)
    except UnicodeDecodeError as error:  # protobuf finds out about broken text only when it is read
        raise FormatError(f"{title}: its names are damaged ({error}); export the network again") from error


def _check_graph(model: onnx.ModelProto, folder: Path | None, title: str, limits: GraphLimits, size: int) -> Graph:
    if _unfolded_count(model, title, limits.max_nodes) > limits.max_nodes:
        raise TooLargeError(f"{title}: unfolds to more than {limits.max_nodes:,} operations; simplify the export")
    _check_sparse(model, title)
    _load_external_data(model, folder, title, limits, size)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    weights = {tensor.name for tensor in model.graph.initializer}
    return Graph(
        name=title,
        nodes=tuple(_read_node(i, node, title) for i, node in enumerate(model.graph.node)),
        inputs=tuple(_read_value(v) for v in model.graph.input if v.name not in weights),
        outputs=tuple(_read_value(v) for v in model.graph.output),
        proto=model,
        limits=limits,
    )


def _read_file(path: Path, limits: GraphLimits) -> bytes:
    try:
        if not path.exists():
            raise FileMissingError(f"{path}: no such file; check the path")
        if not path.is_file():
            raise FormatError(f"{path}: not a regular file; give an .onnx file")
        if path.stat().st_size > limits.max_bytes:
            raise TooLargeError(_too_large(str(path), path.stat().st_size, limits))
        return path.read_bytes()
    except SzemError:
        raise
    except ValueError as error:  # a NUL in the name
        raise FileMissingError(f"{str(path)!r}: not a path ({error})") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error}); check the rights") from error


def _too_large(title: str, size: int, limits: GraphLimits) -> str:
    return f"{title}: {size:,} bytes, the limit is {limits.max_bytes:,}; quantise it or raise GraphLimits.max_bytes"


def _parse(data: bytes, title: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FormatError(f"{title}: not an ONNX file, or cut short; export the network again") from error
    if not model.graph.node or not model.opset_import:
        raise FormatError(f"{title}: no network in it; is it an ONNX file? (TensorFlow Lite and .pt are not read)")
    return model


def _tensors_in(message: Message) -> Iterator[onnx.TensorProto]:
    """Every tensor anywhere in a message: weights, constants in nodes, in subgraphs, in functions."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for item in [value] if isinstance(value, Message) else value:
            yield from _tensors_in(item)


def _check_sparse(model: onnx.ModelProto, title: str) -> None:
    """Sparse weights are small on disk and any size in memory, so they are not taken."""
    constants = (attr for node in _all_nodes(model) for attr in node.attribute)
    if model.graph.sparse_initializer or any(a.HasField("sparse_tensor") or a.sparse_tensors for a in constants):
        raise TooLargeError(f"{title}: holds sparse weights, whose size cannot be bounded; export it with dense ones")


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    stack: list[Any] = [model.graph.node, *(function.node for function in model.functions)]
    while stack:
        for node in stack.pop():
            yield node
            for attribute in node.attribute:
                stack += [g.node for g in (*attribute.graphs, attribute.g) if g.node]


def _load_external_data(
    model: onnx.ModelProto, folder: Path | None, title: str, limits: GraphLimits, already: int
) -> None:
    """Bring weights that lie in other files inside; only from the model's own folder, links followed first."""
    total = already
    for tensor in _tensors_in(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = _external_path(entries.get("location", ""), folder, title)
        try:
            offset = int(entries.get("offset", 0))
            length = int(entries["length"]) if "length" in entries else path.stat().st_size - offset
        except ValueError as error:
            raise FormatError(f"{title}: weight {tensor.name!r} has an offset that is no number ({error})") from error
        if offset < 0 or length < 0 or offset + length > path.stat().st_size:
            raise FormatError(f"{title}: weight {tensor.name!r} lies beyond the end of {path.name}; copy it again")
        total += length
        if total > limits.max_bytes:
            raise TooLargeError(_too_large(title, total, limits))
        with path.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _external_path(location: str, folder: Path | None, title: str) -> Path:
    if folder is None:
        raise DeniedError(
            f"{title}: its weights lie in another file ({location!r}); send a network with weights inside"
        )
    home = folder.resolve()
    try:
        path = (home / location).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise DeniedError(f"{title}: external data {location!r} is not a path ({error})") from error
    if not location or path == home or not path.is_relative_to(home):
        raise DeniedError(
            f"{title}: external data must lie in the model's own folder, got {location!r}; "
            "save the network again with its data beside it"
        )
    if not path.is_file():
        raise FileMissingError(f"{title}: its external data file {location!r} is missing; copy it beside the model")
    return path


def _unfolded_count(model: onnx.ModelProto, title: str, enough: int) -> int:
    """How many nodes there are once every function call is replaced by its body; counting ends past `enough`."""
    bodies = {(f.domain, f.name): f for f in model.functions}
    known: dict[tuple[str, str], int] = {}
    open_calls: set[tuple[str, str]] = set()

    def count(nodes: Any, depth: int) -> int:
        if depth > 60:
            raise TooLargeError(f"{title}: functions or subgraphs are nested more than 60 deep; simplify the export")
        total = 0
        for node in nodes:
            total += 1
            for attribute in node.attribute:
                for graph in (*attribute.graphs, attribute.g):
                    total += count(graph.node, depth + 1) if graph.node and total <= enough else 0
            if total > enough:
                return total
            key = (node.domain, node.op_type)
            if key not in bodies:
                continue
            if key in open_calls:
                raise FormatError(f"{title}: function {node.op_type!r} calls itself; export the network again")
            if key not in known:
                open_calls.add(key)
                known[key] = count(bodies[key].node, depth + 1)
                open_calls.discard(key)
            total += known[key]
        return total

    return count(model.graph.node, 0)


def _read_node(index: int, node: onnx.NodeProto, title: str) -> Node:
    attributes: dict[str, Any] = {}
    captures: list[str] = []
    for attribute in node.attribute:
        kind = attribute.type
        if kind in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            for graph in (*attribute.graphs, attribute.g):
                captures += [name for inner in graph.node for name in inner.input]
            attributes["_captures"] = tuple(captures)
        elif kind in (onnx.AttributeProto.TENSOR, onnx.AttributeProto.TENSORS):
            continue  # constants are evaluated by the runtime, never here
        else:
            try:
                attributes[attribute.name] = onnx.helper.get_attribute_value(attribute)
            except (ValueError, TypeError) as error:
                raise FormatError(f"{title}: node {node.name!r} has a broken attribute ({error})") from error
    domain = "" if node.domain == "ai.onnx" else node.domain
    return Node(index, node.name, node.op_type, domain, tuple(node.input), tuple(node.output), attributes)


def _read_value(value: onnx.ValueInfoProto) -> ValueInfo:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return ValueInfo(value.name, tensor.elem_type, None)
    sides = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
    return ValueInfo(value.name, tensor.elem_type, sides)
