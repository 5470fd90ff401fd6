"""`szem detect`: named, numbered boxes in pictures, films, cameras and streams."""

import json
import re
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.walk import Item, Targets
    from szem.media.video_pipeline import RenderedFrame, VideoPipeline
    from szem.tasks.video.detect_video import DetectedFrame, VideoAnalyzer, VideoDetector

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WAYS = ("video", "json", "csv", "coco")
_ANY_PX = 10_000  # sides of a picture on which lines and zones are tried before there is one
_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")

_Sources = Annotated[
    list[str],
    typer.Argument(help="Pictures, films, folders, patterns, a camera's number, rtsp:// or http:// addresses, or -."),
]
_Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for what is made.")]
_Lines = Annotated[list[str] | None, typer.Option("--line", help='Count crossings: "gate=0.1,0.6 0.9,0.6".')]
_Zones = Annotated[list[str] | None, typer.Option("--zone", help='Count in an area: "door=0,0 0.5,0 0.5,1 0,1".')]


@app.command()
def detect(
    sources: _Sources,
    model: str = typer.Option("", "--model", "-m", help="A detection model; the shipped one if left out."),
    out: _Out = Path("detected"),
    write: str = typer.Option(
        "video",
        help=f"What to make, with commas: {', '.join(_WAYS)}; none only prints. video: pictures for pictures.",
    ),
    classes: str = typer.Option("", help="Only these classes, with commas."),
    threshold: float = typer.Option(
        None, min=0, max=1, help="Lowest score, in place of the model's own for each class.", show_default=False
    ),
    every: int = typer.Option(1, min=1, help="Look at each n-th frame only; things are carried on between."),
    track: bool = typer.Option(True, "--track/--no-track", help="Number things and follow them."),
    lines: _Lines = None,
    zones: _Zones = None,
    anchor: str = typer.Option(
        "bottom", help="Which point of a box counts: bottom, center or top; for zones also overlap."
    ),
    trails: bool = typer.Option(False, "--trails", help="Draw where things came from."),
    show: bool = typer.Option(False, "--show", help="Show it in a window meanwhile, where there is a display."),
    sound: bool = typer.Option(True, "--sound/--silent", help="Carry the film's sound over."),
    preset: str = typer.Option("ultrafast", help="x264's effort: ultrafast (largest files) to slow (smallest)."),
    seconds: float | None = typer.Option(
        None, min=0, help="Stop after so many seconds of the source.", show_default=False
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a picture or frame."),
    workers: int = typer.Option(0, min=0, help="Frames looked at side by side; 0: as many as there are cores."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Print nothing but errors."),
) -> None:
    """Find named things in pictures and films, and follow them.

    A film gives a film with boxes, numbers and the original sound; --write json,csv,coco also write what was found,
    frame by frame. Cameras and streams go on until Ctrl-C, which leaves a film that can be played.
    """
    from rich.console import Console

    from szem.cli.walk import Failure, Stems, Targets, each_picture, find_files, report_failures
    from szem.errors import SzemError, UnknownNameError
    from szem.media.live import address_without_password
    from szem.media.pictures import PICTURE_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.media.video_writer import PRESETS
    from szem.tasks.video.detect_video import open_sight

    ways = frozenset() if write == "none" else frozenset(way.strip() for way in write.split(",") if way.strip())
    if ways - set(_WAYS):
        raise UnknownNameError(
            f"--write takes {', '.join(_WAYS)} or none, got {', '.join(sorted(ways - set(_WAYS)))}"
        )
    if preset not in PRESETS:
        raise UnknownNameError(f"no preset called {preset!r}; there are {', '.join(PRESETS)}")
    live, paths = _split(sources)
    if seconds is None:
        _refuse_two_endless(live)
    stems = Stems()
    items, failures = find_files(paths, suffixes=PICTURE_SUFFIXES | VIDEO_SUFFIXES, leave_out=out, stems=stems)
    films = [item for item in items if _is_film(item)]
    streams = [(text, stems.of(Path(_stream_stem(text)))) for text in live]
    wanted = [name.strip() for name in classes.split(",") if name.strip()] or None
    sight = open_sight(model or None, threshold=threshold, workers=workers or None)
    wishes = _Wishes(
        follow=track,
        every=every,
        lines=tuple(lines or ()),
        zones=tuple(zones or ()),
        anchor=anchor,
        trails=trails,
        show=show,
        sound=sound,
        preset=preset,
        seconds=seconds,
    )
    _check(wishes, wanted, sight, only_pictures=bool(items) and not films and not live)
    targets = Targets(item.name for item in items)
    stopped = False
    with _Keeper(sight, out, targets, ways, wanted, as_json=as_json, quiet=quiet) as keeper:
        each_picture([i for i in items if i not in films], failures, work=keeper.picture, quiet=quiet)
        for name, stem in [(item.name, item.stem) for item in films] + streams:
            try:
                stopped = keeper.film(name, stem, wishes)
            except SzemError as error:
                failures.append(Failure(address_without_password(name), str(error)))
            if stopped:
                break
    if keeper.count and ways and not quiet:
        Console(stderr=True, highlight=False).print(f"written to {out}", markup=False)
    status = report_failures(failures, total=len(items) + len(live))
    if stopped or status:
        raise typer.Exit(130 if stopped else status)


def _split(sources: list[str]) -> tuple[list[str], list[str]]:
    """Cameras and streams, those that may have an end first, and the rest."""
    from szem.media.live import is_camera, is_url

    live: list[str] = []
    paths: list[str] = []
    for text in dict.fromkeys(sources):
        (live if (is_camera(text) or is_url(text)) and not Path(text).exists() else paths).append(text)
    return sorted(live, key=_is_endless), paths


def _is_endless(source: str) -> bool:
    """Whether a camera or stream has no end, as far as its address tells: a film on a web server has one."""
    from szem.media.video import VIDEO_SUFFIXES

    path = source.partition("?")[0].partition("#")[0]
    return not (source.lower().startswith("http") and Path(path).suffix.lower() in VIDEO_SUFFIXES)


def _refuse_two_endless(live: list[str]) -> None:
    from szem.errors import RangeError
    from szem.media.live import address_without_password

    endless = [address_without_password(text) for text in live if _is_endless(text)]
    if len(endless) > 1:
        raise RangeError(
            f"{', '.join(endless)}: the first has no end, so the next would never be looked at; give each a szem "
            "detect of its own, all of them --seconds, or to szem watch, which guards several at once"
        )


def _stream_stem(text: str) -> str:
    """What to call what is made of a camera or stream."""
    from szem.media.live import address_without_password, is_camera

    if is_camera(text):
        return f"camera-{text}"
    where = address_without_password(text).partition("://")[2]
    return re.sub(r"[^A-Za-z0-9]+", "-", where)[:60].strip("-") or "stream"


def _is_film(item: "Item") -> bool:
    """By its suffix; what comes through the pipe by its first bytes."""
    from szem.cli.walk import STDIN
    from szem.media.pictures import PICTURE_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES

    if item.name != STDIN:
        suffix = Path(item.name).suffix.lower()
        return suffix in VIDEO_SUFFIXES or (suffix not in PICTURE_SUFFIXES and _looks_like_film(Path(item.name)))
    pipe: Any = sys.stdin.buffer
    start = pipe.peek(16)[:16] if hasattr(pipe, "peek") else b""
    return not (start.startswith(_PICTURE_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP") or not start)


def _looks_like_film(path: Path) -> bool:
    """A file without a suffix that is known: whether it can be opened as a film of more than one picture."""
    from szem.errors import SzemError
    from szem.media.video import inspect_video

    try:
        return inspect_video(path).duration_s is not None
    except SzemError:
        return False


@dataclass(frozen=True, kw_only=True)
class _Wishes:
    """What is to be done with films."""

    follow: bool
    every: int
    lines: tuple[str, ...]
    zones: tuple[str, ...]
    anchor: str
    trails: bool
    show: bool
    sound: bool
    preset: str
    seconds: float | None


def _check(wishes: _Wishes, classes: list[str] | None, sight: "VideoDetector", *, only_pictures: bool) -> None:
    """Say at once what no film could fulfil."""
    from szem.errors import RangeError
    from szem.results.boxes import known_classes
    from szem.tasks.video.counting import check_anchor, parse_line, parse_zone

    known_classes(classes or (), sight.finder.classes)
    check_anchor(wishes.anchor)
    for line in wishes.lines:
        parse_line(line, width=_ANY_PX, height=_ANY_PX)
    for zone in wishes.zones:
        parse_zone(zone, width=_ANY_PX, height=_ANY_PX)
    if not (wishes.lines or wishes.zones):
        return
    if not wishes.follow:
        raise RangeError("lines and zones count things that are followed; leave tracking on")
    if only_pictures:
        raise RangeError(
            "lines and zones count what moves, and there are only pictures; give a film, or leave them out"
        )


class _Keeper(AbstractContextManager["_Keeper"]):
    """Runs the detector and keeps what was asked for."""

    def __init__(
        self,
        sight: "VideoDetector",
        out: Path,
        targets: "Targets",
        ways: frozenset[str],
        classes: list[str] | None,
        *,
        as_json: bool,
        quiet: bool,
    ) -> None:
        from szem.cli.boxes_out import FORMATS, BoxesOut

        self.sight, self.out, self.ways, self.classes = sight, out, ways, classes
        self.as_json, self.quiet = as_json, quiet
        self.count = 0
        self._targets = targets
        for way in sorted(ways & set(FORMATS)):
            targets.take(out / FORMATS[way])
        self._out = BoxesOut(out, frozenset(ways & set(FORMATS)))

    def __exit__(self, *problem: Any) -> None:
        self._out.__exit__(*problem)

    def picture(self, item: "Item", picture: "Picture8") -> None:
        """One picture: find, print, keep."""
        from szem.media.pictures import write_picture

        to = self._targets.take(self.out / f"{item.stem}.jpg") if "video" in self.ways else None
        finder = self.sight.finder
        found = finder.finish(finder.run(finder.prepare(picture)), (picture.shape[0], picture.shape[1]))
        found = found.take(found.scores >= self.sight.thresholds[found.indices]).keep(classes=self.classes)
        self.count += 1
        row = found.to_dict()
        self._out.add(item.name, found, row)
        self._print(item.name, row, found.labels)
        if to is not None:
            write_picture(to, found.draw(picture))

    def film(self, name: str, stem: str, wishes: _Wishes) -> bool:
        """One film, camera or stream; whether it was stopped by Ctrl-C."""
        from szem.cli.films import run_film
        from szem.cli.walk import STDIN, printable
        from szem.cli.window import PreviewWindow
        from szem.media.frames import Planes
        from szem.media.live import address_without_password
        from szem.media.video_pipeline import VideoPipeline, open_film

        def tell(line: str) -> None:
            if not self.quiet:
                print(f"szem: {printable(line)}", file=sys.stderr)

        to = self._targets.take(self.out / f"{stem}.mp4") if "video" in self.ways else None
        if self.ways and (wishes.lines or wishes.zones):
            self._targets.take(self._counts_file(stem))
        with ExitStack() as stack:
            source: Any = sys.stdin.buffer if name == STDIN else name
            name = address_without_password(name)
            window = stack.enter_context(PreviewWindow(f"szem: {name}")) if wishes.show else None
            reader = open_film(source, sound=wishes.sound, told=tell)
            watcher = self._watcher(wishes, *reader.size, draws="video" in self.ways or wishes.show)
            maker = stack.enter_context(VideoPipeline(reader, watcher.steps, to, preset=wishes.preset))
            log = _Things()

            def use(drawn: "RenderedFrame") -> None:
                self._frame(name, drawn, log)
                if window is not None and isinstance(drawn.picture, Planes):
                    window.show(drawn.picture.to_rgb(), time_s=None if maker.is_live else drawn.frame.time_s)

            def is_last(drawn: "RenderedFrame") -> bool:
                late = wishes.seconds is not None and drawn.frame.time_s >= wishes.seconds
                return late or (window is not None and window.is_closed)

            try:
                report = run_film(maker, name, use=use, until=is_last, quiet=self.quiet)
            finally:
                self._out.flush()
                self._tell_counts(name, stem, watcher, log, maker)
        if not self.quiet and not self.as_json:
            lost = f", {report.dropped} left out" if report.dropped else ""
            print(f"{printable(name)}: {report.frames} frames, {report.rate_hz:.1f} a second{lost}; {log}")
        return report.was_stopped

    def _watcher(self, wishes: _Wishes, width: int, height: int, *, draws: bool) -> "VideoAnalyzer":
        from szem.tasks.video.counting import LineCounter, ZoneCounter, parse_line, parse_zone
        from szem.tasks.video.detect_video import VideoAnalyzer
        from szem.tasks.video.tracker import TrackSettings

        lines = [parse_line(t, width=width, height=height, number=n) for n, t in enumerate(wishes.lines, 1)]
        zones = [parse_zone(t, width=width, height=height, number=n) for n, t in enumerate(wishes.zones, 1)]
        of_lines = "bottom" if wishes.anchor == "overlap" else wishes.anchor
        return VideoAnalyzer(
            self.sight,
            follow=TrackSettings() if wishes.follow else None,
            classes=self.classes,
            every=wishes.every,
            lines=[LineCounter(line, of_lines) for line in lines],
            zones=[ZoneCounter(zone, wishes.anchor) for zone in zones],
            draw=draws,
            trails=wishes.trails,
        )

    def _frame(self, name: str, drawn: "RenderedFrame", log: "_Things") -> None:
        seen = drawn.result
        self.count += 1
        log.add(seen)
        if not seen.looked and seen.tracked is None:
            return
        row = seen.to_dict()
        self._out.add(name, seen.boxes, row, tracked=seen.tracked)
        if self.as_json:
            print(json.dumps({"file": name, **row}, ensure_ascii=False), flush=True)

    def _tell_counts(
        self, name: str, stem: str, watcher: "VideoAnalyzer", log: "_Things", maker: "VideoPipeline"
    ) -> None:
        counters: list[dict[str, Any]] = [line.to_dict() for line in watcher.lines]
        counters += [zone.to_dict() for zone in watcher.zones]
        if not counters:
            return
        told = {"file": name, "frames": maker.done, "time_s": round(maker.time_s, 4), "things": log.counts}
        told["counts"] = counters
        if self.ways:
            self.out.mkdir(parents=True, exist_ok=True)
            self._counts_file(stem).write_text(json.dumps(told, indent=2), encoding="utf-8")
        if not self.quiet and not self.as_json:
            for row in counters:
                print("  " + ", ".join(f"{key} {value}" for key, value in row.items() if not isinstance(value, dict)))

    def _counts_file(self, stem: str) -> Path:
        return self.out / f"{stem}.counts.json"

    def _print(self, name: str, row: dict[str, Any], labels: tuple[str, ...]) -> None:
        from szem.cli.walk import printable

        if self.as_json:
            print(json.dumps({"file": name, **row}, ensure_ascii=False))
        elif not self.quiet:
            print(f"{printable(name)}: {_listed(labels)}")


class _Things:
    """How many different things of each class there were; without following, how many boxes."""

    def __init__(self) -> None:
        self._labels: dict[int, str] = {}
        self._boxes: dict[str, int] = {}

    def add(self, seen: "DetectedFrame") -> None:
        """Take in a frame."""
        if seen.tracked is None:
            for label in seen.boxes.labels:
                self._boxes[label] = self._boxes.get(label, 0) + 1
        else:
            self._labels.update(zip(seen.tracked.ids.tolist(), seen.boxes.labels, strict=True))

    @property
    def counts(self) -> dict[str, int]:
        """Class -> how many."""
        counts = dict(self._boxes)
        for label in self._labels.values():
            counts[label] = counts.get(label, 0) + 1
        return dict(sorted(counts.items(), key=lambda row: (-row[1], row[0])))

    def __str__(self) -> str:
        what = "boxes" if self._boxes else "things"
        told = ", ".join(f"{count} {label}" for label, count in self.counts.items())
        return f"{what}: {told}" if told else "nothing it knows"


def _listed(labels: tuple[str, ...]) -> str:
    counts = {label: labels.count(label) for label in dict.fromkeys(labels)}
    return ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing it knows"
