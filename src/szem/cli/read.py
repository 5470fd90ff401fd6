"""`szem read`: the text in pictures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import DryRun, Json, Model, On, Quiet, Shards, Threshold, Workers, spell

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.walk import Item
    from szem.results.text import Text

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WAYS = {"txt": ".txt", "hocr": ".hocr", "pdf": ".pdf", "drawn": ".jpg"}
_Paths = Annotated[list[str], typer.Argument(help="Pictures, folders, patterns; - reads a picture from the input.")]
_Write = Annotated[str, spell("--write", f"Which files to write, with commas: {', '.join(_WAYS)}; none: only print.")]
_Side = Annotated[
    int,
    typer.Option("--side", min=320, max=2560, help="Longer side in which lines are looked for; more: smaller text."),
]


@app.command()
def read(
    context: typer.Context,
    paths: _Paths,
    threshold: Threshold = None,
    side: _Side = 1600,
    any_script: Annotated[
        bool, typer.Option("--any-script", help="Read other scripts than the Latin one too: Chinese, Japanese.")
    ] = False,
    symbols: Annotated[bool, typer.Option("--symbols", help="--json gives each symbol beside its word.")] = False,
    write: _Write = "none",
    out: Annotated[str, spell("--out")] = "read",
    model: Model = "",
    as_json: Json = False,
    workers: Workers = 0,
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Read the text in pictures and PDF files: printed pages, signs, photographs, turned in any direction.

    txt: the text; hocr: HTML with the box of every word; pdf: the pictures as pages whose text can be searched and
    copied, one file for a PDF's pages; drawn: the picture with a frame around each line. It needs the extra: pip
    install 'szem\\[text]'; PDF needs 'szem\\[pdf]'.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(
            context, "text", paths, "threshold side=side_px any_script symbols model", shards=shards, workers=workers
        )
    from szem.cli.outputs import Destination, Targets, parse_ways, print_json, printable
    from szem.cli.walk import PDF_SUFFIX, each_picture, find_files, report_failures, split_pages
    from szem.media.pictures import PICTURE_SUFFIXES
    from szem.tasks.models import open_model
    from szem.tasks.text.read import TextReader

    ways = parse_ways(write, tuple(_WAYS))
    suffixes = PICTURE_SUFFIXES | {PDF_SUFFIX}
    found_files, failures = find_files(paths, suffixes=suffixes, leave_out=Path(out) if ways else None)
    items = split_pages(found_files, failures)
    only = {_WAYS[next(iter(ways))]} if len(ways) == 1 else ()
    to = Destination(out, suffixes=only, inputs=len(items))
    reader = TextReader(open_model(model or None, task="text", threads=workers or None))
    targets = Targets(item.file or item.name for item in items)
    documents: dict[str, dict[int, Text]] = {}  # a PDF's pages, for the file that has them all

    def work(item: "Item", picture: "Picture8") -> None:
        own = [way for way in _WAYS if way in ways and not (way == "pdf" and item.page)]
        files = {way: targets.take(to.file(item.stem + _WAYS[way]), typed=to.is_file) for way in own}
        found = reader(
            picture, threshold=0.5 if threshold is None else threshold, side_px=side, any_script=any_script
        )
        for way, file in files.items():
            _write(way, file, picture, found, name=Path(item.name).name)
        if item.page and "pdf" in ways:
            documents.setdefault(item.file, {})[item.page] = found
        if as_json:
            written = {"written": [str(file) for file in files.values()]} if files else {}
            page = {"page": item.page} if item.page else {}
            print_json({"file": item.file or item.name, **page, **found.to_dict(symbols=symbols), **written})
            return
        if len(items) > 1:
            print(f"{printable(item.name)}:")
        if found.text:
            print("\n".join(printable(line) for line in found.text.splitlines()), flush=True)
        elif not quiet:
            print(f"{printable(item.name)}: no text found", file=sys.stderr)
        for file in files.values():
            if not quiet:
                print(f"  written: {printable(str(file))}")

    each_picture(items, failures, work=work, quiet=quiet)
    stems = {item.name: item.stem for item in found_files}
    for name, texts in documents.items():
        file = targets.take(to.file(f"{stems[name]}.pdf"), typed=to.is_file)
        _write_document(file, name, texts)
        if not (quiet or as_json):
            print(f"written: {printable(str(file))}")
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)


def _write_document(file: Path, name: str, texts: "dict[int, Text]") -> None:
    """The pages of a PDF, with their text. They are drawn again one by one: all at once would fill the memory."""
    from szem.files import write_bytes
    from szem.media.pages import read_pages
    from szem.tasks.text.pdf import to_pdf

    pages = read_pages(name, [number - 1 for number in texts])
    write_bytes(file, to_pdf(zip(pages, texts.values(), strict=True)))


def _write(way: str, file: Path, picture: "Picture8", found: "Text", *, name: str) -> None:
    from szem.files import write_bytes, write_text
    from szem.media.pictures import write_picture
    from szem.tasks.text.hocr import to_hocr
    from szem.tasks.text.pdf import to_pdf

    if way == "txt":
        write_text(file, found.text + "\n")
    elif way == "hocr":
        write_text(file, to_hocr(found, name=name))
    elif way == "pdf":
        write_bytes(file, to_pdf([(picture, found)]))
    else:
        write_picture(file, found.draw(picture))
