"""From what a person types (files, folders, globs, `-`) to files, and the loop over them.

One bad file never stops the rest: it is counted, reported at the end with its reason, and decides the exit status. No
picture, video or sound is passed over in silence.
"""

import glob
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from szem.arrays import Picture8
from szem.cli.outputs import Stems, name_option, printable
from szem.errors import FileMissingError, SzemError
from szem.files import is_disk_full
from szem.media.formats import HEAD_BYTES, TIFF, Format, Kind, recognize_bytes, recognize_suffix, why_not_read
from szem.media.pages import count_pages, read_pages
from szem.media.pictures import PICTURE_SUFFIXES, read_picture

__all__ = ["PDF_SUFFIX", "STDIN", "Failure", "Item", "each_picture", "find_files", "report_failures", "split_pages"]

STDIN = "-"
PDF_SUFFIX = ".pdf"
_KINDS = {".png": "picture", ".wav": "sound", ".mp4": "video"}  # a suffix of each kind of files
_AHEAD = 2  # pictures read while another is worked on
_MOST_NOTES = 5  # names of files of other kinds


@dataclass(frozen=True)
class Item:
    """One input: what to call it, and how to read it."""

    name: str
    stem: str  # for what is made of it; no two inputs of a run share one
    page: int = 0  # from 1, of a file of pages; 0: the file is one picture
    file: str = ""  # of a page: its file

    def read(self) -> Picture8:
        """Read the picture; raises the errors of `read_picture`, and of `read_pages` for a page."""
        if self.page:
            return next(read_pages(self.file, [self.page - 1]))
        if self.name == STDIN:
            return read_picture(sys.stdin.buffer)
        return read_picture(self.name)


@dataclass(frozen=True)
class Failure:
    """An input that could not be done, and why."""

    name: str
    reason: str
    missing: bool = False  # it was never among the inputs: it names nothing, or was passed over
    is_note: bool = False  # of a kind that the verb does not take: worth a word, no fault


def find_files(
    paths: Sequence[str],
    *,
    suffixes: frozenset[str] = PICTURE_SUFFIXES,
    leave_out: Path | None = None,
    stems: Stems | None = None,
) -> tuple[list[Item], list[Failure]]:
    """Expand files, folders (all levels), globs and `-`.

    A file named outright is taken whatever it is; in folders and globs only `suffixes` are. What looks like a
    picture, video or sound there and is not taken is among the failures. Hidden files and folders inside a folder are
    passed over. What is named may be a link; links inside a folder are not followed, and are among the failures.

    Args:
        paths: As typed.
        suffixes: Lower case, with the dot.
        leave_out: A folder to pass over: the one that is written to, so that no run eats what another made.
        stems: Where the run has inputs besides, which need names of their own.
    Returns:
        The inputs in order without repeats; and what names nothing, cannot be entered or is not taken.
    """
    items: list[Item] = []
    failures: list[Failure] = []
    seen: set[str] = set()
    stems = Stems() if stems is None else stems
    walk = _Walk(suffixes, leave_out, failures)
    for text in paths:
        before = len(failures)
        found = [Path(STDIN)] if text == STDIN else list(walk.expand(text))
        for path in found:
            # a file that is called "-" must not read standard input
            key = f".{os.sep}{path}" if text != STDIN and str(path) == STDIN else str(path)
            if key not in seen:
                seen.add(key)
                items.append(Item(name=key, stem=stems.of(Path("stdin") if key == STDIN else path)))
        if not found and all(failure.is_note for failure in failures[before:]):
            failures.append(Failure(text, _why_nothing(text, walk.kinds), missing=True))
    return items, failures


def split_pages(items: Sequence[Item], failures: list[Failure]) -> list[Item]:
    """Each page of a PDF as an input of its own; a file that cannot be opened is added to `failures`."""
    out: list[Item] = []
    for item in items:
        if Path(item.name).suffix.lower() != PDF_SUFFIX:
            out.append(item)
            continue
        try:
            count = count_pages(item.name)
        except SzemError as error:
            failures.append(Failure(item.name, str(error), missing=True))
            continue
        pages = range(1, count + 1)
        out += [Item(f"{item.name}, page {n}", f"{item.stem}-page-{n}", page=n, file=item.name) for n in pages]
    return out


class _Walk:
    """Goes through what was typed and notes what it passes over.

    Args:
        suffixes: Of the files that are taken.
        leave_out: A folder that is not entered.
        failures: Grows with what is passed over.
    """

    def __init__(self, suffixes: frozenset[str], leave_out: Path | None, failures: list[Failure]) -> None:
        self.suffixes, self.leave_out, self.failures = suffixes, leave_out, failures
        self.kinds = [kind for suffix, kind in _KINDS.items() if suffix in suffixes]

    def expand(self, text: str) -> Iterator[Path]:
        """The files of one path as typed."""
        if not text:  # Path("") is the folder one is in
            return
        try:
            path = Path(text)
            if path.is_dir():
                yield from self._in_folder(path)
            elif os.path.lexists(path):  # also a link to nowhere: reading it says what is wrong
                yield path
            elif glob.has_magic(text):
                for name in sorted(glob.glob(text, recursive=True), key=_as_people_count):
                    hit = Path(name)
                    if hit.is_dir():
                        yield from self._in_folder(hit)
                    elif self._is_taken(hit):
                        yield hit
        except (OSError, ValueError, re.error):  # a name too long, or with a NUL: it names nothing
            return

    def _in_folder(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder that is taken; links are not followed."""

        def note(error: OSError) -> None:
            reason = f"cannot be entered ({error.strerror or error})"
            self.failures.append(Failure(str(error.filename), reason, missing=True))

        for root, folders, files in os.walk(folder, onerror=note):
            folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_as_people_count)
            if self.leave_out is not None:
                folders[:] = [f for f in folders if not _same(Path(root, f), self.leave_out)]
            for name in sorted(files, key=_as_people_count):
                path = Path(root, name)
                if name.startswith(".") or not self._is_taken(path):
                    continue
                if path.is_symlink():  # whoever may write to the folder does not choose what is read
                    reason = "a link, which is not followed in a folder; name what it leads to"
                    self.failures.append(Failure(str(path), reason, missing=True))
                    continue
                yield path

    def _is_taken(self, path: Path) -> bool:
        """Whether a file is an input; what is none, though it looks like one, is noted."""
        suffix = path.suffix.lower()
        if suffix in self.suffixes:
            return True
        found = recognize_suffix(suffix)
        if found is not None or not suffix:
            by_bytes = _recognize(path)  # what a file is, its bytes say; but raw files look like TIFF
            found = found if found is not None and by_bytes == TIFF else by_bytes or found
        elif suffix in _all_suffixes():
            found = Format(suffix.lstrip(".").upper(), _kind_of(suffix))
        if found is None:
            return False
        if found.kind in self.kinds:
            if found.is_read:
                return True
            self.failures.append(Failure(str(path), why_not_read(found), missing=True))
        else:
            reason = f"a {found.kind}, where {_listed(self.kinds)} are looked for"
            self.failures.append(Failure(str(path), reason, missing=True, is_note=True))
        return False


def _recognize(path: Path) -> Format | None:
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with path.open("rb") as file:
            return recognize_bytes(file.read(HEAD_BYTES))
    except OSError:
        return None


def _all_suffixes() -> frozenset[str]:
    from szem.media.sound import SOUND_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES

    return PICTURE_SUFFIXES | SOUND_SUFFIXES | VIDEO_SUFFIXES


def _kind_of(suffix: str) -> Kind:
    from szem.media.video import VIDEO_SUFFIXES

    return "picture" if suffix in PICTURE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else "sound"


def _listed(kinds: Sequence[str]) -> str:
    """As in "pictures or videos"."""
    return " or ".join(f"{kind}s" for kind in kinds)


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def _as_people_count(name: str) -> list[tuple[int, int, str]]:
    """A key that puts shot2 before shot10."""
    parts = re.split(r"(\d{1,18})", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _why_nothing(text: str, kinds: Sequence[str]) -> str:
    if not text:
        return "an empty path; name a file or folder"
    try:
        if Path(text).is_dir():
            return f"no {_listed(kinds)} in this folder"
        if glob.has_magic(text):
            there = any(True for _ in glob.iglob(text, recursive=True))
            return f"no {_listed(kinds)} match this pattern" if there else "nothing matches this pattern"
    except (OSError, ValueError, re.error):
        return "not a path"
    return "no such file or folder"


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
    Raises:
        StoreError, OSError: the disk is full, so that the rest need not be tried.
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
                    if is_disk_full(error):  # the rest would fail alike
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
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
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
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    _print_notes([failure for failure in failures if failure.is_note], console)
    failures = [failure for failure in failures if not failure.is_note]
    if not failures:
        return 0
    if total == 0 and len(failures) == 1:
        raise FileMissingError(_reason_line(failures[0]))
    of = total + sum(failure.missing for failure in failures)
    if of > 1:
        console.print(f"[bold red]szem:[/] {len(failures)} of {of} could not be done:")
    for failure in failures:
        console.print(f"{'  ' if of > 1 else 'szem: '}{_reason_line(failure)}", markup=False)
    return 1


def _reason_line(failure: Failure) -> str:
    """Name and reason; the reason alone where it holds the name, or where there is no name."""
    reason = printable(name_option(failure.reason.removeprefix(f"{failure.name}: ")))
    return f"{printable(failure.name)}: {reason}" if failure.name else reason


def _print_notes(notes: Sequence[Failure], console: Console) -> None:
    for reason in dict.fromkeys(note.reason for note in notes):
        same = [printable(note.name) for note in notes if note.reason == reason]
        more = f" and {len(same) - _MOST_NOTES} more" if len(same) > _MOST_NOTES else ""
        names = ", ".join(same[:_MOST_NOTES])
        console.print(f"szem: passed over: {names}{more}: {reason}", style="dim", markup=False)
