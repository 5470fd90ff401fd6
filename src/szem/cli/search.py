"""`szem search`: the pictures of a folder that fit a sentence."""

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Text = Annotated[str, typer.Argument(help='What to find, as in "two dogs in the snow".')]
_Folder = Annotated[Path, typer.Argument(help="A folder of pictures, searched on all levels.")]
_Index = Annotated[
    Path | None, typer.Option(help="File of the index.  \\[default: among your data, not in the folder]")
]


@app.command()
def search(
    text: _Text,
    folder: _Folder,
    top: int = typer.Option(10, "--top", "-k", help="Pictures at most."),
    model: str = typer.Option("", "--model", "-m", help="A captioning model.  \\[default: the shipped one]"),
    index: _Index = None,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress bar."),
) -> None:
    """Find the pictures of a folder that fit a sentence.

    The first search looks at every picture; the index it makes is kept, and later searches look at new and changed
    pictures only. Pictures that cannot be read are listed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from szem.cli.walk import find_files, printable, refuse_own_source
    from szem.errors import RangeError
    from szem.results.hits import Hits
    from szem.tasks.captioning.caption import open_captioner
    from szem.tasks.captioning.search import update_index

    if top < 1:
        raise RangeError(f"--top must be at least 1, got {top}")
    if index is not None:
        refuse_own_source(index, [item.name for item in find_files([str(folder)])[0]], typed=True)
    captioner = open_captioner(model or None, threads=1)
    place = captioner.place([text])[0]
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=None)
        found = update_index(
            folder,
            captioner=captioner,
            file=index,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    broken = {file.name: why for file, why in found.broken}
    hits = Hits(tuple(found.best(place, top)), text, captioner.card.name, len(found), broken)
    if as_json:
        print(json.dumps(hits.to_dict()))
    else:
        for hit in hits:
            print(f"{hit.score:6.3f}  {printable(str(hit.path))}")
        for name, why in broken.items():
            console.print(f"could not be read: {printable(name)}: {printable(why)}", markup=False)
        if not quiet:
            console.print(f"{len(found)} pictures searched", style="dim")
