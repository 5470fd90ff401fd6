"""Run an ONNX file once on noise, to see what comes out: shapes settle most head layouts, numbers the rest."""

from collections.abc import Mapping

import numpy as np

from szem.arrays import Array
from szem.errors import CardError
from szem.runtime.cards import PictureInput, SoundInput
from szem.runtime.heads import ModelFormat
from szem.runtime.outputs import Output
from szem.runtime.prepare import prepare_picture
from szem.runtime.sessions import OnnxFile

__all__ = ["fitting_heads", "run_on_noise"]


def run_on_noise(opened: OnnxFile, rules: PictureInput | SoundInput) -> dict[str, Array]:
    """All outputs of a file for one input of noise, by name.

    Args:
        opened: The file.
        rules: How its input is prepared.
    Raises:
        ModelError: the run failed.
    """
    names = [output.name for output in opened.outputs]
    batch = _noisy_sound(opened, rules) if isinstance(rules, SoundInput) else _noisy_picture(opened, rules)
    return dict(zip(names, opened.run({opened.inputs[0].name: batch}, names), strict=True))


def fitting_heads(
    accepts: ModelFormat, opened: OnnxFile, values: Mapping[str, Array], labels: int, *, docs: str
) -> dict[str, dict[str, str]]:
    """The layouts that outputs fit: layout -> role -> output.

    Args:
        accepts: What the task accepts.
        opened: The file, for messages.
        values: What `run_on_noise` gave.
        labels: How many classes there are.
        docs: The page that describes the layouts, for messages.
    Raises:
        CardError: none fits.
    """
    seen = [Output(name, value.shape, value.dtype.kind in "iu") for name, value in values.items()]
    roles = {layout: head.fit(seen, labels) for layout, head in accepts.heads.items()}
    fitting = {layout: found for layout, found in roles.items() if found is not None}
    if not fitting:
        shapes = ", ".join(f"{output.name} {output.shape}" for output in seen)
        raise CardError(
            f"{opened.path.name}: its outputs fit none of the layouts {', '.join(roles)} with {labels} labels; got "
            f"{shapes}; check the labels, or export it in one of the forms of {docs}"
        )
    return fitting


def _noisy_picture(opened: OnnxFile, rules: PictureInput) -> Array:
    noise = np.random.default_rng(0).integers(0, 256, (rules.height_px, rules.width_px, 3)).astype(np.uint8)
    batch, given = prepare_picture(noise, rules), opened.inputs[0].shape
    return batch[0] if len(given) == batch.ndim - 1 else np.repeat(batch, given[0] or 1, axis=0)


def _noisy_sound(opened: OnnxFile, rules: SoundInput) -> Array:
    samples = rules.samples or rules.rate_hz
    moments = 1 + max(0, samples - round(rules.window_s * rules.rate_hz)) // round(rules.hop_s * rules.rate_hz)
    shape = (moments, rules.bands) if rules.bands else (samples,)
    given = opened.inputs[0].shape
    batch = np.random.default_rng(0).normal(0, 0.3, (given[0] or 2, *shape)).astype(np.float32)
    return batch[:, None] if len(given) == batch.ndim + 1 else batch
