"""`szem detect`: named, numbered boxes in pictures, videos, cameras and streams."""

import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Csv, DryRun, Json, Model, On, Quiet, Seconds, Shards, Workers, spell

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.outputs import Destination, Targets
    from szem.cli.walk import Item
    from szem.media.video_pipeline import RenderedFrame, VideoPipeline
    from szem.results.boxes import Boxes
    from szem.results.tracks import TrackedBoxes
    from szem.tasks.video.detect_video import DetectedFrame, VideoAnalyzer, VideoDetector

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_SUFFIXES = {"json": (".jsonl", ".json"), "csv": (".csv",), "coco": (".json",)}  # --write -> of the one file
_ANY_PX = 10_000  # sides of a picture on which lines and zones are tried before there is one

_Sources = Annotated[
    list[str],
    typer.Argument(
        help="Pictures, videos, folders, patterns, a camera's number, rtsp:// or http:// addresses, or -."
    ),
]
_Out = Annotated[str, spell("--out")]
_Write = Annotated[
    str,
    spell("--write", "Which files to write, with commas: video (pictures for pictures), json, csv, coco; or none."),
]
_Threshold = Annotated[
    float | None,
    spell(
        "--threshold", "Lowest score, in place of the model's own for each class.", min=0, max=1, show_default=False
    ),
]
_Lines = Annotated[list[str] | None, typer.Option("--line", help='Count crossings: "gate=0.1,0.6 0.9,0.6".')]
_Zones = Annotated[list[str] | None, typer.Option("--zone", help='Count in an area: "door=0,0 0.5,0 0.5,1 0,1".')]


@app.command()
def detect(
    context: typer.Context,
    sources: _Sources,
    model: Model = "",
    out: _Out = "detected",
    write: _Write = "video",
    classes: Annotated[str, spell("--classes")] = "",
    threshold: _Threshold = None,
    every: Annotated[
        int, spell("--every", "Analyze each n-th frame only; tracks are propagated between.", min=1, max=100_000)
    ] = 1,
    track: bool = typer.Option(True, "--track/--no-track", help="Track objects and number them."),
    lines: _Lines = None,
    zones: _Zones = None,
    anchor: str = typer.Option(
        "bottom", help="Which point of a box counts: bottom, center or top; for zones also overlap."
    ),
    trails: bool = typer.Option(False, "--trails", help="Draw the path of each track."),
    show: bool = typer.Option(False, "--show", help="Show frames in a window, where there is a display."),
    sound: bool = typer.Option(True, "--sound/--silent", help="Keep the video's sound."),
    preset: str = typer.Option("ultrafast", help="x264's effort: ultrafast (largest files) to slow (smallest)."),
    seconds: Seconds = None,
    as_json: Json = False,
    as_csv: Csv = False,
    workers: Workers = 0,
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Detect, track and count objects in pictures, videos and camera streams.

    A video gives a video with boxes, numbers and the original sound; --write json,csv,coco also write the boxes into
    files, frame by frame; --json and --csv print them. Cameras and streams go on until Ctrl-C, which leaves a video
    that can be played.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray
        from szem.media.video import VIDEO_SUFFIXES

        # One long video is cut for many workers; tracks are made of all pieces together.
        only_videos = all(Path(name).suffix.lower() in VIDEO_SUFFIXES for name in sources)
        task = "track" if only_videos else "detect"
        run_on_ray(context, task, sources, "model threshold classes", shards=shards, workers=workers)
    from rich.console import Console

    from szem.cli.outputs import Destination, Stems, Targets, parse_ways, printable, refuse_two_tables
    from szem.cli.sources import is_video, refuse_two_endless, split_sources, stream_stem
    from szem.cli.walk import STDIN, Failure, each_picture, find_files, report_failures
    from szem.errors import SzemError, UnknownNameError
    from szem.files import is_disk_full
    from szem.media.live import address_without_password
    from szem.media.pictures import PICTURE_SUFFIXES, WRITTEN_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.media.video_writer import PRESETS, WRITTEN_VIDEO_SUFFIXES
    from szem.tasks.video.detect_video import open_video_detector

    refuse_two_tables(as_json=as_json, as_csv=as_csv)
    ways = parse_ways(write, ("video", *_SUFFIXES))
    if preset not in PRESETS:
        raise UnknownNameError(f"no preset called {preset!r}; there are {', '.join(PRESETS)}")
    live, paths = split_sources(sources)
    if seconds is None:
        refuse_two_endless(live)
    stems = Stems()
    items, failures = find_files(paths, suffixes=PICTURE_SUFFIXES | VIDEO_SUFFIXES, leave_out=Path(out), stems=stems)
    videos = [item for item in items if is_video(item)]
    streams = [(text, stems.of(Path(stream_stem(text)))) for text in live]
    if "video" not in ways and len(ways) == 1:  # one table of all inputs
        to = Destination(out, suffixes=_SUFFIXES[next(iter(ways))], inputs=1)
    else:
        written = WRITTEN_VIDEO_SUFFIXES if videos or live else WRITTEN_SUFFIXES
        to = Destination(out, suffixes=written if len(ways) == 1 else (), inputs=len(items) + len(live))
    wanted = [name.strip() for name in classes.split(",") if name.strip()] or None
    detector = open_video_detector(model or None, threshold=threshold, workers=workers or None)
    choices = _VideoOptions(
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
    _check(choices, wanted, detector, only_pictures=bool(items) and not videos and not live)
    targets = Targets(item.name for item in items)
    stopped = False
    names = [item.name for item in items if item.name != STDIN]
    with _Recorder(
        detector, to, targets, ways, wanted, names=names, as_json=as_json, as_csv=as_csv, quiet=quiet
    ) as recorder:
        each_picture([i for i in items if i not in videos], failures, work=recorder.picture, quiet=quiet)
        for name, stem in [(item.name, item.stem) for item in videos] + streams:
            try:
                stopped = recorder.video(name, stem, choices)
            except SzemError as error:
                if is_disk_full(error):
                    raise
                failures.append(Failure(address_without_password(name), str(error)))
            if stopped:
                break
    if recorder.count and ways and not quiet:
        Console(stderr=True, highlight=False).print(f"written to {printable(out)}", markup=False)
    status = report_failures(failures, total=len(items) + len(live))
    if stopped or status:
        raise typer.Exit(130 if stopped else status)


@dataclass(frozen=True, kw_only=True)
class _VideoOptions:
    """How videos are analyzed and written."""

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


def _check(
    choices: _VideoOptions, classes: list[str] | None, detector: "VideoDetector", *, only_pictures: bool
) -> None:
    """Refuse at once what no video could fulfil."""
    from szem.errors import RangeError
    from szem.results.boxes import known_classes
    from szem.tasks.video.counting import check_anchor, parse_line, parse_zone

    known_classes(classes or (), detector.finder.classes)
    check_anchor(choices.anchor)
    for line in choices.lines:
        parse_line(line, width=_ANY_PX, height=_ANY_PX)
    for zone in choices.zones:
        parse_zone(zone, width=_ANY_PX, height=_ANY_PX)
    if not (choices.lines or choices.zones):
        return
    if not choices.follow:
        raise RangeError("lines and zones count objects that are tracked; leave --track on")
    if only_pictures:
        raise RangeError(
            "lines and zones count what moves, and there are only pictures; give a video, or leave them out"
        )


class _Recorder(AbstractContextManager["_Recorder"]):
    """Runs the detector, and prints and writes what was asked for."""

    def __init__(
        self,
        detector: "VideoDetector",
        to: "Destination",
        targets: "Targets",
        ways: frozenset[str],
        classes: list[str] | None,
        *,
        names: list[str],
        as_json: bool,
        as_csv: bool,
        quiet: bool,
    ) -> None:
        from szem.cli.boxes_out import BOX_COLUMNS, FORMATS, BoxesOut
        from szem.cli.outputs import csv_table

        self.detector, self.to, self.ways, self.classes = detector, to, ways, classes
        self.as_json, self.quiet = as_json, quiet
        self.count = 0
        self._targets = targets
        files = {way: to.file(FORMATS[way]) for way in sorted(ways & set(FORMATS))}
        for file in files.values():
            targets.take(file, typed=to.is_file)
        self._table = csv_table(*BOX_COLUMNS) if as_csv else None
        self._is_for_people = not (quiet or as_json or as_csv)
        self._out = BoxesOut(files, names=names)

    def __exit__(self, *problem: Any) -> None:
        self._out.__exit__(*problem)

    def picture(self, item: "Item", picture: "Picture8") -> None:
        """One picture: detect, print, write."""
        from szem.cli.outputs import printable
        from szem.media.pictures import write_picture

        file = self._file(f"{item.stem}.jpg") if "video" in self.ways else None
        finder = self.detector.finder
        found = finder.finish(finder.run(finder.prepare(picture)), (picture.shape[0], picture.shape[1]))
        found = found.take(found.scores >= self.detector.thresholds[found.indices]).keep(classes=self.classes)
        self.count += 1
        self._add(item.name, found, found.to_dict())
        if self._is_for_people:
            print(f"{printable(item.name)}: {_listed(found.labels)}")
        if file is not None:
            write_picture(file, found.draw(picture))

    def _file(self, name: str) -> Path:
        return self._targets.take(self.to.file(name), typed=self.to.is_file)

    def _add(self, name: str, boxes: "Boxes", row: dict[str, Any], tracked: "TrackedBoxes | None" = None) -> None:
        from szem.cli.boxes_out import box_rows
        from szem.cli.outputs import print_json

        self._out.add(name, boxes, row, tracked=tracked)
        if self.as_json:
            print_json({"file": name, **row})
        elif self._table is not None:
            self._table.writerows(box_rows(name, boxes, row, tracked))

    def video(self, name: str, stem: str, choices: _VideoOptions) -> bool:
        """One video, camera or stream; whether it was stopped by Ctrl-C."""
        from szem.cli.outputs import printable
        from szem.cli.videos import run_video
        from szem.cli.walk import STDIN
        from szem.cli.window import PreviewWindow
        from szem.media.frames import Planes
        from szem.media.live import address_without_password
        from szem.media.video_pipeline import VideoPipeline, open_video_source

        def report(line: str) -> None:
            if not self.quiet:
                print(f"szem: {printable(line)}", file=sys.stderr)

        to = self._file(f"{stem}.mp4") if "video" in self.ways else None
        counts = None
        if self.ways and (choices.lines or choices.zones):
            counts = self._targets.take(self.to.folder / f"{stem}.counts.json")
        with ExitStack() as stack:
            source: Any = sys.stdin.buffer if name == STDIN else name
            name = address_without_password(name)  # from here on it is only printed
            window = stack.enter_context(PreviewWindow(f"szem: {name}")) if choices.show else None
            reader = open_video_source(source, sound=choices.sound, on_report=report)
            analyzer = self._analyzer(choices, *reader.size, draws="video" in self.ways or choices.show)
            pipeline = stack.enter_context(VideoPipeline(reader, analyzer.steps, to, preset=choices.preset))
            log = _Tally()

            def use(drawn: "RenderedFrame") -> None:
                self._frame(name, drawn, log, damaged=pipeline.damaged)
                if window is not None and isinstance(drawn.picture, Planes):
                    window.show(drawn.picture.to_rgb(), time_s=None if pipeline.is_live else drawn.frame.time_s)

            def is_last(drawn: "RenderedFrame") -> bool:
                late = choices.seconds is not None and drawn.frame.time_s >= choices.seconds
                return late or (window is not None and window.is_closed)

            try:
                run = run_video(pipeline, name, use=use, until=is_last, quiet=self.quiet)
            finally:  # a video that breaks off keeps what was found up to there
                self._out.flush()
                self._report_counts(name, counts, analyzer, log, pipeline)
        if self._is_for_people:
            lost = f", {run.dropped} left out" if run.dropped else ""
            print(f"{printable(name)}: {run.frames} frames, {run.rate_hz:.1f} frames/s{lost}; {log}")
        return run.was_stopped

    def _analyzer(self, choices: _VideoOptions, width: int, height: int, *, draws: bool) -> "VideoAnalyzer":
        from szem.tasks.video.counting import LineCounter, ZoneCounter, parse_line, parse_zone
        from szem.tasks.video.detect_video import VideoAnalyzer
        from szem.tasks.video.tracker import TrackSettings

        lines = [parse_line(t, width=width, height=height, number=n) for n, t in enumerate(choices.lines, 1)]
        zones = [parse_zone(t, width=width, height=height, number=n) for n, t in enumerate(choices.zones, 1)]
        of_lines = "bottom" if choices.anchor == "overlap" else choices.anchor
        return VideoAnalyzer(
            self.detector,
            follow=TrackSettings() if choices.follow else None,
            classes=self.classes,
            every=choices.every,
            lines=[LineCounter(line, of_lines) for line in lines],
            zones=[ZoneCounter(zone, choices.anchor) for zone in zones],
            draw=draws,
            trails=choices.trails,
        )

    def _frame(self, name: str, drawn: "RenderedFrame", log: "_Tally", *, damaged: int) -> None:
        seen = drawn.result
        self.count += 1
        log.add(seen)
        if not seen.looked and seen.tracked is None:
            return
        row = seen.to_dict() | ({"damaged_packets": damaged} if damaged else {})
        self._add(name, seen.boxes, row, seen.tracked)

    def _report_counts(
        self, name: str, file: Path | None, analyzer: "VideoAnalyzer", log: "_Tally", pipeline: "VideoPipeline"
    ) -> None:
        from szem.files import write_json

        counters = [line.to_dict() for line in analyzer.lines] + [zone.to_dict() for zone in analyzer.zones]
        if not counters:
            return
        if file is not None:
            row: dict[str, Any] = {
                "file": name,
                "frames": pipeline.done,
                "damaged_packets": pipeline.damaged,
                "time_s": round(pipeline.time_s, 4),
                "objects": log.counts,
            }
            write_json(file, {**row, "counts": counters}, indent=2)
        if self._is_for_people:
            for line in analyzer.lines:
                print(f"  line {line.line.name}: {_listed_counts(line.to_right)} to the right, ", end="")
                print(f"{_listed_counts(line.to_left)} to the left")
            for zone in analyzer.zones:
                print(f"  zone {zone.zone.name}: {zone.entered} entered, {zone.left} left, ", end="")
                print(f"{_listed_counts(zone.now)} inside at the end; {zone.objects} in all, ", end="")
                print(f"the longest stay {zone.longest_s:.1f} s")


class _Tally:
    """How many different objects of each class there were; without tracking, how many boxes."""

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
        what = "boxes" if self._boxes else "objects"
        return f"{what}: {_listed_counts(self.counts)}" if self.counts else "no object found"


def _listed(labels: tuple[str, ...]) -> str:
    counts = {label: labels.count(label) for label in dict.fromkeys(labels)}
    return _listed_counts(counts) if counts else "no object found"


def _listed_counts(counts: dict[str, int]) -> str:
    """As in "2 car, 1 bus"; 0 where there is none."""
    return ", ".join(f"{count} {label}" for label, count in counts.items()) or "0"
