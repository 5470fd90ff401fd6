"""`szem look`: all that szem sees in pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Csv, DryRun, Json, On, Quiet, RayWorkers, Shards, spell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from szem.arrays import Picture8
    from szem.cli.walk import Failure, Item
    from szem.media.legend import Row, Section
    from szem.results.look import Look

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_CSV_HEAD = ("file", "task", "rank", "name", "value", "note", "x0", "y0", "x1", "y1")
_BAR = 14  # characters
_MOST_ROWS = 6  # of a section; --json and --csv give all

_Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Pictures, folders, patterns; - reads from standard input. Nothing: bundled pictures."),
]
_Out = Annotated[str, spell("--out", "Where annotated pictures go: a file for one input, or a folder.")]


@app.command()
def look(
    context: typer.Context,
    paths: _Paths = None,
    tasks: str = typer.Option(
        "", "--tasks", "-t", help="Which tasks, with commas; all that are installed if left out."
    ),
    as_json: Json = False,
    as_csv: Csv = False,
    out: _Out = "",
    suffix: str = typer.Option(".jpg", "--format", "-f", help="Of the annotated pictures: .jpg, .png or .webp."),
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Run every installed task on pictures: labels, boxes, masks, a caption, colours, crops, sharpness.

    One bad file never stops the rest: it is listed at the end with its reason, and the exit status is then 1.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(context, "look", paths or (), "tasks", shards=shards, workers=workers)
    from szem.cli.outputs import Destination, Targets, refuse_two_tables
    from szem.cli.walk import each_picture, find_files, report_failures
    from szem.media.pictures import WRITTEN_SUFFIXES, encode_picture, write_picture
    from szem.media.samples import read_sample, sample_path
    from szem.tasks.look import Looker

    refuse_two_tables(as_json=as_json, as_csv=as_csv)
    encode_picture(read_sample("coins")[:1, :1], suffix=suffix)  # a format that cannot be written is said at once
    looker = Looker([name.strip() for name in tasks.split(",") if name.strip()] if tasks else None)
    show = _json_line if as_json else _CsvTable() if as_csv else _for_people(looker.skipped)
    given = paths or [str(sample_path(name)) for name in ("cat", "coffee", "astronaut")]
    items, failures = find_files(given, leave_out=Path(out) if out else None)
    to = Destination(out, suffixes=WRITTEN_SUFFIXES, inputs=len(items)) if out else None
    targets = Targets(item.name for item in items)

    def work(item: "Item", picture: "Picture8") -> None:
        file = None if to is None else targets.take(to.file(f"{item.stem}{suffix}"), typed=to.is_file)
        seen = looker(picture)
        if file is not None:
            write_picture(file, seen.draw(picture))
        show(item.name, seen)

    each_picture(items, failures, work=work, quiet=quiet, failed=_json_failure if as_json else None)
    if as_json:
        for failure in failures:
            if failure.missing and not failure.is_note:
                _json_failure(failure)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)


def _json_line(name: str, seen: "Look") -> None:
    from szem.cli.outputs import print_json

    print_json({"file": name, **seen.to_dict()})


def _json_failure(failure: "Failure") -> None:
    from szem.cli.outputs import print_json

    print_json({"file": failure.name, "error": failure.reason.removeprefix(f"{failure.name}: ")})


class _CsvTable:
    """Prints the heading once, then a line for each row of an answer."""

    def __init__(self) -> None:
        self._writer: Any = None

    def __call__(self, name: str, seen: "Look") -> None:
        from szem.cli.outputs import csv_table

        if self._writer is None:
            self._writer = csv_table(*_CSV_HEAD)
        for section in seen.sections:
            for rank, row in enumerate(section.rows, start=1):
                value = "" if row.value is None else f"{row.value:.4f}"
                box = row.box_xyxy or ("",) * 4
                self._writer.writerow((name, section.name, rank, row.name, value, row.note, *box))


def _for_people(skipped: dict[str, str]) -> "Callable[[str, Look], None]":
    """Cards on a terminal; the same tables without frames and colours where the output goes elsewhere."""
    from rich.console import Console

    from szem.cli.outputs import printable

    console = Console(highlight=False)
    for task, why in skipped.items():
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"{task}: left out, {why}", style="dim", markup=False
        )

    def card(name: str, seen: "Look") -> None:
        console.print(_card(printable(name), seen, console.width))

    def lines(name: str, seen: "Look") -> None:
        print(f"{printable(name)}  {seen.width}×{seen.height}")
        for section in seen.sections:
            if section.rows:
                print(f"\n  {section.title}")
                print("\n".join(_plain_rows(section)))
        print(flush=True)

    return card if console.is_terminal else lines


def _plain_rows(section: "Section") -> list[str]:
    """The rows of a section in columns, for a pipe or a file."""
    rows = [
        (row.name, "" if row.value is None else f"{row.value:.0%}", row.note) for row in section.rows[:_MOST_ROWS]
    ]
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"    {name:<{names}}  {value:>{values}}  {note}".rstrip() for name, value, note in rows]
    more = len(section.rows) - len(rows)
    return lines + ([f"    and {more} more; --json and --csv print all"] if more else [])


def _card(name: str, seen: "Look", width: int) -> "RenderableType":
    """A frame around the sections, in two columns where the terminal is wide enough."""
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    tables = [_section(section) for section in seen.sections if section.rows]
    body: RenderableType
    if width >= 100:
        grid = Table.grid(padding=(0, 4))
        grid.add_row(Group(*tables[::2]), Group(*tables[1::2]))
        body = grid
    else:
        body = Group(*tables)
    title = Text.assemble((name, "bold"), f"  {seen.width}×{seen.height}")
    return Panel(
        body, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(1, 2, 0, 2), expand=False
    )


def _section(section: "Section") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None,
        show_header=False,
        title=section.title,
        title_justify="left",
        title_style="bold cyan",
        padding=(0, 1, 0, 0),
    )
    for row in section.rows[:_MOST_ROWS]:
        name = Text(row.name)
        if row.rgb is not None:
            name = Text.assemble(("██ ", "rgb({},{},{})".format(*row.rgb)), row.name)
        table.add_row(name, *_bar(row), Text(row.note, style="dim"))
    table.add_row("")
    return table


def _bar(row: "Row") -> "Sequence[RenderableType]":
    from rich.text import Text

    if row.value is None:
        return "", ""
    full, part = divmod(round(row.value * _BAR * 8), 8)
    drawn = "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
    return Text(drawn.ljust(_BAR), style="cyan"), Text(f"{row.value:.0%}", justify="right")
