"""Go on from a shipped model: weights read back from its ONNX file by their names.

The exporter makes normalisations part of the convolutions before them. In evaluation that is the same network; to be
fine-tuned, `renew_norms` parts them again.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from szem.errors import TrainError
from szem.tasks.models import default_model
from szem.train.onnx_weights import read_weights

__all__ = ["load_shipped", "load_weights", "renew_norms"]

_RENAMED = {"told": "condition"}  # layers of shipped files whose name has changed since
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
    before = f"{within}." if within else ""
    stored = {}
    for name, weight in read_weights(file).items():
        layer, dot, rest = name.partition(".")
        renamed = _RENAMED.get(layer, layer) + dot + rest
        if renamed.startswith(before):
            stored[renamed.removeprefix(before)] = weight

    def read(name: str, shape: torch.Size) -> torch.Tensor:
        weight = stored.get(name)
        if weight is None or weight.shape != tuple(shape):
            raise TrainError(f"{file}: has no weight {name} of shape {tuple(shape)}; begin without it")
        return torch.from_numpy(weight.copy())

    state = net.state_dict()
    folded_norms = {name: one.eps for name, one in _norms(net) if one.affine and f"{name}.weight" not in stored}
    for norm, eps in folded_norms.items():
        shift = read(f"{norm.removesuffix('norm')}conv.weight_bias", state[f"{norm}.bias"].shape)
        # A normalisation that does nothing but add the shift: the exporter has multiplied the rest into the weights.
        values = (torch.ones_like(shift), shift, torch.zeros_like(shift), torch.ones_like(shift) - eps)
        for part, kept in zip(("weight", "bias", "running_mean", "running_var"), values, strict=True):
            state[f"{norm}.{part}"] = kept
    for name, value in state.items():
        if name.rpartition(".")[0] in folded_norms:
            continue
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


@torch.no_grad()
def renew_norms(net: nn.Module, run: Callable[[], object]) -> None:
    """Part normalisations from their convolutions again: what comes out in evaluation stays the same.

    Each gets the mean and variance of what it sees as its statistics, and the scale and shift that undo them, so that
    training by the batch's own statistics goes on where it ended.

    Args:
        net: As `load_weights` filled it; put into evaluation and left there.
        run: Runs the network on typical inputs, several times perhaps.
    """
    sums: dict[nn.BatchNorm2d, list[torch.Tensor]] = {}

    def see(norm: nn.BatchNorm2d, given: tuple[torch.Tensor, ...]) -> None:
        x = given[0].double()
        now = [torch.tensor(x.numel() / x.shape[1]), x.sum((0, 2, 3)), (x * x).sum((0, 2, 3))]
        sums[norm] = [a + b for a, b in zip(sums[norm], now, strict=True)] if norm in sums else now

    handles = [norm.register_forward_pre_hook(see) for _, norm in _norms(net)]
    try:
        net.eval()
        run()
    finally:
        for handle in handles:
            handle.remove()
    for norm, (count, total, squares) in sums.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        before = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        mean = total / count
        variance = (squares / count - mean * mean).clamp(min=0)
        norm.bias.copy_(norm.bias + before * (mean - norm.running_mean))
        norm.weight.copy_(before * torch.sqrt(variance + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _norms(net: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    return [(name, one) for name, one in net.named_modules() if isinstance(one, nn.BatchNorm2d)]
