"""Every task that takes part in `szem look`, on one picture. The registry's rows say which those are.

Networks are opened once, when a `Looker` is made. This file does not know about files, terminals or requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from szem.arrays import Picture8
from szem.errors import MissingExtraError, NotFoundError, UnknownNameError, UnsupportedError
from szem.media.legend import Section
from szem.results.look import Look, LookResult
from szem.tasks.contracts import OpenModel
from szem.tasks.models import open_model
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

    Args:
        tasks: Names from `look_parts()`, run in its order; all that are installed if left out.
        open_model: Opens the models.
    Raises:
        UnknownNameError: no such task.
        MissingExtraError, NotFoundError: what a task named here needs is not installed (UnknownNameError: its model).
    """

    def __init__(self, tasks: Sequence[str] | None = None, *, open_model: OpenModel = open_model) -> None:
        known = look_parts()
        unknown = [name for name in tasks or () if name not in known]
        if unknown or (tasks is not None and not tasks):
            raise UnknownNameError(f"no task called {', '.join(unknown) or 'nothing'}; choose {', '.join(known)}")
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
        results: dict[str, LookResult] = {name: run(picture, shared) for name, run in self.runs.items()}
        sections = tuple(
            Section(name=name, title=self.parts[name].title, rows=tuple(self.parts[name].rows(result)))
            for name, result in results.items()
        )
        drawn = tuple(name for name in results if self.parts[name].drawn)
        return Look(width=width, height=height, results=results, sections=sections, drawn=drawn)


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
    return Looker(wanted, open_model=open_model)(picture).to_dict()
