r"""Let an SSD of 320×320 pixels take 384×384: put the boxes of its coarse levels back on their objects.

    python -m scripts.models.recentre_ssd --begin ssd --boxes voc:train --out ssd384

A convolution of stride 2 that is padded as TensorFlow's SAME puts the odd pixel of padding behind an even side, and
one pixel on both ends of an odd one. The levels of an input of 320 pixels have 20, 10, 5, 3, 2 and 1 cells, those of
384 have 24, 12, 6, 3, 2 and 1: from the fourth level on a cell looks 20 to 30 pixels further to the lower right, and
so lie its boxes. How far is measured on pictures with boxes, anchor by anchor, and taken from the biases. Nothing is
trained. Larger inputs find more small objects: this is worth about as much as a fine-tuning (docs/detect.md).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.models.export_ssd import export_ssd
from szem.data.boxes import BoxedPicture
from szem.errors import TrainError
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import ANCHORS, SsdMobileNet
from szem.runtime.cards import Card, Made, hash_file, read_card, write_card
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.runtime.store import Model
from szem.tasks.detection.anchors import SCALES, anchor_boxes, move_anchors
from szem.train.detection.begin import begin_with
from szem.train.detection.training_sets import hold_back, read_set
from szem.train.sampling import spread_over

__all__ = ["anchor_kinds", "measure_shifts", "pair_ious", "shift_biases"]

Shift = NDArray[np.float64]

_FIRST_LEVEL = 3  # whose number of cells becomes even where it was odd
_OVERLAP, _SCORE = 0.35, 0.3  # a box of an anchor is compared with an object from these on
_FEWEST = 8  # boxes of an anchor; fewer say nothing


def anchor_kinds(side_px: int) -> NDArray[np.int64]:
    """(P, 2) level and place within a cell of each anchor of a square input."""
    rows, cells = [], -(-side_px // 16)
    for level, count in enumerate(ANCHORS):
        places = np.tile(np.arange(count), cells * cells)
        rows.append(np.stack([np.full_like(places, level), places], 1))
        cells = -(-cells // 2)
    return np.concatenate(rows)


def measure_shifts(model: Model, pictures: Sequence[BoxedPicture], *, side_px: int) -> dict[tuple[int, int], Shift]:
    """How objects lie to the boxes that anchors give: level and place in its cell -> (4,) median.

    Args:
        model: With head `anchors`.
        pictures: Their labels are places in the model's.
        side_px: Of the square input.
    Returns:
        Shift down and right in pixels of the input, logarithm of the growth of height and width.
    """
    file, anchors, kinds = OnnxFile(model.file()), anchor_boxes(side_px, side_px), anchor_kinds(side_px)
    rules = model.card.input.model_copy(update={"width_px": side_px, "height_px": side_px, "resize": "stretch"})
    rows: dict[tuple[int, int], list[Shift]] = {}
    for boxed in pictures:
        picture = read_picture(boxed.path)
        scores, encodings = file.run({file.inputs[0].name: prepare_picture(picture, rules)}, ["scores", "encodings"])
        boxes = move_anchors(anchors, encodings[0])
        truth = boxed.boxes_xyxy * (side_px / np.array([picture.shape[1], picture.shape[0]] * 2, np.float32))
        overlaps = pair_ious(boxes, truth)
        nearest = overlaps.argmax(1)
        given = scores[0][np.arange(len(boxes)), boxed.labels[nearest]]
        for place in np.flatnonzero((overlaps.max(1) > _OVERLAP) & (given > _SCORE)):
            level, anchor = (int(v) for v in kinds[place])
            rows.setdefault((level, anchor), []).append(_shift(boxes[place], truth[nearest[place]]))
    return {kind: np.median(given, 0) for kind, given in rows.items() if len(given) >= _FEWEST}


def shift_biases(net: SsdMobileNet, shifts: dict[tuple[int, int], Shift], *, side_px: int) -> None:
    """Move the boxes of the coarse levels by what was measured."""
    anchors, kinds = anchor_boxes(side_px, side_px), anchor_kinds(side_px)
    for (level, place), shift in shifts.items():
        if level < _FIRST_LEVEL:
            continue
        size = anchors[((kinds == (level, place)).all(1)).argmax(), 2:]
        wanted = np.concatenate([shift[:2] / size, shift[2:]]) * np.array(SCALES)
        bias = net.measuring[level].out.bias  # type: ignore[union-attr]
        with torch.no_grad():
            bias[4 * place : 4 * place + 4] += torch.from_numpy(wanted.astype(np.float32))  # type: ignore[index, operator]


def _shift(box: NDArray[np.float32], truth: NDArray[np.float32]) -> Shift:
    middle = ((truth[:2] + truth[2:]) - (box[:2] + box[2:])) / 2
    growth = np.log((truth[2:] - truth[:2]).clip(1) / (box[2:] - box[:2]).clip(1))
    return np.concatenate([middle[::-1], growth[::-1]]).astype(np.float64)


def pair_ious(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 4) and (M, 4) to (N, M)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = sides.clip(0).prod(2)
    areas = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)
    ious: NDArray[np.float32] = both / np.maximum(areas - both, 1e-6)
    return ious


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="Recentre the coarse levels of an SSD for a larger input.")
    parser.add_argument("--begin", type=Path, required=True, help="model folder, head `anchors`")
    parser.add_argument("--boxes", required=True, help="set with boxes, PATH:SPLIT; every 14th is left out")
    parser.add_argument("--pictures", type=int, default=280, help="of the set, at most")
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    card = read_card(given.begin)
    labels = card.labels or ()
    one, _ = hold_back(read_set(given.boxes, labels), every=14)
    pictures = spread_over([p for p in one.pictures if len(p.labels)], most=given.pictures)
    if not pictures:
        raise TrainError(f"{given.boxes}: no boxes; give a set with boxes of the model's classes")
    shifts = measure_shifts(Model(card, given.begin), pictures, side_px=given.side)
    for (level, place), (down, right, *_) in sorted(shifts.items()):
        print(f"level {level}, anchor {place}: {down:+.1f} px down, {right:+.1f} px right")
    net = SsdMobileNet(classes=len(labels)).eval()
    begin_with(net, str(given.begin), classes=labels)
    net.fold_scales()
    shift_biases(net, shifts, side_px=given.side)
    file = export_ssd(net, given.out)
    write_card(given.out, _card(card, given, file))


def _card(card: Card, given: argparse.Namespace, file: Path) -> Card:
    sides = {"width_px": given.side, "height_px": given.side, "resize": "stretch"}
    return card.model_copy(
        update={
            "name": given.out.name,
            "sha256": hash_file(file),
            "size_bytes": file.stat().st_size,
            "input": card.input.model_copy(update=sides),
            "made": Made(
                recipe="scripts.models.recentre_ssd",
                command=f"python -m scripts.models.recentre_ssd --side {given.side}",
            ),
        }
    )


if __name__ == "__main__":
    main()
