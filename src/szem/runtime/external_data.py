"""Take over an ONNX file whose weights lie in files beside it, as torch's exporter writes by default.

The weights are folded into one file, so that a model's checksum covers all of it and nothing is read from elsewhere
later. This file does not run networks.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from szem.errors import FileMissingError, ModelError

__all__ = ["copy_network"]

_MOST_BYTES = 2_000_000_000  # protobuf ends at 2 GiB


def copy_network(source: Path, target: Path) -> None:
    """Copy an ONNX file; weights in other files are folded into the copy.

    Args:
        source: The file, with the files that it names beside it.
        target: The copy, one file.
    Raises:
        FileMissingError: a file with weights is not beside it.
        ModelError: it names a file elsewhere, one that is too short, or more than 2 GB of weights.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load(source, load_external_data=False)
    except (DecodeError, ValueError, OSError):
        shutil.copyfile(source, target)  # whatever it is, ONNX Runtime says what is wrong with it
        return
    outside = [tensor for tensor in _tensors(network) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if not outside:
        shutil.copyfile(source, target)
        return
    total = source.stat().st_size
    for tensor in outside:
        data = _read_weights(tensor, source)
        total += len(data)
        if total > _MOST_BYTES:
            raise ModelError(
                f"{source}: more than {_MOST_BYTES / 1e9:g} GB of weights, more than one ONNX file can hold; export "
                "it in float16 or int8"
            )
        tensor.raw_data = data
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    target.write_bytes(network.SerializeToString())


def _tensors(network: Any) -> Iterator[Any]:
    yield from _tensors_of_graph(network.graph)
    for function in network.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _tensors_of_graph(graph)


def _read_weights(tensor: Any, source: Path) -> bytes:
    about = {entry.key: entry.value for entry in tensor.external_data}
    location = about.get("location", "")
    if not isinstance(location, str):  # protobuf gives the bytes of names that are no text
        raise ModelError(f"{source}: damaged (the file name of weights {tensor.name!r} is no text); export it anew")
    plain = PureWindowsPath(location)
    is_beside = location and not plain.drive and not plain.root and ".." not in plain.parts
    if not is_beside or PurePosixPath(location).is_absolute():
        raise ModelError(
            f"{source}: its weights {tensor.name!r} lie in {location!r}; they must lie in the folder of the file, "
            "export it anew"
        )
    file = source.parent.joinpath(*plain.parts)
    if not file.is_file():
        raise FileMissingError(
            f"{source}: its weights lie in {location}, which is not beside it; copy both files, or export with "
            "external_data=False"
        )
    try:
        offset, length = int(about.get("offset") or 0), about.get("length")
        wanted = int(length) if length is not None else file.stat().st_size - offset
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if offset < 0 or wanted < 0 or offset + wanted > size:
                raise ModelError(
                    f"{source}: {location} has {size:,} bytes, weights {tensor.name!r} need {offset + wanted:,}; "
                    "it is cut off or of another export, copy both files anew"
                )
            opened.seek(offset)
            return opened.read(wanted)
    except ValueError as error:
        raise ModelError(f"{source}: damaged ({error}, weights {tensor.name!r}); export it anew") from error
    except OSError as error:
        raise ModelError(
            f"{source}: {location} cannot be read ({error.strerror or error}); check its rights"
        ) from error
