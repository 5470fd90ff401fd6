"""Which head layout an ONNX file most likely has: found by running it once on noise and looking at what comes out.

Shapes settle most cases; where two layouts have the same, the numbers tell them apart.
"""

from collections.abc import Sequence

import numpy as np

from szem.arrays import Array
from szem.errors import CardError
from szem.runtime.cards import PictureInput, SoundInput
from szem.runtime.heads import HEADS, Output, fit_head
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile

__all__ = ["likely_head"]


def likely_head(task: str, opened: OnnxFile, rules: PictureInput | SoundInput, labels: int) -> str:
    """The layout of a task that a file fits.

    Args:
        task: A key of `HEADS`.
        opened: The file.
        rules: How its input is prepared.
        labels: How many classes there are.
    Raises:
        CardError: none fits.
    """
    if isinstance(rules, SoundInput):
        return _listen_head(opened, rules, labels)
    if task == "classify":
        return _classify_head(opened, rules, labels)
    if task == "detect":
        return _detect_head(opened, rules, labels)
    return next(iter(HEADS[task]))


def _listen_head(opened: OnnxFile, rules: SoundInput, labels: int) -> str:
    """Run once on noise: three axes are moments; two are a window's scores, before sigmoid or after."""
    moments = 1 + max(0, (rules.samples or rules.rate_hz) - round(rules.window_s * rules.rate_hz)) // round(
        rules.hop_s * rules.rate_hz
    )
    shape = (moments, rules.bands) if rules.bands else (rules.samples or rules.rate_hz,)
    given = opened.inputs[0].shape
    batch = np.random.default_rng(0).normal(0, 0.3, (given[0] or 2, *shape)).astype(np.float32)
    if len(given) == batch.ndim + 1:
        batch = batch[:, None]
    names = [output.name for output in opened.outputs]
    values = dict(zip(names, opened.run({opened.inputs[0].name: batch}, names), strict=True))
    seen = [Output(name, value.shape) for name, value in values.items()]
    roles = {layout: head.fit(seen, labels) for layout, head in HEADS["listen"].items()}
    fitting = {layout: next(iter(found.values())) for layout, found in roles.items() if found is not None}
    if not fitting:
        shapes = ", ".join(f"{output.name} {output.shape}" for output in seen)
        raise CardError(
            f"{opened.path.name}: its outputs fit none of the layouts {', '.join(roles)} with {labels} labels; got "
            f"{shapes}; check the labels, or export it in one of the forms of docs/events.md"
        )
    if "logits" in fitting:
        scores = values[fitting["logits"]]
        return "probabilities" if float(scores.min()) >= 0 and float(scores.max()) <= 1 else "logits"
    return next(iter(fitting))


def _run_once(opened: OnnxFile, rules: PictureInput, names: Sequence[str]) -> list[Array]:
    noise = np.random.default_rng(0).integers(0, 256, (rules.height_px, rules.width_px, 3)).astype(np.uint8)
    return opened.run({opened.inputs[0].name: prepare_picture(noise, rules)}, names)


def _classify_head(opened: OnnxFile, rules: PictureInput, labels: int) -> str:
    roles = fit_head("classify", "logits", opened.outputs, labels=labels)
    scores = _run_once(opened, rules, [roles["logits"]])[0][0]
    if len(scores) != labels:
        raise CardError(f"{opened.path.name}: gives {len(scores)} scores for {labels} labels; correct the labels")
    is_share = float(scores.min()) >= 0 and abs(float(scores.sum()) - 1) < 1e-3
    return "probabilities" if is_share else "logits"


def _detect_head(opened: OnnxFile, rules: PictureInput, labels: int) -> str:
    names = [output.name for output in opened.outputs]
    values = dict(zip(names, _run_once(opened, rules, names), strict=True))
    seen = [Output(name, value.shape) for name, value in values.items()]
    roles = {layout: head.fit(seen, labels) for layout, head in HEADS["detect"].items()}
    fitting = {layout: found for layout, found in roles.items() if found is not None}
    if not fitting:
        shapes = ", ".join(f"{output.name} {output.shape}" for output in seen)
        raise CardError(
            f"{opened.path.name}: its outputs fit none of the layouts {', '.join(roles)} with {labels} labels; got "
            f"{shapes}; check the labels, or export it in one of the forms of docs/detect.md"
        )
    rows = fitting.get("yolov5")
    if rows is not None and {"yolox", "yolov5"} <= fitting.keys():
        middles = values[rows["predictions"]][0, :, :2]
        # decoded middles are spread over the input; YOLOX's own lie within a few cells of their place
        return "yolov5" if float(middles.max()) > rules.width_px / 4 else "yolox"
    pair = fitting.get("ssd")
    if pair is not None:
        if "points" in fitting and any("distance" in name.lower() for name in names):
            return "points"
        scores = values[pair["scores"]]
        return "ssd" if float(scores.min()) >= 0 and float(scores.max()) <= 1 else "detr"
    return next(iter(fitting))
