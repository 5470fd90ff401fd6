"""Checkpoints that are whole or not there: checksummed, written beside, flushed, renamed; the last two are kept.

A file begins with `MAGIC` and the SHA-256 of the rest, which is what `torch.save` writes. A file that fails its
checksum is never unpickled, and the generation before it is used in its place.
"""

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import Any

import torch

from szem.errors import TrainError

__all__ = ["CHECKPOINT", "has_checkpoint", "load_checkpoint", "previous_generation", "save_checkpoint"]


CHECKPOINT = "checkpoint.pt"
"""Its name in the folder of a run."""

MAGIC = b"szem checkpoint 1\n"
_LOG = logging.getLogger(__name__)


def previous_generation(path: Path) -> Path:
    """Where the checkpoint before this one is kept.

    >>> previous_generation(Path("run/checkpoint.pt")).as_posix()
    'run/checkpoint.previous.pt'
    """
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def has_checkpoint(path: Path) -> bool:
    """Whether a run was saved here, in this generation or the one before."""
    return path.exists() or previous_generation(path).exists()


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers and text; killed at any moment, it leaves at least one whole generation.

    Raises:
        TrainError: the file cannot be written (disk full, no permission); earlier generations stay.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(MAGIC)
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            path.replace(previous_generation(path))
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)  # the new names themselves must reach the disk too
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TrainError(
            f"{path}: the checkpoint cannot be written ({error.strerror}); free space or change --out"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state back; nothing in the file is executed.

    Where the newest generation is damaged or missing the one before it is read, and a warning says so.

    Raises:
        TrainError: there is none, or no generation passes its checksum.
    """
    try:
        return _read(path)
    except TrainError as error:
        previous = previous_generation(path)
        if not previous.is_file():
            raise
        state = _read(previous)
        _LOG.warning("%s; using the checkpoint before it, %s", error, previous)
        return state


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TrainError(f"{path}: no checkpoint to resume from; start without --resume") from error
    except OSError as error:
        raise TrainError(f"{path}: the checkpoint cannot be read ({error.strerror}); check the path") from error
    start = len(MAGIC) + hashlib.sha256().digest_size
    if not data.startswith(MAGIC):
        raise TrainError(f"{path}: not a checkpoint of szem; start anew in another folder")
    payload = memoryview(data)[start:]
    if hashlib.sha256(payload).digest() != data[len(MAGIC) : start]:
        raise TrainError(f"{path}: the checkpoint is damaged (its checksum differs); start anew in another folder")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # whole, so written by another program: torch raises classes of many modules
        raise TrainError(f"{path}: not a checkpoint of szem ({error}); start anew in another folder") from error
    return state
