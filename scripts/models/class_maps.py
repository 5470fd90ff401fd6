"""Add the exact class activation maps to an exported classifier, at no cost while nobody asks for them.

A network that ends in average pooling and one linear layer scores a class by the mean, over the last maps, of
`weights · maps + bias`. Left unaveraged, that sum says where the score comes from: its mean is the score itself. Here
the sum becomes a second output behind a switch, an `If` on an optional boolean input.

Source: B. Zhou et al., Learning Deep Features for Discriminative Localization, 2016, arXiv:1512.04150, equation 2.
"""

import os
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from szem.errors import ModelError
from szem.runtime.sessions import OnnxFile

__all__ = ["MAPS", "MAPS_SWITCH", "add_class_maps"]

MAPS, MAPS_SWITCH = "maps", "want_maps"


def add_class_maps(path: str | os.PathLike[str], *, logits: str = "logits") -> None:
    """Give an ONNX classifier a second output `maps` (N, classes, h, w), computed when `want_maps` is true.

    Args:
        path: The file, changed in place: a mean over rows and columns, then a Gemm that gives `logits`.
        logits: The name of that output.
    Raises:
        ModelError: the network does not end so.
    """
    model = onnx.load(os.fspath(path))
    graph = model.graph
    maps, weight, bias = _last_layer(graph, logits, path)
    then = helper.make_graph(
        [
            helper.make_node("Unsqueeze", [weight, "maps_axes"], ["maps_kernel"]),
            helper.make_node("Conv", [maps, "maps_kernel", bias], ["maps_then"]),
        ],
        "with_maps",
        [],
        [helper.make_tensor_value_info("maps_then", TensorProto.FLOAT, None)],
    )
    otherwise = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["maps_none"], ["maps_else"])],
        "without_maps",
        [],
        [helper.make_tensor_value_info("maps_else", TensorProto.FLOAT, None)],
    )
    graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "maps_axes"))
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, 0, 0]), "maps_none"))
    graph.initializer.append(numpy_helper.from_array(np.array(False), MAPS_SWITCH))
    graph.input.append(helper.make_tensor_value_info(MAPS_SWITCH, TensorProto.BOOL, []))
    graph.node.append(helper.make_node("If", [MAPS_SWITCH], [MAPS], then_branch=then, else_branch=otherwise))
    sides = ["maps_N", "maps_classes", "maps_h", "maps_w"]
    graph.output.append(helper.make_tensor_value_info(MAPS, TensorProto.FLOAT, sides))
    onnx.checker.check_model(model)
    onnx.save(model, os.fspath(path))
    OnnxFile(path)


def _last_layer(graph: Any, logits: str, path: str | os.PathLike[str]) -> tuple[str, str, str]:
    """Names of the maps that are averaged, of the weights and of the bias."""
    makers = {name: node for node in graph.node for name in node.output}
    gemm = makers.get(logits)
    pooled = makers.get(gemm.input[0]) if gemm is not None and gemm.op_type == "Gemm" else None
    while pooled is not None and pooled.op_type in ("Flatten", "Squeeze", "Reshape", "Identity"):
        pooled = makers.get(pooled.input[0])
    if gemm is None or pooled is None or pooled.op_type not in ("ReduceMean", "GlobalAveragePool"):
        raise ModelError(
            f"{path}: class activation maps are exact only where {logits!r} is a Gemm of an average over rows and "
            "columns; this network ends otherwise"
        )
    if len(gemm.input) < 3:
        raise ModelError(f"{path}: the Gemm before {logits!r} has no bias; export the layer with one")
    return pooled.input[0], gemm.input[1], gemm.input[2]
