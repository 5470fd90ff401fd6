"""Plug in a model of one's own: look at an ONNX file, make its card, put both into the user's folder.

This file does not train or convert anything; it refuses what does not fit a documented head layout.
"""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from szem.errors import CardError, FileMissingError, UnknownNameError
from szem.runtime.cards import (
    MODEL_NAME,
    Card,
    Made,
    PictureInput,
    SoundInput,
    TrainingData,
    hash_file,
    read_labels,
    write_card,
)
from szem.runtime.heads import ModelFormat, find_head, fit_head
from szem.runtime.sessions import OnnxFile, Session
from szem.runtime.sound_rules import sound_rules
from szem.runtime.store import Model, find_model, make_data_folder

__all__ = ["Declared", "add_model"]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a file cannot say of itself; the defaults are how most networks exported from torch were trained."""

    head: str | None = None  # a layout of the task; found by running once if left out
    side_px: int | None = None  # of the square input, where the file leaves it open
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    scale: tuple[float, float, float] = (58.395, 57.12, 57.375)
    resize: str | None = None  # what most networks of the task use, if left out
    crop: float = 0.875
    colours: str = "RGB"
    sound: SoundInput | None = None  # how sound becomes its input, where it takes sound
    licence: str = "unknown"
    summary: str = ""


def add_model(
    file: str | os.PathLike[str],
    *,
    accepts: ModelFormat,
    labels: str | os.PathLike[str],
    name: str | None = None,
    declared: Declared | None = None,
) -> Model:
    """Make a card for an ONNX file and put both into the user's folder of models.

    Args:
        file: The ONNX file; it is copied.
        accepts: Which models its task accepts.
        labels: A text file, a class name per line in the order of the output.
        name: What to call it; the file's name if left out.
        declared: What the file cannot say of itself.
    Raises:
        FileMissingError: there is no such file.
        UnknownNameError: no such head layout, or the name is taken.
        CardError: the name is none, inputs or outputs fit no documented layout, or the labels do not fit.
        ModelError: ONNX Runtime cannot run the file.
    """
    source, given = Path(file), declared or Declared()
    for path in (source, Path(labels)):
        if not path.is_file():
            raise FileMissingError(f"{path}: no such file; check the path")
    called = (name or source.stem).lower().replace(" ", "-")
    if not re.fullmatch(MODEL_NAME, called):
        raise CardError(f"{called!r} cannot be a model's name; use small letters, digits, dots and dashes")
    _check_free(called)
    store = make_data_folder("models")
    with tempfile.TemporaryDirectory(dir=store) as scratch:
        folder = Path(scratch) / called
        folder.mkdir()
        shutil.copyfile(source, folder / "model.onnx")
        shutil.copyfile(labels, folder / "labels.txt")
        opened = OnnxFile(folder / "model.onnx")
        rules = _input_rules(opened, accepts, given)
        card = _card(called, accepts, folder, source, opened, rules, given)
        write_card(folder, card)
        Session(Model(card, folder))
        folder.replace(store / called)
    return find_model(called, task=accepts.task)


def _check_free(name: str) -> None:
    try:
        taken = find_model(name)
    except UnknownNameError:
        return
    raise UnknownNameError(f"a model called {name!r} is there already ({taken.folder}); choose another with --name")


def _input_rules(opened: OnnxFile, accepts: ModelFormat, given: Declared) -> PictureInput | SoundInput:
    if accepts.takes == "sound":
        return sound_rules(opened, given.sound or SoundInput(kind="sound", rate_hz=16000))
    if len(opened.inputs) != 1 or len(opened.inputs[0].shape) != 4:
        seen = ", ".join(f"{i.name} {i.shape}" for i in opened.inputs)
        raise CardError(f"{opened.path.name}: needs one input of four axes (a batch of pictures), got {seen}")
    shape, kind = opened.inputs[0].shape, opened.input_types[0]
    if kind not in ("tensor(float)", "tensor(uint8)"):
        raise CardError(f"{opened.path.name}: the input must be float32 or uint8, got {kind}; export it so")
    if shape[1] == 3:
        layout, sides = "NCHW", shape[2:]
    elif shape[3] == 3:
        layout, sides = "NHWC", shape[1:3]
    else:
        raise CardError(f"{opened.path.name}: needs 3 colours as second or last axis, got {shape}; export it so")
    height, width = (side or given.side_px for side in sides)
    if height is None or width is None:
        raise CardError(f"{opened.path.name}: the file leaves the picture's size open; say it with --size")
    raw = kind == "tensor(uint8)"
    return PictureInput.model_validate(
        {
            "width_px": width,
            "height_px": height,
            "resize": given.resize or accepts.resize,
            "crop": given.crop,
            "colours": given.colours,
            "layout": layout,
            "dtype": "uint8" if raw else "float32",
            "mean": (0.0, 0.0, 0.0) if raw else given.mean,
            "scale": (1.0, 1.0, 1.0) if raw else given.scale,
        }
    )


def _card(
    name: str,
    accepts: ModelFormat,
    folder: Path,
    source: Path,
    opened: OnnxFile,
    rules: PictureInput | SoundInput,
    given: Declared,
) -> Card:
    file = folder / "model.onnx"
    fields: dict[str, object] = {
        "name": name,
        "task": accepts.task,
        "version": "1",
        "summary": given.summary or f"A user's model for {accepts.task}, from {source.name}.",
        "sha256": hash_file(file),
        "size_bytes": file.stat().st_size,
        "parameters": 0,
        "input": rules,
        "head": given.head or next(iter(accepts.heads)),
        "outputs": {"unknown": "unknown"},
        "labels_file": "labels.txt",
        "made": Made(recipe="added from elsewhere", command=f"szem models add {source.name} --task {accepts.task}"),
        "training_data": (TrainingData(name="unknown", terms="unknown"),),
        "licence": given.licence,
    }
    try:
        draft = Card.model_validate(fields)
    except ValueError as error:
        raise CardError(f"{source.name}: no card can be made of what was declared ({error})") from error
    count = len(read_labels(draft, folder)[0])
    head = given.head
    if head is None:
        head = next(iter(accepts.heads)) if accepts.choose is None else accepts.choose(opened, rules, count)
    find_head(accepts, head)
    roles = fit_head(accepts, head, opened.outputs, labels=count)
    return Card.model_validate(fields | {"head": head, "outputs": roles})
