"""From what a person types (files, folders, globs, `-`) to picture files, and the loop over them.

One bad file never stops the rest: it is counted, reported at the end with its reason, and decides the exit status.
"""

import glob
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from szem.arrays import Picture8
from szem.errors import FileMissingError, SzemError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture

__all__ = ["Failure", "Item", "each_picture", "find_files", "report_failures"]

STDIN = "-"


@dataclass(frozen=True)
class Item:
    """One input: what to call it, and how to read it."""

    name: str
    stem: str

    def read(self) -> Picture8:
        """Read the picture; raises the errors of `read_picture`."""
        if self.name == STDIN:
            return read_picture(sys.stdin.buffer)
        return read_picture(self.name)


@dataclass(frozen=True)
class Failure:
    """An input that could not be done, and why."""

    name: str
    reason: str


@dataclass
class _Stems:
    """Gives each input an output name of its own, also when two folders hold the same file name."""

    taken: set[str] = field(default_factory=set)

    def of(self, path: Path) -> str:
        stem, n = path.stem or "picture", 1
        unique = stem
        while unique.lower() in self.taken:
            n += 1
            unique = f"{stem}-{n}"
        self.taken.add(unique.lower())
        return unique


def find_files(
    paths: Sequence[str], *, suffixes: frozenset[str] = PICTURE_SUFFIXES
) -> tuple[list[Item], list[Failure]]:
    """Expand files, folders (all levels), globs and `-`.

    A file named outright is taken whatever its suffix; in folders and globs only `suffixes` are.

    Returns:
        The inputs in order without repeats, and the paths that name nothing.
    """
    items: list[Item] = []
    missing: list[Failure] = []
    seen: set[str] = set()
    stems = _Stems()

    def add(path: Path) -> None:
        key = str(path)
        if key not in seen:
            seen.add(key)
            items.append(Item(name=key, stem=stems.of(path)))

    for text in paths:
        if text == STDIN:
            if STDIN not in seen:
                seen.add(STDIN)
                items.append(Item(name=STDIN, stem=stems.of(Path("stdin"))))
            continue
        found = list(_expand(text, suffixes))
        for path in found:
            add(path)
        if not found:
            missing.append(Failure(text, _why_nothing(text)))
    return items, missing


def _expand(text: str, suffixes: frozenset[str]) -> Iterator[Path]:
    path = Path(text)
    try:
        if path.is_dir():
            yield from _in_folder(path, suffixes)
        elif path.exists():
            yield path
        elif glob.has_magic(text):
            for name in sorted(glob.glob(text, recursive=True)):
                hit = Path(name)
                if hit.is_dir():
                    yield from _in_folder(hit, suffixes)
                elif hit.suffix.lower() in suffixes:
                    yield hit
    except (OSError, ValueError):  # a name too long, or with a NUL: it names nothing
        return


def _in_folder(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith("."):
            yield path


def _why_nothing(text: str) -> str:
    path = Path(text)
    try:
        if path.is_dir():
            return "no pictures in this folder"
    except (OSError, ValueError):
        return "not a path"
    return "nothing matches this pattern" if glob.has_magic(text) else "no such file or folder"


def each_picture(
    items: Sequence[Item],
    failures: list[Failure],
    *,
    work: Callable[[Item, Picture8], None],
    quiet: bool = False,
) -> None:
    """Read each input and do the work on it; what fails is added to `failures`.

    Args:
        items: From `find_files`.
        failures: Grows with each input that could not be done.
        work: Called with the input and its picture.
        quiet: No progress bar (it shows only in a terminal and for more than three inputs anyway).
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or len(items) <= 3 or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("pictures", total=len(items))
        for item in items:
            bar.update(task, description=Path(item.name).name[:40])
            try:
                work(item, item.read())
            except SzemError as error:
                failures.append(Failure(item.name, str(error)))
            bar.advance(task)


def report_failures(failures: Sequence[Failure], *, total: int) -> int:
    """List what could not be done on standard error.

    Returns:
        The exit status: 0 when nothing failed, else 1.
    Raises:
        FileMissingError: there was nothing to do at all, and a single path was to blame.
    """
    if not failures:
        return 0
    if total == 0 and len(failures) == 1:
        raise FileMissingError(f"{failures[0].name}: {failures[0].reason}")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(
        f"\n{len(failures)} of {total + sum(f.reason.startswith('no') for f in failures)} could not be done:"
    )
    for failure in failures:
        reason = failure.reason.removeprefix(f"{failure.name}: ")
        console.print(f"  {failure.name}: {reason}", markup=False)
    return 1
