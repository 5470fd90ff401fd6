"""The grammar of options: one spelling, one letter and one meaning in every verb, declared once.

A verb takes an alias (`quiet: Quiet = False`), or `spell("--out", "Folder for the maps.")` where its help says more.
A test goes through all verbs and holds them to this table; `docs/cli.md` shows it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

__all__ = [
    "GRAMMAR",
    "LETTERS",
    "MOST_RESULTS",
    "RENAMED",
    "Csv",
    "DryRun",
    "Json",
    "Model",
    "On",
    "Quiet",
    "RayWorkers",
    "Seconds",
    "Shards",
    "SharedOption",
    "Threshold",
    "Top",
    "Workers",
    "each_within",
    "spell",
]


@dataclass(frozen=True)
class SharedOption:
    """One row of the grammar."""

    letter: str  # with its dash; empty: none
    help: str  # what it means in every verb; a verb may say more


GRAMMAR: dict[str, SharedOption] = {
    "--out": SharedOption("-o", "Where results are written: a file for one input, or a folder."),
    "--model": SharedOption("-m", "A model's name or folder.  \\[default: the shipped one]"),
    "--top": SharedOption("-n", "How many results at most, the best first."),
    "--threshold": SharedOption("", "Lowest score that counts, 0..1."),
    "--seconds": SharedOption("", "Stop after so many seconds of the source."),
    "--every": SharedOption("", "Analyze each n-th frame only."),
    "--classes": SharedOption("", "Only these classes, with commas."),
    "--write": SharedOption("", "Which files to write, with commas; none: only print."),
    "--json": SharedOption("", "Print JSON: one object a line for each input, in order."),
    "--csv": SharedOption("", "Print a CSV table."),
    "--workers": SharedOption("", "How many threads compute; 0: one per processor."),
    "--on": SharedOption(
        "", "Run on Ray: ray (this machine) or ray://HOST:PORT (a cluster); --out is a folder then."
    ),
    "--shards": SharedOption("", "With --on: results are written as jsonl, csv or parquet."),
    "--dry-run": SharedOption("", "With --on: say what would be read and how long it would take; write nothing."),
    "--quiet": SharedOption("-q", "Print results and errors only: no progress, no remarks."),
}
"""Options that several verbs share."""

LETTERS: dict[str, str] = {
    **{option.letter: name for name, option in GRAMMAR.items() if option.letter},
    "-h": "--help",
    "-k": "--kernel",
    "-l": "--layer",
    "-t": "--tasks",
    "-f": "--format",
    "-s": "--store",
    "-r": "--rules",
    "-a": "--areas",
    "-y": "--yes",
}
"""Every letter of the command line and the one option it stands for."""

RENAMED: dict[str, str] = {
    "--least": "--threshold",
    "--min-score": "--threshold",
    "--threads": "--workers",
    "--count": "--top",
}
"""Spellings of earlier versions, and those of today, for the answer to whoever types them."""


MOST_RESULTS = 1_000_000
"""Highest value of `--top`."""


def each_within(low: float, high: float) -> Callable[[tuple[float, ...] | None], tuple[float, ...] | None]:
    """Make the callback of an option that takes several numbers: each lies in a range, which NaN never does."""

    def check(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        for value in values or ():
            if not low <= value <= high:
                raise typer.BadParameter(f"each number must lie in {low:g}..{high:g}, got {value:g}")
        return values

    return check


def spell(name: str, help: str = "", **settings: Any) -> Any:
    """An option of the grammar.

    Args:
        name: A key of `GRAMMAR`.
        help: What it means in this verb, where there is more to say than in the table.
        settings: As for `typer.Option`.
    """
    option = GRAMMAR[name]
    letters = (option.letter,) if option.letter else ()
    return typer.Option(name, *letters, help=help or option.help, **settings)


Model = Annotated[str, spell("--model")]
Top = Annotated[int, spell("--top", min=1, max=MOST_RESULTS)]
Threshold = Annotated[float | None, spell("--threshold", min=0, max=1, show_default=False)]
Seconds = Annotated[float | None, spell("--seconds", min=0, max=1e9, show_default=False)]
Json = Annotated[bool, spell("--json")]
Csv = Annotated[bool, spell("--csv")]
Workers = Annotated[int, spell("--workers", min=0, max=1024)]
Quiet = Annotated[bool, spell("--quiet")]

_SCALE = "Many inputs, many machines"
On = Annotated[str, spell("--on", rich_help_panel=_SCALE)]
Shards = Annotated[str, spell("--shards", rich_help_panel=_SCALE)]
DryRun = Annotated[bool, spell("--dry-run", rich_help_panel=_SCALE)]
RayWorkers = Annotated[
    int,
    spell(
        "--workers", "With --on: how many processes; 0: one per processor.", min=0, max=1024, rich_help_panel=_SCALE
    ),
]
