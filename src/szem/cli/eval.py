"""`szem eval`: measure a model through the path that is shipped, on any data, beside any other network."""

import hashlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Json, Quiet, spell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from szem.results.score import Measurement
    from szem.runtime.store import Model
    from szem.tasks.eval_report import EvaluatedModel
    from szem.tasks.eval_run import KeptRecords

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("eval")
def eval_(
    name: Annotated[
        str, typer.Argument(help="A model's name, its folder, the folder of a run; or track, watch, search.")
    ],
    data: Annotated[
        list[Path], typer.Option(help="Folder of the data; may be repeated: a second one of another origin.")
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Which part: all, or a split the data marks; of pictures in folders also even, odd, held-back:5. "
            "Once for all data, or once for each.  \\[default: all; of a run, what was held out of its training]"
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Another network beside it: an .onnx file, a model's name or folder; may be repeated."),
    ] = None,
    classes: Annotated[
        str,
        spell("--classes", "What the data calls a class = what the model calls it, with commas: cat=kitten,fox=."),
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write this HTML file, with confusion and reliability plots beside it.")
    ] = None,
    as_json: Json = False,
    save: Annotated[
        list[str] | None, typer.Option(help="Put the scores on the card, under this name; once for each --data.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Measure a model and show its card's numbers beside what was found.

    A run is exported first, so that it is measured as it would be shipped. What was measured is kept until the end:
    after an interruption the same command goes on.
    """
    from szem.cli.outputs import print_json
    from szem.data.class_names import class_pairs
    from szem.errors import RangeError
    from szem.tasks.evaluate import model_to_measure

    if save and len(save) != len(data):
        raise RangeError(f"--save names the data on the card: give it once for each --data ({len(data)} times)")
    if split and len(split) not in (1, len(data)):
        raise RangeError(f"give --split once for all data, or once for each --data ({len(data)} times)")
    if save and _is_run(name):  # before the run is exported, which takes seconds
        raise RangeError(f"{name}: a run has no card to save scores on; szem export it, then measure the model")
    name, what = model_to_measure(name)
    renamed = class_pairs(classes.split(","))
    results: list[EvaluatedModel] = []
    with ExitStack() as stack:
        model, held = stack.enter_context(_model_of(name, data[0]))
        models = [model, *(stack.enter_context(_peer(peer, model)) for peer in against or ())]
        for place, folder in enumerate(data):
            part = split[place % len(split)] if split else (held if place == 0 else "") or "all"
            for measured in models:
                results.append(_measure(measured, folder, part, what, renamed, quiet=quiet))
            if save:
                _save(model, save[place], part, results[-len(models)].scores)
    if report is not None:
        from szem.tasks.eval_report import write_report

        write_report(report, results)
    if as_json:
        print_json(_to_json(results))
        return
    for one in results:
        _print(one, model if one.model == model.name else None, several=len(results) > 1, quiet=quiet)


def _measure(
    model: "Model", folder: Path, split: str, what: str, classes: dict[str, str], *, quiet: bool
) -> "EvaluatedModel":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from szem.data.broken import describe_broken
    from szem.tasks.eval_report import EvaluatedModel
    from szem.tasks.eval_run import EvalRun
    from szem.tasks.evaluate import evaluate

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    kept = _records_of(model, folder, split, what, classes)
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(model.name, total=None)

        def progress(doing: str, done: int, total: int) -> None:
            bar.update(task, description=f"{model.name}: {doing}", completed=done, total=total)

        run = EvalRun(classes=classes, on_progress=progress, kept=kept)
        if kept is not None and len(kept) and not quiet:
            console.print(f"{model.name}: going on from {len(kept)} results of an earlier try")
        scores = evaluate(model, folder, split=split, what=what, run=run)
    if kept is not None:
        kept.drop()
    if run.broken and not quiet:
        console.print(f"szem: {folder}: {describe_broken(run.broken)}", markup=False)
    return EvaluatedModel(
        model.name, folder.name or str(folder), split, scores, tuple(run.broken), run.confusion, run.reliability
    )


def _records_of(model: "Model", folder: Path, split: str, what: str, classes: dict[str, str]) -> "KeptRecords | None":
    """Where results are kept until the evaluation is done; None where szem has no folder to write to."""
    from szem.errors import StoreError
    from szem.runtime.store import make_data_folder
    from szem.tasks.eval_run import KeptRecords

    parts = [part.sha256 for part in model.card.parts.values()]
    asked = repr((model.card.sha256, parts, str(folder.resolve()), split, what, sorted(classes.items())))
    try:
        home = make_data_folder("evaluations")
    except StoreError:
        return None
    return KeptRecords(home / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.jsonl")


def _print(result: "EvaluatedModel", model: "Model | None", *, several: bool, quiet: bool) -> None:
    if several:
        print(f"{result.model} on {result.data}, {result.split}")
    stated = {(s.metric, s.split): s.value for s in model.card.scores} if model is not None else {}
    width = max(12, *(len(one.metric) for one in result.scores))
    for found in result.scores:
        interval = f"  {found.low:.3f}–{found.high:.3f}" if found.low is not None else ""
        card = stated.get((found.metric, result.split))
        beside = f"   card: {card:.4f}" if card is not None and not quiet else ""
        print(f"{found.metric:<{width}} {found.value:.4f}{interval}  ({found.n} items){beside}")


def _to_json(results: "Sequence[EvaluatedModel]") -> object:
    rows = [
        {
            "model": one.model,
            "data": one.data,
            "split": one.split,
            "scores": [
                {"metric": m.metric, "value": m.value, "n": m.n}
                | ({"low": m.low, "high": m.high} if m.low is not None else {})
                for m in one.scores
            ],
            "left_out": [{"name": b.name, "reason": b.reason} for b in one.broken],
        }
        for one in results
    ]
    return rows[0] if len(rows) == 1 else rows


@contextmanager
def _peer(name: str, model: "Model") -> "Iterator[Model]":
    """Another network for the same task: an ONNX file is added for as long as it is measured."""
    import tempfile

    from szem.errors import CardError
    from szem.runtime.store import find_model
    from szem.tasks.models import open_file_as_model

    task = model.card.task
    if not name.endswith(".onnx"):
        yield find_model(name, task=task)
        return
    with tempfile.TemporaryDirectory(prefix="szem-peer-") as home:
        try:
            found = open_file_as_model(name, task=task, folder=Path(home))
        except CardError:  # it names no classes: those of the model, where the numbers agree
            labels = Path(home) / "labels.txt"
            labels.write_text("\n".join(model.labels) + "\n", encoding="utf-8")
            try:
                found = open_file_as_model(name, task=task, folder=Path(home), labels=labels)
            except CardError as error:
                raise CardError(f"{name}: {error}") from error
        yield found


def _is_run(name: str) -> bool:
    return Path(name, "run.json").is_file()


@contextmanager
def _model_of(name: str, data: Path) -> "Iterator[tuple[Model, str]]":
    """The model, and for a run the split that it did not learn from."""
    from szem.runtime.store import Model, find_model

    if not _is_run(name):
        yield find_model(name), ""
        return
    import tempfile

    from szem.errors import FileMissingError, MissingExtraError

    try:
        from szem.train.release import export_run
        from szem.train.runs import open_run
    except ImportError as error:
        raise MissingExtraError('a run needs torch and onnx; pip install ".[train]" in its folder') from error

    folder = Path(name)
    try:
        run = open_run(folder)
    except FileMissingError:  # the data has moved since
        run = open_run(folder, data=data)
    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / folder.resolve().name
        card = export_run(run.recipe, folder, place, command=run.command, recipe_name=run.recipe_name)
        yield Model(card, place), run.recipe.held_split


def _save(model: "Model", dataset: str, split: str, measured: "Sequence[Measurement]") -> None:
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
