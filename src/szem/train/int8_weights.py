"""A quarter of the size: large weights stored in 8 bits, made float32 again where the file is loaded.

Unlike `quantize`, activations stay float. YAMNet, whose log-mel input and depthwise layers have wide ranges, keeps
its score so (0.42 of urban sounds named) and loses it in 8-bit arithmetic (0.33).
"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["store_as_int8"]

_LARGE = 4096  # weights with fewer numbers stay float


def store_as_int8(path: Path, *, leave: tuple[str, ...] = ()) -> None:
    """Rewrite an ONNX file: each row of a large weight, its first axis, has a scale of its own.

    Args:
        path: The file; weights of Conv, (out, in, kh, kw), of Gemm with transB, (out, in), and every weight that is
            stored in half precision and cast where it is used (see `train.float16`).
        leave: Weights whose names begin so stay as they are.
    """
    model = onnx.load(path)
    graph = model.graph
    weights = {node.input[1] for node in graph.node if node.op_type in ("Conv", "Gemm")}
    users = Counter(name for node in graph.node for name in node.input)
    casts = {node.input[0]: node for node in graph.node if node.op_type == "Cast" and users[node.input[0]] == 1}
    made = []
    for tensor in [t for t in graph.initializer if np.prod(t.dims) >= _LARGE]:
        cast = casts.get(tensor.name) if tensor.data_type == TensorProto.FLOAT16 else None
        if (cast is None and tensor.name not in weights) or tensor.name.startswith(leave):
            continue
        values = numpy_helper.to_array(tensor).astype(np.float32)
        flat = np.abs(values).reshape(len(values), -1).max(axis=1)
        scales = np.maximum(flat / 127, 1e-12).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        coded = np.round(values / scales).astype(np.int8)
        name, result = tensor.name.removesuffix("_float16"), tensor.name
        graph.initializer.remove(tensor)
        if cast is not None:
            result = cast.output[0]
            graph.node.remove(cast)
        graph.initializer.extend(
            [
                numpy_helper.from_array(coded, f"{name}_int8"),
                numpy_helper.from_array(scales, f"{name}_scales"),
            ]
        )
        # Not DequantizeLinear, which ONNX Runtime computes anew in every run: these two it computes once, at loading.
        made += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_float", f"{name}_scales"], [result]),
        ]
    for node in reversed(made):
        graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, path)
