"""Where results go: standard output as JSON or CSV, and files that never replace what a person may have made.

`-o NAME` is a file where its suffix says so and there is one input; with a `/` at its end, without a suffix, or where
it is a folder already, it is a folder in which each input has a name of its own.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from szem.errors import OverwriteError, RangeError, UnknownNameError
from szem.files import ANOTHER_PLACE, no_nan, sweep_folder

__all__ = [
    "OUTPUT_OPTION",
    "Destination",
    "Stems",
    "Targets",
    "csv_table",
    "json_text",
    "name_option",
    "parse_ways",
    "print_json",
    "printable",
    "refuse_own_source",
    "refuse_two_tables",
]


OUTPUT_OPTION: ContextVar[str] = ContextVar("output_option", default="")
"""The option that says where the verb that runs writes its files, such as "--out"; empty: there is none."""


def name_option(text: str) -> str:
    """A message of the library that advises another place, with the option of this verb that names one.

    >>> with_option = OUTPUT_OPTION.set("--out")
    >>> name_option("a/b.png: cannot be written (Permission denied); choose another place")
    'a/b.png: cannot be written (Permission denied); choose another place with --out'
    >>> OUTPUT_OPTION.reset(with_option)
    """
    option = OUTPUT_OPTION.get()
    return f"{text} with {option}" if option and text.endswith(ANOTHER_PLACE) else text


_USER = re.compile(r"\b([A-Za-z][\w+.-]+:/{1,2})[^/?#\s]*@")  # pathlib leaves one of two slashes
_QUERY = re.compile(r"\b([A-Za-z][\w+.-]+:/{1,2}[^?#\s]*)[?#]\S*?(?=[:;,)'\"]?(?:\s|$))")


def printable(text: str) -> str:
    r"""A name as it may be shown: what would move the cursor, ring the bell or cannot be encoded becomes \xNN.

    An address loses its user, its password and its query: what a program prints ends up in logs.

    >>> print(printable("cat\n\x1b[31m.png"))
    cat\x0a\x1b[31m.png
    >>> printable("http://me:secret@eye.lan/a.png?token=secret: no such file")
    'http://eye.lan/a.png: no such file'
    """
    text = _QUERY.sub(r"\1", _USER.sub(r"\1", text))
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that every reader takes: numbers that are not finite are null, and all letters are ASCII.

    >>> json_text({"file": "tükör", "score": float("inf")})
    '{"file": "t\\\\u00fck\\\\u00f6r", "score": null}'
    """
    return json.dumps(no_nan(value), allow_nan=False, indent=indent)


def print_json(value: Any, *, indent: int | None = None) -> None:
    """Print JSON at once, so that a reader at the other end of a pipe need not wait."""
    print(json_text(value, indent=indent), flush=True)


def csv_table(*head: str) -> Any:
    """Print the head of a CSV table on standard output; gives the `csv.writer` for its rows."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    return writer


def refuse_two_tables(*, as_json: bool, as_csv: bool) -> None:
    """Raise `RangeError` where both --json and --csv are given."""
    if as_json and as_csv:
        raise RangeError("--json and --csv exclude each other; choose one")


def parse_ways(text: str, known: Sequence[str]) -> frozenset[str]:
    """What --write names.

    Args:
        text: As typed, with commas.
        known: What the verb can write.
    Raises:
        UnknownNameError: it names something else.
    """
    ways = frozenset() if text == "none" else frozenset(way.strip() for way in text.split(",") if way.strip())
    if strange := ways - set(known):
        raise UnknownNameError(f"--write takes {', '.join(known)} or none, got {', '.join(sorted(strange))}")
    return ways


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


class Destination:
    """What `--out` names: one file, or a folder.

    Args:
        typed: As typed.
        suffixes: Those a file may have, lower case, with the dot.
        inputs: How many inputs there are.
        option: What it was typed after.
    Raises:
        RangeError: a file is named for several inputs, or one of a format that is not written.
    """

    def __init__(self, typed: str, *, suffixes: Collection[str], inputs: int, option: str = "--out") -> None:
        self.path = Path(typed)
        ends = tuple(mark for mark in (os.sep, os.altsep) if mark)
        self.is_file = bool(self.path.suffix) and not typed.endswith(ends) and not self.path.is_dir()
        if not self.is_file:
            return
        if self.path.suffix.lower() not in suffixes:
            known = ", ".join(sorted(suffixes))
            ways = f"a file ends with {known}, a folder with /" if known else "it writes several files: name a folder"
            raise RangeError(f"{option} {typed}: {self.path.suffix} is not written here; {ways}")
        if inputs > 1:
            raise RangeError(
                f"{option} {typed} names one file, and there are {inputs} inputs; name a folder, as in {option} "
                f"{self.path.with_suffix('')}/"
            )

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return self.path.parent if self.is_file else self.path

    def file(self, name: str) -> Path:
        """The file for one input.

        Args:
            name: What it is called in a folder.
        """
        return self.path if self.is_file else self.path / name


class Targets:
    """Where the results of one run go, so that none replaces what a person may have made.

    A result never replaces an input, nor another result of the run. Where the inputs are, and in the folders above
    them, it replaces no file at all: that may be anybody's. A folder of its own, such as `detected/`, is written anew
    by each run, and what a killed run left there is swept.

    Args:
        sources: All inputs of the run; what names no file (`-`, an address) is passed over.
    """

    def __init__(self, sources: Iterable[str | os.PathLike[str]]) -> None:
        self._inputs: set[tuple[int, int]] = set()
        self._beside: set[tuple[int, int]] = set()
        self._taken: set[str] = set()
        self._swept: set[Path] = set()
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
            raise OverwriteError(f"{target} is one of the inputs and would be replaced; {ANOTHER_PLACE}")
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
        if target.parent not in self._swept:
            self._swept.add(target.parent)
            sweep_folder(target.parent)
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
