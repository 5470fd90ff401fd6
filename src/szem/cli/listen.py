"""`szem listen`: what is heard in sounds and films, from when to when."""

import csv
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from szem.cli.walk import Failure, Item
    from szem.results.events import Event, Events
    from szem.tasks.listen import ListenSettings

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Paths = Annotated[
    list[str], typer.Argument(help="Sounds, films, folders, patterns; - reads a sound from the input.")
]
_Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for subtitles.  [default: beside the sound]")]
_COLUMNS = ("file", "kind", "start_s", "end_s", "score", "best_s", "open")


@app.command()
def listen(
    paths: _Paths,
    classes: str = typer.Option("", help="Only these kinds, as in siren,gun-shot.  [default: all]"),
    threshold: float = typer.Option(
        -1.0, min=-1, max=1, help="Lowest score.  [default: each kind's own, from the model's card]"
    ),
    srt: bool = typer.Option(False, "--srt", help="Write subtitles for players: NAME.srt."),
    vtt: bool = typer.Option(False, "--vtt", help="Write subtitles for web pages: NAME.vtt."),
    out: _Out = None,
    model: str = typer.Option("", "--model", "-m", help="A model's name or folder.  [default: the shipped one]"),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line for each file, in order."),
    as_csv: bool = typer.Option(False, "--csv", help=f"Lines of {', '.join(_COLUMNS)}."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress bar."),
) -> None:
    """Say what is heard in sounds and films, and when: dogs, sirens, shots, horns, rain and so on.

    A file of hours takes no more memory than one of seconds.
    """
    from szem.cli.walk import find_files, report_failures
    from szem.errors import RangeError
    from szem.media.sound import SOUND_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.runtime.sessions import open_model
    from szem.tasks.listen import Listener, ListenSettings

    if as_json and as_csv:
        raise RangeError("--json and --csv exclude each other; choose one")
    if threshold < 0 and threshold != -1:
        raise RangeError(f"--threshold must lie in 0..1, got {threshold}")
    wanted = tuple(name.replace("-", " ") for name in classes.split(",") if name.strip())
    settings = ListenSettings(threshold=None if threshold == -1 else threshold, classes=wanted)
    items, failures = find_files(paths, suffixes=SOUND_SUFFIXES | VIDEO_SUFFIXES)
    Listener(open_model(model or None, task="listen"), settings)  # says at once what is wrong with the options
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if as_csv:
        writer.writerow(_COLUMNS)
    for item in items:
        found = _listen_to(item, settings, model, failures, quiet=quiet)
        if found is None:
            continue
        for suffix in [s for s, is_wanted in ((".srt", srt), (".vtt", vtt)) if is_wanted]:
            _write_subtitles(item, found, suffix, out)
        if as_json:
            print(json.dumps({"file": item.name, **found.to_dict()}, ensure_ascii=False), flush=True)
        elif as_csv:
            writer.writerows(_csv_row(item.name, event) for event in found)
        else:
            _print(item.name, found)
    status = report_failures(failures, total=len(items))
    if status:
        raise typer.Exit(status)


def _listen_to(
    item: "Item", settings: "ListenSettings", model: str, failures: "list[Failure]", *, quiet: bool
) -> "Events | None":
    """Listen to one file; a fault becomes one of `failures`, unless nothing else was asked for."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    import szem
    from szem.cli.walk import STDIN, Failure, printable
    from szem.errors import SzemError

    source = sys.stdin.buffer.read() if item.name == STDIN else item.name
    console = Console() if sys.stdout.isatty() else Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(printable(Path(item.name).name)[:32], total=None)
        try:
            return szem.listen(
                source,
                model=model or None,
                settings=settings,
                told=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except SzemError as error:
            if os.environ.get("SZEM_DEBUG"):
                raise
            failures.append(Failure(item.name, str(error)))
            return None


def _print(name: str, found: "Events") -> None:
    from szem.cli.walk import printable

    print(printable(name))
    for event in found:
        print(f"  {_time(event.start_s)} – {_time(event.end_s)}  {event.score:4.0%}  {event.kind}")
    for note in found.notes:
        print(f"  {printable(note)}")


def _time(seconds: float) -> str:
    """Minutes and seconds.

    >>> _time(3725.25)
    '62:05.2'
    """
    tenths = int(seconds * 10 + 1e-6)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _csv_row(name: str, event: "Event") -> list[object]:
    best = "" if event.best_s is None else f"{event.best_s:.3f}"
    times = (f"{event.start_s:.3f}", f"{event.end_s:.3f}")
    return [name, event.kind, *times, f"{event.score:.4f}", best, int(event.is_open)]


def _write_subtitles(item: "Item", found: "Events", suffix: str, out: Path | None) -> None:
    from szem.media.subtitles import Cue, to_srt, to_vtt

    cues = [Cue(e.start_s, max(e.end_s, e.start_s + 0.5), f"[{e.kind}] {e.score:.0%}") for e in found]
    folder = out or (Path(item.name).parent if Path(item.name).exists() else Path())
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{item.stem if out is not None else Path(item.name).stem}{suffix}"
    part = target.with_name(target.name + ".part")
    part.write_text(to_srt(cues) if suffix == ".srt" else to_vtt(cues), encoding="utf-8")
    part.replace(target)
