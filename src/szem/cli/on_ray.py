"""`--on`: the same verb over many inputs on Ray. What the verb prints or draws is written as files of results."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from szem.errors import RangeError

if TYPE_CHECKING:
    from szem.scale.driver import DryRun

__all__ = ["run_on_ray"]

_SHARED = {"context", "on", "shards", "dry_run", "workers", "out", "quiet", "paths", "sources"}


def run_on_ray(
    context: typer.Context,
    task: str,
    sources: Sequence[str],
    fields: str,
    extra: Mapping[str, Any] | None = None,
    *,
    shards: str,
    workers: int,
) -> NoReturn:
    """Run the verb that is being run on Ray, and end it with its exit status.

    Args:
        context: Of the verb: what was typed.
        task: One of `szem.scale.open_task.task_names()`.
        sources: As typed.
        fields: Options of the verb that the task's request has, with its name for each where it differs: "top=n".
        extra: Further fields of the request.
        shards: Format of the results.
        workers: How many processes; 0: one per processor.
    Raises:
        RangeError: an option is given that has no meaning here.
        SzemError: as `szem.scale.run`.
    """
    from rich.console import Console

    from szem.cli.outputs import printable
    from szem.scale.driver import dry_run, run

    given = context.params
    if not given["on"]:
        raise RangeError("--dry-run says what --on would do; add --on ray")
    names = {name: field or name for name, _, field in (text.partition("=") for text in fields.split())}
    # An option that workers would not heed is refused, not ignored: nobody would notice that results lack it.
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        is_typed = source is not None and source.name == "COMMANDLINE"
        if is_typed and parameter.name not in _SHARED | set(names):
            raise RangeError(f"{parameter.opts[0]} has no meaning with --on: results are files; leave it out")
    if not sources or "-" in sources:
        raise RangeError("--on reads files, folders, patterns and addresses; name one")
    options = {field: given[name] for name, field in names.items() if given[name] is not None} | dict(extra or {})
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if given["dry_run"]:
        _print_plan(dry_run(task, sources, options=options, workers=workers))
        raise typer.Exit
    if not given["out"]:
        raise RangeError("--on writes a folder of results; name it with --out")
    with _Bar(console, quiet=given["quiet"]) as bar:
        report = run(
            task,
            sources,
            given["out"],
            options=options,
            on=given["on"],
            form=shards,
            workers=workers,
            on_progress=bar.show,
        )
    if not given["quiet"]:
        before = f" ({report.parts_before} done before)" if report.parts_before else ""
        console.print(
            printable(
                f"{report.inputs - report.failed} results in {report.sink}, {report.parts} parts{before}, "
                f"{report.seconds:.0f} s"
            ),
            markup=False,
        )
    if not report.failed:
        raise typer.Exit
    console.print(
        printable(f"szem: {report.failed} of {report.inputs} could not be done; {report.sink}/failed.jsonl says why"),
        markup=False,
    )
    raise typer.Exit(1)


def _print_plan(plan: "DryRun") -> None:
    """What a run would do, line by line."""
    inputs = f"{plan.inputs} inputs" if plan.inputs else "inputs that only reading counts"
    print(f"{inputs} in {plan.parts} parts, {plan.size_bytes / 1e6:.1f} MB")
    if plan.sample_s:
        print(f"{1000 * plan.sample_s:.1f} ms an input on one worker, by the first few")
    if plan.estimate_s:
        print(f"about {_time(plan.estimate_s)} on {plan.workers} workers, without reading from far away")


def _time(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _time(3725)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class _Bar:
    """A bar with rate and time left, on a terminal.

    Args:
        console: Where to.
        quiet: No bar.
    """

    def __init__(self, console: Any, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("inputs"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._task = self._bar.add_task("inputs", total=None, rate="")
        self._start: tuple[float, int] | None = None

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Called with how many inputs are done, and how many there are."""
        now = time.monotonic()
        if self._start is None:
            self._start = now, done
        start_s, before = self._start
        rate = f"{(done - before) / (now - start_s):.1f}/s" if now > start_s and done > before else ""
        self._bar.update(self._task, completed=done, total=total or None, rate=rate)
