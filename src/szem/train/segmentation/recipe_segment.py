"""Your own classes for every pixel: DeepLabv3+ on EfficientNet-Lite.

Command:  szem train segment --data MY_PICTURES --out runs/mine
Duration: 20 minutes, if nothing else is said
Seed:     0
Expected: depends on the pictures; the scores are of those that index.csv marks as val
"""

from dataclasses import dataclass, field
from pathlib import Path

from szem.data.pixels import read_classes
from szem.runtime.cards import TrainingData
from szem.train.recipe import Loop
from szem.train.segmentation.augment import Augmentation
from szem.train.segmentation.base import PixelModel, PixelRecipe
from szem.train.segmentation.settings import PixelSettings

__all__ = ["SegmentSettings", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(PixelSettings):
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=20000, batch=8, lr=2e-3, ema=0.99, scores=6))
    data: Path = Path("pictures")  # folder with images/, labels/, classes.txt and index.csv (image, label, split)
    hold_back: int = 8  # pictures, evenly spread
    small_px: tuple[int, int] = (256, 320)
    large_px: tuple[int, int] = (352, 448)
    weight_power: float = 0.35
    side_px: int = 448  # longer side of the model's input


class SegmentRecipe(PixelRecipe):
    """Pieces at many scales first, larger ones at the end."""

    default_budget_s = 1200.0  # where neither a budget nor steps are given


def build_recipe(settings: SegmentSettings) -> SegmentRecipe:
    """The recipe of these settings; reads and decodes all pictures."""
    small = Augmentation(height_px=settings.small_px[0], width_px=settings.small_px[1], scale_low=0.7, scale_high=1.5)
    large = Augmentation(
        height_px=settings.large_px[0], width_px=settings.large_px[1], scale_low=0.85, scale_high=1.25
    )
    about = PixelModel(
        summary=f"{len(read_classes(settings.data))} classes of one's own for every pixel: DeepLabv3+.",
        width_px=settings.side_px,
        height_px=settings.side_px * 3 // 4 // 32 * 32,
        training_data=(
            TrainingData(name=settings.data.resolve().name, terms="one's own"),
            TrainingData(name="ImageNet-1k, through the backbone's weights", terms="research", use="pre-training"),
        ),
        attributions=(f"Backbone weights: EfficientNet-{settings.backbone} by Google, Apache-2.0.",),
    )
    changes = ((0.0, small), (settings.large_from, large))
    return SegmentRecipe(settings, changes=changes, about=about, spread=True)
