"""From a run to a model folder: ONNX file and card, refused where the file and the network disagree."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

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
from szem.train.checkpoint import CHECKPOINT, load_checkpoint
from szem.train.export import drop_notes, export_onnx, largest_difference
from szem.train.float16 import store_as_float16
from szem.train.open_sides import open_outputs, open_sides, take_pixels
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
_NOT_COMPARED = (
    "{name}: int8 is compared with float on what is held out of the training, and here nothing is; export with "
    "precision float16"
)


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
    score: Callable[[Path], float] | None = None  # of the file, on what is held out; 8 bits may not cost more of it


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
    # Of the ONNX file of a picture's network, on what is held out of training: 8 bits may not cost more of it.
    score: Callable[[Path, PictureInput], float] | None = None
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
    allowed_loss: float = ALLOWED_LOSS,
) -> Card:
    """Write a model's ONNX files and `card.json` from a run's averaged weights.

    Args:
        recipe: The recipe with the settings of the run.
        run: Folder of the run.
        folder: Where to; its name becomes the model's. Its card's scores are taken afterwards by `szem eval`.
        command: That made the run, for the card.
        recipe_name: For the card.
        precision: float32, float16 (stored so, computed in float32) or int8 (pixels in, 8-bit arithmetic; what loses
            too much of the score on what was held out of the training stays float16, see `search_quantization`).
        version: For the card.
        on_trials: Called with what was tried for int8.
        allowed_loss: Of that score, by int8.
    Raises:
        TrainError: no checkpoint, or it does not fit the recipe.
        ModelError: ONNX Runtime and torch disagree.
        UnsupportedError: another precision, or the recipe has nothing to compare int8 with float on.
    """
    if precision not in _PRECISIONS:
        raise UnsupportedError(f"precision {precision!r} is not written here; there are {', '.join(_PRECISIONS)}")
    release = recipe.release(trained_network(recipe, run))
    made = MadeBy(recipe=recipe_name, command=command, seed=recipe.settings.loop.seed)
    return write_model(
        release,
        folder,
        made=made,
        precision=precision,
        version=version,
        name=str(run),
        on_trials=on_trials,
        allowed_loss=allowed_loss,
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
    allowed_loss: float = ALLOWED_LOSS,
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
        allowed_loss: As of `export_run`.
    Raises:
        ModelError: ONNX Runtime and torch disagree.
        UnsupportedError: nothing to compare int8 with float on.
    """
    name = name or str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    taken, parts = release.input, {}
    # Beside the target, on the same disk: moving a finished file there replaces the old one at once or not at all.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as scratch:
        if release.files:
            files, precision, trials = _write_files(release.files, Path(scratch), precision, name, allowed_loss)
        else:
            files = {"main": Path(scratch) / "model.onnx"}
            main_file = files["main"]
            taken, precision, trials = _write_picture_network(release, main_file, precision, name, allowed_loss)
        if trials and on_trials is not None:
            on_trials(trials)
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
        limits=release.limits,
    )
    write_card(folder, card)
    return card if release.finish is None else release.finish(folder)


def _write_files(
    files: Sequence[NetworkFile], folder: Path, precision: str, name: str, allowed_loss: float
) -> tuple[dict[str, Path], str, tuple[Trial, ...]]:
    """Write the ONNX files of a model, each checked against torch.

    Returns:
        Role -> file, the precision, and what was tried for int8.
    """
    if precision == "int8" and all(one.samples is None or one.score is None for one in files):
        raise UnsupportedError(_NOT_COMPARED.format(name=name))
    written: dict[str, Path] = {}
    trials: tuple[Trial, ...] = ()
    for one in files:
        written[one.role] = file = folder / f"{one.role}.onnx"
        examples, inputs = list(one.examples.values()), list(one.examples)
        export_onnx(one.network, file, examples=examples, inputs=inputs, outputs=one.outputs, dynamic=one.dynamic)
        if one.has_open_outputs:
            open_outputs(file)
        if precision == "int8" and one.samples is not None and one.score is not None:
            trials = search_quantization(
                file, file, samples=list(one.samples), score=one.score, allowed_loss=allowed_loss
            )
            drop_notes(file)
            if not trials[0].is_taken:
                store_as_float16(file, matrices_only=True)  # what else is float in an 8-bit graph are scales
                continue
        if precision != "float32":
            store_as_float16(file)
            worst = largest_difference(one.network, file, examples, inputs=inputs, outputs=one.outputs)
            if not worst <= _FLOAT16_TOLERANCE:
                raise ModelError(
                    f"{name}: {one.role} stored as float16 differs by {worst:.2%} of the largest value, "
                    f"{_FLOAT16_TOLERANCE:.1%} is allowed; export with precision float32"
                )
    return written, "float16" if trials and trials[0].is_taken else precision, trials


def _write_picture_network(
    release: Release, file: Path, precision: str, run: str, allowed_loss: float
) -> tuple[PictureInput, str, tuple[Trial, ...]]:
    """Write the network: what its input then is, its precision, and what was tried for int8."""
    names = tuple(release.outputs.values())
    rules, network = release.input, release.network
    assert isinstance(rules, PictureInput)
    trials: tuple[Trial, ...] = ()
    if precision == "int8" and (release.samples is None or release.score is None):
        raise UnsupportedError(_NOT_COMPARED.format(name=run))
    traced = rules.model_copy(update={"width_px": 96, "height_px": 64}) if release.has_open_sides else rules
    example = _example(traced)
    export_onnx(network, file, examples=[example], inputs=["picture"], outputs=names)
    if release.has_open_sides:
        open_sides(file, step_px=_STEP_PX)
        example = _example(rules)  # of other sides than those that were traced
        _check(release, file, example, _OPEN_TOLERANCE, run, "with open sides")
    if precision == "int8":
        trials, raw = _search(release, file, rules, allowed_loss)
        if not trials[0].is_taken:
            return raw, precision, trials
        precision = "float16"
    if precision == "float16":
        store_as_float16(file)
        if release.samples is not None:  # noise drives a network where pictures never do
            example = torch.from_numpy(release.samples(rules)[0])
        _check(release, file, example, _FLOAT16_TOLERANCE, run, "stored as float16")
    return rules, precision, trials


def _search(
    release: Release, file: Path, rules: PictureInput, allowed_loss: float
) -> tuple[tuple[Trial, ...], PictureInput]:
    """Quantise a file in place, with pixels as its input; it stays as it is where all ways lose too much."""
    assert release.samples is not None
    assert release.score is not None
    score = release.score
    same = {"layout": "NHWC", "dtype": "uint8", "mean": (0.0, 0.0, 0.0), "scale": (1.0, 1.0, 1.0)}
    raw = rules.model_copy(update=same)
    draft = file.with_name("pixels.onnx")
    shutil.copyfile(file, draft)
    take_pixels(draft, mean=rules.mean[0], scale=rules.scale[0])
    trials = search_quantization(
        draft, draft, samples=release.samples(raw), score=lambda path: score(path, raw), allowed_loss=allowed_loss
    )
    if trials[0].is_taken:
        draft.unlink()
    else:
        drop_notes(draft)
        draft.replace(file)
    return trials, raw


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
