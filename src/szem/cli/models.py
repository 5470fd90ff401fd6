"""`szem models`: list, show, add and remove models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import Json, each_within

if TYPE_CHECKING:
    from szem.runtime.cards import Card, SoundInput

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show, add and remove models.")


@app.command("list")
def list_(
    task: Annotated[str, typer.Option(help="Only models for this task.")] = "",
    as_json: Json = False,
) -> None:
    """List the models at hand, shipped ones and your own."""
    from rich.console import Console
    from rich.table import Table

    from szem.cli.outputs import print_json
    from szem.runtime.store import survey_models
    from szem.tasks.registry import TASKS

    survey = survey_models()
    models = [m for m in survey.models if not task or m.card.task == task]
    if as_json:
        wanted = {"name", "task", "version", "summary", "size_bytes", "precision", "licence"}
        rows = [m.card.model_dump(include=wanted) | {"shipped": m.is_shipped} for m in models]
        print_json(rows, indent=2)
        return
    defaults = {row.model.default for row in TASKS.values() if row.model is not None}
    table = Table("name", "task", "size", "best known score", "about", box=None, header_style="bold")
    for model in models:
        card = model.card
        mark = " *" if model.is_shipped and model.name in defaults else ""
        score = f"{card.scores[0].metric} {card.scores[0].value:.3g}" if card.scores else "not measured"
        table.add_row(model.name + mark, card.task, f"{card.all_bytes / 1e6:.1f} MB", score, card.summary)
    console = Console(highlight=False)
    console.print(table)
    console.print("\n* what the task takes when no model is named")
    for folder, error in survey.broken:
        console.print(f"cannot be used: {folder.name}: {error}", style="red", markup=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model's name, or its folder.")],
    as_json: Json = False,
) -> None:
    """Show a model's card: what it is, what it was made from, how good it is."""
    from rich.console import Console

    from szem.cli.outputs import print_json
    from szem.runtime.store import find_model

    model = find_model(name)
    model.file()  # a card is shown only of the file it describes
    if as_json:
        print_json(model.card.model_dump(mode="json", exclude_none=True), indent=2)
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _card_lines(model.card, labels=len(model.labels)):
        console.print(line, markup=False)


def _card_lines(card: "Card", *, labels: int) -> list[str]:
    from szem.cli.scores_table import score_lines

    lines = [
        f"{card.name} (version {card.version}): {card.summary}",
        (
            f"task {card.task}, {card.precision}, {card.all_bytes / 1e6:.1f} MB, {card.parameters:,} parameters, "
            f"{labels} labels"
        ),
        f"input {card.input}; gives {', '.join(card.outputs)}",
        f"licence {card.licence}",
        f"made by: {card.made.recipe}\n  {card.made.command}",
    ]
    lines += [f"{data.use}: {data.name} (terms: {data.terms})" for data in card.training_data]
    lines += score_lines(card)
    lines += [f"limit: {text}" for text in card.limits]
    lines += [f"from: {text}" for text in card.attributions]
    return lines


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="An ONNX file.")],
    task: Annotated[str, typer.Option(help="What it is for, such as classify or detect.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A text file: a class name per line, in the order of the output.  \\[default: the file's own names]"
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call it; else the file's name.")] = "",
    head: Annotated[
        str, typer.Option(help="What its outputs mean: logits, yolox, yolov8, ssd …; else found out.")
    ] = "",
    size: Annotated[
        int, typer.Option(min=0, max=65_536, help="Side of the input in pixels, where the file leaves it open.")
    ] = 0,
    mean: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            callback=each_within(-1e6, 1e6),
            help="Subtracted, red green blue, 0..255.  \\[default: as usual for the head]",
        ),
    ] = None,
    scale: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            callback=each_within(-1e6, 1e6), help="Divides what is left.  \\[default: as usual for the head]"
        ),
    ] = None,
    resize: Annotated[
        str,
        typer.Option(help="centre-crop, stretch or letterbox.  \\[default: letterbox for detect, else centre-crop]"),
    ] = "",
    colours: Annotated[
        str, typer.Option(help="RGB or BGR, as the network was trained.  \\[default: as usual for the head]")
    ] = "",
    crop: Annotated[float, typer.Option(min=0.05, max=1, help="Fraction that a centre crop keeps.")] = 0.875,
    rate: Annotated[int, typer.Option(min=1, max=10_000_000, help="Of sound: samples a second.")] = 16000,
    bands: Annotated[
        int, typer.Option(min=0, max=65_536, help="Of sound: log-mel bands, where the file leaves their number open.")
    ] = 0,
    band_hz: Annotated[
        tuple[float, float],
        typer.Option(metavar="LOW HIGH", callback=each_within(0, 1e7), help="Of sound: from and up to which pitch."),
    ] = (60.0, 7800.0),
    moment_s: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="WINDOW HOP", callback=each_within(0, 3600), help="Of sound: length and distance of moments."
        ),
    ] = (0.025, 0.01),
    floor: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="FLOOR POWER", callback=each_within(0, 1e6), help="Of sound: ln(magnitude ^ POWER + FLOOR)."
        ),
    ] = (1e-6, 2.0),
    licence: Annotated[str, typer.Option(help="Its licence.")] = "unknown",
) -> None:
    """Add a model of your own: it then works wherever a shipped one does."""
    from szem.errors import UnknownNameError
    from szem.runtime.adding import Declared
    from szem.tasks.models import add_model
    from szem.tasks.registry import TASKS

    ways = ("centre-crop", "stretch", "letterbox")
    if resize and resize not in ways:
        raise UnknownNameError(f"--resize takes {', '.join(ways)}, got {resize!r}")
    if colours not in ("", "RGB", "BGR"):
        raise UnknownNameError(f"--colours takes RGB or BGR, got {colours!r}")
    declared = Declared(
        head=head or None,
        side_px=size or None,
        mean=mean,
        scale=scale,
        resize=resize or None,
        crop=crop,
        colours=colours or None,
        sound=_sound_rules(rate, bands, band_hz, moment_s, floor),
        licence=licence,
    )
    model = add_model(file, task=task, labels=labels, name=name or None, declared=declared)
    print(f"{model.name}: {model.card.head} over {len(model.labels)} labels, in {model.folder}")
    for limit in model.card.limits:
        print(limit)
    print(f"try: szem {task} {TASKS[task].takes.upper()} --model {model.name}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The name of a model of your own.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model of your own; the shipped ones stay."""
    import sys

    from szem.cli.outputs import printable
    from szem.errors import DeniedError
    from szem.runtime.store import remove_model, user_model_folder

    folder = user_model_folder(name)
    if not yes:
        if not sys.stdin.isatty():
            raise DeniedError(f"{name}: there is nobody to ask whether {folder} is to be removed; give --yes")
        typer.confirm(printable(f"Remove {folder}?"), abort=True)
    remove_model(name)
    print(printable(f"{name}: removed from {folder.parent}"))


def _sound_rules(
    rate_hz: int,
    bands: int,
    band_hz: tuple[float, float],
    moment_s: tuple[float, float],
    floor: tuple[float, float],
) -> "SoundInput":
    from szem.errors import RangeError
    from szem.runtime.cards import SoundInput

    if not 0 <= band_hz[0] < band_hz[1] <= rate_hz / 2 or min(moment_s) <= 0:
        raise RangeError(
            f"--band-hz must lie in 0..{rate_hz / 2:g} and --moment-s be positive, got {band_hz} and {moment_s}"
        )
    if floor[0] <= 0 or not 0 < floor[1] <= 2:
        raise RangeError(f"--floor takes a positive floor and a power of up to 2, got {floor}")
    return SoundInput(
        kind="sound",
        rate_hz=rate_hz,
        bands=bands,
        window_s=moment_s[0],
        hop_s=moment_s[1],
        low_hz=band_hz[0],
        high_hz=band_hz[1],
        floor=floor[0],
        power=floor[1],
    )
