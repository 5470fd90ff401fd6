"""Plug in a model of one's own: look at an ONNX file, make its card, put both into the user's folder.

This file does not train or convert anything; it refuses what does not fit a documented head layout.
"""

import ast
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from szem.errors import CardError, FileMissingError, ModelError, UnknownNameError
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
from szem.runtime.external_data import copy_network
from szem.runtime.heads import ModelFormat, find_head, fit_head
from szem.runtime.sessions import OnnxFile, Session
from szem.runtime.sound_rules import sound_rules
from szem.runtime.store import Model, find_model, make_data_folder

__all__ = ["Declared", "add_model", "make_model"]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a file cannot say of itself; what is left out is as usual for the head layout that is found."""

    head: str | None = None  # a layout of the task; found by running once if left out
    side_px: int | None = None  # of the square input, where the file leaves it open
    mean: tuple[float, float, float] | None = None  # (value - mean) / scale, value in 0..255
    scale: tuple[float, float, float] | None = None
    resize: str | None = None  # what most networks of the task use, if left out
    crop: float = 0.875
    colours: str | None = None  # RGB or BGR
    sound: SoundInput | None = None  # how sound becomes its input, where it takes sound
    licence: str = "unknown"
    summary: str = ""


def add_model(
    file: str | os.PathLike[str],
    *,
    accepts: ModelFormat,
    labels: str | os.PathLike[str] | None = None,
    name: str | None = None,
    declared: Declared | None = None,
) -> Model:
    """Make a card for an ONNX file and put both into the user's folder of models.

    Args:
        file: The ONNX file; it is copied, with the weights that lie in files beside it.
        accepts: Which models its task accepts.
        labels: A text file, a class name per line in the order of the output; the names that the file carries itself
            (as those of Ultralytics do) if left out.
        name: What to call it; the file's name if left out.
        declared: What the file cannot say of itself.
    Returns:
        The model. What was assumed about its input stands in its card's `limits`.
    Raises:
        FileMissingError: there is no such file, or its weights are not beside it.
        UnknownNameError: no such head layout, or the name is taken.
        CardError: the name is none, inputs or outputs fit no documented layout, or the labels do not fit.
        ModelError: ONNX Runtime cannot run the file.
    """
    source, given = Path(file), declared or Declared()
    for path in (source, *([] if labels is None else [Path(labels)])):
        if not path.is_file():
            raise FileMissingError(f"{path}: no such file; check the path")
    # A file may be called anything; a name that somebody chose is only made small.
    called = (name or re.sub(r"[^A-Za-z0-9._-]+", "-", source.stem).strip("._-")).lower().replace(" ", "-")
    if not re.fullmatch(MODEL_NAME, called):
        raise CardError(f"{called!r} cannot be a model's name; use small letters, digits, dots and dashes")
    _check_free(called)
    store = make_data_folder("models")
    with tempfile.TemporaryDirectory(dir=store) as scratch:
        made = make_model(source, Path(scratch) / called, accepts=accepts, labels=labels, declared=given)
        made.folder.replace(store / called)
    return find_model(called, task=accepts.task)


def make_model(
    source: Path,
    folder: Path,
    *,
    accepts: ModelFormat,
    labels: str | os.PathLike[str] | None = None,
    declared: Declared | None = None,
) -> Model:
    """Make the folder of a model from an ONNX file, anywhere.

    Args:
        source: The ONNX file.
        folder: Made; its name becomes the model's.
        accepts, labels, declared: As of `add_model`.
    Raises:
        As `add_model`.
    """
    for path in (source, *([] if labels is None else [Path(labels)])):
        if not path.is_file():
            raise FileMissingError(f"{path}: no such file; check the path")
    folder.mkdir(parents=True)
    with _errors_naming(source, folder):
        copy_network(source, folder / "model.onnx")
        opened = OnnxFile(folder / "model.onnx")
        if labels is None:
            (folder / "labels.txt").write_text("\n".join(_own_names(opened)) + "\n", encoding="utf-8")
        else:
            shutil.copyfile(labels, folder / "labels.txt")
        card = _card(folder.name, accepts, folder, source, opened, declared or Declared())
        write_card(folder, card)
        Session(Model(card, folder))
    return Model(card, folder)


@contextmanager
def _errors_naming(source: Path, folder: Path) -> Iterator[None]:
    """Errors name the user's own file, not szem's copy, and say what to do where ONNX Runtime is older than it."""
    try:
        yield
    except (CardError, ModelError) as error:
        text = str(error).replace(str(folder / "model.onnx"), str(source)).replace(str(folder), str(source.parent))
        text = text.replace("model.onnx", source.name)
        if isinstance(error, ModelError) and re.search(r"opset|IR version", text):
            text = re.sub(r"; export it anew$", "", text)
            text += "; update it (pip install -U onnxruntime), or export with an older opset_version"
        raise type(error)(text) from error


def _own_names(opened: OnnxFile) -> list[str]:
    """Names of the classes that an exporter noted in the file: a list, or a table by number.

    Raises:
        CardError: there are none.
    """
    noted = opened.metadata.get("names", "")
    try:
        names = ast.literal_eval(noted)
        listed = [names[place] for place in sorted(names, key=int)] if isinstance(names, dict) else list(names)
        if listed and all(isinstance(name, str) and name.strip() for name in listed):
            return [" ".join(name.split()) for name in listed]
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        pass
    plain = [" ".join(name.split()) for name in noted.split(",")]
    if all(re.fullmatch(r"[^\W\d_][\w .&/+-]*", name) for name in plain):  # `person,bicycle`
        return plain
    raise CardError(f"{opened.path.name}: carries no names of its classes; give a file of them (--labels FILE)")


def _check_free(name: str) -> None:
    try:
        taken = find_model(name)
    except UnknownNameError:
        return
    raise UnknownNameError(f"a model called {name!r} is there already ({taken.folder}); choose another with --name")


def _picture_rules(opened: OnnxFile, accepts: ModelFormat, given: Declared, head: str | None) -> PictureInput:
    """How a picture becomes the network's input; what was not declared is as usual for the head layout."""
    file = opened.path.name
    if len(opened.inputs) != 1 or len(opened.inputs[0].shape) not in (3, 4):
        seen = ", ".join(f"{i.name} {i.shape}" for i in opened.inputs)
        raise CardError(
            f"{file}: needs one input of four axes (a batch of pictures), got {seen}; export the network alone, "
            "without inputs for sizes or thresholds"
        )
    shape, kind = opened.inputs[0].shape, opened.input_types[0]
    if kind not in ("tensor(float)", "tensor(float16)", "tensor(double)", "tensor(uint8)"):
        raise CardError(f"{file}: the input must be float32, float16 or uint8, got {kind}; export it so")
    if len(shape) == 3:  # a single picture, as torchvision's detectors take it
        shape = (1, *shape)
    if shape[1] == 3 or set(shape[1:]) == {None}:
        layout, sides = "NCHW", shape[2:]
    elif shape[3] == 3:
        layout, sides = "NHWC", shape[1:3]
    else:
        raise CardError(f"{file}: needs 3 colours as second or last axis, got {shape}; export it so")
    own = _own_sides(opened)
    height, width = (side or given.side_px or stated for side, stated in zip(sides, own, strict=True))
    if height is None or width is None:
        raise CardError(f"{file}: the file leaves the picture's size open; say it with --size")
    scaling = find_head(accepts, head or next(iter(accepts.heads))).scaling
    raw = kind == "tensor(uint8)"
    return PictureInput.model_validate(
        {
            "width_px": width,
            "height_px": height,
            "resize": given.resize or accepts.resize,
            "crop": given.crop,
            "colours": given.colours or scaling.colours,
            "layout": layout,
            "dtype": "uint8" if raw else "float32",
            "mean": (0.0, 0.0, 0.0) if raw else given.mean or scaling.mean,
            "scale": (1.0, 1.0, 1.0) if raw else given.scale or scaling.scale,
        }
    )


def _own_sides(opened: OnnxFile) -> tuple[int | None, int | None]:
    """Height and width that an exporter noted in the file: `[640, 640]`."""
    found = re.fullmatch(r"\[(\d{1,5}), *(\d{1,5})\]", opened.metadata.get("imgsz", ""))
    return (int(found[1]) or None, int(found[2]) or None) if found else (None, None)


def _assumed(accepts: ModelFormat, head: str, rules: PictureInput, given: Declared) -> tuple[str, ...]:
    """What nobody said of the input, for the card."""
    if rules.dtype == "uint8" or (given.mean is not None and given.scale is not None):
        return ()
    scaling = find_head(accepts, head).scaling
    text = f"scaling of the input assumed: {scaling.about}, as usual for head {head}"
    return (f"{text}; where it was trained otherwise, add it with --mean and --scale",)


def _card(name: str, accepts: ModelFormat, folder: Path, source: Path, opened: OnnxFile, given: Declared) -> Card:
    file = folder / "model.onnx"
    rules: PictureInput | SoundInput
    if accepts.takes == "sound":
        rules = sound_rules(opened, given.sound or SoundInput(kind="sound", rate_hz=16000))
    else:
        rules = _picture_rules(opened, accepts, given, given.head)
    fields: dict[str, object] = {
        "name": name,
        "task": accepts.task,
        "version": "1",
        "summary": given.summary or f"A user's model for {accepts.task}, from {source.name}.",
        "sha256": hash_file(file),
        "size_bytes": file.stat().st_size,
        "parameters": 0,
        "precision": "float16" if "tensor(float16)" in opened.input_types else "float32",
        "input": rules,
        "head": given.head or next(iter(accepts.heads)),
        "outputs": {"unknown": "unknown"},
        "labels_file": "labels.txt",
        "made": Made(recipe="added from elsewhere", command=f"szem models add {source.name} --task {accepts.task}"),
        "training_data": (TrainingData(name="unknown", terms="unknown"),),
        "licence": given.licence,
    }
    try:
        # A draft with guessed head and outputs: labels, which decide the head, are read by the rules of a card.
        draft = Card.model_validate(fields)
    except ValueError as error:
        raise CardError(f"{source.name}: no card can be made of what was declared ({error})") from error
    count = len(read_labels(draft, folder)[0])
    head = given.head
    if head is None:
        head = next(iter(accepts.heads)) if accepts.choose is None else accepts.choose(opened, rules, count)
    find_head(accepts, head)
    roles = fit_head(accepts, head, opened.outputs, labels=count)
    limits: tuple[str, ...] = ()
    if isinstance(rules, PictureInput):
        rules = _picture_rules(opened, accepts, given, head)
        limits = _assumed(accepts, head, rules, given)
    return Card.model_validate(fields | {"head": head, "outputs": roles, "input": rules, "limits": limits})
