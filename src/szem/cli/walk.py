"""From what a person types (files, folders, globs, `-`) to files, the loop over them, and where what is made may go.

One bad file never stops the rest: it is counted, reported at the end with its reason, and decides the exit status.
No result replaces a file that a person may have made.
"""

import glob
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from szem.arrays import Picture8
from szem.errors import FileMissingError, OverwriteError, SzemError
from szem.media.pictures import PICTURE_SUFFIXES, read_picture

__all__ = [
    "STDIN",
    "Failure",
    "Item",
    "Stems",
    "Targets",
    "each_picture",
    "find_files",
    "printable",
    "refuse_own_source",
    "report_failures",
]

STDIN = "-"
_KINDS = {".png": "pictures", ".wav": "sounds", ".mp4": "films"}  # a suffix of each kind of files
_AHEAD = 2  # pictures read while another is worked on


@dataclass(frozen=True)
class Item:
    """One input: what to call it, and how to read it."""

    name: str
    stem: str  # for what is made of it; no two inputs of a run share one

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
    missing: bool = False  # it names nothing, so it was never an input


@dataclass
class Stems:
    """Gives each input an output name of its own, also when two folders hold the same file name."""

    taken: set[str] = field(default_factory=set)

    def of(self, path: Path) -> str:
        """A name for what is made of one input."""
        stem, n = printable(path.stem).replace("\\", "_") or "picture", 1
        unique = stem
        while unique.lower() in self.taken:
            n += 1
            unique = f"{stem}-{n}"
        self.taken.add(unique.lower())
        return unique


class Targets:
    """Where the results of one run go, so that none replaces what a person may have made.

    A result never replaces an input, nor another result of the run. Where the inputs are, and in the folders above
    them, it replaces no file at all: that may be anybody's. A folder of its own, such as `detected/`, is written anew
    by each run.

    Args:
        sources: All inputs of the run; what names no file (`-`, an address) is passed over.
    """

    def __init__(self, sources: Iterable[str | os.PathLike[str]]) -> None:
        self._inputs: set[tuple[int, int]] = set()
        self._beside: set[tuple[int, int]] = set()
        self._taken: set[str] = set()
        folders: set[Path] = set()
        for source in sources:
            key = _identity(source)
            if key is not None:
                self._inputs.add(key)
                folder = Path(source).parent.resolve()
                folders.update((folder, *folder.parents))
        self._beside.update(key for folder in folders if (key := _identity(folder)) is not None)

    def check(self, target: Path, *, typed: bool = False) -> Path:
        """Give the target back, if it may be written.

        Args:
            target: A file.
            typed: The user typed this very name: then a file that is no input may be replaced.
        Raises:
            OverwriteError: it would replace an input, a result of this run, or a file where the inputs are.
        """
        if _place(target) in self._taken:
            raise OverwriteError(
                f"{target} is what another input of this run is written to; give --out a folder, where each has a "
                "name of its own"
            )
        key = _identity(target)
        if key is None:
            return target
        if key in self._inputs:
            raise OverwriteError(
                f"{target} is one of the inputs and would be replaced; choose another place to write to"
            )
        if not typed and _identity(target.parent) in self._beside:
            raise OverwriteError(
                f"{target} is there already, where the inputs are, and is left alone; choose another folder to "
                "write to, or move it away"
            )
        return target

    def take(self, target: Path, *, typed: bool = False) -> Path:
        """`check` the target and keep it for one input; raises as `check` does."""
        self.check(target, typed=typed)
        self._taken.add(_place(target))
        return target


def refuse_own_source(target: Path, sources: Iterable[str | os.PathLike[str]], *, typed: bool = False) -> Path:
    """One question to `Targets`, for a run that writes a single file.

    Args:
        target: The file to write.
        sources: All inputs of the run.
        typed: The user typed this very name: then a file that is no input may be replaced.
    Returns:
        The target.
    Raises:
        OverwriteError: it would replace an input, or a file where the inputs are.
    """
    return Targets(sources).check(target, typed=typed)


def _place(target: Path) -> str:
    return os.path.normcase(target.parent.resolve() / target.name)


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What two names of one file have in common; None where there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def printable(text: str) -> str:
    r"""A name as it may be shown: what would move the cursor, ring the bell or cannot be encoded becomes \xNN.

    >>> print(printable("cat\n\x1b[31m.png"))
    cat\x0a\x1b[31m.png
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def find_files(
    paths: Sequence[str],
    *,
    suffixes: frozenset[str] = PICTURE_SUFFIXES,
    leave_out: Path | None = None,
    stems: Stems | None = None,
) -> tuple[list[Item], list[Failure]]:
    """Expand files, folders (all levels), globs and `-`.

    A file named outright is taken whatever its suffix; in folders and globs only `suffixes` are. Hidden files and
    folders inside a folder are passed over.

    Args:
        paths: As typed.
        suffixes: Lower case, with the dot.
        leave_out: A folder to pass over: the one that is written to, so that no run eats what another made.
        stems: Where the run has inputs besides, which need names of their own.
    Returns:
        The inputs in order without repeats, and what names nothing or cannot be entered.
    """
    items: list[Item] = []
    failures: list[Failure] = []
    seen: set[str] = set()
    stems = Stems() if stems is None else stems
    for text in paths:
        found = [Path(STDIN)] if text == STDIN else list(_expand(text, suffixes, leave_out, failures))
        for path in found:
            key = str(path)
            if key not in seen:
                seen.add(key)
                items.append(Item(name=key, stem=stems.of(Path("stdin") if key == STDIN else path)))
        if not found:
            failures.append(Failure(text, _why_nothing(text, suffixes), missing=True))
    return items, failures


def _expand(text: str, suffixes: frozenset[str], leave_out: Path | None, failures: list[Failure]) -> Iterator[Path]:
    if not text:  # Path("") is the folder one is in
        return
    try:
        path = Path(text)
        if path.is_dir():
            yield from _in_folder(path, suffixes, leave_out, failures)
        elif os.path.lexists(path):  # also a link to nowhere: reading it says what is wrong
            yield path
        elif glob.has_magic(text):
            for name in sorted(glob.glob(text, recursive=True), key=_as_people_count):
                hit = Path(name)
                if hit.is_dir():
                    yield from _in_folder(hit, suffixes, leave_out, failures)
                elif hit.suffix.lower() in suffixes:
                    yield hit
    except (OSError, ValueError, re.error):  # a name too long, or with a NUL: it names nothing
        return


def _in_folder(
    folder: Path, suffixes: frozenset[str], leave_out: Path | None, failures: list[Failure]
) -> Iterator[Path]:
    """Every picture below a folder; links to folders are not followed, since they may lead round in circles."""

    def note(error: OSError) -> None:
        failures.append(Failure(str(error.filename), f"cannot be entered ({error.strerror or error})", missing=True))

    for root, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_as_people_count)
        if leave_out is not None:
            folders[:] = [f for f in folders if not _same(Path(root, f), leave_out)]
        for name in sorted(files, key=_as_people_count):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(root, name)


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def _as_people_count(name: str) -> list[tuple[int, int, str]]:
    """A key that puts shot2 before shot10."""
    parts = re.split(r"(\d{1,18})", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _why_nothing(text: str, suffixes: frozenset[str]) -> str:
    if not text:
        return "an empty path; name a file or folder"
    try:
        if Path(text).is_dir():
            kinds = [kind for suffix, kind in _KINDS.items() if suffix in suffixes]
            return f"no {' or '.join(kinds)} in this folder"
    except (OSError, ValueError):
        return "not a path"
    return "nothing matches this pattern" if glob.has_magic(text) else "no such file or folder"


def each_picture(
    items: Sequence[Item],
    failures: list[Failure],
    *,
    work: Callable[[Item, Picture8], None],
    quiet: bool = False,
    failed: Callable[[Failure], None] | None = None,
) -> None:
    """Read each input and do the work on it, in order; what fails is added to `failures`.

    The next inputs are read by another thread meanwhile.

    Args:
        items: From `find_files`.
        failures: Grows with each input that could not be done.
        work: Called with the input and its picture.
        quiet: No progress bar (it shows only in a terminal and for more than three inputs anyway).
        failed: Called with each failure as it happens.
    """
    with _bar(len(items), quiet=quiet) as bar, ThreadPoolExecutor(1, thread_name_prefix="szem-read") as reader:
        task = bar.add_task("pictures", total=len(items))
        coming: list[Future[Picture8]] = []
        try:
            for index, item in enumerate(items):
                while len(coming) <= _AHEAD and index + len(coming) < len(items):
                    coming.append(reader.submit(items[index + len(coming)].read))
                bar.update(task, description=_short(item.name))
                try:
                    work(item, coming.pop(0).result())
                except BrokenPipeError:  # whoever read our output has gone
                    raise
                except Exception as error:  # one input must not take the others with it
                    if os.environ.get("SZEM_DEBUG"):
                        raise
                    failures.append(Failure(item.name, _reason(error)))
                    if failed is not None:
                        failed(failures[-1])
                bar.advance(task)
        finally:
            for future in coming:
                future.cancel()


def _bar(total: int, *, quiet: bool) -> Progress:
    """On the terminal that shows the answers too, so that the two do not write over each other."""
    console = Console() if sys.stdout.isatty() else Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=quiet or total <= 3 or not console.is_terminal)


def _short(name: str, most: int = 32) -> str:
    shown = printable(Path(name).name)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _reason(error: Exception) -> str:
    if isinstance(error, SzemError):
        return str(error)
    return f"szem failed on it ({type(error).__name__}: {error}); please report this, SZEM_DEBUG=1 shows where"


def report_failures(failures: Sequence[Failure], *, total: int) -> int:
    """List what could not be done on standard error.

    Args:
        failures: From `find_files` and `each_picture`.
        total: How many inputs there were.
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
    of = total + sum(failure.missing for failure in failures)
    if of > 1:
        console.print(f"[bold red]szem:[/] {len(failures)} of {of} could not be done:")
    for failure in failures:
        reason = printable(failure.reason.removeprefix(f"{failure.name}: "))
        start = "  " if of > 1 else "szem: "
        console.print(f"{start}{printable(failure.name)}: {reason}", markup=False)
    return 1
