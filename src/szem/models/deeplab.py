"""DeepLabv3+: an atrous pyramid on a backbone's last maps, and a decoder that brings thin things back.

Source: L.-C. Chen et al., Encoder-Decoder with Atrous Separable Convolution, 2018, arXiv:1802.02611. Changes for
two cores: an EfficientNet-Lite backbone, separable convolutions throughout, skips from strides 8, 4 and 2, and a
classifier that names four pixels at once (W. Shi et al., 2016, arXiv:1609.05158, equation 4), so the scores come at
stride 2 though nothing is computed there. This file does not know about data, training or ONNX.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.models.efficientnet_lite import EfficientNetLite, load_pretrained
from szem.nn.atrous import AtrousPyramid
from szem.nn.conv import ConvNorm
from szem.nn.frozen import freeze_norms
from szem.nn.separable import SeparableConv

__all__ = ["DeepLab", "build_deeplab", "freeze_backbone"]


class DeepLab(nn.Module):
    """Scores per class for every second pixel, or for every pixel.

    Input: (B, 3, H, W) RGB, `(value - 127) / 128`.

    Args:
        classes: Channels of the output.
        backbone: A name of `efficientnet_lite.VARIANTS`.
        output_stride: 32, 16 or 8: how far the backbone shrinks the picture; dilation replaces the strides left out.
        rates: Atrous rates of the pyramid, in pixels of the last maps.
        width: Channels of the pyramid and the decoder.

    >>> DeepLab(classes=5).eval()(torch.zeros(1, 3, 37, 50)).shape
    torch.Size([1, 5, 37, 50])
    """

    def __init__(
        self,
        *,
        classes: int,
        backbone: str = "lite0",
        output_stride: int = 16,
        rates: Sequence[int] = (3, 6, 9),
        width: int = 128,
    ) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(backbone, classes=1, output_stride=output_stride)
        del self.backbone.head, self.backbone.dropout, self.backbone.classifier  # the picture as a whole is not asked
        four, eight, _, last = self.backbone.feature_channels
        two = 16
        self.pyramid = AtrousPyramid(last, width, rates=rates)
        self.skip8 = ConvNorm(eight, 48, kernel=1, norm_momentum=0.1)
        self.fuse8 = SeparableConv(width + 48, width, norm_momentum=0.1)
        self.skip4 = ConvNorm(four + 4 * two, 64, kernel=1, norm_momentum=0.1)
        self.fuse4 = nn.Sequential(
            SeparableConv(width + 64, width, norm_momentum=0.1), SeparableConv(width, width, norm_momentum=0.1)
        )
        self.classifier = nn.Conv2d(width, 4 * classes, 1)

    def half_scores(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, classes, ceil(H / 2), ceil(W / 2)): scores before softmax, a cell per 2×2 pixels."""
        at2 = self.backbone.stages[0](self.backbone.stem(x))
        at4 = self.backbone.stages[1](at2)
        at8 = self.backbone.stages[2](at4)
        deep = at8
        for stage in self.backbone.stages[3:]:
            deep = stage(deep)
        h2, w2 = at2.shape[2:]
        h4, w4 = at4.shape[2:]
        even = F.pad(at2, (0, 2 * w4 - w2, 0, 2 * h4 - h2)) if (2 * h4, 2 * w4) != (h2, w2) else at2
        x = _resize(self.pyramid(deep), at8)
        x = self.fuse8(torch.cat([x, self.skip8(at8)], 1))  # (B, width, H / 8, W / 8)
        x = _resize(x, at4)
        x = self.fuse4(torch.cat([x, self.skip4(torch.cat([at4, F.pixel_unshuffle(even, 2)], 1))], 1))
        x = F.pixel_shuffle(self.classifier(x), 2)  # (B, classes, H / 2, W / 2)
        return x[:, :, :h2, :w2]

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, classes, H, W): scores before softmax."""
        half = self.half_scores(x)
        full = F.interpolate(half, scale_factor=2.0, mode="bilinear", align_corners=False)
        return full[:, :, : x.shape[2], : x.shape[3]]


def build_deeplab(
    *,
    classes: int,
    backbone: str = "lite0",
    output_stride: int = 16,
    rates: Sequence[int] = (3, 6, 9),
    width: int = 128,
    pretrained: bool = False,
) -> DeepLab:
    """Make a network; with `pretrained` its backbone has the weights of ImageNet.

    Raises:
        UnknownNameError: no such backbone.
        MissingExtraError: the package that carries the backbone's weights is not installed.
    """
    net = DeepLab(classes=classes, backbone=backbone, output_stride=output_stride, rates=rates, width=width)
    if pretrained:
        whole = EfficientNetLite(backbone, output_stride=output_stride)
        load_pretrained(whole)
        wanted = net.backbone.state_dict().keys()
        net.backbone.load_state_dict({name: value for name, value in whole.state_dict().items() if name in wanted})
    return net


def freeze_backbone(net: DeepLab, *, stages: int) -> None:
    """Keep the backbone's normalisation statistics, and its stem and first stages altogether, in place.

    Args:
        net: Its state dict keeps its names.
        stages: How many of the seven stages do not learn; 2 is everything up to stride 4.
    """
    freeze_norms(net.backbone)
    for part in (net.backbone.stem, *net.backbone.stages[:stages]):
        part.requires_grad_(False)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
