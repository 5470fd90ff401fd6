"""`szem train`: a recipe, or your own folder of pictures."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from szem.cli.options import Quiet, Workers, spell
from szem.train.recipes import RECIPES, check_recipe

if TYPE_CHECKING:
    from szem.train.loop import Outcome

__all__ = ["app", "seconds_of"]

_PARENTS = r"(?:~|\b\w:)?[/\\](?:[^/\\\"'\s,\]]+[/\\])+"  # the folders of an absolute path

_FEW_STEPS = 40  # below it, weights are hardly other than those it began with

app = typer.Typer(add_completion=False)


_Recipe = Annotated[
    str,
    typer.Argument(
        callback=check_recipe,  # before click asks for --data
        help=f"classify (your own folders of pictures), or one of {', '.join(sorted(set(RECIPES) - {'classify'}))}.",
    ),
]
_Data = Annotated[Path, typer.Option(help="Folder of the data; for classify, a folder for each class in it.")]
_Out = Annotated[Path, spell("--out", "Folder of the run: checkpoint, logs, plot.")]
_Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a setting, as in loop.steps=500; may be repeated."),
]


@app.command()
def train(
    recipe: _Recipe,
    data: _Data,
    out: _Out,
    settings: _Settings = None,
    classes: Annotated[
        str, spell("--classes", "What the data calls a class = another name, with commas: kat=cat,junk=.")
    ] = "",
    trial: bool = typer.Option(
        False, "--trial", help="Find learning rate and batch by a short trial on this machine first (a minute)."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on where the run was interrupted."),
    budget: str = typer.Option("", help="End well within this time: 90s, 40m, 2h."),
    device: str = typer.Option("auto", help="auto, cpu, cuda, cuda:1 …"),
    workers: Workers = 0,
    processes: int = typer.Option(
        1, min=1, max=1024, help="Compute each batch on so many processes; those that die are started again."
    ),
    quiet: Quiet = False,
) -> None:
    """Train a network from a recipe, or on your own folder.

    Several machines:  torchrun --nnodes 2 … -m szem train RECIPE …
    """
    import json

    from rich.console import Console

    from szem.errors import MissingExtraError, SzemError
    from szem.files import sweep_folder, write_json

    budget_s = seconds_of(budget) if budget else None
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    from szem.data.broken import describe_broken
    from szem.media.pictures import write_picture

    try:
        from szem.train.loop import check_is_new
        from szem.train.loop import train as run_training
        from szem.train.processes import run_processes, use_threads
        from szem.train.recipe import settings_to_dict
        from szem.train.recipes import load_recipe, load_settings
    except ImportError as error:
        raise MissingExtraError('training needs torch; pip install ".[train]" in its folder') from error

    use_threads(workers)
    sweep_folder(out)
    changes = list(settings or ())
    if classes:
        changes.append(f"classes={json.dumps(classes.split(','))}")
    before = _begun_with(out, recipe) if resume else _Begun()
    places = [f"data={json.dumps(str(data))}"]
    if hasattr(load_settings(recipe), "cache") and not any(change.startswith("cache=") for change in changes):
        places.append(f"cache={json.dumps(str(out / 'views'))}")  # beside the run, not where the user happens to be
    built = load_recipe(recipe, [*before.settings, *changes, *places])
    if built.broken:
        console.print(describe_broken(built.broken), markup=False)
    if trial and not resume:
        from szem.train.trial import try_settings

        with console.status("trial") as status:
            found = try_settings(built, device=device, on_step=lambda text: status.update(f"trial: {text}"))
        tried = [f"loop.lr={found.lr:.3g}", f"loop.batch={found.batch}"]
        console.print(f"Trial: {', '.join(tried)}; {found.samples_per_s:.1f} samples/s", markup=False)
        changes += tried
        built = load_recipe(recipe, [*changes, *places])
    command = before.command or _command(recipe, changes) + (f" --budget {budget}" if budget else "")
    if budget_s is None and "--set loop.steps=" not in command:
        budget_s = getattr(built, "default_budget_s", None)
    about: dict[str, Any] = {"recipe": recipe, "settings": settings_to_dict(built.settings), "command": command}
    write_json(out / "run.json", about, indent=2)
    if hasattr(built, "contact_sheet"):
        write_picture(out / "contact-sheet.png", built.contact_sheet())
        console.print(f"Contact sheet of the training pictures: {out / 'contact-sheet.png'}", markup=False)
    try:
        if processes > 1:
            if not resume:
                check_is_new(out)
            given = (recipe, (*before.settings, *changes, *places), out, budget_s, device, quiet)
            outcome = run_processes(_train_part, *given, count=processes, threads=workers)
        else:
            outcome = run_training(built, out, resume=resume, budget_s=budget_s, device=device, quiet=quiet)
    except KeyboardInterrupt as error:
        sets = "".join(f" --set {shlex.quote(change)}" for change in changes)
        sets += f" --budget {budget}" if budget else ""
        sets += f" --processes {processes}" if processes > 1 else ""
        again = f"szem train {recipe} --data {shlex.quote(str(data))} --out {shlex.quote(str(out))}{sets} --resume"
        raise SzemError(f"interrupted; resume with: {again}") from error
    if outcome.is_done and outcome.steps < _FEW_STEPS:
        console.print(
            f"szem: only {outcome.steps} steps were made, too few to learn much: the scores say little of what this "
            "data could give. Give a longer --budget or more steps, or train on a faster or less busy machine",
            markup=False,
        )
    scores = ", ".join(f"{name} {value:.4f}" for name, value in outcome.scores.items()) or "nothing held out"
    console.print(f"{outcome.steps} steps in {outcome.seconds:.0f} s; {scores}")
    console.print(f"Page of the run: {out / 'board' / 'index.html'}", markup=False)
    console.print(f"Next: szem export {out}", markup=False)


def _train_part(
    recipe: str, changes: Sequence[str], run: Path, budget_s: float | None, device: str, quiet: bool
) -> "Outcome":
    """What each of several processes does; begun again after a death, it goes on from the last checkpoint."""
    from szem.train.loop import train as run_training
    from szem.train.recipes import load_recipe

    return run_training(load_recipe(recipe, changes), run, resume=True, budget_s=budget_s, device=device, quiet=quiet)


@dataclass(frozen=True)
class _Begun:
    """How an interrupted run was begun; empty where it has not been."""

    settings: Sequence[str] = ()
    command: str = ""


def _begun_with(run: Path, recipe: str) -> _Begun:
    """The settings of a run, among them what its trial found and defaults that have changed since."""
    from szem.errors import TrainError
    from szem.train.recipe import former_settings
    from szem.train.recipes import load_settings
    from szem.train.runs_settings import RUN_FILE, read_command, read_recipe_name, read_settings, to_assignments

    if not (run / RUN_FILE).is_file():
        return _Begun()
    if (name := read_recipe_name(run)) != recipe:
        raise TrainError(f"{run}: is a run of {name}, not of {recipe}; choose another --out")
    former = former_settings(load_settings(recipe))
    return _Begun([*to_assignments(former), *to_assignments(read_settings(run))], read_command(run))


def seconds_of(text: str) -> float:
    """A length of time: 90, 90s, 40m, 2h.

    Raises:
        RangeError: something else, or not positive.

    >>> seconds_of("40m")
    2400.0
    """
    from szem.errors import RangeError

    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:].lower(), 0.0)
    try:
        seconds = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e8:
        raise RangeError(f"a budget is a number with s, m or h, as in 40m; got {text!r}")
    return seconds


def _command(recipe: str, settings: list[str]) -> str:
    # a card shows names only: folders of this machine are nobody else's business
    changed = "".join(f" --set {re.sub(_PARENTS, '', s)}" for s in settings)
    return f"szem train {recipe} --data DIR --out RUN{changed}"
