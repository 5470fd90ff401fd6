"""Measure a model again through the shipped path: its task's own pre- and post-processing on the ONNX file.

The registry names what measures each task. Nothing here belongs to the training code, so a score needs no torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from szem.errors import FileMissingError, UnknownNameError
from szem.results.score import Measurement
from szem.runtime.store import Model
from szem.tasks.registry import TASKS, load

if TYPE_CHECKING:
    from szem.tasks.contracts import Evaluate

__all__ = ["evaluate"]


def evaluate(model: Model, data: str | Path, *, split: str = "all") -> list[Measurement]:
    """Measure a model on a folder of data.

    Args:
        model: What to measure.
        data: A folder in the form that the evaluator of its task reads.
        split: Which part of it; each evaluator says which it knows.
    Raises:
        UnknownNameError: nothing measures this task, or the split is unknown.
        FileMissingError: the data is not there.
    """
    paths = {name: row.model.evaluate for name, row in TASKS.items() if row.model is not None}
    if model.card.task not in paths:
        raise UnknownNameError(f"nothing measures task {model.card.task!r}; there are {', '.join(paths)}")
    folder = Path(data)
    if not folder.is_dir():
        raise FileMissingError(f"{folder}: no such folder; give the folder of the data")
    measure: Evaluate = load(paths[model.card.task])
    return measure(model, folder, split)
