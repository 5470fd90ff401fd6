"""What a run was made with, read from its folder."""

import json
from pathlib import Path
from typing import Any

from szem.errors import TrainError

__all__ = ["RUN_FILE", "read_about", "read_command", "read_recipe_name", "read_settings", "to_assignments"]

RUN_FILE = "run.json"
"""What `szem train` says of a run, in its folder."""


def read_settings(run: Path) -> dict[str, Any]:
    """The settings of a run.

    Raises:
        TrainError: not the folder of a run.
    """
    settings: dict[str, Any] = _read(run, "settings")
    return settings


def read_recipe_name(run: Path) -> str:
    """The name of the recipe that made a run.

    Raises:
        TrainError: not the folder of a run.
    """
    return str(_read(run, "recipe"))


def read_command(run: Path) -> str:
    """The command that began a run.

    Raises:
        TrainError: not the folder of a run.
    """
    return str(_read(run, "command"))


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


def read_about(run: Path) -> Any:
    """What `szem train` says of a run, not checked.

    Raises:
        TrainError: not the folder of a run.
    """
    try:
        return json.loads((run / RUN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainError(
            f"{run}: not the folder of a run, it has no {RUN_FILE}; give the --out of szem train"
        ) from error
    except (OSError, ValueError) as error:
        raise TrainError(f"{run}: not the folder of a run ({error}); give the --out of szem train") from error


def _read(run: Path, name: str) -> Any:
    try:
        return read_about(run)[name]
    except (KeyError, TypeError) as error:
        raise TrainError(f"{run / RUN_FILE}: does not say the run's {name}; give the --out of szem train") from error
