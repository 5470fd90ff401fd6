"""`szem classify`: name what is in pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Csv, DryRun, Json, Model, On, Quiet, RayWorkers, Shards, Top, spell

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.walk import Item

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Paths = Annotated[list[str], typer.Argument(help="Pictures, folders, patterns; - reads a picture from the input.")]
_Out = Annotated[str, spell("--out", "Where the drawn maps go: a picture for one input, or a folder.")]


@app.command()
def classify(
    context: typer.Context,
    paths: _Paths,
    top: Top = 5,
    model: Model = "",
    maps: Annotated[bool, typer.Option("--map", help="Draw which places raised the best label's score.")] = False,
    out: _Out = "classified",
    as_json: Json = False,
    as_csv: Csv = False,
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Name what is in pictures: 1000 ImageNet classes, or those of your own model.

    Where several classes have one word (cat for tabby, tiger cat, Persian cat), it comes first with their summed
    probability. --csv prints lines of file, place, name, score, index, id.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(context, "classify", paths, "top model maps", shards=shards, workers=workers)
    from szem.cli.outputs import Destination, Targets, csv_table, print_json, printable, refuse_two_tables
    from szem.cli.walk import each_picture, find_files, report_failures
    from szem.media.pictures import WRITTEN_SUFFIXES, write_picture
    from szem.tasks.classification.classify import Classifier
    from szem.tasks.models import open_model

    refuse_two_tables(as_json=as_json, as_csv=as_csv)
    items, failures = find_files(paths, leave_out=Path(out) if maps else None)
    to = Destination(out, suffixes=WRITTEN_SUFFIXES, inputs=len(items))
    classifier = Classifier(open_model(model or None, task="classify"))
    table = csv_table("file", "place", "name", "score", "index", "id") if as_csv else None
    targets = Targets(item.name for item in items)

    def work(item: "Item", picture: "Picture8") -> None:
        file = targets.take(to.file(f"{item.stem}-map.jpg"), typed=to.is_file) if maps else None
        labels = classifier([picture], top=top, maps=maps)[0]
        drawn = None if file is None else write_picture(file, labels.draw(picture))
        if as_json:
            print_json({"file": item.name, **labels.to_dict(), **({"drawn": str(drawn)} if drawn else {})})
        elif table is not None:
            table.writerows(
                [item.name, place, label.name, f"{label.score:.6f}", label.index, label.id]
                for place, label in enumerate(labels, start=1)
            )
        else:
            print(printable(item.name))
            if labels.parents:
                print(f"  in one word: {', '.join(f'{label.name} {label.score:.0%}' for label in labels.parents)}")
            for label in labels:
                print(f"  {label.score:6.1%}  {'▇' * round(label.score * 20):<20}  {label.name}")
            if drawn:
                print(f"  map: {printable(str(drawn))}")

    each_picture(items, failures, work=work, quiet=quiet)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)
