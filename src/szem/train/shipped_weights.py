"""Go on from a shipped model: weights read back from its ONNX file by their names."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from szem.errors import TrainError
from szem.runtime.store import default_model

__all__ = ["load_shipped", "load_weights"]

_EPS = 1e-5  # of torch's normalisation


def load_shipped(net: nn.Module, role: str, *, within: str = "", task: str = "generate") -> None:
    """Fill a network with the weights of a part of the shipped model.

    Args:
        net: Of the same shape.
        role: The part's, on the card; the main file is called "main".
        within: As of `load_weights`.
        task: Whose default model.
    Raises:
        TrainError: the file lacks some of the weights, or they have another shape.
        UnknownNameError, CardError: no such model or part.
    """
    model = default_model(task)
    load_weights(net, model.file() if role == "main" else model.part(role), within=within)


def load_weights(net: nn.Module, file: Path, *, within: str = "") -> None:
    """Fill a network with the weights of an ONNX file that `export_onnx` wrote.

    Args:
        net: Of the same shape.
        file: The ONNX file.
        within: The network's name in the one that was exported, where it is only a part of it.
    Raises:
        TrainError: the file lacks some of the weights, or they have another shape.
    """
    graph = onnx.load(file).graph
    before = f"{within}." if within else ""
    stored = {}
    for one in graph.initializer:
        name = one.name.removesuffix("_float16").removeprefix("net.")
        if name.startswith(before):
            stored[name.removeprefix(before)] = one

    def read(name: str, shape: torch.Size) -> torch.Tensor:
        one = stored.get(name)
        if one is None or tuple(one.dims) != tuple(shape):
            raise TrainError(f"{file}: has no weight {name} of shape {tuple(shape)}; begin without it")
        return torch.from_numpy(numpy_helper.to_array(one).astype(np.float32).copy())

    state = net.state_dict()
    for name, value in state.items():
        layer, is_mean, _ = name.rpartition(".norm.norm.running_mean")
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith(".norm.norm.running_var"):
            # the exporter made the normalisation part of the convolution before it: what is left has size 1
            state[name] = torch.ones_like(value) - _EPS
        elif is_mean:
            folded = [key for key in stored if key.startswith(f"{layer}.") and key.endswith("weight_bias")]
            state[name] = -read(folded[0] if folded else name, value.shape)
        else:
            state[name] = read(name, value.shape)
    net.load_state_dict(state)
