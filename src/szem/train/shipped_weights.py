"""Go on from a shipped model: weights read back from its ONNX file by their names."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from szem.errors import TrainError
from szem.runtime.store import default_model

__all__ = ["load_shipped"]


def load_shipped(net: nn.Module, role: str, *, task: str = "generate") -> None:
    """Fill a network with the weights of a part of the shipped model.

    Args:
        net: Of the same shape.
        role: The part's, on the card; the main file is called "main".
        task: Whose default model.
    Raises:
        TrainError: the file lacks some of the weights, or they have another shape.
        UnknownNameError, CardError: no such model or part.
    """
    model = default_model(task)
    file = model.file() if role == "main" else model.part(role)
    stored = {one.name.removesuffix("_float16"): one for one in onnx.load(file).graph.initializer}
    state = net.state_dict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        one = stored.get(name) or stored.get(f"net.{name}")
        if one is None or tuple(one.dims) != tuple(value.shape):
            raise TrainError(f"{file}: has no weight {name} of shape {tuple(value.shape)}; begin without it")
        state[name] = torch.from_numpy(numpy_helper.to_array(one).astype(np.float32).copy())
    net.load_state_dict(state)
