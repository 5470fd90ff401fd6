"""Model cards: what a model is, what goes in, what comes out, how it was made and how good it really is.

A model is a folder with `card.json`, the ONNX file it names, and perhaps a file of labels. The card is checked
whenever it is read, and a file that is not the one it describes is an error, never a warning. This file does not know
where models lie (`store`) or how they run (`sessions`).
"""

import hashlib
import os
import re
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from szem.errors import CardError, ChecksumError, MissingExtraError
from szem.files import write_text

__all__ = [
    "CARD_FILE",
    "Calibration",
    "Card",
    "Carrier",
    "ClipInput",
    "LineInput",
    "Made",
    "Part",
    "Peer",
    "PictureInput",
    "Score",
    "SoundInput",
    "TextInput",
    "TrainingData",
    "check_file",
    "check_part",
    "hash_file",
    "is_installed",
    "put_scores",
    "read_card",
    "read_labels",
    "write_card",
]

CARD_FILE = "card.json"

_Text = Annotated[str, Field(min_length=1)]
MODEL_NAME = r"^[a-z0-9][a-z0-9._-]*$"
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # beside the card, never elsewhere
_Triple = tuple[float, float, float]


class _Strict(BaseModel):
    """No unknown fields, no silent conversion, no change afterwards."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class PictureInput(_Strict):
    """How a picture becomes the network's input."""

    kind: Literal["picture"] = "picture"
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    resize: Literal["centre-crop", "stretch", "stretch-crop", "letterbox"] = "centre-crop"
    crop: float = Field(
        default=1.0, gt=0, le=1
    )  # fraction of the shorter side, of both with stretch-crop, that is kept
    interpolation: Literal["bicubic", "bilinear", "area"] = "bicubic"  # for growing; shrinking is always smoothed
    colours: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8"] = "float32"
    mean: _Triple = (0.0, 0.0, 0.0)  # (value - mean) / scale, value in 0..255, in the order of `colours`
    scale: _Triple = (1.0, 1.0, 1.0)

    def __str__(self) -> str:
        return f"{self.width_px}×{self.height_px} {self.colours}, {self.resize}"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if 0 in self.scale:
            raise ValueError(f"scale must not be 0, got {self.scale}")
        if self.dtype == "uint8" and (self.mean != (0.0, 0.0, 0.0) or self.scale != (1.0, 1.0, 1.0)):
            raise ValueError("a uint8 input takes the pixels as they are: mean must be 0 and scale 1")
        return self


class SoundInput(_Strict):
    """How sound becomes the network's input: as it is, or as bands (`szem.media.spectrum.MelBands`)."""

    kind: Literal["sound"]
    rate_hz: int = Field(gt=0)
    samples: int = Field(default=0, ge=0)  # of one window; 0: any number
    bands: int = Field(default=0, ge=0)  # 0: the waveform itself
    window_s: float = Field(default=0.025, gt=0)
    hop_s: float = Field(default=0.010, gt=0)
    low_hz: float = Field(default=60.0, ge=0)
    high_hz: float = Field(default=7800.0, gt=0)
    floor: float = Field(default=1e-6, gt=0)
    power: float = Field(default=2.0, gt=0, le=2)
    mean: float = 0.0  # (value - mean) / scale
    scale: float = Field(default=1.0, gt=0)

    def __str__(self) -> str:
        length = f"{self.samples / self.rate_hz:.3g} s" if self.samples else "any length"
        return f"sound at {self.rate_hz} Hz, {length}, {f'{self.bands} bands' if self.bands else 'waveform'}"


class ClipInput(_Strict):
    """Grey crops of a video at a fixed rate, such as a mouth's; sound beside them where `sound` says so."""

    kind: Literal["clip"]
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    rate_hz: float = Field(gt=0)
    mean: float = 0.0  # (value - mean) / scale, value in 0..255
    scale: float = Field(default=1.0, gt=0)
    sound: SoundInput | None = None

    def __str__(self) -> str:
        beside = f" with {self.sound}" if self.sound else ""
        return f"{self.width_px}×{self.height_px} grey crops, {self.rate_hz:g} a second{beside}"


class TextInput(_Strict):
    """Words of a sentence, as places in the card's labels."""

    kind: Literal["text"]
    words: int = Field(gt=0)  # at most

    def __str__(self) -> str:
        return f"up to {self.words} words"


class LineInput(_Strict):
    """One line of text, cut out of a picture so that it lies level: of a fixed height, as wide as it is long."""

    kind: Literal["line"]
    height_px: int = Field(gt=0)
    colours: Literal["RGB", "BGR"] = "RGB"
    mean: float = 0.0  # (value - mean) / scale, value in 0..255
    scale: float = Field(default=1.0, gt=0)

    def __str__(self) -> str:
        return f"lines of text, {self.height_px} px high, {self.colours}"


class Made(_Strict):
    """How the file came to be: enough to make it again."""

    recipe: _Text  # name or file of the recipe, or what was taken over from where
    command: _Text
    seed: int | None = None


class TrainingData(_Strict):
    """What the model has seen, and on what terms that was given."""

    name: _Text
    terms: _Text
    use: _Text = "training"  # training, calibration, tuning


class Score(_Strict):
    """One measured number. `command` measures it again."""

    dataset: _Text
    split: _Text
    metric: _Text
    value: float = Field(allow_inf_nan=False)
    n: int = Field(gt=0)  # how many items it was measured on
    command: _Text
    note: str = ""
    date: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""  # when it was measured


class Peer(_Strict):
    """Another network, measured on the same data: what a model's scores are to be compared with."""

    name: _Text
    scores: tuple[Score, ...] = Field(min_length=1)


class Calibration(_Strict):
    """From a detector's raw score s to the share of such boxes that are right: `1 / (1 + exp(-t))`, where
    `t = a · ln s − b · ln(1 − s) + c`.

    Source: M. Kull, T. Silva Filho, P. Flach, Beta calibration, 2017, equation 3; with a = b it is Platt's.
    """

    a: float = Field(gt=0)  # both positive: the order of scores stays
    b: float = Field(gt=0)
    c: float

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw scores to chances."""
        s = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
        t = self.a * np.log(s) - self.b * np.log1p(-s) + self.c
        return (1 / (1 + np.exp(-t))).astype(np.float32)

    def undo(self, confidences: NDArray[np.float32]) -> NDArray[np.float32]:
        """Chances to the raw scores that have them."""
        raw = np.linspace(0, 1, 4097)
        return np.interp(confidences, self.apply(raw.astype(np.float32)), raw).astype(np.float32)


class Part(_Strict):
    """A further ONNX file of a model that needs more than one: what runs once for each word, say."""

    file: _FileName
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int = Field(gt=0)


class Carrier(_Strict):
    """Python packages that carry the ONNX files of a model; szem ships its card alone."""

    packages: tuple[_Text, ...] = Field(min_length=1)  # import names; the first installed one that has the file
    extra: _Text  # of szem: what installs one of them


def _kind_of(value: Any) -> Any:
    """What an input is; one that does not say so takes pictures."""
    return value.get("kind", "picture") if isinstance(value, dict) else getattr(value, "kind", None)


_Input = Annotated[
    Annotated[PictureInput, Tag("picture")]
    | Annotated[SoundInput, Tag("sound")]
    | Annotated[ClipInput, Tag("clip")]
    | Annotated[TextInput, Tag("text")]
    | Annotated[LineInput, Tag("line")],
    Discriminator(_kind_of),
]


class Card(_Strict):
    """What is known of a model. See the fields' comments; `szem models show NAME` prints it."""

    name: Annotated[str, Field(pattern=MODEL_NAME)]
    task: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]
    version: _Text
    summary: _Text  # one sentence for people
    file: _FileName = "model.onnx"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int = Field(gt=0)
    parts: dict[str, Part] = {}  # role -> a further file
    carrier: Carrier | None = None  # what brings the files; None: they lie beside the card
    parameters: int = Field(ge=0)
    precision: Literal["float32", "float16", "int8"] = "float32"
    input: _Input
    head: _Text  # a layout of the task (`szem.runtime.heads`): what the outputs mean
    outputs: dict[str, str] = Field(min_length=1)  # role -> name of the ONNX output
    switches: dict[str, str] = {}  # role -> optional boolean input that turns this output on
    constants: dict[str, float] = {}  # what the task reckons with, chosen on held-back data
    labels: tuple[str, ...] | None = None  # the classes' names in order, or …
    labels_file: _FileName | None = None  # … the file that holds them: a name per line, perhaps a tab and an id
    groups: dict[str, tuple[str, ...]] = {}  # kind of event -> the labels it is made of; the best of them counts
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # label or kind -> lowest score shown, calibrated
    report_thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # the same for alarms; else `thresholds`
    sustained_s: dict[
        str, Annotated[float, Field(gt=0, le=60)]
    ] = {}  # kind -> seconds over which its score is averaged
    calibration: Calibration | None = None  # of a detector's scores; None takes them as they are
    made: Made
    training_data: tuple[TrainingData, ...]
    scores: tuple[Score, ...] = ()
    peers: tuple[Peer, ...] = ()
    licence: _Text  # SPDX expression
    attributions: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()  # what it is not good for

    @property
    def picture(self) -> PictureInput:
        """How a picture becomes its input.

        Raises:
            CardError: it takes something else.
        """
        if not isinstance(self.input, PictureInput):
            raise CardError(f"{self.name}: takes {self.input.kind}, not pictures; choose a model for pictures")
        return self.input

    @property
    def all_bytes(self) -> int:
        """Of all its ONNX files together."""
        return self.size_bytes + sum(part.size_bytes for part in self.parts.values())

    @model_validator(mode="after")
    def _labels_once(self) -> Self:
        if self.labels is not None and self.labels_file is not None:
            raise ValueError("labels are given twice; keep either labels or labels_file")
        return self


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read and check a card.

    Args:
        path: The file, or the folder that holds `card.json`.
    Raises:
        CardError: there is none, it is not JSON, or a field is missing, unknown or wrong.
    """
    file = Path(path)
    if file.is_dir():
        file = file / CARD_FILE
    try:
        text = file.read_bytes()
    except OSError as error:
        raise CardError(f"{file}: no card can be read here ({error.strerror}); give a model's folder") from error
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        raise CardError(f"{file}: not a model card; {_first_faults(error)}") from error


def write_card(folder: str | os.PathLike[str], card: Card) -> Path:
    """Write `card.json` into a model's folder; it appears whole or not at all.

    Raises:
        CardError: there is no such folder.
        StoreError: it cannot be written, or the disk is full.
    """
    target = Path(folder) / CARD_FILE
    if not target.parent.is_dir():
        raise CardError(f"{target}: cannot be written (there is no such folder); give the folder of a model")
    write_text(target, card.model_dump_json(indent=2, exclude_none=True) + "\n")
    return target


def hash_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        CardError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CardError(f"{path}: the model file cannot be read ({error.strerror}); restore it") from error


def check_file(card: Card, folder: str | os.PathLike[str]) -> Path:
    """Make sure that the model file is the one the card describes.

    Returns:
        The path of the ONNX file.
    Raises:
        CardError: the file is missing.
        ChecksumError: it is another file.
        MissingExtraError: the package that carries it is not installed.
    """
    return _find_file(card, folder, card.file, card.sha256, card.size_bytes)


def check_part(card: Card, folder: str | os.PathLike[str], role: str) -> Path:
    """As `check_file`, for a further file of the model.

    Raises:
        CardError: the file is missing, or the model has no such part.
        ChecksumError: it is another file.
        MissingExtraError: the package that carries it is not installed.
    """
    part = card.parts.get(role)
    if part is None:
        raise CardError(
            f"{folder}: model {card.name!r} has no part {role!r} (its parts: {', '.join(card.parts) or 'none'}); "
            "use a model that has it"
        )
    return _find_file(card, folder, part.file, part.sha256, part.size_bytes)


def is_installed(card: Card) -> bool:
    """Whether a package that carries the model's files is there; always, where they lie beside the card."""
    return card.carrier is None or any(_package_folder(package) for package in card.carrier.packages)


def _find_file(card: Card, folder: str | os.PathLike[str], name: str, sha256: str, size_bytes: int) -> Path:
    if card.carrier is None:
        return _checked(Path(folder) / name, sha256)
    places = [place for package in card.carrier.packages if (place := _package_folder(package))]
    if not places:
        raise MissingExtraError(
            f"model {card.name!r}: its files come with another package, which is not installed; "
            f"pip install 'szem[{card.carrier.extra}]'"
        )
    # Packages call the same file by different names: its size finds it, its checksum proves it.
    files = [file for place in places for file in sorted(place.rglob("*.onnx")) if file.stat().st_size == size_bytes]
    found = next((file for file in files if hash_file(file) == sha256), None)
    if found is None:
        raise ChecksumError(
            f"{', '.join(map(str, places))}: no file with the sha256 {sha256[:12]}… of model {card.name!r} ({name}); "
            f"install the package anew: pip install --force-reinstall 'szem[{card.carrier.extra}]'"
        )
    return found


def _package_folder(package: str) -> Path | None:
    """The folder of an installed package, which is not imported; None where it is not installed."""
    spec = PathFinder.find_spec(package)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return Path(places[0]) if places else None


def _checked(file: Path, sha256: str) -> Path:
    found = hash_file(file)
    if found != sha256:
        raise ChecksumError(
            f"{file}: not the file its card describes (sha256 {found[:12]}…, the card says {sha256[:12]}…); "
            "restore the file or make a new card with `szem models add`"
        )
    return file


def read_labels(card: Card, folder: str | os.PathLike[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the classes, and their ids in a public catalogue.

    Returns:
        Names in the order of the output, and as many ids (empty strings where none is known).
    Raises:
        CardError: the file of labels is missing, not UTF-8, or has an empty line among its names.
    """
    if card.labels is not None:
        return card.labels, ("",) * len(card.labels)
    if card.labels_file is None:
        return (), ()
    file = Path(folder) / card.labels_file
    try:
        lines = re.split(r"\r?\n", file.read_text(encoding="utf-8-sig").rstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{file}: the labels cannot be read ({error}); give UTF-8 text, a name per line") from error
    names, ids = [], []
    for number, line in enumerate(lines, start=1):
        name, _, mark = line.partition("\t")
        if not name.strip():
            raise CardError(f"{file}, line {number}: a label must not be empty; give a name per line")
        names.append(name.strip())
        ids.append(mark.strip())
    return tuple(names), tuple(ids)


def _first_faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    messages = [f"{'.'.join(map(str, fault['loc'])) or 'card'}: {fault['msg']}" for fault in faults[:3]]
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(messages) + more


def put_scores(folder: Path, scores: Sequence[Score]) -> Card:
    """Put measured scores on a model's card, in place of older ones of the same data, split and metric.

    Raises:
        CardError, ChecksumError: the card cannot be used, or the file is not the card's.
    """
    card = read_card(folder)
    check_file(card, folder)
    new = {(s.dataset, s.split, s.metric) for s in scores}
    kept = [s for s in card.scores if (s.dataset, s.split, s.metric) not in new]
    card = card.model_copy(update={"scores": (*kept, *scores)})
    write_card(folder, card)
    return card
