"""GoogLeNet, the first Inception network, with the widths of the paper.

Source: C. Szegedy et al., Going Deeper with Convolutions, 2014, arXiv:1409.4842, table 1. The two auxiliary
classifiers are left out (they only help training), batch normalisation takes the place of local response
normalisation. The paper counts 2.7 K weights and 34 M multiplications in the first layer, where a dense 7×7 has 9.4 K
and 118 M: those are the numbers of a layer taken apart into 8 filters a colour and 64 across; `separable_stem` builds
that one. This file does not know about data or training.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from szem.nn.conv import ConvNorm
from szem.nn.inception import Inception, Widths

__all__ = ["WIDTHS", "GoogLeNet"]

WIDTHS: dict[str, Widths] = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}
_STEM_FILTERS = 8  # of each colour, in the stem that is taken apart


class GoogLeNet(nn.Module):
    """22 layers with weights: a stem, nine Inception blocks, one mean over the picture, one linear layer.

    Input: (B, 3, H, W); the paper's side is 224.

    Args:
        classes: Length of the output.
        separable_stem: The first layer depthwise and pointwise, as the paper counts it; otherwise a dense 7×7.

    >>> import torch
    >>> GoogLeNet(classes=10).eval()(torch.zeros(1, 3, 65, 70)).shape
    torch.Size([1, 10])
    """

    def __init__(self, *, classes: int = 1000, separable_stem: bool = False) -> None:
        super().__init__()
        self.conv1: nn.Module = _conv(3, 64, 7, stride_px=2)
        if separable_stem:
            wide = 3 * _STEM_FILTERS
            deep = ConvNorm(3, wide, kernel=7, stride_px=2, groups=3, activation="none", norm_momentum=0.1)
            self.conv1 = nn.Sequential(deep, _conv(wide, 64, 1))
        self.conv2 = nn.Sequential(_conv(64, 64, 1), _conv(64, 192, 3))
        blocks = {}
        channels = 192
        for name, widths in WIDTHS.items():
            blocks[f"inception{name}"] = Inception(channels, widths)
            channels = widths.out
        self.blocks = nn.ModuleDict(blocks)
        self.dropout = nn.Dropout(0.4)
        self.classifier = nn.Linear(channels, classes)

    def forward_maps(self, x: Tensor) -> Tensor:
        """The last maps, those that are averaged: (B, 1024, H / 32, W / 32)."""
        x = _halve(self.conv1(x))
        x = _halve(self.conv2(x))
        for name, block in self.blocks.items():
            x = block(x)
            if name in ("inception3b", "inception4e"):
                x = _halve(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, classes): scores before softmax."""
        logits: Tensor = self.classifier(self.dropout(self.forward_maps(x).mean((2, 3))))
        return logits


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


def _conv(in_channels: int, out_channels: int, kernel: int, *, stride_px: int = 1) -> ConvNorm:
    return ConvNorm(
        in_channels, out_channels, kernel=kernel, stride_px=stride_px, activation="relu", norm_momentum=0.1
    )
