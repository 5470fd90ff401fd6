"""The settings a run was made with, read from its folder."""

import json
from pathlib import Path
from typing import Any

from szem.errors import TrainError

__all__ = ["read_settings"]


def read_settings(run: Path) -> dict[str, Any]:
    """The `settings` of a run's `run.json`.

    Raises:
        TrainError: not the folder of a run.
    """
    try:
        settings: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{run}: not the folder of a run ({error}); give the --out of szem train") from error
    return settings
