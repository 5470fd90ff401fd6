"""A single-shot detector on MobileNetV3-large: at each place of six levels, anchor boxes of several shapes say what
they hold and how they must be moved to fit it.

Source: W. Liu et al., SSD, 2016, arXiv:1512.02325; A. Howard et al., MobileNetV3, 2019, arXiv:1905.02244, section
6.3; layers and paddings as in TensorFlow's Object Detection API, `ssd_mobilenet_v3_large_coco` (Apache-2.0), whose
weights fit in. This file does not know about anchors' sizes, data, training or ONNX.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.affine_conv import AffineConv

__all__ = ["ANCHORS", "CACHED_STRIDE_PX", "FirstBlocks", "SsdMobileNet"]

_Activation = Literal["relu", "hard-swish"]


@dataclass(frozen=True)
class _Spec:
    """One inverted residual block of MobileNetV3."""

    kernel: int
    middle: int  # channels between expansion and projection
    channels: int  # that come out
    squeezed: int  # channels of squeeze-and-excitation; 0: none
    activation: _Activation
    stride: int = 1


_BLOCKS = (
    _Spec(3, 16, 16, 0, "relu"),
    _Spec(3, 64, 24, 0, "relu", 2),
    _Spec(3, 72, 24, 0, "relu"),
    _Spec(5, 72, 40, 24, "relu", 2),
    _Spec(5, 120, 40, 32, "relu"),
    _Spec(5, 120, 40, 32, "relu"),
    _Spec(3, 240, 80, 0, "hard-swish", 2),
    _Spec(3, 200, 80, 0, "hard-swish"),
    _Spec(3, 184, 80, 0, "hard-swish"),
    _Spec(3, 184, 80, 0, "hard-swish"),
    _Spec(3, 480, 112, 120, "hard-swish"),
    _Spec(3, 672, 112, 168, "hard-swish"),
    _Spec(5, 672, 80, 168, "hard-swish", 2),
    _Spec(5, 480, 80, 120, "hard-swish"),
    _Spec(5, 480, 80, 120, "hard-swish"),
)
_CACHED_BLOCKS = 6  # those up to stride 8
CACHED_STRIDE_PX = 8
_FIRST_LEVEL = 12  # the block whose expanded maps are the first level
_EXTRAS = (
    (256, 512),
    (128, 256),
    (128, 256),
    (64, 128),
)  # squeezed and final channels of the levels after the backbone
_LEVELS = (672, 480, 512, 256, 256, 128)  # channels of the six levels

ANCHORS = (3, 6, 6, 6, 6, 6)
"""Anchor boxes of one place of each level; strides 16, 32 … 512."""


class SsdMobileNet(nn.Module):
    """Class scores and box encodings of the anchors of six levels.

    Input: (B, 3, H, W) RGB, `(value - 127) / 128`, sides that 32 divides.

    Args:
        classes: How many kinds of objects.

    >>> scores, encodings = SsdMobileNet(classes=5).eval()(torch.zeros(1, 3, 64, 96))
    >>> scores.shape, encodings.shape
    (torch.Size([1, 138, 5]), torch.Size([1, 138, 4]))
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.stem = AffineConv(3, 16, kernel=3, stride=2)
        given = (16, *(spec.channels for spec in _BLOCKS[:-1]))
        self.blocks = nn.ModuleList(_Block(n, spec) for n, spec in zip(given, _BLOCKS, strict=True))
        self.last = AffineConv(_BLOCKS[-1].channels, _LEVELS[1])
        self.extras = nn.ModuleList(
            nn.ModuleList(
                [
                    AffineConv(before, squeezed),
                    AffineConv(squeezed, squeezed, kernel=3, stride=2, groups=squeezed),
                    AffineConv(squeezed, channels),
                ]
            )
            for before, (squeezed, channels) in zip(_LEVELS[1:5], _EXTRAS, strict=True)
        )
        self.naming = nn.ModuleList(_Head(c, n * classes) for c, n in zip(_LEVELS, ANCHORS, strict=True))
        self.measuring = nn.ModuleList(_Head(c, n * 4) for c, n in zip(_LEVELS, ANCHORS, strict=True))
        for head in self.naming:
            # at first every class has one chance in a hundred, so that the many empty anchors do not drown the rest
            nn.init.constant_(head.out.bias, -math.log(99.0))  # type: ignore[union-attr, arg-type]

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the maps at stride 8: (B, 40, H / 8, W / 8)."""
        x = F.hardswish(self.stem(x))
        for block in self.blocks[:_CACHED_BLOCKS]:
            x, _ = block(x)
        return x

    def from_maps(self, at8: Tensor) -> tuple[Tensor, Tensor]:
        """From what `encode` gives to what `forward_raw` gives."""
        x, levels = at8, []
        for number, block in enumerate(self.blocks[_CACHED_BLOCKS:], start=_CACHED_BLOCKS):
            x, expanded = block(x)
            if number == _FIRST_LEVEL:
                levels.append(expanded)
        x = F.hardswish(self.last(x))
        levels.append(x)
        for part in self.extras:
            assert isinstance(part, nn.ModuleList)
            squeeze, depthwise, project = part
            x = F.relu6(project(F.relu6(depthwise(F.relu6(squeeze(x))))))
            levels.append(x)
        scores = [_listed(head(level), self.classes) for head, level in zip(self.naming, levels, strict=True)]
        encodings = [_listed(head(level), 4) for head, level in zip(self.measuring, levels, strict=True)]
        return torch.cat(scores, 1), torch.cat(encodings, 1)

    def forward_raw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) to (B, P, classes) scores before the sigmoid and (B, P, 4) encodings.

        An encoding is what `szem.tasks.detection.anchors` decodes: shift of the middle (y, x) in tenths of the
        anchor's sides, logarithm of the sides' growth (height, width) in fifths.
        """
        return self.from_maps(self.encode(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) to (B, P, classes) scores 0..1 and (B, P, 4) encodings."""
        scores, encodings = self.forward_raw(x)
        return scores.sigmoid(), encodings

    def fold_scales(self) -> None:
        """Multiply every convolution's scale into its weights; the network computes the same, and learns no more."""
        for part in self.modules():
            if isinstance(part, AffineConv):
                part.fold()

    def unfold_scales(self) -> None:
        """Undo `fold_scales`, so that the network can learn."""
        for part in self.modules():
            if isinstance(part, AffineConv):
                part.unfold()

    def first_blocks(self) -> list[nn.Module]:
        """What `encode` runs."""
        return [self.stem, *self.blocks[:_CACHED_BLOCKS]]


class FirstBlocks(nn.Module):
    """The first blocks alone, for maps that are kept: (B, 3, H, W) to (B, 40, H / 8, W / 8)."""

    def __init__(self, network: SsdMobileNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """As `SsdMobileNet.encode`."""
        return self.network.encode(x)


class _Block(nn.Module):
    """Expand, filter each channel, weigh the channels, project; the input is added where the shapes agree."""

    def __init__(self, given: int, spec: _Spec) -> None:
        super().__init__()
        self.activate = F.relu if spec.activation == "relu" else F.hardswish
        self.expand = AffineConv(given, spec.middle) if spec.middle != given else None
        self.depthwise = AffineConv(
            spec.middle, spec.middle, kernel=spec.kernel, stride=spec.stride, groups=spec.middle
        )
        self.squeeze = nn.Conv2d(spec.middle, spec.squeezed, 1) if spec.squeezed else None
        self.excite = nn.Conv2d(spec.squeezed, spec.middle, 1) if spec.squeezed else None
        self.project = AffineConv(spec.middle, spec.channels)
        self.is_residual = spec.stride == 1 and given == spec.channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What comes out, and the expanded maps."""
        expanded = x if self.expand is None else self.activate(self.expand(x))
        y = self.activate(self.depthwise(expanded))
        if self.squeeze is not None and self.excite is not None:
            gates = self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
            y = y * F.hardsigmoid(gates)
        y = self.project(y)
        return (x + y if self.is_residual else y), expanded


class _Head(nn.Module):
    """A depthwise convolution and a projection."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.depthwise = AffineConv(given, given, kernel=3, groups=given)
        self.out = nn.Conv2d(given, channels, 1)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu6(self.depthwise(x)))


def _listed(maps: Tensor, numbers: int) -> Tensor:
    """(B, A · numbers, h, w) to (B, h · w · A, numbers): places row by row, the anchors of a place side by side."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, numbers)
