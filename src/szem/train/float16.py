"""Half the size, the same arithmetic: weights stored as float16, made float32 again where the file is loaded."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from szem.errors import ModelError

__all__ = ["store_as_float16"]

_LARGE = 1024  # numbers of a matrix worth storing apart
_SMALL = 64  # weights with fewer numbers stay as they are: scalars, short biases


def store_as_float16(path: Path, *, matrices_only: bool = False) -> None:
    """Rewrite an ONNX file so that its weights take half the room.

    Args:
        path: The file.
        matrices_only: Only large matrices; in an 8-bit graph the rest are scales.
    Raises:
        ModelError: a weight is too large for float16.
    """
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        size = np.prod(tensor.dims)
        if tensor.data_type != TensorProto.FLOAT or size < _SMALL:
            continue
        if matrices_only and (len(tensor.dims) != 2 or size < _LARGE):
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ModelError(f"{path}: weight {tensor.name} is too large for float16; keep float32")
        graph.initializer.remove(tensor)
        stored = f"{tensor.name}_float16"
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
        name = f"{tensor.name}_cast"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], name=name, to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, path)
