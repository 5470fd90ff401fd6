"""`szem generate`: pictures of flowers and birds for a sentence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from szem.results.generated import WordInfluence

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_Texts = Annotated[
    list[str] | None,
    typer.Argument(help="A sentence in quotes; several may be given. Without one: the lecture's two."),
]
_Out = Annotated[Path, typer.Option(help="Where the grid goes; of several sentences, a number is added.")]
_Each = Annotated[Path | None, typer.Option(help="Also write every picture by itself into this folder.")]
_Truncation = Annotated[
    float | None,
    typer.Option(
        help="How far chance may go, 0..1.5: less is more usual, more is more varied.  \\[default: the card's]"
    ),
]


@app.command()
def generate(
    texts: _Texts = None,
    n: int = typer.Option(9, "--n", "-n", help="Pictures for each sentence, 1..100."),
    seed: int = typer.Option(0, help="The same seed gives the same pictures."),
    truncation: _Truncation = None,
    stages: bool = typer.Option(False, "--stages", help="Show the sketch of stage I beside each picture."),
    out: _Out = Path("drawn.png"),
    each: _Each = None,
    influence: bool = typer.Option(False, "--influence", help="Also tell how much each word changes the picture."),
    model: str = typer.Option("", "--model", "-m", help="A model's name or folder.  \\[default: the shipped one]"),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line for each sentence."),
) -> None:
    """Draw flowers and birds for a sentence.

    szem generate "This bird is black with green and has a very short beak" --n 9 --seed 7 --stages
    """
    from rich.console import Console

    from szem.cli.walk import Failure, printable, report_failures
    from szem.errors import SzemError
    from szem.media.pictures import write_picture
    from szem.tasks.generation.generate import EXAMPLES, open_painter

    painter = open_painter(model or None)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    sentences = list(texts or EXAMPLES)
    failures: list[Failure] = []
    for number, text in enumerate(sentences, start=1):
        try:
            drawn = painter(text, n=n, seed=seed, truncation=truncation)
            file = out if len(sentences) == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
            write_picture(file, drawn.sheet(stages=stages, zoom=2))
            if each is not None:
                for place, picture in enumerate(drawn.pictures, start=1):
                    write_picture(each / f"{number}-{place}.png", picture)
        except SzemError as error:  # one sentence must not take the others with it
            failures.append(Failure(text, str(error)))
            continue
        words: list[WordInfluence] = []
        if influence:
            try:
                words = painter.influence(text, seed=seed, truncation=truncation)
            except SzemError as error:  # the picture is there all the same
                failures.append(Failure(text, str(error)))
        if as_json:
            told = [{"word": w.word, "share": round(w.share, 4), "change": round(w.change, 5)} for w in words]
            row = {**drawn.to_dict(), "file": str(file)} | ({"influence": told} if told else {})
            print(json.dumps(row), flush=True)
            continue
        print(printable(f"{file}: {text}"))
        for word in words:
            print(printable(f"  {word.share:5.1%}  {word.word}"))
        for warning in drawn.warnings:
            console.print(printable(f"szem: {warning}"), markup=False)
    if status := report_failures(failures, total=len(sentences)):
        raise typer.Exit(status)
