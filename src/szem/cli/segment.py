"""`szem segment`: every pixel of pictures and films named."""

import csv
import glob
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from szem.cli.walk import Targets
    from szem.results.masks import Masks
    from szem.runtime.sessions import Session

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WAYS = ("overlay", "labels", "coco", "areas")
_TABLES = {"coco": "coco.json", "areas": "areas.csv"}  # of all inputs together


_Paths = Annotated[
    list[str], typer.Argument(help="Pictures, films, folders, patterns; - reads a picture from the input.")
]
_Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for what is made.")]


@app.command()
def segment(
    paths: _Paths,
    model: str = typer.Option("", "--model", "-m", help="things (20 kinds and background), road, or one of yours."),
    out: _Out = Path("segmented"),
    write: str = typer.Option("overlay", help=f"What to make, with commas: {', '.join(_WAYS)}; none only prints."),
    opacity: float = typer.Option(0.5, min=0, max=1, help="Of the colours over the picture."),
    legend: bool = typer.Option(True, "--legend/--no-legend", help="Write the classes' names on the picture."),
    every: int = typer.Option(1, min=1, help="Of a film, each n-th frame only."),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object a picture, its masks run-length encoded."
    ),
    threads: int = typer.Option(0, help="Threads of a run; 0: as many as there are cores."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Print nothing but errors."),
) -> None:
    """Name every pixel of pictures and videos.

    overlay: the colours over the picture (a film for a film); labels: a PNG whose values are the classes; coco: one
    COCO JSON with run-length masks for all; areas: a CSV of how much each class covers.
    """
    from rich.console import Console

    from szem.cli.walk import Targets, each_picture, find_files, report_failures
    from szem.errors import UnknownNameError
    from szem.media.pictures import PICTURE_SUFFIXES
    from szem.media.video import VIDEO_SUFFIXES
    from szem.tasks.models import open_model

    ways = set() if write == "none" else {way.strip() for way in write.split(",") if way.strip()}
    if ways - set(_WAYS):
        raise UnknownNameError(
            f"--write takes {', '.join(_WAYS)} or none, got {', '.join(sorted(ways - set(_WAYS)))}"
        )
    session = open_model(model or None, task="segment", threads=threads or None)
    items, failures = find_files(paths, suffixes=PICTURE_SUFFIXES | VIDEO_SUFFIXES, leave_out=out)
    films = [item for item in items if Path(item.name).suffix.lower() in VIDEO_SUFFIXES]
    keeper = _Keeper(session, out, Targets(item.name for item in items), ways, opacity, legend, as_json, quiet)
    with keeper:
        each_picture([i for i in items if i not in films], failures, work=keeper.picture, quiet=quiet)
        stopped = _each_film(films, failures, keeper, every)
    if ways and keeper.count and not quiet:
        Console(stderr=True, highlight=False).print(f"written to {out}", markup=False)
    status = report_failures(failures, total=len(items))
    if stopped or status:
        raise typer.Exit(130 if stopped else status)


def _each_film(films: list[Any], failures: list[Any], keeper: "_Keeper", every: int) -> bool:
    from szem.cli.walk import Failure
    from szem.errors import SzemError

    for item in films:
        try:
            if keeper.film(item, every):
                return True
        except SzemError as error:
            failures.append(Failure(item.name, str(error)))
    return False


class _Keeper:
    """Runs the model and keeps what was asked for."""

    def __init__(
        self,
        session: "Session",
        out: Path,
        targets: "Targets",
        ways: set[str],
        opacity: float,
        legend: bool,
        as_json: bool,
        quiet: bool,
    ) -> None:
        self.session, self.out, self.targets, self.ways = session, out, targets, ways
        self.opacity, self.legend, self.as_json, self.quiet = opacity, legend, as_json, quiet
        self.count = 0
        self.coco: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
        self.rows: list[list[Any]] = []
        for way in sorted(ways & set(_TABLES)):
            targets.take(out / _TABLES[way])

    def __enter__(self) -> "_Keeper":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if not self.count:
            return
        if "coco" in self.ways:
            self._file(_TABLES["coco"]).write_text(json.dumps(self.coco), encoding="utf-8")
        if "areas" in self.ways:
            with self._file(_TABLES["areas"]).open("w", newline="", encoding="utf-8") as file:
                header = ["file", "frame", "time_s", "label", "pixels", "share", "confidence"]
                csv.writer(file).writerows([header, *self.rows])

    def picture(self, item: Any, picture: Any) -> None:
        """One picture: run, print, keep."""
        from szem.media.pictures import write_picture
        from szem.tasks.segmentation.segment import segment_with

        overlay, labels = self.out / f"{item.stem}.jpg", self.out / f"{item.stem}.png"
        for way, file in (("overlay", overlay), ("labels", labels)):
            if way in self.ways:
                self.targets.take(file)
        masks = segment_with(self.session, picture)
        self._keep(masks, item.name)
        self._print(masks, item.name)
        if "overlay" in self.ways:
            drawn = masks.draw(picture, opacity=self.opacity, legend=self.legend)
            write_picture(overlay, drawn)
        if "labels" in self.ways:
            masks.to_image().save(self._file(labels.name))

    def film(self, item: Any, every: int) -> bool:
        """One film: an overlay film with its sound, label PNGs and areas by frame; whether Ctrl-C stopped it."""
        from szem.cli.films import run_film
        from szem.media.pipeline import Stage
        from szem.media.video_pipeline import RenderedFrame, VideoPipeline, open_film
        from szem.tasks.segmentation.segment import segment_with

        def name(frame: Any) -> RenderedFrame:
            if frame.index % every:
                return RenderedFrame(frame, None)
            picture = frame.picture
            masks = segment_with(self.session, picture)
            drawn = None
            if "overlay" in self.ways:
                drawn = masks.draw(picture, opacity=self.opacity, legend=self.legend)
            return RenderedFrame(frame, drawn, masks)

        def use(drawn: RenderedFrame) -> None:
            if drawn.result is not None:
                self._film_frame(item, drawn.frame, drawn.result)

        out = self.targets.take(self.out / f"{item.stem}.mp4") if "overlay" in self.ways else None
        if "labels" in self.ways:  # how many there will be is not known before
            for file in self.out.glob(f"{glob.escape(item.stem)}-[0-9]*.png"):
                self.targets.check(file)
        reader = open_film(item.name, sound=True)
        with VideoPipeline(reader, [Stage(name)], out, every=every) as maker:
            return run_film(maker, item.name, use=use, quiet=self.quiet).was_stopped

    def _film_frame(self, item: Any, frame: Any, masks: "Masks") -> None:
        self._keep(masks, item.name, frame=frame.index, time_s=frame.time_s)
        if self.as_json:
            self._print(masks, f"{item.name}#{frame.index}")
        if "labels" in self.ways:
            file = self.targets.take(self._file(f"{item.stem}-{frame.index:06d}.png"))
            masks.to_image().save(file)

    def _keep(self, masks: "Masks", name: str, *, frame: int | None = None, time_s: float | None = None) -> None:
        self.count += 1
        if "coco" in self.ways:
            title = Path(name).name if frame is None else f"{Path(name).name}#{frame}"
            part = masks.to_coco(image_id=self.count, file_name=title, first_id=len(self.coco["annotations"]) + 1)
            self.coco["images"] += part["images"]
            self.coco["annotations"] += part["annotations"]
            self.coco["categories"] = part["categories"]
        time = "" if time_s is None else f"{time_s:.3f}"
        for a in masks.areas:
            row = [name, "" if frame is None else frame, time, a.label, a.pixels, f"{a.share:.6f}"]
            self.rows.append([*row, f"{a.confidence:.4f}"])

    def _print(self, masks: "Masks", name: str) -> None:
        if self.as_json:
            print(json.dumps({"file": name, **masks.to_dict()}, ensure_ascii=False))
        elif not self.quiet:
            told = ", ".join(f"{a.label} {a.share:.1%}" for a in masks.areas if a.share >= 0.001)
            print(f"{name}: {told or 'nothing it knows'}")

    def _file(self, name: str) -> Path:
        self.out.mkdir(parents=True, exist_ok=True)
        return self.out / name
