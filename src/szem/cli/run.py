"""Builds the typer program around the table of verbs and turns szem's errors into one clear line."""

import os
import sys
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup
from typer.main import get_command

from szem.cli import GROUPS, VERBS, load_verb
from szem.errors import SzemError

__all__ = ["run"]


class _Verbs(TyperGroup):
    """A group whose commands are imported only when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command = get_command(load_verb(cmd_name).app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = get_close_matches(args[0], VERBS, n=1)
            advice = f"did you mean {near[0]}?" if near else "szem --help lists them"
            ctx.fail(f"there is no verb {args[0]!r}; {advice}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        console = Console(highlight=False)
        console.print("\n[bold]szem[/]: pictures, video, sound and text understood on your own machine.\n")
        console.print("Begin with  [bold]szem look[/]              a bundled picture")
        console.print("       or   [bold]szem look PHOTO.jpg[/]    one of yours\n")
        table = Table.grid(padding=(0, 3))
        for group, title in GROUPS.items():
            table.add_row(f"[bold]{title}[/]")
            for name, verb in VERBS.items():
                if verb.group == group:
                    table.add_row(f"  [bold cyan]{name}[/]", verb.summary)
        console.print(table)
        console.print("\n[bold]szem VERB --help[/] says more; [bold]--version[/] says which szem this is.")

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SzemError as error:
            if os.environ.get("SZEM_DEBUG"):
                raise
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            from szem.cli.walk import printable

            console.print(f"[bold red]szem:[/] {escape(printable(str(error)))}")
            raise typer.Exit(1) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"szem {version('szem')}")
        raise typer.Exit


_app = typer.Typer(
    cls=_Verbs,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@_app.callback()
def _options(
    show_version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_show_version, help="Say the version."
    ),
) -> None:
    """Options before the verb."""


def run(argv: list[str]) -> int:
    """Run one command line.

    Returns:
        0 when all went well, 1 when something could not be done, 2 for wrong usage, 130 when interrupted.
    """
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what the terminal cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        get_command(_app)(argv or ["--help"], prog_name="szem")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
