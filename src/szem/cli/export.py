"""`szem export`: turn a training run into a model with a card."""

from pathlib import Path
from typing import Annotated

import typer

from szem.cli.options import Quiet, spell
from szem.tasks.registry import TASKS

__all__ = ["app"]

app = typer.Typer(add_completion=False)


_Run = Annotated[Path, typer.Argument(help="Folder of a run that `szem train` made.")]
_Out = Annotated[Path | None, spell("--out", "Folder to put it in.  \\[default: your own models]")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the data, where it has moved since.")]


@app.command()
def export(
    run: _Run,
    name: str = typer.Option("", help="Name of the model.  \\[default: that of the run's folder]"),
    out: _Out = None,
    precision: str = typer.Option(
        "float16", help="float16 (weights of half the size), int8 (where the recipe supports it) or float32."
    ),
    data: _Data = None,
    allowed_loss: float = typer.Option(
        0.003,
        "--allowed-loss",
        min=0,
        max=1,
        help="How much of the score on what was held out int8 may cost; where it costs more, all stays float16.",
    ),
    force: bool = typer.Option(False, "--force", help="Replace a model of that name."),
    quiet: Quiet = False,
) -> None:
    """Turn a training run into a model with a card.

    Refuses where ONNX Runtime and torch give different numbers.
    """
    from rich.console import Console

    from szem.errors import MissingExtraError, TrainError
    from szem.runtime.store import make_data_folder

    try:
        from szem.train.quantize_search import describe_trials
        from szem.train.release import export_run
        from szem.train.runs import open_run
    except ImportError as error:
        raise MissingExtraError('export needs torch and onnx; pip install ".[train]" in its folder') from error

    folder = (out or make_data_folder("models", instead="--out DIR")) / (name or run.resolve().name)
    if (folder / "card.json").exists() and not force:
        raise TrainError(f"{folder}: holds a model already; choose another --name, or --force to replace it")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    opened = open_run(run, data=data)
    card = export_run(
        opened.recipe,
        run,
        folder,
        command=opened.command,
        recipe_name=opened.recipe_name,
        precision=precision,
        allowed_loss=allowed_loss,
        on_trials=None
        if quiet
        else lambda trials: console.print(describe_trials(trials, allowed_loss=allowed_loss), markup=False),
    )
    if card.precision != precision:  # said in quiet, too: it is not what was asked for
        console.print(
            f"szem: {folder.name}: int8 loses more than {allowed_loss:g} of the score; it is stored as "
            f"{card.precision} instead (--allowed-loss allows more)",
            markup=False,
        )
    if quiet:
        return
    console.print(f"{folder}: {card.all_bytes / 1e6:.1f} MB, {card.precision}", markup=False)
    row = TASKS.get(card.task)
    if row is not None and row.has_verb:
        named = card.name if out is None else folder
        console.print(f"Next: szem {row.verb_name} {row.takes.upper()} --model {named}", markup=False)
