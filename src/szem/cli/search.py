"""`szem search`: the pictures of a folder that match a sentence."""

from pathlib import Path
from typing import Annotated

import typer

from szem.cli.options import Json, Model, Quiet, Top

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
    top: Top = 10,
    model: Model = "",
    index: _Index = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the pictures of a folder that match a sentence.

    The first search looks at every picture; the index it makes is kept, and later searches look at new and changed
    pictures only. Pictures that cannot be read are listed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from szem.cli.outputs import name_option, print_json, printable, refuse_own_source
    from szem.cli.walk import find_files
    from szem.results.hits import Hits
    from szem.tasks.captioning.caption import open_captioner
    from szem.tasks.captioning.search import update_index

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
        print_json(hits.to_dict())
    else:
        for hit in hits:
            print(f"{hit.score:6.3f}  {printable(str(hit.path))}")
        if not quiet:
            console.print(f"{len(found)} pictures searched", style="dim")
    if found.unsaved and not quiet:
        console.print(f"szem: {printable(name_option(found.unsaved))}", markup=False)
    for name, why in broken.items():
        console.print(f"szem: {printable(name)}: {printable(why.removeprefix(f'{name}: '))}", markup=False)
    if broken:
        raise typer.Exit(1)
