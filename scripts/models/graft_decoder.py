"""Put a decoder that was trained further into a captioning model, and leave all else of its encoder as it is.

    szem train caption --data DIR --out RUN --set tail_lr=0.0 --set places_lr=0.0 --set begin_lr=1.0
    szem export RUN --name grown
    python -m scripts.models.graft_decoder --grown FOLDER_OF_GROWN --onto caption --out caption-grown

The search reads the encoder's maps and places, so those must not change by a bit: only the keys and values that the
decoder looks at are replaced, and computed in float, like the step. `--out` is a copy of `--onto` with the new parts.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from scripts.models.store_int8 import store_files
from szem.errors import ModelError
from szem.runtime.cards import read_card
from szem.runtime.store import find_model
from szem.train.onnx_weights import read_weights

__all__ = ["graft_keys", "main"]

_QUANTIZE = ("QuantizeLinear", "DequantizeLinear")
_BIAS = "captioner.blocks.{}.cross.key_value.bias"


def graft_keys(encoder: onnx.ModelProto, weights: dict[str, np.ndarray], *, places: str) -> None:
    """Replace what computes `memory` from the places.

    Args:
        encoder: Changed in place.
        weights: Of `read_weights`: `captioner.blocks.N.cross.key_value.weight` and `.bias`.
        places: The tensor that holds the places.
    Raises:
        ModelError: the graph is not as expected.
    """
    graph = encoder.graph
    reached, after = {places}, []
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(node.output)
            after.append(node)
    instead: dict[str, str] = {}  # the output of a rounding -> what was rounded
    for node in after:
        if node.op_type in _QUANTIZE:
            instead[node.output[0]] = instead.get(node.input[0], node.input[0])
    kept = [node for node in after if node.op_type not in _QUANTIZE]
    block, casts = 0, []
    for node in kept:
        node.input[:] = [instead.get(name, name) for name in node.input]
        if node.op_type in ("MatMul", "Add"):
            kind = "weight" if node.op_type == "MatMul" else "bias"
            if kind == "bias" and _BIAS.format(block % 2) not in node.input[1]:
                raise ModelError(f"{node.name} adds {node.input[1]}, not the bias of block {block % 2}")
            name = f"captioner.blocks.{block % 2}.cross.key_value.{kind}"
            value = weights[name].T if kind == "weight" else weights[name]
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float16), f"{name}_float16"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}_float16"], [name], to=onnx.TensorProto.FLOAT))
            node.input[1] = name
            block += 1
    if block != 4:
        raise ModelError(f"{block} of 4 layers of keys and values were found")
    last = instead["memory"]
    for node in kept:
        node.output[:] = ["memory" if name == last else name for name in node.output]
    others = [node for node in graph.node if not any(node is one for one in after)]
    del graph.node[:]
    graph.node.extend([*others, *casts, *kept])
    _drop_unused(graph)
    onnx.checker.check_model(encoder, full_check=True)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Nodes and weights that no output needs any more."""
    needed = {output.name for output in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    weights = [one for one in graph.initializer if one.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="Put a decoder that was trained further into a captioning model.")
    parser.add_argument("--grown", type=Path, required=True, help="folder of the exported run, in float")
    parser.add_argument("--onto", default="caption", help="the model whose encoder stays")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    model = find_model(given.onto, task="caption")
    shutil.copytree(model.folder, given.out)
    encoder = onnx.load(given.out / model.card.file)
    weights = read_weights(given.grown / read_card(given.grown).file)
    graft_keys(encoder, weights, places=model.card.outputs["places"])
    onnx.save(encoder, given.out / model.card.file)
    step = model.card.parts["step"].file
    shutil.copyfile(given.grown / read_card(given.grown).parts["step"].file, given.out / step)
    store_files(given.out, [Path(step).stem])


if __name__ == "__main__":
    main()
