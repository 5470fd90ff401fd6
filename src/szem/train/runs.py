"""A run's folder read back: which recipe made it, with which settings, by which command."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from szem.errors import TrainError
from szem.train.recipes import load_recipe
from szem.train.release import Releasable

__all__ = ["RUN_FILE", "Run", "is_run", "open_run", "to_assignments"]

RUN_FILE = "run.json"
"""What `szem train` says of a run, in its folder."""


@dataclass(frozen=True)
class Run:
    """A training that was, or is being, made."""

    folder: Path
    recipe: Releasable  # with the settings it was trained with
    recipe_name: str
    command: str


def is_run(folder: Path) -> bool:
    """Whether a folder is one that `szem train` made."""
    return (folder / RUN_FILE).is_file()


def open_run(folder: Path, *, data: Path | None = None) -> Run:
    """Read a run's folder and build its recipe; the recipe reads its data.

    Args:
        folder: That `szem train --out` made.
        data: Where the data lies now, if it has moved.
    Raises:
        TrainError: not such a folder.
        SzemError: the data cannot be read.
    """
    try:
        about = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder}: not the folder of a run ({error}); give the --out of szem train") from error
    if not isinstance(about, dict) or not {"recipe", "settings", "command"} <= about.keys():
        raise TrainError(f"{folder}/{RUN_FILE}: does not say recipe, settings and command; train again")
    assignments = to_assignments(about["settings"])
    if data is not None:
        assignments.append(f"data={json.dumps(str(data))}")
    return Run(folder, load_recipe(about["recipe"], assignments), about["recipe"], about["command"])


def to_assignments(settings: object, prefix: str = "") -> list[str]:
    """Settings as FIELD=VALUE, so that the network is built as it was trained."""
    if not isinstance(settings, dict):
        raise TrainError(
            f"{RUN_FILE}: settings must be fields and values, got {type(settings).__name__}; train again"
        )
    out: list[str] = []
    for key, value in settings.items():
        inner: Any = value
        if isinstance(inner, dict):
            out += to_assignments(inner, f"{prefix}{key}.")
        else:
            out.append(f"{prefix}{key}={json.dumps(inner)}")
    return out
