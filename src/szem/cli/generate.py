"""`szem generate`: pictures of flowers and birds for a sentence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Json, Model, Quiet, spell

if TYPE_CHECKING:
    from szem.results.generated import WordInfluence

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Texts = Annotated[
    list[str] | None,
    typer.Argument(help="A sentence in quotes; several may be given. Without one: the lecture's two."),
]
_Out = Annotated[
    str, spell("--out", "Where the grid goes: a picture (of several sentences, each with a number), or a folder.")
]
_Each = Annotated[Path | None, typer.Option(help="Also write every picture by itself into this folder.")]
_Truncation = Annotated[
    float | None,
    typer.Option(
        min=0, max=1.5, help="Spread of the random vectors, 0..1.5: higher is more varied.  \\[default: the card's]"
    ),
]


@app.command()
def generate(
    texts: _Texts = None,
    n: int = typer.Option(1, "--n", min=1, max=100, help="How many pictures for each sentence, 1..100."),
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="The same seed gives the same pictures."),
    truncation: _Truncation = None,
    stages: bool = typer.Option(False, "--stages", help="Show the sketch of stage I beside each picture."),
    out: _Out = "drawn.png",
    each: _Each = None,
    influence: bool = typer.Option(False, "--influence", help="Also print how much each word changes the picture."),
    model: Model = "",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw flowers and birds for a sentence.

    szem generate "This bird is black with green and has a very short beak" --n 9 --seed 7 --stages
    """
    from rich.console import Console

    from szem.cli.outputs import Destination, Targets, print_json, printable
    from szem.cli.walk import Failure, report_failures
    from szem.errors import SzemError
    from szem.files import is_disk_full
    from szem.media.pictures import WRITTEN_SUFFIXES, write_picture
    from szem.tasks.generation.generate import EXAMPLES, open_generator

    painter = open_generator(model or None)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    sentences = list(texts or EXAMPLES)
    to = Destination(out, suffixes=WRITTEN_SUFFIXES, inputs=1)  # each of several has a number
    targets = Targets(())
    failures: list[Failure] = []
    for number, text in enumerate(sentences, start=1):
        try:
            drawn = painter(text, n=n, seed=seed, truncation=truncation)
            file = to.file("drawn.png")
            if len(sentences) > 1:
                file = file.with_name(f"{file.stem}-{number}{file.suffix}")
            write_picture(targets.take(file, typed=True), drawn.sheet(stages=stages, zoom=2))
            if each is not None:
                for place, picture in enumerate(drawn.pictures, start=1):
                    write_picture(each / f"{number}-{place}.png", picture)
        except SzemError as error:  # one sentence must not take the others with it
            if is_disk_full(error):
                raise
            failures.append(Failure(text, str(error)))
            continue
        words: list[WordInfluence] = []
        if influence:
            try:
                words = painter.influence(text, seed=seed, truncation=truncation)
            except SzemError as error:  # the picture is there all the same
                failures.append(Failure(text, str(error)))
        if as_json:
            rows = [{"word": w.word, "fraction": round(w.fraction, 4), "change": round(w.change, 5)} for w in words]
            print_json({**drawn.to_dict(), "file": str(file)} | ({"influence": rows} if rows else {}))
            continue
        if not quiet:
            print(printable(f"{file}: {text}"))
        for word in words:
            print(printable(f"  {word.fraction:5.1%}  {word.word}"))
        for warning in () if quiet else drawn.warnings:
            console.print(printable(f"szem: {warning}"), markup=False)
    if status := report_failures(failures, total=len(sentences)):
        raise typer.Exit(status)
