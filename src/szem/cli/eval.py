"""`szem eval`: measure a model again, through the path that is shipped."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("eval")
def eval_(
    name: Annotated[str, typer.Argument(help="A model's name, or its folder.")],
    data: Annotated[Path, typer.Option(help="Folder of the data: an index.csv, or a folder of pictures per label.")],
    split: Annotated[str, typer.Option(help="Which part: all, even, odd, or a split the data names.")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a model again and show its card's numbers beside what was found."""
    import json

    from szem.runtime.store import find_model
    from szem.tasks.evaluate import evaluate

    model = find_model(name)
    measured = evaluate(model, data, split=split)
    if as_json:
        rows = [{"metric": m.metric, "value": m.value, "n": m.n} for m in measured]
        print(json.dumps({"model": model.name, "split": split, "scores": rows}))
        return
    stated = {(s.metric, s.split): s.value for s in model.card.scores}
    for found in measured:
        card = stated.get((found.metric, split))
        beside = f"   card: {card:.4f}" if card is not None else ""
        print(f"{found.metric:<12} {found.value:.4f}  ({found.n} items){beside}")
