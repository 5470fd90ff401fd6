"""Your own classes: EfficientNet-Lite, fine-tuned to folders of your pictures.

Command:  szem train classify --data MY_PICTURES --out runs/mine
Duration: a few minutes for some hundred pictures on two cores
Seed:     0
Expected: depends on the pictures; one in five is held out, and the score is taken on those
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.arrays import Picture8
from szem.data.broken import Broken, describe_broken
from szem.data.class_names import class_pairs
from szem.data.folders import read_folders, rename_folder_classes
from szem.errors import SzemError, TrainError
from szem.media.pictures import read_picture
from szem.models.efficientnet_lite import VARIANTS, EfficientNetLite, build_efficientnet_lite
from szem.nn.frozen import freeze_norms
from szem.runtime.cards import PictureInput, TrainingData
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick, spread_over
from szem.train.segmentation.augment import Augmentation, cut_sample
from szem.train.segmentation.base import pictures_to_input

__all__ = ["ClassifyRecipe", "ClassifySettings", "build_recipe"]

_CROP = 0.875  # fraction of the shorter side that a picture is judged by


@dataclass(frozen=True, kw_only=True)
class ClassifySettings:
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=300, batch=16, lr=2e-3, ema=0.98, scores=6, patience=3))
    data: Path = Path("pictures")  # a folder for each class, perhaps in train/ and val/, or a table
    classes: tuple[str, ...] = ()  # pairs a=b: what the data calls a is called b; a= leaves it out
    hold_back: int = 5  # one picture in so many of each class is not trained on but scored; 0 for none
    backbone: str = "lite0"  # of efficientnet_lite.VARIANTS
    pretrained: bool = True  # begin with ImageNet's weights
    frozen_stages: int = 4  # of the backbone's seven, that do not learn
    backbone_lr: float = 0.1  # factor of the learning rate
    smoothing: float = 0.1  # of the labels


class ClassifyRecipe:
    """EfficientNet-Lite with a new classifier; its late stages learn slowly, its early ones not at all."""

    default_budget_s = 100.0  # where neither a budget nor steps are given

    def __init__(self, settings: ClassifySettings) -> None:
        self.settings = settings
        found = rename_folder_classes(read_folders(settings.data), class_pairs(settings.classes))
        self.classes = found.classes
        self.side_px = VARIANTS[settings.backbone].side_px if settings.backbone in VARIANTS else 224
        broken = list(found.broken)
        self.training_items: list[tuple[Picture8, int]] = []
        self.watching: list[tuple[Picture8, int]] = []
        seen = [0] * len(found.classes)
        for place, (file, label) in enumerate(zip(found.files, found.labels, strict=True)):
            split = found.split_of(place)
            if split == "test":  # never looked at
                continue
            try:
                picture = _made_small(read_picture(file), round(self.side_px / _CROP))
            except SzemError as error:
                broken.append(Broken(f"{file.parent.name}/{file.name}", str(error)))
                continue
            seen[label] += 1
            by_count = settings.hold_back > 0 and seen[label] % settings.hold_back == 0
            held_out = split == "val" if "val" in found.splits else by_count
            (self.watching if held_out else self.training_items).append((picture, label))
        self.broken = tuple(broken)
        of_each_class = f"held-back:{settings.hold_back}" if settings.hold_back else "all"
        self.held_split = "val" if "val" in found.splits else of_each_class
        if len({label for _, label in self.training_items}) < len(self.classes):
            raise TrainError(
                f"{settings.data}: a class has no readable picture to learn from. {describe_broken(broken)}"
            )

    def build_network(self) -> nn.Module:
        """The network with as many outputs as there are classes."""
        s = self.settings
        net = build_efficientnet_lite(s.backbone, classes=len(self.classes), pretrained=s.pretrained)
        freeze_norms(net)
        for part in (net.stem, *net.stages[: s.frozen_stages]):
            part.requires_grad_(False)
        return net

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The classifier is new and learns fastest."""
        learning = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        old = [p for n, p in learning if not n.startswith("classifier.")]
        new = [p for n, p in learning if n.startswith("classifier.")]
        return [(self.settings.backbone_lr, old), (1.0, new)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Squares as (B, 3, S, S) float32 and classes as (B,) int64."""
        side = self.side_px
        change = Augmentation(height_px=side, width_px=side, scale_low=0.9, scale_high=1.6, light=0.25)
        pictures, labels = [], []
        for number in samples:
            index, rng = pick(number, of=len(self.training_items), seed=self.settings.loop.seed)
            picture, label = self.training_items[index]
            pictures.append(cut_sample(picture, np.zeros(picture.shape[:2], np.uint8), change, rng)[0])
            labels.append(label)
        return {"picture": pictures_to_input(np.stack(pictures)), "label": torch.tensor(labels)}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy with smoothed labels."""
        return F.cross_entropy(network(batch["picture"]), batch["label"], label_smoothing=self.settings.smoothing)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Fraction of the pictures held out that get their class."""
        if not self.watching:
            return {}
        place = next(network.parameters()).device
        right = 0
        for picture, label in self.watching:
            square = _middle(picture, self.side_px)
            right += int(network(pictures_to_input(square[None]).to(place)).argmax(1)) == label
        return {"top-1": right / len(self.watching)}

    def _score_file(self, file: Path, rules: PictureInput) -> float:
        """Top-1 of an ONNX file on the pictures held out."""
        opened, whole = OnnxFile(file), rules.model_copy(update={"crop": 1.0})
        right = 0
        for picture, label in self.watching:
            given = {opened.inputs[0].name: prepare_picture(_middle(picture, self.side_px), whole)}
            right += int(opened.run(given, ["logits"])[0].argmax()) == label
        return right / len(self.watching)

    def release(self, network: nn.Module) -> Release:
        """A `classify` model with the folders' names as labels."""
        plain = EfficientNetLite(self.settings.backbone, classes=len(self.classes))
        plain.load_state_dict(network.state_dict())
        side = self.side_px
        return Release(
            task="classify",
            head="logits",
            summary=f"{len(self.classes)} classes of one's own: EfficientNet-Lite, fine-tuned.",
            network=plain,
            outputs={"logits": "logits"},
            input=PictureInput(
                width_px=self.side_px,
                height_px=self.side_px,
                crop=_CROP,
                mean=(127.0, 127.0, 127.0),
                scale=(128.0, 128.0, 128.0),
            ),
            labels=self.classes,
            training_data=(
                TrainingData(
                    name=f"{self.settings.data.name} ({len(self.training_items)} pictures)", terms="one's own"
                ),
                TrainingData(
                    name="ImageNet-1k, through the backbone's weights", terms="research", use="pre-training"
                ),
            ),
            licence="LicenseRef-own",
            samples=lambda given: [
                prepare_picture(_middle(picture, side), given.model_copy(update={"crop": 1.0}))
                for picture, _ in spread_over(self.training_items)
            ],
            score=self._score_file if self.watching else None,
            attributions=(f"Backbone weights: EfficientNet-{self.settings.backbone} by Google, Apache-2.0.",),
        )


def build_recipe(settings: ClassifySettings) -> ClassifyRecipe:
    """The recipe of these settings; reads and decodes all pictures."""
    return ClassifyRecipe(settings)


def _made_small(picture: Picture8, shorter_px: int) -> Picture8:
    """Scaled so that the shorter side is that long."""
    height, width = picture.shape[:2]
    scale = shorter_px / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)


def _middle(picture: Picture8, side: int) -> Picture8:
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[top : top + side, left : left + side]
