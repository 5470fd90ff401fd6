r"""Search which convolutions of the shipped detector can compute in 8 bits, as `szem export --precision int8` does.

    python -m scripts.models.quantize_ssd --begin detect --score voc:train coco_mini:train2017 \
        --samples voc:train imagenet --out detect8

    python -m scripts.models.quantize_ssd --begin detect --weights-only --out detect8

Writes a model folder and prints the table of trials. A trial's score is the mean AP50 over the sets of `--score`,
none of which a card reports on; the detector has seen them in training, as has the float network it is compared with.
With `--weights-only` the arithmetic stays float: large weights but the heads' are stored in 8 bits.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.models.blend_detector import pictures_of
from szem.arrays import Array
from szem.media.pictures import read_picture
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.runtime.cards import PictureInput, hash_file, read_card, write_card
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.tasks.detection.average_precision import average_precision
from szem.tasks.detection.decoders import DECODERS
from szem.tasks.detection.detect import finish_boxes
from szem.train.detection.begin import begin_with
from szem.train.detection.training_sets import read_set
from szem.train.int8_weights import store_as_int8
from szem.train.quantize_search import Trial, describe_trials
from szem.train.release import Release, write_model

_LOWEST = 0.01  # raw score below which boxes are left out


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="Search which parts of a detector can compute in 8 bits.")
    parser.add_argument("--begin", type=Path, required=True, help="model folder, head `anchors`")
    parser.add_argument("--weights-only", action="store_true", help="store weights in 8 bits; nothing is searched")
    parser.add_argument("--score", nargs="+", default=[], help="sets with boxes, PATH:SPLIT")
    parser.add_argument("--samples", nargs="+", default=[], help="photographs for the ranges of activations")
    parser.add_argument("--most", type=int, default=130, help="pictures of a set at most")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    card = read_card(given.begin)
    if given.weights_only:
        shutil.copytree(given.begin, given.out)
        file = given.out / card.file
        store_as_int8(file, leave=("naming.", "measuring."))
        sizes = {"sha256": hash_file(file), "size_bytes": file.stat().st_size}
        write_card(given.out, card.model_copy(update=sizes))
        return
    labels = card.labels or ()
    net = SsdMobileNet(classes=len(labels)).eval()
    begin_with(net, str(given.begin), classes=labels)
    net.fold_scales()
    sets = [read_set(spec, labels, most=given.most).pictures for spec in given.score]

    def score(file: Path, rules: PictureInput) -> float:
        network, values = OnnxFile(file, threads=1), []
        for boxed in sets:
            found = []
            for one in boxed:
                picture = read_picture(one.path)
                batch = {network.inputs[0].name: prepare_picture(picture, rules)}
                outputs = {
                    role: rows[0]
                    for role, rows in zip(card.outputs, network.run(batch, list(card.outputs.values())), strict=True)
                }
                lowest = np.full(len(labels), _LOWEST, np.float32)
                found.append(
                    finish_boxes(
                        DECODERS[card.head],
                        outputs,
                        rules,
                        picture.shape[:2],
                        lowest,
                        classes=labels,
                        model=card.name,
                    )
                )
            values.append(average_precision(found, boxed, labels).ap50)
        print(file.name, *(f"{value:.4f}" for value in values), flush=True)
        return float(np.mean(values))

    def samples(rules: PictureInput) -> list[Array]:
        pictures = [p for spec in given.samples for p in pictures_of(spec, labels).pictures[: given.most]]
        return [prepare_picture(read_picture(p.path), rules) for p in pictures]

    def report(trials: Sequence[Trial]) -> None:
        print(describe_trials(trials), flush=True)

    release = Release(
        task=card.task,
        head=card.head,
        summary=card.summary,
        network=net,
        outputs=card.outputs,
        input=card.picture,
        has_open_sides=True,
        labels=labels,
        constants=card.constants,
        training_data=card.training_data,
        licence=card.licence,
        attributions=card.attributions,
        limits=card.limits,
        samples=samples,
        score=score,
    )
    made = write_model(release, given.out, made=card.made, precision="int8", name=card.name, on_trials=report)
    fields = {"thresholds": card.thresholds, "calibration": card.calibration, "version": card.version}
    write_card(given.out, made.model_copy(update=fields))


if __name__ == "__main__":
    main()
