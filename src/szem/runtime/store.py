"""Where models lie, and how they are found by name.

Shipped models lie in the package (`szem/weights/NAME/`), a user's own in `$SZEM_HOME/models/NAME/` (without the
variable, the platform's folder for application data). Nothing is remembered between calls: what lies there counts.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from szem.errors import CardError, DeniedError, StoreError, UnknownNameError
from szem.files import NOWHERE, write_error
from szem.runtime.cards import CARD_FILE, Card, check_file, check_part, read_card, read_labels

__all__ = [
    "Model",
    "Survey",
    "choose_model",
    "data_folder",
    "find_model",
    "list_models",
    "make_data_folder",
    "remove_model",
    "shipped_folder",
    "survey_models",
    "user_folder",
    "user_model_folder",
]


@dataclass(frozen=True)
class Model:
    """A card and the folder it lies in."""

    card: Card
    folder: Path

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def is_shipped(self) -> bool:
        """Whether it came with szem."""
        return self.folder.parent == shipped_folder()

    def file(self) -> Path:
        """The ONNX file, checked against the card.

        Raises:
            CardError: the file is missing.
            ChecksumError: it is another file than the card's.
        """
        return check_file(self.card, self.folder)

    def part(self, role: str) -> Path:
        """A further ONNX file, checked against the card.

        Raises:
            CardError: the model has none of that role, or the file is missing.
            ChecksumError: the file is another one than the card's.
        """
        return check_part(self.card, self.folder, role)

    @cached_property
    def _labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return read_labels(self.card, self.folder)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the output."""
        return self._labels[0]

    @property
    def label_ids(self) -> tuple[str, ...]:
        """Ids of the classes in a public catalogue (WordNet, for ImageNet); empty strings where there is none."""
        return self._labels[1]


@dataclass(frozen=True)
class Survey:
    """All models, and the folders whose card cannot be used."""

    models: tuple[Model, ...]
    broken: tuple[tuple[Path, CardError], ...] = field(default=())


def shipped_folder() -> Path:
    """The folder of the models that come with szem."""
    return Path(__file__).resolve().parent.parent / "weights"


def data_folder() -> Path:
    """szem's folder among the user's data: `$SZEM_HOME`, or the platform's folder for application data.

    It need not exist. A user without a home (a service, a container's uid without a passwd entry) gets a path at
    which nothing is and nothing can be made; `make_data_folder` tells that user what to do.
    """
    try:
        home = os.environ.get("SZEM_HOME")
        return Path(home).expanduser() if home else _data_home() / "szem"
    except RuntimeError:  # from pathlib: no HOME, and no passwd entry either
        return NOWHERE


def make_data_folder(name: str, *, instead: str = "") -> Path:
    """Make a folder among the user's data, for something that must be written.

    Args:
        name: Its name in `data_folder()`.
        instead: The option that names another folder, for the advice: "--store DIR".
    Raises:
        StoreError: there is no home, or it cannot be written; the message says how to name another folder.
    """
    folder = data_folder() / name
    ways = "set SZEM_HOME to a folder that can be written" + (f", or give {instead}" if instead else "")
    if folder.parent == NOWHERE:
        raise StoreError(f"there is no home folder in which to keep {name} (HOME is not set); {ways}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error, advice=ways) from error
    return folder


def user_folder() -> Path:
    """The folder of the user's own models; it need not exist."""
    return data_folder() / "models"


def survey_models() -> Survey:
    """Look through both folders; a card that cannot be read is reported, not raised."""
    models: dict[str, Model] = {}
    broken = []
    for folder in (*_model_folders(user_folder()), *_model_folders(shipped_folder())):
        try:
            model = _read_stored(folder)
        except CardError as error:
            broken.append((folder, error))
        else:
            models.setdefault(model.name, model)  # the user's own comes first
    ordered = sorted(models.values(), key=lambda m: (m.card.task, m.name))
    return Survey(tuple(ordered), tuple(broken))


def list_models(*, task: str | None = None) -> list[Model]:
    """The models at hand, the user's own among them, by task and name."""
    return [m for m in survey_models().models if task is None or m.card.task == task]


def find_model(name: str | os.PathLike[str], *, task: str | None = None) -> Model:
    """Find a model by its name, or by the path of its folder.

    Args:
        name: A name as `szem models list` shows it, or the path of a folder that holds `card.json` (`./NAME`, for one
            in the current folder).
        task: Refuse a model of another task.
    Raises:
        UnknownNameError: no such model, or not one of that task.
        CardError: there is one, but its card cannot be used; or the folder holds none.
    """
    text = os.fspath(name)
    if Path(text).name != text:
        model = Model(read_card(text), Path(text).resolve())
    else:
        places = [parent / text for parent in (user_folder(), shipped_folder())]
        found = next((folder for folder in places if (folder / CARD_FILE).is_file()), None)
        if found is None:
            known = ", ".join(m.name for m in list_models(task=task)) or "none"
            raise UnknownNameError(f"no model called {text!r}; there are: {known}")
        model = _read_stored(found)
    if task is not None and model.card.task != task:
        raise UnknownNameError(
            f"model {model.name!r} is for {model.card.task}, not for {task}; "
            f"there are: {', '.join(m.name for m in list_models(task=task)) or 'none'}"
        )
    return model


def user_model_folder(name: str) -> Path:
    """The folder of a model of the user's own, also of one whose card cannot be used.

    Raises:
        DeniedError: the model came with szem.
        UnknownNameError: there is no such model.
    """
    folder = user_folder() / name
    if Path(name).name == name and not folder.is_symlink() and (folder / CARD_FILE).is_file():
        return folder
    if Path(name).name == name and (shipped_folder() / name / CARD_FILE).is_file():
        raise DeniedError(f"{name}: came with szem and is not removed; only models of your own are")
    own = sorted(place.name for place in _model_folders(user_folder()))
    known = f"your own are: {', '.join(own)}" if own else "you have added none"
    raise UnknownNameError(f"no model of your own called {name!r}; {known}")


def remove_model(name: str) -> None:
    """Delete a model of the user's own; it is gone whole, or there as before.

    Raises:
        DeniedError: the model came with szem.
        UnknownNameError: there is no such model.
        StoreError: its folder cannot be written.
    """
    folder = user_model_folder(name)
    try:
        # renamed first, since a folder that is half deleted would be a broken model
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".removed-", ignore_cleanup_errors=True) as trash:
            folder.replace(Path(trash) / name)
    except OSError as error:
        raise write_error(folder, error, advice="check the rights of its folder") from error


def choose_model(task: str, *, preferred: str) -> Model:
    """The model for a task when the user named none.

    Args:
        task: What it must be for.
        preferred: A shipped model; where it is missing, the first installed model of the task is taken.
    Raises:
        UnknownNameError: there is no model for this task.
    """
    if (shipped_folder() / preferred / CARD_FILE).is_file():
        return find_model(preferred, task=task)
    candidates = list_models(task=task)
    if not candidates:
        raise UnknownNameError(
            f"no model for task {task!r} is installed; add one: szem models add FILE.onnx --task {task}"
        )
    return candidates[0]


def _read_stored(folder: Path) -> Model:
    card = read_card(folder)
    if card.name != folder.name:
        raise CardError(
            f"{folder}: the card's name is {card.name!r}; a model's folder must be called as its card says"
        )
    return Model(card, folder)


def _data_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _model_folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from sorted(path.parent for path in parent.glob(f"*/{CARD_FILE}"))
