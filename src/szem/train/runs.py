"""A run's folder read back: which recipe made it, with which settings, by which command."""

import json
from dataclasses import dataclass
from pathlib import Path

from szem.errors import TrainError
from szem.train.recipe import former_settings
from szem.train.recipes import load_recipe, load_settings
from szem.train.release import Releasable
from szem.train.runs_settings import RUN_FILE, read_about, to_assignments

__all__ = ["RUN_FILE", "Run", "open_run"]


@dataclass(frozen=True)
class Run:
    """A training that was, or is being, made."""

    folder: Path
    recipe: Releasable  # with the settings it was trained with
    recipe_name: str
    command: str


def open_run(folder: Path, *, data: Path | None = None) -> Run:
    """Read a run's folder and build its recipe; the recipe reads its data.

    Args:
        folder: That `szem train --out` made.
        data: Where the data lies now, if it has moved.
    Raises:
        TrainError: not such a folder.
        SzemError: the data cannot be read.
    """
    about = read_about(folder)
    if not isinstance(about, dict) or not {"recipe", "settings", "command"} <= about.keys():
        raise TrainError(f"{folder}/{RUN_FILE}: does not say recipe, settings and command; train again")
    former = former_settings(load_settings(about["recipe"]))
    assignments = [*to_assignments(former), *to_assignments(about["settings"])]
    if data is not None:
        assignments.append(f"data={json.dumps(str(data))}")
    return Run(folder, load_recipe(about["recipe"], assignments), about["recipe"], about["command"])
