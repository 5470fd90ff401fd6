"""`szem caption`: a sentence for each picture, and alternative texts for web pages."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import DryRun, Json, Model, On, Quiet, RayWorkers, Shards, spell

if TYPE_CHECKING:
    from szem.arrays import Picture8
    from szem.cli.walk import Item
    from szem.results.caption import Caption

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Paths = Annotated[
    list[str] | None, typer.Argument(help="Pictures, folders, patterns; - reads a picture from the input.")
]
_Attention = Annotated[
    Path | None, typer.Option(help="Write a picture of where the network looked for each word; of several: a folder.")
]
_Alt = Annotated[
    Path | None, typer.Option(help="A web page or the folder of a site: propose alt texts for pictures without any.")
]
_Threshold = Annotated[
    float, spell("--threshold", "With --alt: texts of lower confidence are only listed.", min=0, max=1)
]
_Apply = Annotated[bool, typer.Option("--apply", help="With --alt: change the pages, instead of showing a diff.")]


@app.command()
def caption(
    context: typer.Context,
    paths: _Paths = None,
    beam: int = typer.Option(
        10, min=1, max=20, help="Beam width, 1..20: wider is slower and finds likelier sentences."
    ),
    top: Annotated[int, spell("--top", "How many different sentences for each picture, at most.", min=1, max=20)] = 1,
    start: Annotated[str, typer.Option(help='How each sentence begins, as in "a dog".')] = "",
    model: Model = "",
    attention: _Attention = None,
    alt: _Alt = None,
    apply: _Apply = False,
    threshold: _Threshold = 0.5,
    as_json: Json = False,
    out: Annotated[str, spell("--out", "With --on: the folder of results.")] = "",  # noqa: ARG001 - read from the context
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Describe pictures in a sentence.

    With --alt the answer is a diff: szem caption --alt site > alt.diff; patch -p1 -d site < alt.diff
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(context, "caption", paths or (), "beam=beams top=n start model", shards=shards, workers=workers)
    from szem.cli.outputs import Targets, print_json, printable
    from szem.cli.walk import each_picture, find_files, report_failures
    from szem.errors import RangeError
    from szem.media.pictures import write_picture
    from szem.tasks.captioning.caption import open_captioner

    if (alt is None) == (not paths):
        raise RangeError("give pictures, or --alt with a page or the folder of a site; one of the two")
    captioner = open_captioner(model or None)
    if alt is not None:
        raise typer.Exit(_alt_texts(alt, captioner, apply=apply, threshold=threshold, beam=beam))
    items, failures = find_files(paths or [], leave_out=attention)
    single = len(items) == 1 and attention is not None and attention.suffix != ""
    targets = Targets(item.name for item in items)

    def work(item: "Item", picture: "Picture8") -> None:
        to = None
        if attention is not None:
            file = attention if single else attention / f"{item.stem}-attention.jpg"
            to = targets.take(file, typed=single)
        said = captioner([picture], beams=beam, n=top, start=start, attention=attention is not None)[0]
        if to is not None:
            write_picture(to, said.draw_attention(picture))
        if as_json:
            print_json({"file": item.name, **said.to_dict()})
        else:
            _print_caption(printable(item.name), said)

    each_picture(items, failures, work=work, quiet=quiet)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)


def _print_caption(name: str, said: "Caption") -> None:
    if said.source == "none":
        print(f"{name}  no caption: nothing was recognised for certain")
        return
    print(f"{name}  confidence {said.confidence:.0%}{'  (from tags)' if said.source == 'tags' else ''}")
    for place, sentence in enumerate(said):
        print(f"  {place}) {sentence.text}  (confidence {sentence.confidence:.0%})")


def _alt_texts(place: Path, captioner: "object", *, apply: bool, threshold: float, beam: int) -> int:
    """Show or write the new alternative texts; the exit status."""
    from rich.console import Console

    from szem.cli.outputs import printable
    from szem.errors import MediaError, SzemError
    from szem.files import write_bytes
    from szem.tasks.captioning.alt_text import Page, find_pages, page_diff, propose_alt
    from szem.tasks.captioning.caption import Captioner

    assert isinstance(captioner, Captioner)
    describe = captioner
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    site = place if place.is_dir() else place.parent
    pages: list[Page] = []
    failed = False
    for path in find_pages(place):
        try:
            page = propose_alt(path, site=site, describe=lambda p: describe([p], beams=beam)[0], minimum=threshold)
        except (MediaError, SzemError) as error:
            console.print(f"szem: {printable(str(error))}", markup=False)
            failed = True
            continue
        pages.append(page)
        for one in page.found:
            if not one.text:
                console.print(printable(f"{path}:{one.line}: {one.source or 'img'}: {one.reason}"), markup=False)
    texts = sum(bool(one.text) for page in pages for one in page.found)
    if apply:
        for page in pages:
            if page.before != page.after:
                write_bytes(page.path, page.encode())
    else:
        sys.stdout.flush()
        for line in page_diff(pages, site=site):
            sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    total = sum(len(page.found) for page in pages)
    verb = "written" if apply else "proposed"
    console.print(f"{total} pictures without an alternative text on {len(pages)} pages, {texts} {verb}")
    return int(failed)
