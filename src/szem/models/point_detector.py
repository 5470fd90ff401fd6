"""A single-shot detector without anchor boxes: every place of three pyramid levels says what is there and how far its
sides are.

Source: Z. Tian et al., FCOS, 2019, arXiv:1904.01355, section 3 (places and distances); C. Feng et al., TOOD, 2021,
arXiv:2108.07755, section 3.2 (one score for class and fit, so no centre-ness). Changes for two cores: an
EfficientNet-Lite backbone, three levels, separable convolutions. This file does not know about data, training or
ONNX.
"""

import math

import torch
from torch import Tensor, nn

from szem.models.efficientnet_lite import EfficientNetLite, load_pretrained
from szem.nn.frozen import freeze_norms
from szem.nn.pyramid import Pyramid
from szem.nn.separable import SeparableConv

__all__ = ["STRIDES_PX", "FirstStages", "PointDetector", "build_point_detector", "freeze_stages"]

STRIDES_PX = (8, 16, 32)
_CACHED_STAGES = 3  # the stem and the first stages: what is fine enough to be kept when they do not learn
_REACH = math.log(2.0)  # distances begin at two strides: boxes of four strides
_FARTHEST = 4.0  # in powers of e: no distance above 55 strides


class PointDetector(nn.Module):
    """Scores of the classes and distances of the sides at each place of strides 8, 16 and 32.

    Input: (B, 3, H, W) RGB, `(value - 127) / 128`, sides that 32 divides.

    Args:
        classes: How many kinds of things.
        backbone: A name of `efficientnet_lite.VARIANTS`.
        width: Channels of pyramid and heads.
        depth: Convolutions of each branch of a head.

    >>> scores, distances = PointDetector(classes=5).eval()(torch.zeros(1, 3, 64, 96))
    >>> scores.shape, distances.shape
    (torch.Size([1, 126, 5]), torch.Size([1, 126, 4]))
    """

    def __init__(self, *, classes: int, backbone: str = "lite0", width: int = 96, depth: int = 2) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = EfficientNetLite(backbone, classes=1)
        del self.backbone.head, self.backbone.dropout, self.backbone.classifier  # the picture as a whole is not asked
        _, *channels = self.backbone.feature_channels
        self.pyramid = Pyramid(channels, width)
        self.heads = nn.ModuleList(_Head(width, classes, depth) for _ in STRIDES_PX)

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the maps at stride 8: (B, C, H / 8, W / 8)."""
        x = self.backbone.stem(x)
        for stage in self.backbone.stages[:_CACHED_STAGES]:
            x = stage(x)
        return x

    def from_maps(self, at8: Tensor) -> tuple[Tensor, Tensor]:
        """From what `encode` gives to what `forward_raw` gives."""
        at16 = self.backbone.stages[4](self.backbone.stages[3](at8))
        at32 = self.backbone.stages[6](self.backbone.stages[5](at16))
        scores, distances = [], []
        levels = self.pyramid([at8, at16, at32])
        for head, stride, maps in zip(self.heads, STRIDES_PX, levels, strict=True):
            raw, reach = head(maps)
            scores.append(raw.flatten(2).transpose(1, 2))
            distances.append(stride * reach.float().clamp(max=_FARTHEST).exp().flatten(2).transpose(1, 2))
        return torch.cat(scores, 1), torch.cat(distances, 1)

    def forward_raw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) to (B, P, classes) scores before the sigmoid and (B, P, 4) distances in pixels."""
        return self.from_maps(self.encode(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) to (B, P, classes) scores 0..1 and (B, P, 4) distances: left, upper, right, lower side."""
        scores, distances = self.forward_raw(x)
        return scores.sigmoid(), distances


class FirstStages(nn.Module):
    """The first stages alone, for maps that are kept: (B, 3, H, W) to (B, C, H / 8, W / 8)."""

    def __init__(self, network: PointDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """As `PointDetector.encode`."""
        return self.network.encode(x)


class _Head(nn.Module):
    """What is there, and how far its sides are: two branches over the maps of one level."""

    def __init__(self, width: int, classes: int, depth: int) -> None:
        super().__init__()

        def branch() -> nn.Sequential:
            return nn.Sequential(*(SeparableConv(width, width, norm_momentum=0.1) for _ in range(depth)))

        self.naming, self.measuring = branch(), branch()
        self.scores = nn.Conv2d(width, classes, 1)
        self.reach = nn.Conv2d(width, 4, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.normal_(self.reach.weight, std=0.01)
        # at first every class has one chance in a hundred, so that the many empty places do not drown the rest
        nn.init.constant_(self.scores.bias, -math.log(99.0))  # type: ignore[arg-type]
        nn.init.constant_(self.reach.bias, _REACH)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.scores(self.naming(x)), self.reach(self.measuring(x))


def build_point_detector(
    *, classes: int, backbone: str = "lite0", width: int = 96, depth: int = 2, pretrained: bool = False
) -> PointDetector:
    """Make a network; with `pretrained` its backbone has the weights of ImageNet.

    Raises:
        UnknownNameError: no such backbone.
        MissingExtraError: the package that carries the backbone's weights is not installed.
    """
    net = PointDetector(classes=classes, backbone=backbone, width=width, depth=depth)
    if pretrained:
        whole = EfficientNetLite(backbone)
        load_pretrained(whole)
        wanted = net.backbone.state_dict().keys()
        net.backbone.load_state_dict({name: value for name, value in whole.state_dict().items() if name in wanted})
    return net


def freeze_stages(net: PointDetector, *, stages: int) -> None:
    """Keep the backbone's normalisation statistics, and its stem and first stages altogether, in place."""
    freeze_norms(net.backbone)
    for part in (net.backbone.stem, *net.backbone.stages[:stages]):
        part.requires_grad_(False)
