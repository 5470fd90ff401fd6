"""`szem eval`: measure a model again, through the path that is shipped."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Json, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from szem.results.score import Measurement
    from szem.runtime.store import Model

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("eval")
def eval_(
    name: Annotated[str, typer.Argument(help="A model's name, its folder, the folder of a run; or track.")],
    data: Annotated[Path, typer.Option(help="Folder of the data: an index.csv, or a folder of pictures per label.")],
    split: Annotated[
        str,
        typer.Option(
            help="Which part: all, even, odd, held-back:5, or a split the data names.  \\[default: all; of a run, "
            "what was held out of its training]"
        ),
    ] = "",
    as_json: Json = False,
    save: Annotated[str, typer.Option(help="Put the scores on the card, under this name of the data.")] = "",
    quiet: Quiet = False,
) -> None:
    """Measure a model again and show its card's numbers beside what was found.

    A run is exported first, so that it is measured as it would be shipped.
    """
    from szem.cli.outputs import print_json
    from szem.errors import RangeError
    from szem.tasks.evaluate import evaluate, model_to_measure

    name, what = model_to_measure(name)
    with _model_of(name, data) as (model, held):
        if save and held:
            raise RangeError(f"{name}: a run has no card to save scores on; szem export it, then measure the model")
        part = split or held or "all"
        measured = evaluate(model, data, split=part, what=what)
        if save:
            _save(model, save, part, measured)
    if as_json:
        rows = [{"metric": m.metric, "value": m.value, "n": m.n} for m in measured]
        print_json({"model": model.name, "split": part, "scores": rows})
        return
    stated = {(s.metric, s.split): s.value for s in model.card.scores}
    for found in measured:
        card = stated.get((found.metric, part))
        beside = f"   card: {card:.4f}" if card is not None and not quiet else ""
        print(f"{found.metric:<12} {found.value:.4f}  ({found.n} items){beside}")


@contextmanager
def _model_of(name: str, data: Path) -> "Iterator[tuple[Model, str]]":
    """The model, and for a run the split that it did not learn from."""
    from szem.runtime.store import Model, find_model

    folder = Path(name)
    if not (folder / "run.json").is_file():
        yield find_model(name), ""
        return
    import tempfile

    from szem.errors import FileMissingError, MissingExtraError

    try:
        from szem.train.release import export_run
        from szem.train.runs import open_run
    except ImportError as error:
        raise MissingExtraError('a run needs torch and onnx; pip install ".[train]" in its folder') from error

    try:
        run = open_run(folder)
    except FileMissingError:  # the data has moved since
        run = open_run(folder, data=data)
    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / folder.resolve().name
        card = export_run(run.recipe, folder, place, command=run.command, recipe_name=run.recipe_name)
        yield Model(card, place), run.recipe.held_split


def _save(model: "Model", dataset: str, split: str, measured: "list[Measurement]") -> None:
    import datetime

    from szem.runtime.cards import Score, put_scores

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = f"szem eval {model.name} --data DIR --split {split}"
    scores = [
        Score(
            dataset=dataset,
            split=split,
            metric=m.metric,
            value=round(m.value, 4),
            n=m.n,
            command=command,
            date=today,
        )
        for m in measured
    ]
    put_scores(model.folder, scores)
