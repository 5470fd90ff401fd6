"""What recipes for labels per pixel have in common: DeepLabv3+, pieces of pictures, a region-aware loss, mean IoU."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from szem.data.pixels import PixelSet, read_classes, read_pixel_set
from szem.models.deeplab import DeepLab, freeze_backbone
from szem.runtime.cards import PictureInput, TrainingData
from szem.runtime.prepare import find_window, prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.tasks.segmentation.mean_iou import confusion, mean_iou, pixel_accuracy
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.recipe import Batch
from szem.train.release import Release
from szem.train.sampling import pick, spread_over
from szem.train.segmentation.augment import Augmentation, cut_sample
from szem.train.segmentation.losses import class_weights, pixel_loss
from szem.train.segmentation.settings import PixelSettings, backbone_groups, plain_network

__all__ = ["HalfResolution", "PixelModel", "PixelRecipe", "pictures_to_input", "repeat_rare"]


@dataclass(frozen=True, kw_only=True)
class PixelModel:
    """What the card of a model of this kind says."""

    summary: str
    width_px: int  # of the input
    height_px: int
    training_data: tuple[TrainingData, ...]
    attributions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


class HalfResolution(nn.Module):
    """A `DeepLab` that gives its scores at half the resolution: they are brought up to the picture's size at once."""

    def __init__(self, network: DeepLab) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, classes, ceil(H / 2), ceil(W / 2))."""
        return self.network.half_scores(x)


class PixelRecipe:
    """DeepLabv3+ on EfficientNet-Lite, trained with pieces of pictures.

    Args:
        settings: Of the recipe.
        changes: How pieces are cut, from which progress on; ascending, the first from 0.
        about: What the card of the model says.
        repeat_most: A picture with a rare class is seen up to so many times an epoch.
        begin_with: Folder of an earlier run of the same network, whose averaged weights are taken on.
        filled: Folder of further pictures to learn from, whose masks come from boxes (`train.fill_boxes`); pictures
            with true masks are then seen once more an epoch.
        spread: Hold back pictures from everywhere, not the last ones; for data whose neighbours are not alike.
    Raises:
        TrainError: no usable pictures.
    """

    def __init__(
        self,
        settings: PixelSettings,
        *,
        changes: Sequence[tuple[float, Augmentation]],
        about: "PixelModel",
        repeat_most: int = 1,
        filled: str = "",
        spread: bool = False,
    ) -> None:
        self.settings, self.changes, self.about = settings, tuple(changes), about
        self.held_split = "val"
        self.classes = read_classes(settings.data)
        everything = read_pixel_set(settings.data, split=settings.split or None, classes=len(self.classes))
        watched = set(_held_out(len(everything), settings.hold_back, spread=spread))
        true = [i for i in range(len(everything)) if i not in watched]
        self.training_items, self.watching = everything.part(true), everything.part(sorted(watched))
        self.broken = everything.broken
        more = read_pixel_set(Path(filled), split=None, classes=len(self.classes)) if filled else None
        if more is not None:
            self.training_items, self.broken = self.training_items + more, self.broken + more.broken
        counts = _pixel_counts(self.training_items, len(self.classes))  # (pictures, classes)
        self.weights = class_weights(torch.from_numpy(counts.sum(0)).float(), power=settings.weight_power)
        self.order = repeat_rare(counts > 0, most=repeat_most) + ([*range(len(true))] if more is not None else [])

    def build_network(self) -> nn.Module:
        """DeepLabv3+ with its first stages frozen."""
        net = plain_network(self.settings, classes=len(self.classes), pretrained=self.settings.pretrained)
        if self.settings.begin_with:
            net.load_state_dict(load_checkpoint(Path(self.settings.begin_with) / CHECKPOINT)["average"])
        freeze_backbone(net, stages=self.settings.frozen_stages)
        return net

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The backbone learns more slowly than what is new."""
        return backbone_groups(network, backbone_lr=self.settings.backbone_lr)

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """Pieces as (B, 3, H, W) float32 and labels as (B, H / 2, W / 2) int64, one random pixel of each four."""
        change = [change for begin, change in self.changes if progress >= begin][-1]
        pictures, labels = [], []
        for number in samples:
            place, rng = pick(number, of=len(self.order), seed=self.settings.loop.seed)
            index = self.order[place]
            picture, label = cut_sample(
                self.training_items.pictures[index], self.training_items.labels[index], change, rng
            )
            row, column = rng.integers(0, 2, 2)
            pictures.append(picture)
            labels.append(label[row::2, column::2])
        truth = torch.from_numpy(np.stack(labels).astype(np.int64))
        return {"picture": pictures_to_input(np.stack(pictures)), "label": truth}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Weighted cross-entropy and soft Jaccard at half the resolution."""
        assert isinstance(network, DeepLab)
        scores = network.half_scores(batch["picture"])
        weights = self.weights.to(scores.device)
        return pixel_loss(scores, batch["label"], weights=weights, jaccard=self.settings.jaccard)

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Mean intersection over union on the pictures held out from training; nothing where none are."""
        classes = len(self.classes)
        table = np.zeros((classes, classes), np.int64)
        place = next(network.parameters()).device
        for picture, label in zip(self.watching.pictures, self.watching.labels, strict=True):
            given = network(pictures_to_input(picture[None]).to(place)).argmax(1)[0].to(torch.uint8).cpu().numpy()
            table += confusion(label, given, classes=classes)
        if table.sum() == 0:
            return {}
        return {"mIoU": mean_iou(table), "pixel accuracy": pixel_accuracy(table)}

    def release(self, network: nn.Module) -> Release:
        """A `segment` model whose input is the recipe's, the whole picture inside it."""
        about = self.about
        rules = PictureInput(
            width_px=about.width_px,
            height_px=about.height_px,
            resize="letterbox",
            interpolation="bilinear",
            mean=(127.0, 127.0, 127.0),
            scale=(128.0, 128.0, 128.0),
        )
        # Frozen blocks learn faster, plain ones export better.
        plain = plain_network(self.settings, classes=len(self.classes), pretrained=False)
        plain.load_state_dict(network.state_dict())
        return Release(
            task="segment",
            head="scores",
            summary=about.summary,
            network=HalfResolution(plain),
            outputs={"scores": "scores"},
            input=rules,
            labels=self.classes,
            training_data=about.training_data,
            attributions=about.attributions,
            limits=about.limits,
            samples=lambda given: [
                prepare_picture(p, given, step_px=2) for p in spread_over(self.training_items.pictures)
            ],
            score=self._score_file if len(self.watching) else None,
        )

    def _score_file(self, file: Path, rules: PictureInput) -> float:
        """Mean intersection over union of an ONNX file on the pictures held out, each cell for its four pixels."""
        opened, classes = OnnxFile(file), len(self.classes)
        table = np.zeros((classes, classes), np.int64)
        for picture, label in zip(self.watching.pictures, self.watching.labels, strict=True):
            height, width = label.shape
            window = find_window(height, width, rules, step_px=2)
            top, left = window.pad_top // 2, window.pad_left // 2
            given = opened.run({opened.inputs[0].name: prepare_picture(picture, rules, step_px=2)}, ["scores"])[0][0]
            inner = given[:, top : top + window.in_height // 2, left : left + window.in_width // 2]
            named = inner.argmax(0).astype(np.uint8)
            named = cv2.resize(named, (width, height), interpolation=cv2.INTER_NEAREST)
            table += confusion(label, named.astype(np.uint8, copy=False), classes=classes)
        return mean_iou(table)


def pictures_to_input(pictures: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 `(value - 127) / 128`, channels last in memory."""
    scaled = (pictures.astype(np.float32) - 127) * np.float32(1 / 128)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def repeat_rare(has: NDArray[np.bool_], *, most: int) -> list[int]:
    """Indices of pictures, those with rare classes several times: √(commonest / rarest class in it), rounded.

    Args:
        has: (pictures, classes): which class is in which picture; class 0 (background) is left out of the count.
        most: Never more often than this.
    Source: A. Gupta et al., LVIS, 2019, arXiv:1908.03195, section 4.1 (repeat factor sampling).

    >>> repeat_rare(np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 1]], bool), most=4)
    [0, 1, 2, 3, 4, 4]
    """
    if most <= 1:
        return list(range(len(has)))
    has_class = has[:, 1:]
    pictures = has_class.sum(0)  # per class
    want = np.sqrt(pictures.max() / np.maximum(pictures, 1))
    times = np.clip(np.rint((has_class * want).max(1)), 1, most).astype(int)
    return [index for index, n in enumerate(times) for _ in range(n)]


def _held_out(pictures: int, wanted: int, *, spread: bool) -> Sequence[int]:
    """Places of the pictures that are not trained on: the last ones, or one in every so many."""
    if not spread or wanted == 0:
        return range(pictures - wanted, pictures)
    return spread_over(range(pictures), most=wanted)


def _pixel_counts(pixels: PixelSet, classes: int) -> NDArray[np.int64]:
    return np.stack([np.bincount(label.reshape(-1), minlength=256)[:classes] for label in pixels.labels])
