"""Builds the typer program around the table of verbs and turns szem's errors into one clear line."""

import inspect
import os
import re
import sys
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup
from typer.main import get_command

from szem.cli.options import RENAMED
from szem.cli.outputs import OUTPUT_OPTION, name_option, printable
from szem.cli.verbs import GROUPS, VERBS, load_verb
from szem.errors import SzemError
from szem.files import is_disk_full, write_error

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
        _unwrap_help(command)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = get_close_matches(args[0], VERBS, n=1)
            advice = f"did you mean {near[0]}?" if near else "szem --help lists them"
            ctx.fail(f"there is no verb {args[0]!r}; {advice}")
        for text in takewhile(lambda text: text != "--", args[1:]):
            name = text.partition("=")[0]
            if name in RENAMED:
                ctx.fail(f"{name} is called {RENAMED[name]} now; szem {args[0]} --help lists all options")
        found = super().resolve_command(ctx, args)
        OUTPUT_OPTION.set(_output_option(found[1]))
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        console = Console(highlight=False)
        console.print("\n[bold]szem[/]: vision, audio and text models that run offline on your own machine.\n")
        console.print("Begin with  [bold]szem look[/]              a bundled picture")
        console.print("       or   [bold]szem look PHOTO.jpg[/]    one of yours\n")
        widest = max(map(len, VERBS))
        for group, title in GROUPS.items():
            console.print(f"[bold]{title}[/]")
            table = Table.grid(padding=(0, 2))
            for name, verb in VERBS.items():
                if verb.group == group:
                    table.add_row(f"  [bold cyan]{name.ljust(widest)}[/]", verb.summary)
            console.print(table)
            console.print()
        console.print("[bold]szem VERB --help[/] says more; [bold]--version[/] says which szem this is.")

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has gone; click ends in silence
            raise
        except (SzemError, OSError) as error:
            if os.environ.get("SZEM_DEBUG"):
                raise
            _print_error(name_option(_message(error)))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            _print_error("interrupted")
            raise typer.Exit(130) from error


def _unwrap_help(command: Any) -> None:
    """Join the lines of each paragraph of a docstring, which typer would break where the source does."""
    command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(command.help or ""))
    for below in getattr(command, "commands", {}).values():
        _unwrap_help(below)


def _output_option(command: Any) -> str:
    """The option that says where a verb, or one below it, writes; empty: there is none."""
    parameters = [one for c in (command, *getattr(command, "commands", {}).values()) for one in c.params]
    names = {one.name: one.opts[0] for one in reversed(parameters)}
    return next((names[name] for name in ("out", "index", "store") if name in names), "")


def _message(error: Exception) -> str:
    """One line. An error of the system names its file; standard output has no name."""
    if isinstance(error, SzemError) or not isinstance(error, OSError) or not error.strerror:
        return str(error)
    name = error.filename2 or error.filename  # of two files, the second one is written
    if is_disk_full(error):
        if isinstance(name, str):
            return str(write_error(name, error))
        return "standard output: cannot be written: the disk is full; free some space or write elsewhere"
    if isinstance(name, str):
        return f"{name}: {error.strerror}; check the path and its rights"
    return f"{error.strerror}; SZEM_DEBUG=1 shows where"


def _print_error(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]szem:[/] {escape(printable(text))}")


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
        0: all is done. 1: something could not be done, or the text of an option is refused. 2: there is no such verb
        or option, or a number lies outside its option's range. 130: interrupted by Ctrl-C.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as by >&-
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what the terminal cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        get_command(_app)(argv or ["--help"], prog_name="szem")
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BrokenPipeError:
        status = 1
    except OSError as error:  # from printing help; verbs' own are caught in `invoke`
        _print_error(_message(error))
        status = 1
    return _flush_output() or status


def _flush_output() -> int:
    """Write out what is left of standard output, while a fault can be reported; 1 where it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return 1
    except OSError as error:
        _discard_output()
        _print_error(_message(error))
        return 1
    return 0


def _discard_output() -> None:
    """Have the interpreter's own flush at exit find an output that takes everything."""
    with suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, sys.stdout.fileno())
        os.close(handle)
