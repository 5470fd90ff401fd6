"""`szem export`: a run becomes a model with a card."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from szem.cli import VERBS

__all__ = ["app"]

app = typer.Typer(add_completion=False)


_Run = Annotated[Path, typer.Argument(help="Folder of a run that `szem train` made.")]
_Out = Annotated[Path | None, typer.Option(help="Folder to put it in.  [default: your own models]")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the data, where it has moved since.")]


@app.command()
def export(
    run: _Run,
    name: str = typer.Option("", help="Name of the model.  [default: that of the run's folder]"),
    out: _Out = None,
    precision: str = typer.Option(
        "float16", help="float16 (weights stored in half the room), int8 (where the recipe can) or float32."
    ),
    data: _Data = None,
    force: bool = typer.Option(False, "--force", help="Replace a model of that name."),
) -> None:
    """Turn a training run into a model with a card.

    Refused where ONNX Runtime and torch give different numbers.
    """
    from rich.console import Console

    from szem.errors import MissingExtraError, TrainError
    from szem.runtime.store import user_folder

    try:
        from szem.train.recipes import load_recipe
        from szem.train.release import export_run
    except ImportError as error:
        raise MissingExtraError('export needs torch and onnx; pip install "szem[train]"') from error

    about = _read_run(run)
    assignments = _assignments(about["settings"])
    if data is not None:
        assignments.append(f"data={json.dumps(str(data))}")
    folder = (out or user_folder()) / (name or run.resolve().name)
    if (folder / "card.json").exists() and not force:
        raise TrainError(f"{folder}: holds a model already; choose another --name, or --force to replace it")
    recipe = load_recipe(about["recipe"], assignments)
    card = export_run(recipe, run, folder, command=about["command"], recipe_name=about["recipe"], precision=precision)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{folder}: {card.all_bytes / 1e6:.1f} MB, {card.precision}", markup=False)
    if card.task in VERBS:
        console.print(f"Next: szem {card.task} PICTURE --model {card.name if out is None else folder}", markup=False)


def _read_run(run: Path) -> dict[str, Any]:
    from szem.errors import TrainError

    try:
        about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError(f"{run}: not the folder of a run ({error}); give the --out of szem train") from error
    if not isinstance(about, dict) or not {"recipe", "settings", "command"} <= about.keys():
        raise TrainError(f"{run}/run.json: does not say recipe, settings and command; train again")
    return about


def _assignments(settings: object, prefix: str = "") -> list[str]:
    """Settings as FIELD=VALUE, so that the network is built as it was trained."""
    out: list[str] = []
    assert isinstance(settings, dict)
    for key, value in settings.items():
        if isinstance(value, dict):
            out += _assignments(value, f"{prefix}{key}.")
        else:
            out.append(f"{prefix}{key}={json.dumps(value)}")
    return out
