"""`szem search`: the pictures of a folder that match a sentence, or that are like a picture."""

from pathlib import Path
from typing import Annotated

import typer

from szem.cli.options import Json, Model, Quiet, Top

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Text = Annotated[str, typer.Argument(help='What to find, as in "two dogs in the snow".  With --like: the folder.')]
_Folder = Annotated[str, typer.Argument(help="A folder of pictures, searched on all levels.")]
_Like = Annotated[Path | None, typer.Option(help="A picture whose like is searched, instead of a sentence.")]
_Html = Annotated[Path | None, typer.Option("--html", help="Also write the result as one page with small pictures.")]
_Index = Annotated[
    Path | None, typer.Option(help="File of the index.  \\[default: among your data, not in the folder]")
]


@app.command()
def search(
    text: _Text,
    folder: _Folder = "",
    like: _Like = None,
    top: Top = 10,
    html: _Html = None,
    model: Model = "",
    index: _Index = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the pictures of a folder that match a sentence, or that are like a picture.

    Each picture is shown with the probability that it fits; where none fits, that is said. The first search encodes
    every picture; the index it makes is kept, and later searches encode new and changed pictures only. Pictures that
    cannot be read are listed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from szem.cli.outputs import name_option, print_json, printable, refuse_own_source
    from szem.cli.walk import find_files
    from szem.media.pictures import read_picture
    from szem.tasks.search.contact_sheet import write_contact_sheet
    from szem.tasks.search.encoder import open_encoder
    from szem.tasks.search.search import find_hits, update_index

    if like is not None and not folder:
        text, folder = "", text
    if (like is None) != bool(text) or not folder:
        raise typer.BadParameter("give a sentence and a folder, or --like PICTURE and a folder")
    for output in (index, html):  # neither may replace one of the pictures that are searched
        if output is not None:
            refuse_own_source(output, [item.name for item in find_files([folder])[0]], typed=True)
    encoder = open_encoder(model or None, threads=1)  # many pictures are encoded side by side, a thread each
    query = encoder.query(text) if like is None else encoder.query_like(read_picture(like))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=None)
        found = update_index(
            folder,
            encoder=encoder,
            file=index,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    hits = find_hits(found, encoder, query, text=text or f"like {like}", top=top)
    if html is not None:
        write_contact_sheet(hits, html)
    if as_json:
        print_json(hits.to_dict())
    else:
        for hit in hits:
            print(f"{hit.score:6.3f}  {printable(str(hit.path))}")
        if not quiet:
            console.print(f"{len(found)} pictures searched", style="dim")
    if len(hits) and not hits.fitting and not quiet:
        console.print(
            f"szem: nothing fits: no picture reaches a probability of {hits.threshold:g}; these are the nearest"
        )
    if found.unsaved and not quiet:
        console.print(f"szem: {printable(name_option(found.unsaved))}", markup=False)
    for name, why in hits.broken.items():
        console.print(f"szem: {printable(name)}: {printable(why.removeprefix(f'{name}: '))}", markup=False)
    if hits.broken:
        raise typer.Exit(1)
