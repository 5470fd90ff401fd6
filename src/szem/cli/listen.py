"""`szem listen`: sound events in audio and video, from when to when."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Csv, DryRun, Json, Model, On, Quiet, RayWorkers, Shards, spell

if TYPE_CHECKING:
    from collections.abc import Callable

    from szem.cli.outputs import Destination
    from szem.cli.walk import Item
    from szem.results.events import Event, Events
    from szem.tasks.audio.listen import ListenSettings

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_COLUMNS = ("file", "kind", "label", "start_s", "end_s", "score", "best_s", "open")
_Paths = Annotated[
    list[str], typer.Argument(help="Sounds, videos, folders, patterns; - reads a sound from the input.")
]
_Out = Annotated[
    str, spell("--out", "Where subtitles go: a file for one input, or a folder.  \\[default: beside the sound]")
]
_Use = Annotated[str, typer.Option(help="record notes what is known, report takes the thresholds for alarms.")]
_Threshold = Annotated[
    float | None,
    spell(
        "--threshold", "Lowest score, in place of the model's own for each kind.", min=0, max=1, show_default=False
    ),
]


@app.command()
def listen(
    context: typer.Context,
    paths: _Paths,
    classes: Annotated[str, spell("--classes", "Only these kinds, as in siren,gun-shot.  \\[default: all]")] = "",
    use: _Use = "record",
    threshold: _Threshold = None,
    srt: bool = typer.Option(False, "--srt", help="Write subtitles for players: NAME.srt."),
    vtt: bool = typer.Option(False, "--vtt", help="Write subtitles for web pages: NAME.vtt."),
    out: _Out = "",
    model: Model = "",
    as_json: Json = False,
    as_csv: Csv = False,
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Detect sound events in audio and video: dogs, sirens, shots, horns, rain and so on.

    A file of hours takes no more memory than one of seconds.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(
            context,
            "listen",
            paths,
            "classes use threshold model",
            {"classes": classes.replace("-", " ")},
            shards=shards,
            workers=workers,
        )
    from szem.cli.outputs import Destination, Targets, refuse_two_tables
    from szem.cli.walk import Failure, find_files, report_failures
    from szem.errors import SzemError
    from szem.files import is_disk_full
    from szem.media.sound import SOUND_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.tasks.audio.listen import Listener, ListenSettings
    from szem.tasks.models import open_model

    refuse_two_tables(as_json=as_json, as_csv=as_csv)
    wanted = tuple(name.replace("-", " ") for name in classes.split(",") if name.strip())
    settings = ListenSettings(use=use, threshold=threshold, classes=wanted)
    items, failures = find_files(paths, suffixes=SOUND_SUFFIXES | VIDEO_SUFFIXES)
    Listener(open_model(model or None, task="listen"), settings)  # says at once what is wrong with the options
    show = _print_json if as_json else _csv_table() if as_csv else _print
    suffixes = [suffix for suffix, is_wanted in ((".srt", srt), (".vtt", vtt)) if is_wanted]
    to = None
    if out:
        to = Destination(out, suffixes=suffixes if len(suffixes) == 1 else (), inputs=len(items))
    targets = Targets(item.name for item in items)
    for item in items:
        try:
            is_named = to is not None and to.is_file
            files = [targets.take(_subtitle_file(item, suffix, to), typed=is_named) for suffix in suffixes]
            found = _listen_to(item, settings, model, quiet=quiet)
            show(item.name, found)
            for file in files:
                _write_subtitles(found, file)
        except SzemError as error:  # one input must not take the others with it
            if os.environ.get("SZEM_DEBUG") or is_disk_full(error):
                raise
            failures.append(Failure(item.name, str(error)))
    status = report_failures(failures, total=len(items))
    if status:
        raise typer.Exit(status)


def _listen_to(item: "Item", settings: "ListenSettings", model: str, *, quiet: bool) -> "Events":
    """Listen to one file, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    import szem
    from szem.cli.outputs import printable
    from szem.cli.walk import STDIN

    source = sys.stdin.buffer.read() if item.name == STDIN else item.name
    console = Console() if sys.stdout.isatty() else Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(printable(Path(item.name).name)[:32], total=None)
        return szem.listen(
            source,
            model=model or None,
            settings=settings,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _print(name: str, found: "Events") -> None:
    from szem.cli.outputs import printable

    print(printable(name))
    for event in found:
        label = f" ({event.label})" if event.label else ""
        print(f"  {_time(event.start_s)} – {_time(event.end_s)}  {event.score:4.0%}  {event.kind}{label}")
    for note in found.notes:
        print(f"  {printable(note)}")


def _time(seconds: float) -> str:
    """Minutes and seconds.

    >>> _time(3725.25)
    '62:05.2'
    """
    tenths = int(seconds * 10 + 1e-6)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _print_json(name: str, found: "Events") -> None:
    from szem.cli.outputs import print_json

    print_json({"file": name, **found.to_dict()})


def _csv_table() -> "Callable[[str, Events], None]":
    """Prints the heading; the function it gives prints a line an event."""
    from szem.cli.outputs import csv_table

    table = csv_table(*_COLUMNS)
    return lambda name, found: table.writerows(_csv_row(name, event) for event in found)


def _csv_row(name: str, event: "Event") -> list[object]:
    best = "" if event.best_s is None else f"{event.best_s:.3f}"
    times = (f"{event.start_s:.3f}", f"{event.end_s:.3f}")
    return [name, event.kind, event.label, *times, f"{event.score:.4f}", best, int(event.is_open)]


def _subtitle_file(item: "Item", suffix: str, to: "Destination | None") -> Path:
    """Where players look for them: beside the sound, under its name; in a folder, under a name of their own."""
    if to is not None:
        return to.file(f"{item.stem}{suffix}")
    sound = Path(item.name)
    return sound.with_suffix(suffix) if sound.exists() else Path(f"{item.stem}{suffix}")


def _write_subtitles(found: "Events", file: Path) -> None:
    from szem.files import write_text
    from szem.media.subtitles import Cue, to_srt, to_vtt

    cues = [Cue(e.start_s, max(e.end_s, e.start_s + 0.5), f"[{e.kind}] {e.score:.0%}") for e in found]
    write_text(file, to_srt(cues) if file.suffix.lower() == ".srt" else to_vtt(cues))
