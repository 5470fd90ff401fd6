"""`szem segment`: a class for every pixel of pictures and videos."""

import csv
import glob
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Csv, DryRun, Json, On, Quiet, Seconds, Shards, Threshold, Workers, spell

if TYPE_CHECKING:
    from PIL.Image import Image

    from szem.cli.outputs import Destination, Targets
    from szem.cli.walk import Item
    from szem.results.masks import Masks
    from szem.tasks.segmentation.segment import Segmenter

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WAYS = ("overlay", "labels", "coco", "areas", "confidence")
_TABLES = {"coco": "coco.json", "areas": "areas.csv"}  # of all inputs together
_COLUMNS = ("file", "frame", "time_s", "label", "pixels", "fraction", "confidence")

_Paths = Annotated[
    list[str], typer.Argument(help="Pictures, videos, folders, patterns; - reads a picture from the input.")
]
_Model = Annotated[str, spell("--model", "things (20 classes and background), road, or one of yours.")]
_Write = Annotated[str, spell("--write", f"Which files to write, with commas: {', '.join(_WAYS)}; or none.")]


@app.command()
def segment(
    context: typer.Context,
    paths: _Paths,
    model: _Model = "",
    out: Annotated[str, spell("--out")] = "segmented",
    write: _Write = "overlay",
    threshold: Threshold = None,
    opacity: float = typer.Option(0.5, min=0, max=1, help="Of the colours over the picture."),
    legend: bool = typer.Option(True, "--legend/--no-legend", help="Write the classes' names on the picture."),
    every: Annotated[int, spell("--every", min=1, max=100_000)] = 1,
    seconds: Seconds = None,
    as_json: Json = False,
    as_csv: Csv = False,
    workers: Workers = 0,
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Assign a class to every pixel of pictures and videos.

    overlay: the colours over the picture (a video for a video); labels: a PNG whose values are the classes; coco: one
    COCO JSON with run-length masks for all; areas: a CSV of how much each class covers, which --csv prints;
    confidence: a grey PNG, white where the network is certain. --json prints the masks, run-length encoded. Pixels
    less likely than --threshold are unknown and stay uncoloured.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(context, "segment", paths, "model threshold", shards=shards, workers=workers)
    from rich.console import Console

    from szem.cli.outputs import Destination, Targets, parse_ways, printable, refuse_two_tables
    from szem.cli.walk import each_picture, find_files, report_failures
    from szem.media.animations import is_animated
    from szem.media.pictures import PICTURE_SUFFIXES, WRITTEN_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.media.video_writer import WRITTEN_VIDEO_SUFFIXES
    from szem.tasks.segmentation.segment import Segmenter

    refuse_two_tables(as_json=as_json, as_csv=as_csv)
    ways = parse_ways(write, _WAYS)
    segmenter = Segmenter(model or None, threshold=threshold, threads=workers or None)
    items, failures = find_files(paths, suffixes=PICTURE_SUFFIXES | VIDEO_SUFFIXES, leave_out=Path(out))
    videos = [i for i in items if Path(i.name).suffix.lower() in VIDEO_SUFFIXES or is_animated(i.name)]
    named = {
        "overlay": WRITTEN_VIDEO_SUFFIXES if videos else WRITTEN_SUFFIXES,
        "labels": () if videos else (".png",),  # of a video there are many
        "confidence": () if videos else (".png",),
        "coco": (".json",),
        "areas": (".csv",),
    }
    only = next(iter(ways)) if len(ways) == 1 else ""
    to = Destination(out, suffixes=named.get(only, ()), inputs=1 if only in _TABLES else len(items))
    recorder = _Recorder(segmenter, to, Targets(item.name for item in items), ways, opacity, legend)
    recorder.print_as(as_json=as_json, as_csv=as_csv, quiet=quiet)
    with recorder:
        each_picture([i for i in items if i not in videos], failures, work=recorder.picture, quiet=quiet)
        stopped = _each_video(videos, failures, recorder, every, seconds)
    if ways and recorder.count and not quiet:
        Console(stderr=True, highlight=False).print(f"written to {printable(out)}", markup=False)
    status = report_failures(failures, total=len(items))
    if stopped or status:
        raise typer.Exit(130 if stopped else status)


def _each_video(
    videos: "list[Item]", failures: list[Any], recorder: "_Recorder", every: int, seconds: float | None
) -> bool:
    from szem.cli.walk import Failure
    from szem.errors import SzemError
    from szem.files import is_disk_full

    for item in videos:
        try:
            if recorder.video(item, every, seconds):
                return True
        except SzemError as error:
            if is_disk_full(error):
                raise
            failures.append(Failure(item.name, str(error)))
    return False


class _Recorder:
    """Runs the model, and prints and writes what was asked for."""

    def __init__(
        self,
        segmenter: "Segmenter",
        to: "Destination",
        targets: "Targets",
        ways: frozenset[str],
        opacity: float,
        legend: bool,
    ) -> None:
        self.segmenter, self.to, self.targets, self.ways = segmenter, to, targets, ways
        self.opacity, self.legend = opacity, legend
        self.count = 0
        self.coco: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
        self.rows: list[list[Any]] = []
        for way in sorted(ways & set(_TABLES)):
            self._file(_TABLES[way])
        self.print_as()

    def print_as(self, *, as_json: bool = False, as_csv: bool = False, quiet: bool = False) -> None:
        """How the answers are printed: a line each, unless something else is asked for."""
        from szem.cli.outputs import csv_table

        self._as_json, self._is_for_people = as_json, not (as_json or as_csv or quiet)
        self._table = csv_table(*_COLUMNS) if as_csv else None

    def __enter__(self) -> "_Recorder":
        return self

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        from szem.files import is_disk_full, write_json, write_text

        if not self.count or is_disk_full(error):
            return
        if "coco" in self.ways:
            write_json(self.to.file(_TABLES["coco"]), self.coco)
        if "areas" in self.ways:
            text = io.StringIO()
            csv.writer(text).writerows([_COLUMNS, *self.rows])
            write_text(self.to.file(_TABLES["areas"]), text.getvalue())

    def picture(self, item: "Item", picture: Any) -> None:
        """One picture: segment, print, write."""
        from szem.media.pictures import write_picture

        overlay = self._file(f"{item.stem}.jpg") if "overlay" in self.ways else None
        labels = self._file(f"{item.stem}.png") if "labels" in self.ways else None
        certainty = self._file(f"{item.stem}-confidence.png") if "confidence" in self.ways else None
        masks = self.segmenter(picture)
        self._keep(masks, item.name)
        self._print(masks, item.name)
        if overlay is not None:
            write_picture(overlay, masks.draw(picture, opacity=self.opacity, legend=self.legend))
        if labels is not None:
            _write_labels(labels, masks)
        if certainty is not None:
            _write_confidence(certainty, masks)

    def video(self, item: "Item", every: int, seconds: float | None) -> bool:
        """One video: an overlay video with its sound, label PNGs and areas by frame; whether Ctrl-C stopped it."""
        from szem.cli.videos import run_video
        from szem.media.pipeline import Stage
        from szem.media.video_pipeline import RenderedFrame, VideoPipeline, open_video_source

        def name(frame: Any) -> RenderedFrame:
            if frame.index % every:
                return RenderedFrame(frame, None)
            picture = frame.picture
            masks = self.segmenter(picture)
            drawn = None
            if "overlay" in self.ways:
                drawn = masks.draw(picture, opacity=self.opacity, legend=self.legend)
            return RenderedFrame(frame, drawn, masks)

        def use(drawn: RenderedFrame) -> None:
            if drawn.result is not None:
                self._frame(item, drawn.frame, drawn.result, damaged=reader.damaged)

        def is_last(drawn: RenderedFrame) -> bool:
            return seconds is not None and drawn.frame.time_s >= seconds

        out = self._file(f"{item.stem}.mp4") if "overlay" in self.ways else None
        if self.ways & {"labels", "confidence"}:  # how many there will be is not known before
            for file in self.to.folder.glob(f"{glob.escape(item.stem)}-[0-9]*.png"):
                self.targets.check(file)
        reader = open_video_source(item.name, sound=True)
        with VideoPipeline(reader, [Stage(name)], out, every=every) as pipeline:
            return run_video(pipeline, item.name, use=use, until=is_last, quiet=not self._is_for_people).was_stopped

    def _frame(self, item: "Item", frame: Any, masks: "Masks", *, damaged: int) -> None:
        self._keep(masks, item.name, frame=frame.index, time_s=frame.time_s)
        if self._as_json:
            when = {"frame": frame.index, "time_s": round(frame.time_s, 4)}
            self._print(masks, item.name, when | ({"damaged_packets": damaged} if damaged else {}))
        if "labels" in self.ways:
            _write_labels(self._file(f"{item.stem}-{frame.index:06d}.png"), masks)
        if "confidence" in self.ways:
            _write_confidence(self._file(f"{item.stem}-{frame.index:06d}-confidence.png"), masks)

    def _keep(self, masks: "Masks", name: str, *, frame: int | None = None, time_s: float | None = None) -> None:
        self.count += 1
        if "coco" in self.ways:
            title = Path(name).name if frame is None else f"{Path(name).name}#{frame}"
            part = masks.to_coco(image_id=self.count, file_name=title, first_id=len(self.coco["annotations"]) + 1)
            self.coco["images"] += part["images"]
            self.coco["annotations"] += part["annotations"]
            self.coco["categories"] = part["categories"]
        time = "" if time_s is None else f"{time_s:.3f}"
        start = [name, "" if frame is None else frame, time]
        rows = [[*start, a.label, a.pixels, f"{a.fraction:.6f}", f"{a.confidence:.4f}"] for a in masks.areas]
        if "areas" in self.ways:
            self.rows += rows
        if self._table is not None:
            self._table.writerows(rows)

    def _print(self, masks: "Masks", name: str, when: dict[str, Any] | None = None) -> None:
        from szem.cli.outputs import print_json, printable

        if self._as_json:
            print_json({"file": name, **(when or {}), **masks.to_dict()})
        elif self._is_for_people:
            found = ", ".join(f"{a.label} {a.fraction:.1%}" for a in masks.areas if a.fraction >= 0.001)
            print(f"{printable(name)}: {found or 'no class found'}")

    def _file(self, name: str) -> Path:
        return self.targets.take(self.to.file(name), typed=self.to.is_file)


def _write_labels(file: Path, masks: "Masks") -> None:
    _write_png(file, masks.to_image())


def _write_confidence(file: Path, masks: "Masks") -> None:
    from PIL import Image

    assert masks.confidence_map is not None
    _write_png(file, Image.fromarray(masks.confidence_map))


def _write_png(file: Path, image: "Image") -> None:
    from szem.files import write_bytes

    data = io.BytesIO()
    image.save(data, "PNG")
    write_bytes(file, data.getbuffer())
