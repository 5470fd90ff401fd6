"""One HTML page per run, in its `board/`: what is trained, how loss and scores went, and what to do next."""

import html
import importlib.util
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from szem.data.broken import describe_broken
from szem.files import write_bytes, write_text
from szem.tasks.eval_report import new_figure, page_of, picture_of, png_of
from szem.train.recipe import settings_to_dict

__all__ = ["write_run_page"]

_Rows = Sequence[Sequence[str]]


def write_run_page(run: Path, recipe: Any, log: _Rows, scores: _Rows) -> None:
    """Write `board/index.html`, `board/loss.png` and `board/scores.png`; plots only where matplotlib is installed.

    Args:
        run: Folder of the run.
        recipe: What is trained.
        log: Rows of `log.csv`: step, loss, rate, seconds.
        scores: Rows of `scores.csv`: step, name, value.
    """
    board = run / "board"
    body = [f"<h1>{html.escape(run.resolve().name)}</h1>"]
    if log:
        step, loss, _, seconds = log[-1]
        body.append(f"<p>Step {html.escape(step)}, {float(seconds):.0f} s, loss {float(loss):.4f}.</p>")
    if importlib.util.find_spec("matplotlib") is not None and log:
        plots = {"loss": _draw_loss(log), "scores": _draw_scores(scores) if scores else b""}
        for name, png in plots.items():
            if png:
                write_bytes(board / f"{name}.png", png)
                body.append(f"<h2>{name.capitalize()}</h2>{picture_of(png)}")
    if scores:
        names = list(dict.fromkeys(row[1] for row in scores))
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        lines = []
        for step in dict.fromkeys(row[0] for row in scores):
            found = {row[1]: row[2] for row in scores if row[0] == step}
            cells = "".join(f"<td>{html.escape(found.get(name, ''))}</td>" for name in names)
            lines.append(f"<tr><td>{html.escape(step)}</td>{cells}</tr>")
        body.append(f"<table><tr><th>step</th>{heads}</tr>{''.join(lines)}</table>")
    sheet = run / "contact-sheet.png"
    if sheet.is_file():
        body.append(f"<h2>Pictures that are trained on</h2>{picture_of(sheet.read_bytes())}")
    broken = getattr(recipe, "broken", ())
    if broken:
        body.append(f"<h2>Left out</h2><p>{html.escape(describe_broken(broken, most=50))}</p>")
    text = html.escape(json.dumps(settings_to_dict(recipe.settings), indent=2))
    body.append(f"<details><summary>Settings</summary><pre>{text}</pre></details>")
    body.append(f"<h2>Next</h2><pre>szem export {html.escape(shlex.quote(str(run)))}</pre>")
    write_text(board / "index.html", page_of(f"Run {run.resolve().name}", body))


def _draw_loss(log: _Rows) -> bytes:
    steps, losses = [int(row[0]) for row in log], [float(row[1]) for row in log]
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    axes.plot(steps, losses, color="0.75", linewidth=0.5)
    axes.plot(steps, _smoothed(losses), color="tab:blue")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    return png_of(figure)


def _draw_scores(scores: _Rows) -> bytes:
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for name in dict.fromkeys(row[1] for row in scores):
        ours = [(int(row[0]), float(row[2])) for row in scores if row[1] == name]
        axes.plot([step for step, _ in ours], [value for _, value in ours], "o-", label=name)
    axes.set_xlabel("step")
    axes.legend()
    return png_of(figure)


def _smoothed(values: Sequence[float]) -> list[float]:
    out: list[float] = []
    for value in values:
        out.append(value if not out else 0.97 * out[-1] + 0.03 * value)
    return out
