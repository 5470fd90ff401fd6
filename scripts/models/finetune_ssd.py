r"""Fine-tune the SSD of `recentre_ssd` on whole stretched pictures, with the objective it was first trained with.

    python -m scripts.models.finetune_ssd --begin ssd384 --out runs/ssd384 --minutes 34 \
        --labelled voc:train voc12:train coco --partly animals:train --unlabelled flickr8k imagenet

Anchors that overlap an object by half are taught its class and its box, by the focal loss and the smooth L1 loss of
TensorFlow's Object Detection API; so the scores keep their meaning. Where a class has no labels in a set, the network
as it was before says what is taught (dense distillation), so that it forgets nothing of the other 60 classes. Some
samples are drawn (`ssd_drawings`): discs, cells, textures and pages, in which nothing is to be found, and cars from
above. The first blocks do not learn. The result, a moving average, is mixed with the weights it began with
(`blend_detector`). A second call goes on. `--steps 4 --batch 2` tries the whole in seconds.

Every 14th picture of the first set is left out, to choose the mixture by.
Sources: T.-Y. Lin et al., Focal Loss, 2017, arXiv:1708.02002; X. Li et al., Generalized Focal Loss, 2020,
arXiv:2006.04388, equation 5 (its form for soft targets); W. Liu et al., SSD, 2016, arXiv:1512.02325, section 2.2.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.models.recentre_ssd import pair_ious
from scripts.models.ssd_drawings import draw_background, draw_vehicles
from scripts.models.ssd_samples import Sample, relight, view
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import FirstBlocks, SsdMobileNet
from szem.runtime.cards import read_card
from szem.runtime.sessions import OnnxFile
from szem.tasks.detection.anchors import SCALES, anchor_boxes
from szem.train.checkpoint import CHECKPOINT, has_checkpoint, load_checkpoint, save_checkpoint
from szem.train.detection.augment import picture_to_input
from szem.train.detection.begin import begin_with
from szem.train.detection.teacher import Teacher
from szem.train.detection.training_sets import TrainingSet, hold_back, read_set, read_unlabelled
from szem.train.export import export_onnx

__all__ = ["Targets", "make_targets", "quality_focal_loss"]

_OVERLAP, _UNSURE, _LEAST = 0.5, 0.4, 0.15  # an anchor answers for an object from here; is not counted; at all
_HARD_OVERLAP = 0.35  # anchors on a hard object are not counted for its class
_WEIGHTS = {"voc": 0.50, "voc12": 0.10, "animals": 0.13, "coco": 0.10, "flickr8k": 0.05, "imagenet": 0.06}
_BACKGROUNDS, _VEHICLES = 0.08, 0.04  # fractions of the samples that are drawn
_RARE = 0.35  # power of a class's frequency by which its pictures are seen less often
_BOX_WEIGHT, _POSITIVE, _NEGATIVE = 0.5, 0.75, 0.25
_BACKBONE = 0.5  # factor of the learning rate
_EMA = 0.998
_TEACHER, _LABEL, _IGNORED = 0, 1, -1


@dataclass(frozen=True, eq=False)
class Targets:
    """What the anchors of one sample are taught."""

    scores: NDArray[np.float32]  # (P, C)
    source: NDArray[np.int8]  # (P, C) 1: the label says so; 0: a teacher shall say; −1: not counted
    encodings: NDArray[np.float32]  # (P, 4)
    is_positive: NDArray[np.bool_]  # (P,)


def make_targets(anchors: NDArray[np.float32], sample: Sample, is_complete: NDArray[np.bool_]) -> Targets:
    """Let anchors answer for the objects that they overlap by half, and for each object the one that fits best.

    Args:
        anchors: (P, 4) y, x, height, width.
        sample: The picture's objects.
        is_complete: (C,) classes whose absence is known.
    """
    count, classes = len(anchors), len(is_complete)
    scores = np.zeros((count, classes), np.float32)
    source = np.broadcast_to(is_complete, (count, classes)).astype(np.int8)
    encodings, is_positive = np.zeros((count, 4), np.float32), np.zeros(count, bool)
    half = anchors[:, 2:] / 2
    corners = np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], 1)[:, [1, 0, 3, 2]]
    overlaps = pair_ious(corners, sample.boxes_xyxy.astype(np.float32))
    for number in np.flatnonzero(sample.is_hard):
        source[overlaps[:, number] > _HARD_OVERLAP, sample.labels[number]] = _IGNORED
    easy = np.flatnonzero(~sample.is_hard)
    if not len(easy):
        return Targets(scores, source, encodings, is_positive)
    overlaps = overlaps[:, easy]
    best, most = overlaps.argmax(1), overlaps.max(1)
    is_positive = most >= _OVERLAP
    unsure = np.flatnonzero((most >= _UNSURE) & ~is_positive)
    source[unsure, sample.labels[easy[best[unsure]]]] = _IGNORED
    for number, anchor in enumerate(overlaps.argmax(0)):
        if overlaps[anchor, number] > _LEAST:
            best[anchor], is_positive[anchor] = number, True
    rows = np.flatnonzero(is_positive)
    owners = easy[best[rows]]
    scores[rows, sample.labels[owners]] = 1
    source[rows, sample.labels[owners]] = _LABEL
    boxes, at = sample.boxes_xyxy[owners], anchors[rows]
    middles = (boxes[:, [1, 0]] + boxes[:, [3, 2]]) / 2
    sides = (boxes[:, [3, 2]] - boxes[:, [1, 0]]).clip(1)
    moved = np.concatenate([(middles - at[:, :2]) / at[:, 2:], np.log(sides / at[:, 2:])], 1)
    encodings[rows] = moved * np.array(SCALES)
    return Targets(scores, source, encodings, is_positive)


def quality_focal_loss(logits: Tensor, wanted: Tensor, counted: Tensor) -> Tensor:
    """The focal loss for targets between 0 and 1, summed: nothing where the score is what is wanted.

    >>> float(quality_focal_loss(torch.zeros(1), torch.full((1,), 0.5), torch.ones(1)))
    0.0
    """
    apart = (logits.detach().sigmoid() - wanted) ** 2
    weight = apart * (_NEGATIVE + (_POSITIVE - _NEGATIVE) * wanted) * counted
    return (F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight).sum()


class Samples:
    """Pictures of several sets, drawn at random: rare classes more often."""

    def __init__(self, sets: Sequence[TrainingSet], labels: Sequence[str], *, side_px: int) -> None:
        self.side_px = side_px
        self.car = labels.index("car") if "car" in labels else None
        self.anchors = anchor_boxes(side_px, side_px)
        self.pictures = [picture for one in sets for picture in one.pictures]
        self.complete = [one.is_complete for one in sets for _ in one.pictures]
        parts = [_WEIGHTS.get(one.name, 0.1) * _chances(one) for one in sets]
        self.chances = np.concatenate(parts) / sum(part.sum() for part in parts)

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], Targets]:
        """A (1, 3, side, side) input and its targets."""
        kind = rng.random()
        if kind < _BACKGROUNDS + (0 if self.car is None else _VEHICLES):
            picture, boxes = draw_background(rng), np.zeros((0, 4), np.float32)
            if kind >= _BACKGROUNDS:
                picture, boxes = draw_vehicles(rng)
            labels, hard = np.full(len(boxes), self.car or 0, np.int64), np.zeros(len(boxes), bool)
            complete = np.ones_like(self.complete[0])
        else:
            number = int(rng.choice(len(self.pictures), p=self.chances))
            boxed, complete = self.pictures[number], self.complete[number]
            picture, boxes, labels, hard = read_picture(boxed.path), boxed.boxes_xyxy, boxed.labels, boxed.is_hard
        sample = view(relight(picture, rng), boxes, labels, hard, side_px=self.side_px, rng=rng)
        return picture_to_input(sample.picture), make_targets(self.anchors, sample, complete)


def _chances(one: TrainingSet) -> NDArray[np.float64]:
    """(N,) by the rarest class of each picture; they sum to 1."""
    if not any(len(picture.labels) for picture in one.pictures):
        return np.full(len(one.pictures), 1 / len(one.pictures))
    counts = np.bincount(np.concatenate([p.labels for p in one.pictures]), minlength=len(one.is_complete))
    rows = [
        max((counts[label] ** -0.5 for label in p.labels[~p.is_hard]), default=0.03) ** (2 * _RARE)
        for p in one.pictures
    ]
    out = np.array(rows)
    return out / out.sum()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or train on; see the head of this file."""
    parser = argparse.ArgumentParser(description="Fine-tune an SSD on whole pictures.")
    parser.add_argument("--begin", type=Path, required=True, help="model folder of `recentre_ssd`")
    parser.add_argument("--labelled", nargs="+", required=True, help="sets with all boxes, PATH:SPLIT")
    parser.add_argument("--partly", nargs="*", default=[], help="sets in which labels may be missing")
    parser.add_argument("--unlabelled", nargs="*", default=[], type=Path, help="folders of pictures")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="of this call; the learning rate falls to their end")
    budget.add_argument("--steps", type=int, help="of this call, likewise")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    card = read_card(given.begin)
    labels, side = card.labels or (), card.input.width_px
    first, _ = hold_back(read_set(given.labelled[0], labels), every=14)
    sets = [first, *(read_set(spec, labels) for spec in given.labelled[1:])]
    sets += [read_set(spec, labels, is_complete=False, most=1600) for spec in given.partly]
    sets += [read_unlabelled(folder, labels, most=800) for folder in given.unlabelled]
    samples = Samples(sets, labels, side_px=side)
    net, before = (SsdMobileNet(classes=len(labels)) for _ in range(2))
    for one in (net, before):
        begin_with(one, str(given.begin), classes=labels)
    for part in net.first_blocks():
        part.requires_grad_(False)
    before.fold_scales()
    given.out.mkdir(parents=True, exist_ok=True)
    encoder_file = given.out / "first.onnx"
    example = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    export_onnx(FirstBlocks(before), encoder_file, examples=[example], inputs=["picture"], outputs=["maps"])
    encoder, teacher = OnnxFile(encoder_file), Teacher(before, threads=torch.get_num_threads())
    _train(net, samples, encoder, teacher, given)


def _train(
    net: SsdMobileNet, samples: Samples, encoder: OnnxFile, teacher: Teacher, given: argparse.Namespace
) -> None:
    learning = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    heads = [p for n, p in learning if n.startswith(("naming.", "measuring."))]
    rest = [p for n, p in learning if not n.startswith(("naming.", "measuring."))]
    optimiser = torch.optim.AdamW(
        [{"params": rest, "factor": _BACKBONE}, {"params": heads, "factor": 1.0}],
        lr=given.lr,
        betas=(0.9, 0.99),
        weight_decay=0.0,
    )
    average, step = {name: value.clone() for name, value in net.state_dict().items()}, 0
    file = given.out / CHECKPOINT
    if has_checkpoint(file):
        state = load_checkpoint(file)
        net.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average, step = state["average"], state["step"]
    began, first, losses = time.monotonic(), step, []
    while (progress := _progress(given, step - first, time.monotonic() - began)) < 1:
        rng = np.random.default_rng((given.seed, step))
        pairs = [samples.draw(rng) for _ in range(given.batch)]
        maps = torch.from_numpy(encoder.run({"picture": np.concatenate([x for x, _ in pairs])}, ["maps"])[0])
        loss = _loss(net, maps, [t for _, t in pairs], teacher(maps))
        rate = given.lr * min(1, (step + 1) / 60) * (0.04 + 0.48 * (1 + math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(rest + heads, 5.0)
        optimiser.step()
        step += 1
        for name, value in net.state_dict().items():
            average[name].lerp_(value, 1 - min(_EMA, (1 + step) / (10 + step)))
        losses.append(float(loss.detach()))
        if step % 50 == 0:
            print(f"step {step}, loss {np.mean(losses[-50:]):.3f}, {progress:.0%} of the time", flush=True)
        if step % 200 == 0:
            _save(file, net, optimiser, average, step)
    _save(file, net, optimiser, average, step)


def _progress(given: argparse.Namespace, steps: int, seconds: float) -> float:
    """0..1 of the budget of this call."""
    return float(steps / given.steps if given.steps else seconds / (60 * given.minutes))


def _loss(net: SsdMobileNet, maps: Tensor, targets: Sequence[Targets], soft: Tensor) -> Tensor:
    source = torch.from_numpy(np.stack([t.source for t in targets]))
    wanted = torch.from_numpy(np.stack([t.scores for t in targets]))
    wanted = torch.where(source == _TEACHER, soft, wanted)
    positive = torch.from_numpy(np.stack([t.is_positive for t in targets]))
    encodings = torch.from_numpy(np.stack([t.encodings for t in targets]))
    logits, given = net.from_maps(maps)
    naming = quality_focal_loss(logits, wanted, (source != _IGNORED).float())
    measuring = F.smooth_l1_loss(given[positive], encodings[positive], reduction="sum")
    return (naming + _BOX_WEIGHT * measuring) / positive.sum().clamp(min=4)


def _save(
    file: Path, net: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor], step: int
) -> None:
    state = {"network": net.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step}
    save_checkpoint(file, state)


if __name__ == "__main__":
    main()
