"""Measure a model again through the shipped path: its task's own pre- and post-processing on the ONNX file.

The registry names what measures each task. Nothing here belongs to the training code, so a score needs no torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from szem.errors import EmptyFileError, FileMissingError, UnknownNameError
from szem.results.score import Measurement
from szem.runtime.store import Model
from szem.tasks.eval_run import EvalRun
from szem.tasks.registry import TASKS, load

if TYPE_CHECKING:
    from szem.tasks.contracts import Evaluate

__all__ = ["evaluate", "model_to_measure"]


def model_to_measure(name: str) -> tuple[str, str]:
    """The model that a name measures, and what of it: names of models stand for themselves.

    >>> model_to_measure("track"), model_to_measure("my-model")
    (('detect', 'track'), ('my-model', ''))
    """
    for row in TASKS.values():
        if row.model is not None and name in dict(row.model.evaluate_also):
            return row.model.default, name
    return name, ""


def evaluate(
    model: Model, data: str | Path, *, split: str = "all", what: str = "", run: EvalRun | None = None
) -> list[Measurement]:
    """Measure a model on a folder of data.

    Args:
        model: What to measure.
        what: What of it, from `model_to_measure`; empty: what its task is for.
        data: A folder in the form that the evaluator of its task reads.
        split: Which part of it; `all` takes every item, each evaluator says which others it knows.
        run: Shows progress, keeps results, and takes what the report draws.
    Raises:
        UnknownNameError: nothing measures this task, or the split is unknown.
        FileMissingError: the data is not there.
        EmptyFileError: nothing could be measured.
    """
    paths = {name: row.model.evaluate for name, row in TASKS.items() if row.model is not None}
    also = dict(also for row in TASKS.values() if row.model is not None for also in row.model.evaluate_also)
    if model.card.task not in paths:
        raise UnknownNameError(f"nothing measures task {model.card.task!r}; there are {', '.join(paths)}")
    if what and what not in also:
        raise UnknownNameError(f"nothing measures {what!r}; there are {', '.join(also)}")
    folder = Path(data)
    if not folder.exists():
        raise FileMissingError(f"{folder}: no such folder; give the folder of the data")
    measure: Evaluate = load(also[what] if what else paths[model.card.task])
    measured = measure(model, folder, split, run=run or EvalRun())
    if not measured:
        raise EmptyFileError(f"{folder}: nothing of split {split!r} could be measured; choose another, or all")
    return measured
