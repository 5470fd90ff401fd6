"""Models by task: which one is used when none is named, and which ones a task accepts. Both stand in the registry."""

import os
import re
from pathlib import Path

from szem.errors import UnknownNameError
from szem.runtime.adding import Declared, make_model
from szem.runtime.adding import add_model as add_model_of
from szem.runtime.heads import ModelFormat
from szem.runtime.sessions import Session, open_session
from szem.runtime.store import Model, choose_model, find_model
from szem.tasks.registry import TASKS, TaskModel, load

__all__ = [
    "ModelLike",
    "add_model",
    "addable_tasks",
    "as_session",
    "default_model",
    "model_format",
    "open_file_as_model",
    "open_model",
    "task_model",
]


ModelLike = Session | str | os.PathLike[str]
"""How a model is named: one that is open already, a name, or a folder."""


def as_session(model: ModelLike | None, *, task: str, threads: int | None = None) -> Session:
    """An open model, from whatever names it; None for the default of the task.

    Raises:
        As `open_model`.
    """
    return model if isinstance(model, Session) else open_model(model, task=task, threads=threads)


def task_model(task: str) -> TaskModel:
    """What the registry says about the models of a task.

    Raises:
        UnknownNameError: no such task, or it has no models.
    """
    row = TASKS.get(task)
    if row is None or row.model is None:
        known = ", ".join(name for name, row in TASKS.items() if row.model is not None)
        raise UnknownNameError(f"no task called {task!r} has models; there are {known}")
    return row.model


def default_model(task: str) -> Model:
    """The model that a task uses when none is named.

    Raises:
        UnknownNameError: no such task, or no model for it is installed.
    """
    return choose_model(task, preferred=task_model(task).default)


def open_model(
    name: str | os.PathLike[str] | None = None, *, task: str, threads: int | None = None, provider: str = "cpu"
) -> Session:
    """Open a model once per process: the same file is not opened twice.

    Args:
        name: A model's name or folder; None for the default of the task.
        task: What it must be for.
        threads: Threads of one run; None for as many as there are cores.
        provider: A key of `szem.runtime.sessions.PROVIDERS`.
    Raises:
        As `find_model` and `Session`.
    """
    model = default_model(task) if name is None else find_model(name, task=task)
    return open_session(model, threads=threads, provider=provider)


def model_format(task: str) -> ModelFormat:
    """Which models a task accepts.

    Raises:
        UnknownNameError: no such task, or it has no models.
    """
    accepts: ModelFormat = load(task_model(task).accepts)
    return accepts


def addable_tasks() -> dict[str, ModelFormat]:
    """The tasks for which a single ONNX file can be added, with what each accepts."""
    formats = {name: model_format(name) for name, row in TASKS.items() if row.model is not None}
    return {name: accepts for name, accepts in formats.items() if accepts.is_addable}


def add_model(
    file: str | os.PathLike[str],
    *,
    task: str,
    labels: str | os.PathLike[str] | None = None,
    name: str | None = None,
    declared: Declared | None = None,
) -> Model:
    """Make a card for an ONNX file and put both into the user's folder of models.

    Args:
        file: The ONNX file; it is copied.
        task: One of `addable_tasks()`.
        labels: A text file, a class name per line in the order of the output; the file's own names if left out.
        name: What to call it; the file's name if left out.
        declared: What the file cannot say of itself.
    Raises:
        UnknownNameError: no such task, or none that takes a user's models.
        As `szem.runtime.adding.add_model`.
    """
    return add_model_of(file, accepts=_addable(task), labels=labels, name=name, declared=declared)


def open_file_as_model(
    file: str | os.PathLike[str], *, task: str, folder: Path, labels: str | os.PathLike[str] | None = None
) -> Model:
    """A model of an ONNX file for a while, not among the user's models.

    Args:
        file: The ONNX file; its stem becomes the model's name.
        task: One of `addable_tasks()`.
        folder: Where the model's folder is made.
        labels: As of `add_model`.
    Raises:
        As `add_model`.
    """
    source = Path(file)
    called = re.sub(r"[^a-z0-9.-]+", "-", source.stem.lower()).strip("-.") or "peer"
    home = folder / (called if labels is None else f"{called}-named")
    return make_model(source, home, accepts=_addable(task), labels=labels)


def _addable(task: str) -> ModelFormat:
    formats = addable_tasks()
    if task not in formats:
        raise UnknownNameError(f"no task called {task!r} takes models; there are {', '.join(formats)}")
    return formats[task]
