"""`szem watch`: analyse cameras, streams and videos; events are stored, reported and found again."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Model, Quiet

if TYPE_CHECKING:
    from szem.guard.service import GuardService
    from szem.guard.source_worker import SourceProgress
    from szem.tasks.surveillance.rules import Rules

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_KEEP, _OUT = "What is stored", "What is sent"

_Sources = Annotated[
    list[str] | None,
    typer.Argument(help="Videos, cameras' numbers, rtsp:// or http:// addresses, each also as NAME=SOURCE."),
]
_Rules = Annotated[
    Path | None,
    typer.Option(
        "--rules", "-r", help="What counts and what is done: a TOML file.  \\[default: STORE/guard.toml, if any]"
    ),
]
_Areas = Annotated[
    Path | None,
    typer.Option(
        "--areas",
        "-a",
        help="Zones and lines of all cameras, as JSON; the rules may name them.",
        show_default=False,
    ),
]
_Store = Annotated[
    Path | None,
    typer.Option("--store", "-s", help="Folder for events, pictures and clips.  \\[default: the user's own]"),
]


@app.command()
def watch(
    sources: _Sources = None,
    rules: _Rules = None,
    areas: _Areas = None,
    store: _Store = None,
    database: str = typer.Option(
        "", help="SQLAlchemy URL of the events' database.  \\[default: SQLite in the store]", rich_help_panel=_KEEP
    ),
    model: Model = "",
    listen_model: str = typer.Option("", help="A sound model's name or folder.  \\[default: the shipped one]"),
    clips: bool = typer.Option(
        True, "--clips/--no-clips", help="Keep a clip with each event.", rich_help_panel=_KEEP
    ),
    blur_faces: bool = typer.Option(
        False, "--blur-faces", help="Keep no faces: in pictures, stills and clips.", rich_help_panel=_KEEP
    ),
    days: float = typer.Option(
        None,
        min=0.001,
        max=36_500,
        help="Forget events after so many days.  \\[default: as the rules say, 30]",
        show_default=False,
        rich_help_panel=_KEEP,
    ),
    gigabytes: float = typer.Option(
        None,
        min=0.001,
        max=1_000_000,
        help="Pictures and clips together.  \\[default: as the rules say, 10]",
        show_default=False,
        rich_help_panel=_KEEP,
    ),
    keep_marked: bool = typer.Option(
        True, "--keep-marked/--forget-marked", help="Marked events stay, however old.", rich_help_panel=_KEEP
    ),
    video_start: str = typer.Option(
        "", help="When the videos began, as 2026-05-01T22:00.  \\[default: from the files]", rich_help_panel=_KEEP
    ),
    metrics_port: int = typer.Option(
        None, min=0, max=65535, help="Answer at /metrics on this port.", show_default=False, rich_help_panel=_OUT
    ),
    metrics_host: str = typer.Option("127.0.0.1", help="Address for /metrics.", rich_help_panel=_OUT),
    check: bool = typer.Option(False, "--check", help="Read the rules, say what they are, and end."),
    quiet: Quiet = False,
) -> None:
    """Guard cameras, streams and videos, for months.

    Events are kept in the store; szem events lists, shows and exports it, and so does the studio's page Guard
    (szem studio --guard-store DIR). Videos end by themselves; cameras go on until Ctrl-C. Nothing leaves this machine
    unless the rules name a webhook or a broker.
    """
    import time

    from szem.guard.event_record import parse_moment
    from szem.guard.event_store import RULES_FILE, EventStore
    from szem.guard.face_blur import open_face_blurrer
    from szem.guard.listener_pool import known_sounds, make_listening
    from szem.guard.metrics import GuardMetrics
    from szem.guard.retention import Retention
    from szem.guard.rules_reload import RulesReload
    from szem.guard.service import GuardService
    from szem.guard.sources import known_labels, name_sources
    from szem.runtime.store import make_data_folder
    from szem.tasks.surveillance.rules_toml import parse_rules, read_rules
    from szem.tasks.video.detect_video import open_video_detector
    from szem.tasks.video.zones import read_areas

    folder = store or make_data_folder("guard", instead="--store DIR")
    file = folder / RULES_FILE if rules is None else rules

    def read() -> "Rules":
        drawn = None if areas is None else read_areas(areas)
        sounds, labels = known_sounds(listen_model) or None, known_labels(model) or None
        if rules is None and not file.is_file():
            return parse_rules("", areas=drawn)
        found = read_rules(file, sounds=sounds, labels=labels, areas=drawn)
        if found.listen:
            make_listening(found, model=listen_model)  # refuses settings that the listener does not take
        return found

    files = [file] if areas is None else [file, areas]
    change = RulesReload(files, read)  # before they are read: what changes from here on is noticed
    chosen = read()
    if check:
        _print_rules(chosen)
        return
    named = name_sources(sources or [], chosen)
    began = parse_moment(video_start, now=time.time()) if video_start else None
    _log_lines(quiet=quiet)
    metrics = GuardMetrics()
    if metrics_port is not None:
        port = metrics.serve(metrics_port, host=metrics_host)
        logging.getLogger("szem.guard").info("metrics at http://%s:%d/metrics", metrics_host, port)
    detector = open_video_detector(model or None, workers=1, threads=None)
    changed: Rules | None = chosen
    with closing(EventStore(folder, url=database)) as opened:
        while changed is not None:
            chosen, changed = changed, None
            named = name_sources(sources or [], chosen)
            listen = make_listening(chosen, model=listen_model)
            guard = GuardService(
                opened,
                chosen,
                named,
                make_analyzer=_analyzer(chosen, detector, listen),
                make_blur=open_face_blurrer if blur_faces or chosen.clips.blur_faces else None,
                retention=Retention(
                    days=chosen.keep.days if days is None else days,
                    gigabytes=chosen.keep.gigabytes if gigabytes is None else gigabytes,
                    keep_marked=keep_marked,
                ),
                clips=clips,
                metrics=metrics,
                began=began,
            )
            with _stopping(guard) as is_asked, _shown(guard, quiet=quiet) as tick:

                def each_tick(guard: GuardService = guard, tick: Callable[[], None] = tick) -> None:
                    nonlocal changed
                    tick()
                    found = change.look() if all(worker.is_live for worker in guard.workers) else None
                    if found is not None:
                        logging.getLogger("szem.guard").info("new rules: the cameras are opened again")
                        changed = found
                        guard.stop()

                ended = guard.run(each_tick=each_tick)
            if is_asked():
                break
    for one in ended:
        if not quiet:
            what = f"{one.events} event{'' if one.events == 1 else 's'}"
            reason = (
                f"; {one.reason}" if one.reason and one.state != "failed" else ""
            )  # a fault was reported when it happened
            print(f"{one.name}: {one.state}, {one.time_s:.1f} s, {what}{reason}")
    if not quiet:
        print(f"kept in {folder}; szem events list --store {folder}", file=sys.stderr)
    status = int(any(one.state == "failed" for one in ended))
    if any(not worker.is_done for worker in guard.workers):
        # A thread in a native call that does not return: the interpreter's own end would wait for it, or abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    if status:
        raise typer.Exit(status)


def _analyzer(rules: "Rules", detector: Any, listen: Any) -> Callable[[Any], Any]:
    from szem.guard.analyzer import build_analyzer

    return lambda source: build_analyzer(
        source.name, rules, detector=detector, listen=listen if source.sound else None
    )


@contextmanager
def _stopping(guard: "GuardService") -> Iterator[Callable[[], bool]]:
    """Ctrl-C and an end asked for by the system finish what is under way; a second one breaks off. Gives whether."""
    from szem.runtime.shutdown import end_in_time

    asked = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: asked
        return

    def stop(number: int, _: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        end_in_time(number, log="szem.guard")
        guard.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(guard: "GuardService", *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar for each video, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    videos = [worker for worker in guard.workers if not worker.is_live]
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not videos or not console.is_terminal)
    with bar:
        tasks = {worker.name: bar.add_task(worker.name[:32], total=None, said="") for worker in videos}

        def tick() -> None:
            for one in guard.progress:
                if one.name in tasks:
                    bar.update(tasks[one.name], completed=one.time_s, total=one.duration_s, said=_said(one))

        yield tick


def _said(one: "SourceProgress") -> str:
    return f"{one.events} events"


def _log_lines(*, quiet: bool) -> None:
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("szem.guard").setLevel(logging.WARNING if quiet else logging.INFO)


def _print_rules(rules: "Rules") -> None:
    for rule in rules.rules:
        where = ", ".join((*rule.cameras, *rule.zones, *rule.lines)) or "anywhere"
        parts = [", ".join(rule.events), where, ", ".join((*rule.days, *rule.hours)) or "always"]
        parts += [f"of {', '.join(rule.classes)}"] if rule.classes else []
        parts += [f"to the {rule.direction}"] if rule.direction else []
        parts += [f"reported by {' and '.join(rule.channels)}"] if rule.channels else []
        parts += [f"score {rule.score:g}", ", ".join(rule.do)]
        parts += [f"then quiet for {rule.cooldown_s:g} s"] if rule.cooldown_s else []
        print(f"{rule.name}: {'; '.join(parts)}")
    for camera in ("", *rules.cameras):
        drawn = rules.areas_for(camera) if not camera else rules.cameras[camera].areas
        ignored = {zone.name for zone in drawn.zones if zone.ignore}
        of = f" of {camera}" if camera else ""
        for what, found in (("zones", drawn.zones), ("lines", drawn.lines)):
            names = [f"{one.name} (ignored)" if one.name in ignored else one.name for one in found]
            if names:
                print(f"{what}{of}: {', '.join(names)}")
    print(f"kept for {rules.keep.days:g} days, {rules.keep.gigabytes:g} GB of pictures and clips")
