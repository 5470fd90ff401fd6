"""Checkpoints that are whole or not there: written beside, flushed to the disk, then renamed."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from szem.errors import TrainError

__all__ = ["CHECKPOINT", "load_checkpoint", "save_checkpoint"]


CHECKPOINT = "checkpoint.pt"
"""Its name in the folder of a run."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers and text; killed at any moment, it leaves the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)  # the new name itself must reach the disk too
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state back; nothing in the file is executed.

    Raises:
        TrainError: there is none, or it is not one of ours.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainError(f"{path}: no checkpoint to resume from; start without --resume") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise TrainError(f"{path}: not a checkpoint of szem ({error}); start anew in another folder") from error
    return state
