r"""Let a detector find nothing in drawn pictures that hold nothing: coins are no clocks, cells no frisbees.

    python -m scripts.models.silence_drawn --begin ssd --classes clock frisbee "sports ball" "cell phone" bench \
        --keep coco: --out detect

The named classes are fitted again by least squares (`refit_scores`): absent in drawn backgrounds and drawn cars from
above (`ssd_drawings`), and on photographs as before. Only the last linear map of these classes changes. No bundled
picture and no picture that a score is reported on is used. Few classes are to be named: with all 48 that a network
sees somewhere in the drawings (`--classes seen`) AP50 fell from 0.490 to 0.445 on 80 pictures of COCO.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from scripts.models.blend_detector import pictures_of
from scripts.models.export_ssd import export_ssd
from scripts.models.refit_scores import refit_scores
from scripts.models.ssd_drawings import draw_background, draw_vehicles
from szem.arrays import Picture8
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.results.boxes import known_classes
from szem.runtime.cards import hash_file, read_card, write_card
from szem.train.detection.augment import picture_to_input
from szem.train.detection.begin import begin_with
from szem.train.detection.calibrate import calibrate_detector
from szem.train.detection.training_sets import read_set

_SEEN = 0.3  # score from which on a class counts as seen


@torch.no_grad()
def seen_classes(net: SsdMobileNet, pictures: Sequence[Picture8], *, side_px: int) -> list[int]:
    """Classes that a network sees in pictures that do not hold them."""
    best = torch.zeros(net.classes)
    for picture in pictures:
        square = np.asarray(cv2.resize(picture, (side_px, side_px)), np.uint8)
        scores, _ = net(torch.from_numpy(picture_to_input(square)))
        best = torch.maximum(best, scores[0].amax(0))
    return [int(place) for place in torch.nonzero(best >= _SEEN).ravel()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="Let a detector find nothing where nothing is drawn.")
    parser.add_argument("--begin", type=Path, required=True, help="model folder, head `anchors`")
    parser.add_argument("--keep", nargs="+", required=True, help="photographs on which its scores are to stay")
    parser.add_argument("--calibrate", help="set with boxes, PATH:SPLIT; the calibration stays if left out")
    parser.add_argument("--drawn", type=int, default=60, help="backgrounds, and half as many pictures of cars")
    parser.add_argument("--classes", nargs="+", required=True, help="names; or `seen`: all that are seen wrongly")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    card = read_card(given.begin)
    labels, side = card.labels or (), card.input.width_px
    net, before = (SsdMobileNet(classes=len(labels)).eval() for _ in range(2))
    for one in (net, before):
        begin_with(one, str(given.begin), classes=labels)
        one.fold_scales()
    rngs = [np.random.default_rng((given.seed, n)) for n in range(given.drawn + given.drawn // 2)]
    empty = [draw_background(rng) for rng in rngs[: given.drawn]]
    empty += [draw_vehicles(rng)[0] for rng in rngs[given.drawn :]]
    if given.classes == ["seen"]:
        places = [place for place in seen_classes(before, empty, side_px=side) if labels[place] != "car"]
    else:
        places = [labels.index(name) for name in known_classes(given.classes, labels)]
    print("fitted again:", ", ".join(labels[place] for place in places), flush=True)
    pictures = [picture for spec in given.keep for picture in pictures_of(spec, labels).pictures]
    refit_scores(net, before, pictures, places, side_px=side, empty=empty)
    file = export_ssd(net, given.out)
    made = card.made.model_copy(
        update={"command": f"{card.made.command}; python -m scripts.models.silence_drawn --begin … --keep … --out …"}
    )
    fields = {"sha256": hash_file(file), "size_bytes": file.stat().st_size, "made": made, "scores": ()}
    write_card(given.out, card.model_copy(update=fields))
    if given.calibrate:
        calibrate_detector(given.out, read_set(given.calibrate, labels).pictures)


if __name__ == "__main__":
    main()
