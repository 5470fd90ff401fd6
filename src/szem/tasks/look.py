"""Every task that takes part in `szem look`, on one picture. The registry's rows say which those are.

Networks are opened once, when a `Looker` is made. This file does not know about files, terminals or requests.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from szem.arrays import Picture8
from szem.errors import MissingExtraError, NotFoundError, UnknownNameError, UnsupportedError
from szem.media.legend import Section
from szem.results.look import Look, LookResult
from szem.runtime.sessions import cores
from szem.tasks.contracts import OpenModel
from szem.tasks.models import open_model as open_for_process
from szem.tasks.option import option
from szem.tasks.registry import TASKS, TaskSpec, load

if TYPE_CHECKING:
    from szem.media.pictures import PictureLike
    from szem.tasks.contracts import LookPart, Run

__all__ = ["LookRequest", "Looker", "answer_look", "look", "look_parts"]


def look_parts(tasks: Mapping[str, TaskSpec] = TASKS) -> dict[str, str]:
    """Section of the answer -> import path of its `LookPart`, in the order in which they run."""
    return {row.look.name: row.look.part for row in tasks.values() if row.look is not None}


def look(picture: "PictureLike", *, tasks: Sequence[str] | None = None) -> Look:
    """Run every installed task on a picture.

    Args:
        picture: What `as_picture` takes: a path, a file's bytes, an open file, a Pillow image or an array.
        tasks: Names from `look_parts()`; all that are installed if left out.
    Raises:
        UnknownNameError: no such task.
        MediaError, FileMissingError: the picture cannot be read.

    >>> from szem.media.samples import read_sample
    >>> seen = look(read_sample("coffee"), tasks=["colors", "sharpness"])
    >>> seen.results["colors"].colors[0].name, seen.results["sharpness"].word
    ('rust', 'sharp')
    """
    return Looker(tasks)(picture)


class Looker:
    """Tasks opened once, for many pictures; keeps nothing between pictures.

    Tasks run side by side, each network on one thread: a network of this size gains less from a second thread than
    another network does.

    Args:
        tasks: Names from `look_parts()`, run in its order; all that are installed if left out.
        open_model: Opens the models; without it, models are kept open for the whole process.
        workers: Tasks that run at the same time; None for as many as there are cores.
    Raises:
        UnknownNameError: no such task.
        MissingExtraError, NotFoundError: what a task named here needs is not installed (UnknownNameError: its model).
    """

    def __init__(
        self,
        tasks: Sequence[str] | None = None,
        *,
        open_model: OpenModel | None = None,
        workers: int | None = None,
    ) -> None:
        known = look_parts()
        unknown = [name for name in tasks or () if name not in known]
        if unknown or (tasks is not None and not tasks):
            raise UnknownNameError(f"no task called {', '.join(unknown) or 'nothing'}; choose {', '.join(known)}")
        several = len(tasks or known)
        self.workers = min(cores() if workers is None else workers, several)
        if open_model is None:
            open_model = partial(open_for_process, threads=1 if self.workers > 1 else None)
        self.parts: dict[str, LookPart] = {}
        self.runs: dict[str, Run] = {}
        self.skipped: dict[str, str] = {}  # task -> why it is not installed
        for name, path in known.items():
            if tasks is None or name in tasks:
                try:
                    part: LookPart = load(path)
                    self.runs[name] = part.open(open_model)
                except (MissingExtraError, NotFoundError, UnknownNameError, UnsupportedError) as error:
                    if tasks is not None:
                        raise
                    self.skipped[name] = str(error)
                else:
                    self.parts[name] = part

    def __call__(self, picture: "PictureLike") -> Look:
        """Run every task on one picture.

        Args:
            picture: What `as_picture` takes.
        """
        from szem.media.pictures import as_picture

        picture = as_picture(picture)
        height, width = picture.shape[:2]
        shared: dict[str, Any] = {}
        if self.workers < 2:
            results = {name: run(picture, shared) for name, run in self.runs.items()}
        else:
            results = self._run_side_by_side(picture, shared)
        sections = tuple(
            Section(name=name, title=self.parts[name].title, rows=tuple(self.parts[name].rows(result)))
            for name, result in results.items()
        )
        drawn = tuple(name for name in results if self.parts[name].drawn)
        return Look(width=width, height=height, results=results, sections=sections, drawn=drawn)

    def _run_side_by_side(self, picture: Picture8, shared: dict[str, Any]) -> dict[str, LookResult]:
        """The result of each task, in their order."""
        running: dict[str, Future[LookResult]] = {}

        def work(name: str) -> LookResult:
            # Those it waits for were submitted earlier, so they have a thread already.
            for other in self.parts[name].after:
                if other in running:
                    running[other].result()
            return self.runs[name](picture, shared)

        with ThreadPoolExecutor(self.workers, thread_name_prefix="szem-look") as pool:
            for name in sorted(self.runs, key=lambda name: bool(self.parts[name].after)):  # what waits comes last
                running[name] = pool.submit(work, name)
            return {name: running[name].result() for name in self.runs}


@dataclass(frozen=True, kw_only=True)
class LookRequest:
    """Which tasks are wanted, separated by commas; all that are installed when left out."""

    tasks: str = option("", most=1_000)


def answer_look(picture: Picture8, request: LookRequest, open_model: OpenModel) -> dict[str, Any]:
    """The answer of each task under its name, as `Look.to_dict` gives them.

    Raises:
        UnknownNameError: no such task.
    """
    wanted = [name.strip() for name in request.tasks.split(",") if name.strip()] or None
    return Looker(wanted, open_model=open_model, workers=1)(picture).to_dict()  # the server has a process a core
