"""What the recipes of this folder let change, and the network that follows from it.

This file does not know what is trained on.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from szem.models.deeplab import DeepLab, build_deeplab
from szem.train.recipe import Loop

__all__ = ["DeepLabSettings", "PixelSettings", "backbone_groups", "plain_network"]


@dataclass(frozen=True, kw_only=True)
class DeepLabSettings:
    """Settings of every recipe that trains a DeepLabv3+; a recipe adds its own and its defaults."""

    loop: Loop
    data: Path
    hold_back: int  # so many samples are not trained on but scored, to watch
    backbone: str = "lite0"  # of efficientnet_lite.VARIANTS
    pretrained: bool = True  # begin with ImageNet's weights
    output_stride: int = 32  # of the backbone
    rates: tuple[int, ...] = (1, 2, 3)  # of the atrous pyramid
    width: int = 96  # channels of pyramid and decoder
    frozen_stages: int = 2  # of the backbone's seven, that do not learn
    backbone_lr: float = 0.25  # factor of the learning rate


@dataclass(frozen=True, kw_only=True)
class PixelSettings(DeepLabSettings):
    """Settings of a recipe for the class of every pixel: small pieces first, larger ones at the end."""

    split: str = "train"  # rows of index.csv that are used at all
    begin_with: str = ""  # folder of an earlier run whose weights are taken on
    small_px: tuple[int, int]  # height, width of the pieces at first
    large_px: tuple[int, int]  # of the pieces at the end
    large_from: float = 0.7  # where in the training the large pieces begin
    weight_power: float  # of the class weights: 0 none, 1 inverse frequency
    jaccard: float = 0.5  # fraction of the region loss


def plain_network(settings: DeepLabSettings, *, classes: int, pretrained: bool) -> DeepLab:
    """The network of some settings, nothing of it frozen."""
    return build_deeplab(
        classes=classes,
        backbone=settings.backbone,
        output_stride=settings.output_stride,
        rates=settings.rates,
        width=settings.width,
        pretrained=pretrained,
    )


def backbone_groups(network: nn.Module, *, backbone_lr: float) -> list[tuple[float, list[nn.Parameter]]]:
    """Parameters that learn and the factors of their learning rates: the backbone, which knows much, and the rest."""
    old: list[nn.Parameter] = []
    new: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (old if name.startswith("backbone.") else new).append(parameter)
    return [(backbone_lr, old), (1.0, new)]
