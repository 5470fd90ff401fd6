"""What a task's folder provides to those that treat all tasks alike; `szem.tasks.registry` names where it lies."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from szem.arrays import Picture8
from szem.media.legend import Row
from szem.results.look import LookResult
from szem.results.score import Measurement
from szem.runtime.sessions import Session
from szem.runtime.store import Model
from szem.tasks.eval_run import EvalRun

__all__ = ["Evaluate", "LookPart", "OpenModel", "Run"]


class OpenModel(Protocol):
    """Opens the model of a task: `szem.tasks.models.open_model`, or a server's own, which keeps sessions open."""

    def __call__(self, name: str | os.PathLike[str] | None = None, *, task: str) -> Session:
        """Open it by name; the default of the task where no name is given."""
        ...


Run = Callable[[Picture8, dict[str, Any]], LookResult]
"""Runs one task on one picture. The dict is shared by the tasks of a picture: what an earlier one leaves there, a
later one may use, so that a network runs once for all that need it."""


class Evaluate(Protocol):
    """Measures a model."""

    def __call__(self, model: Model, folder: Path, split: str, *, run: EvalRun | None = None) -> list[Measurement]:
        """Measure it on a split of a folder of data; `all` takes every item.

        `run` shows progress, keeps results for the next try and takes what the report draws.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class LookPart:
    """How a task takes part in `szem look`."""

    title: str  # heading of its section
    open: Callable[[OpenModel], Run]  # loads what it needs; raises where that is not installed
    rows: Callable[[Any], Sequence[Row]]  # its result for people
    drawn: bool = False  # its result's draw(picture) is part of the annotated picture
    after: tuple[str, ...] = ()  # sections whose tasks leave something in the shared dict that this one reads
