"""What a worker does with a part: read its inputs, run the task on each, write the part's two files.

A part's results appear in one step, under a name that only its number decides. Whoever does the part again, after a
crash or beside another, writes the same: so each input is in the results once. Ray calls the class; this file needs
nothing of it.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from szem.errors import BusyError, SzemError
from szem.files import is_disk_full
from szem.runtime.workers.limits import WorkerLimits
from szem.runtime.workers.process import WorkerProcess
from szem.scale.open_task import OpenTask, open_task
from szem.scale.parts import Input, InputPart, read_part
from szem.scale.places import Place, Sink
from szem.scale.rows import json_line, rows_to_bytes

__all__ = ["PLAN", "RECORDS", "PartWorker", "Setup", "open_process", "part_file", "record_file"]

PLAN, RECORDS, PICTURES = "plan.jsonl", "records", "pictures"
_LONG_S = 7200.0  # for one sound or video


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that a worker must know."""

    task: str
    options: dict[str, Any]
    sources: tuple[str, ...]
    sink: str
    form: str
    folder: str  # what local names are relative to

    def places(self) -> list[Place]:
        """The sources."""
        return [Place(name, self.folder) for name in self.sources]

    def open_sink(self) -> Sink:
        """Where results go."""
        return Sink(self.sink, self.folder)

    def to_dict(self) -> dict[str, Any]:
        """What makes two runs the same."""
        return {key: value for key, value in asdict(self).items() if key != "sink"}


def part_file(number: int, form: str) -> str:
    """The name of a part's results."""
    return f"part-{number:06d}.{form}"


def record_file(number: int) -> str:
    """The name of what is kept about a part: its counts and checksum, then a line for each failure."""
    return f"{RECORDS}/part-{number:06d}.jsonl"


def open_process(task: str, options: dict[str, Any], takes: str) -> WorkerProcess:
    """A process for strangers' bytes, with limits that fit what the task takes."""
    limits = WorkerLimits() if takes == "picture" else WorkerLimits(cpu_s=_LONG_S, wall_s=_LONG_S)
    return WorkerProcess(open_task, (task, options), limits=limits)


class PartWorker:
    """Opens the networks once, then works on parts.

    Args:
        setup: Of the run.
    Raises:
        SzemError: the task or its options do not work here.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, self.places, self.sink = setup, setup.places(), setup.open_sink()
        self.takes = OpenTask(setup.task, setup.options).takes
        # Native decoders meet strangers' bytes: a process that dies or overstays costs one input, not the worker.
        self.process = open_process(setup.task, setup.options, self.takes)
        self.process.call(OpenTask.check)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Work on parts: numbers and places in the plan in, what became of each out."""
        out = [self._one(*map(int, row)) for row in zip(batch["part"], batch["first"], batch["size"], strict=True)]
        return {name: np.array([row[name] for row in out]) for name in ("part", "done", "failed", "error")}

    def _one(self, number: int, first: int, size: int) -> dict[str, Any]:
        try:
            part = InputPart.from_json(self.sink.read(PLAN, first=first, size=size))
            done, failed = self.write_part(number, part)
        except (SzemError, OSError) as error:  # not of an input: the place or the sink; the run stops and says it
            return {"part": number, "done": 0, "failed": 0, "error": str(error) or type(error).__name__}
        return {"part": number, "done": done, "failed": failed, "error": ""}

    def write_part(self, number: int, part: InputPart) -> tuple[int, int]:
        """Work on one part and write its files; how many inputs were done, and how many failed.

        Raises:
            StoreError: a place does not answer, or the sink cannot be written.
        """
        rows: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for place, one in enumerate(read_part(part, self.places[part.place], takes=self.takes)):
            try:
                if one.error:
                    failures.append({"file": one.name, "error": one.error})
                    continue
                answer = self._answer(one)
                if isinstance(answer, bytes):
                    stem = Path(one.name.rpartition("#")[2]).stem[:80]
                    picture = f"{PICTURES}/{number:06d}-{place:04d}-{stem}.png"
                    self.sink.write(picture, answer)
                    answer = {"picture": picture}
                rows.append({"file": one.name, **answer})
            except Exception as error:  # one input must not take the others with it
                if is_disk_full(error):
                    raise
                failures.append({"file": one.name, "error": _reason(error)})
        data = rows_to_bytes(rows, self.setup.form)
        about = {
            "file": part_file(number, self.setup.form),
            "rows": len(rows),
            "failed": len(failures),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        # The results come last: where they are, the part is done.
        self.sink.write(record_file(number), b"".join(map(json_line, [about, *failures])))
        self.sink.write(part_file(number, self.setup.form), data)
        return len(rows), len(failures)

    def _answer(self, one: Input) -> dict[str, Any] | bytes:
        """The task on one input. A process that is ended from outside is asked again, once."""
        try:
            return self.process.call(OpenTask.__call__, one.data, one.piece)
        except BusyError:
            return self.process.call(OpenTask.__call__, one.data, one.piece)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).removeprefix("picture: ")
    if isinstance(error, SzemError):
        return text
    return f"szem failed on it ({text[-500:]}); please report this"
