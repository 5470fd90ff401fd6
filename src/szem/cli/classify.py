"""`szem classify`: name what is in pictures."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.walk import Item

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def classify(
    paths: Annotated[
        list[str], typer.Argument(help="Pictures, folders, patterns; - reads a picture from the input.")
    ],
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many labels a picture.")] = 5,
    model: Annotated[
        str, typer.Option("--model", "-m", help="One of `szem models list`; else the shipped one.")
    ] = "",
    maps: Annotated[bool, typer.Option("--map", help="Draw where the best label's score comes from.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the drawn maps.")] = Path("classified"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print lines of file, place, name, score, index, id.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Name what is in pictures: 1000 ImageNet classes, or those of your own model."""
    from szem.cli.walk import Targets, each_picture, find_files, report_failures
    from szem.errors import RangeError
    from szem.tasks.classification.classify import Classifier
    from szem.tasks.models import open_model

    if as_json and as_csv:
        raise RangeError("--json and --csv exclude each other; choose one")
    items, failures = find_files(paths, leave_out=out if maps else None)
    classifier = Classifier(open_model(model or None, task="classify"))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if as_csv:
        writer.writerow(["file", "place", "name", "score", "index", "id"])

    targets = Targets(item.name for item in items)

    def work(item: "Item", picture: "Picture8") -> None:
        to = targets.take(out / f"{item.stem}-map.jpg") if maps else None
        labels = classifier([picture], top=top, maps=maps)[0]
        drawn = None
        if to is not None:
            from szem.media.pictures import write_picture

            drawn = write_picture(to, labels.draw(picture))
        if as_json:
            extra = {"drawn": str(drawn)} if drawn else {}
            print(json.dumps({"file": item.name, **labels.to_dict(), **extra}, ensure_ascii=False), flush=True)
        elif as_csv:
            writer.writerows(
                [item.name, place, label.name, f"{label.score:.6f}", label.index, label.id]
                for place, label in enumerate(labels, start=1)
            )
        else:
            print(item.name)
            for label in labels:
                print(f"  {label.score:6.1%}  {'▇' * round(label.score * 20):<20}  {label.name}")
            if drawn:
                print(f"  map: {drawn}")

    each_picture(items, failures, work=work, quiet=quiet)
    status = report_failures(failures, total=len(items))
    if status:
        raise typer.Exit(status)
