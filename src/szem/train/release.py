"""From a run to a model folder: ONNX file and card, refused where the file and the network disagree."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from szem.arrays import Array
from szem.errors import ModelError, TrainError, UnsupportedError
from szem.files import write_text
from szem.runtime.cards import (
    Card,
    ClipInput,
    Part,
    PictureInput,
    SoundInput,
    TextInput,
    TrainingData,
    hash_file,
    write_card,
)
from szem.runtime.cards import Made as MadeBy
from szem.runtime.sessions import OnnxFile
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.export import drop_notes, export_onnx, largest_difference
from szem.train.float16 import store_as_float16
from szem.train.open_sides import open_outputs, open_sides, take_pixels
from szem.train.quantize import last_convolutions, quantize_onnx
from szem.train.quantize_search import ALLOWED_LOSS, Trial, search_quantization
from szem.train.recipe import Recipe

__all__ = ["NetworkFile", "Releasable", "Release", "export_run", "trained_network", "write_model"]

_PRECISIONS: dict[str, Literal["float32", "float16", "int8"]] = {
    "float32": "float32",
    "float16": "float16",
    "int8": "int8",
}
_VOCABULARY = "words.txt"
_STEP_PX = 32  # sides of an open input are multiples of this
_OPEN_TOLERANCE = 1e-3
_FLOAT16_TOLERANCE = 0.02  # of the outputs' largest value
_INT8_NOISE = 0.7  # of the outputs' spread: beyond it there is no signal; how good it is, the score says


@dataclass(frozen=True, kw_only=True)
class NetworkFile:
    """One ONNX file of a model whose input is not one picture, or that has several files."""

    role: str  # the key of `Card.parts`
    network: nn.Module
    examples: Mapping[str, Tensor]  # input name -> a tensor of two items or more
    outputs: Sequence[str]
    dynamic: Sequence[dict[int, str]] = ()  # as of `export_onnx`
    has_open_outputs: bool = False  # the exporter takes some sides of outputs for fixed that are not
    samples: Sequence[Array] | None = None  # real inputs, for the ranges of 8-bit arithmetic; None: stays float


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a recipe says of the model it makes."""

    task: str
    head: str  # a layout of the task (`szem.runtime.heads`)
    summary: str
    network: nn.Module  # in the form that is exported; its parameters are counted
    outputs: Mapping[str, str]  # role -> name, in the order the network gives them
    input: PictureInput | SoundInput | ClipInput | TextInput
    files: Sequence[NetworkFile] = ()  # the main one first; without them `network` takes one picture
    has_open_sides: bool = False  # the input takes pictures of any sides that 32 divides, up to `input`'s
    labels: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()  # instead of `labels` where they fill a file of their own
    constants: Mapping[str, float] = field(default_factory=dict)
    training_data: tuple[TrainingData, ...]
    licence: str = "Apache-2.0"
    attributions: tuple[str, ...] = field(default=())
    limits: tuple[str, ...] = field(default=())
    samples: Callable[[PictureInput], list[Array]] | None = None  # real inputs, for the ranges of 8-bit arithmetic
    score: Callable[[Path, PictureInput], float] | None = (
        None  # of an ONNX file: int8 keeps in float what costs score
    )
    finish: Callable[[Path], Card] | None = None  # done to the finished folder: what is tuned on held-out data


class Releasable(Recipe, Protocol):
    """A recipe whose network can become a model."""

    @property
    def held_split(self) -> str:
        """What of the data `szem eval RUN` measures on: nothing the recipe learns from."""

    def release(self, network: nn.Module) -> Release:
        """Describe the model; `network` has the trained weights."""


def trained_network(recipe: Recipe, run: Path) -> nn.Module:
    """The recipe's network with a run's averaged weights, in evaluation mode; the best ones, where they were kept.

    Raises:
        TrainError: no checkpoint, or it does not fit the recipe.
    """
    stored = load_checkpoint(run / CHECKPOINT)
    network = recipe.build_network()
    try:
        network.load_state_dict(stored.get("best_average") or stored["average"])
    except RuntimeError as error:
        raise TrainError(
            f"{run}: its weights do not fit the recipe's network ({error}); use the run's settings"
        ) from error
    return network.eval()


def export_run(
    recipe: Releasable,
    run: Path,
    folder: Path,
    *,
    command: str,
    recipe_name: str,
    precision: str = "float16",
    version: str = "1",
    on_trials: Callable[[Sequence[Trial]], None] | None = None,
) -> Card:
    """Write a model's ONNX files and `card.json` from a run's averaged weights.

    Args:
        recipe: The recipe with the settings of the run.
        run: Folder of the run.
        folder: Where to; its name becomes the model's. Its card's scores are taken afterwards by `szem eval`.
        command: That made the run, for the card.
        recipe_name: For the card.
        precision: float32, float16 (stored so, computed in float32) or int8 (pixels in, 8-bit arithmetic).
        version: For the card.
        on_trials: Called with what was tried for int8, where the recipe can score a file.
    Raises:
        TrainError: no checkpoint, or it does not fit the recipe.
        ModelError: ONNX Runtime and torch disagree.
        UnsupportedError: another precision, or the recipe has no samples for int8.
    """
    if precision not in _PRECISIONS:
        raise UnsupportedError(f"precision {precision!r} is not written here; there are {', '.join(_PRECISIONS)}")
    release = recipe.release(trained_network(recipe, run))
    made = MadeBy(recipe=recipe_name, command=command, seed=recipe.settings.loop.seed)
    return write_model(
        release, folder, made=made, precision=precision, version=version, name=str(run), on_trials=on_trials
    )


def write_model(
    release: Release,
    folder: Path,
    *,
    made: MadeBy,
    precision: str = "float16",
    version: str = "1",
    name: str = "",
    on_trials: Callable[[Sequence[Trial]], None] | None = None,
) -> Card:
    """Write the folder of a model; what fails leaves the folder as it was.

    Args:
        release: The model.
        folder: Where to; its name becomes the model's.
        made: For the card.
        precision: float32, float16 or int8.
        version: For the card.
        name: What errors call it.
        on_trials: As of `export_run`.
    Raises:
        ModelError: ONNX Runtime and torch disagree.
        UnsupportedError: no samples for int8.
    """
    name = name or str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    taken, parts, limits = release.input, {}, release.limits
    # Beside the target, on the same disk: moving a finished file there replaces the old one at once or not at all.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as scratch:
        if release.files:
            files = _write_files(release.files, Path(scratch), precision, name)
        else:
            files = {"main": Path(scratch) / "model.onnx"}
            taken, trials = _write_picture_network(release, files["main"], precision, name)
            if trials and on_trials is not None:
                on_trials(trials)
            limits = (*limits, *_losses(trials))
        if release.vocabulary:
            write_text(folder / _VOCABULARY, "\n".join(release.vocabulary) + "\n")
        files = {role: file.replace(folder / file.name) for role, file in files.items()}
    for role, file in files.items():
        parts[role] = Part(file=file.name, sha256=hash_file(file), size_bytes=file.stat().st_size)
    main = parts.pop(next(iter(parts)))
    card = Card(
        name=folder.resolve().name,
        task=release.task,
        version=version,
        summary=release.summary,
        file=main.file,
        sha256=main.sha256,
        size_bytes=main.size_bytes,
        parts=parts,
        parameters=sum(p.numel() for p in release.network.parameters()),
        precision=_PRECISIONS[precision],
        input=taken,
        head=release.head,
        outputs=dict(release.outputs),
        constants=dict(release.constants),
        labels=None if release.vocabulary else release.labels,
        labels_file=_VOCABULARY if release.vocabulary else None,
        made=made,
        training_data=release.training_data,
        licence=release.licence,
        attributions=release.attributions,
        limits=limits,
    )
    write_card(folder, card)
    return card if release.finish is None else release.finish(folder)


def _write_files(files: Sequence[NetworkFile], folder: Path, precision: str, name: str) -> dict[str, Path]:
    """Write the ONNX files of a model, each checked against torch; role -> file."""
    if precision == "int8" and all(one.samples is None for one in files):
        raise UnsupportedError(f"{name}: this recipe has no samples for int8; export with precision float16")
    written = {}
    for one in files:
        written[one.role] = file = folder / f"{one.role}.onnx"
        examples, inputs = list(one.examples.values()), list(one.examples)
        export_onnx(one.network, file, examples=examples, inputs=inputs, outputs=one.outputs, dynamic=one.dynamic)
        if one.has_open_outputs:
            open_outputs(file)
        if precision == "int8" and one.samples is not None:
            quantize_onnx(file, file, samples=list(one.samples))
            store_as_float16(file, matrices_only=True)  # what else is float in an 8-bit graph are scales
        elif precision != "float32":
            store_as_float16(file)
            worst = largest_difference(one.network, file, examples, inputs=inputs, outputs=one.outputs)
            if not worst <= _FLOAT16_TOLERANCE:
                raise ModelError(
                    f"{name}: {one.role} stored as float16 differs by {worst:.2%} of the largest value, "
                    f"{_FLOAT16_TOLERANCE:.1%} is allowed; export with precision float32"
                )
    return written


def _write_picture_network(
    release: Release, file: Path, precision: str, run: str
) -> tuple[PictureInput, tuple[Trial, ...]]:
    """Write the network in one precision; what its input then is, and what was tried for int8."""
    names = tuple(release.outputs.values())
    rules, network = release.input, release.network
    assert isinstance(rules, PictureInput)
    if precision == "int8" and release.samples is None:
        raise UnsupportedError(f"{run}: this recipe has no samples for int8; export with precision float16")
    traced = rules.model_copy(update={"width_px": 96, "height_px": 64}) if release.has_open_sides else rules
    example = _example(traced)
    export_onnx(network, file, examples=[example], inputs=["picture"], outputs=names)
    if release.has_open_sides:
        open_sides(file, step_px=_STEP_PX)
        example = _example(rules)  # of other sides than those that were traced
        _check(release, file, example, _OPEN_TOLERANCE, run, "with open sides")
    if precision == "int8":
        assert release.samples is not None
        take_pixels(file, mean=rules.mean[0], scale=rules.scale[0])
        raw = {"layout": "NHWC", "dtype": "uint8", "mean": (0.0, 0.0, 0.0), "scale": (1.0, 1.0, 1.0)}
        rules = rules.model_copy(update=raw)
        if release.score is not None:
            trials = _search(file, release.samples(rules), release.score, rules)
            return rules, trials
        noise = _quantise(file, release.samples(rules), names)
        if not noise <= _INT8_NOISE:
            raise ModelError(
                f"{run}: in int8 the outputs differ by {noise:.0%} of their spread, {_INT8_NOISE:.0%} is allowed; "
                "export with precision float16"
            )
    if precision == "float16":
        store_as_float16(file)
        if release.samples is not None:  # noise drives a network where pictures never do
            example = torch.from_numpy(release.samples(rules)[0])
        _check(release, file, example, _FLOAT16_TOLERANCE, run, "stored as float16")
    return rules, ()


def _search(
    file: Path, samples: Sequence[Array], score: Callable[[Path, PictureInput], float], rules: PictureInput
) -> tuple[Trial, ...]:
    """Quantise a file in place, in the way that keeps its score."""
    trials = search_quantization(file, file, samples=samples, score=lambda path: score(path, rules))
    drop_notes(file)
    return trials


def _losses(trials: Sequence[Trial]) -> tuple[str, ...]:
    """A card's limit where 8-bit arithmetic costs more than is allowed."""
    lost = max((trials[0].score - trial.score for trial in trials if trial.is_taken), default=0.0)
    return (f"In 8 bits it loses {lost:.3f} of its score on held-out pictures.",) if lost > ALLOWED_LOSS else ()


def _quantise(file: Path, samples: Sequence[Array], names: Sequence[str]) -> float:
    """Quantise a file in place.

    Returns:
        The noise it adds, as a fraction of the outputs' spread, on an eighth of the samples that the ranges do not
        come from.
    """
    held_out, seen = samples[::8], [sample for index, sample in enumerate(samples) if index % 8] or samples
    before = OnnxFile(file)
    expected = [before.run({"picture": sample}, names) for sample in held_out]
    quantize_onnx(file, file, samples=seen, keep_float=last_convolutions(file))
    drop_notes(file)
    after = OnnxFile(file)
    found = [after.run({"picture": sample}, names) for sample in held_out]
    noise = []
    for one, other in zip(zip(*expected, strict=True), zip(*found, strict=True), strict=True):
        want, got = np.concatenate([x.ravel() for x in one]), np.concatenate([x.ravel() for x in other])
        noise.append(float((want - got).std() / max(float(want.std()), 1e-12)))
    return max(noise)


def _check(release: Release, file: Path, example: Tensor, tolerance: float, run: str, how: str) -> None:
    names = tuple(release.outputs.values())
    worst = largest_difference(release.network, file, [example], inputs=["picture"], outputs=names)
    if not worst <= tolerance:
        raise ModelError(
            f"{run}: {how} the outputs differ by {worst:.2%} of the largest value, {tolerance:.1%} is allowed; "
            "export with precision float32"
        )


def _example(wanted: PictureInput) -> Tensor:
    """Two noisy pictures as the network sees them."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, wanted.height_px, wanted.width_px), generator=generator).float()
    mean = torch.tensor(wanted.mean)[:, None, None]
    scale = torch.tensor(wanted.scale)[:, None, None]
    return (pixels - mean) / scale
