"""The report of an evaluation: scores with intervals and plots, in one HTML file with PNG files beside it."""

import base64
import html
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from szem.data.broken import Broken
from szem.errors import MissingExtraError
from szem.files import write_bytes, write_text
from szem.results.score import Confusion, Measurement, Reliability
from szem.runtime.store import user_folder

__all__ = [
    "EvaluatedModel",
    "draw_confusion",
    "draw_reliability",
    "new_figure",
    "page_of",
    "picture_of",
    "png_of",
    "write_report",
]

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;
background:#fff}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}img{max-width:100%}.note{color:#666}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}.note{color:#999}}"""


@dataclass(frozen=True)
class EvaluatedModel:
    """One model on one set of data."""

    model: str
    data: str
    split: str
    scores: Sequence[Measurement]
    broken: Sequence[Broken] = ()
    confusion: Confusion | None = None
    reliability: Reliability | None = None


def write_report(file: Path, results: Sequence[EvaluatedModel]) -> list[Path]:
    """Write the page and its plots.

    Args:
        file: The HTML file; plots lie beside it, called after it.
        results: Models on data; those of one data set stand side by side.
    Returns:
        The files written.
    Raises:
        MissingExtraError: matplotlib is not installed.
        StoreError: a file cannot be written.
    """
    written = [file]
    body = ["<h1>Evaluation</h1>"]
    for data, split in dict.fromkeys((one.data, one.split) for one in results):
        ours = [one for one in results if (one.data, one.split) == (data, split)]
        body.append(f"<h2>{html.escape(data)}, {html.escape(split)}</h2>")
        body.append(_table(ours))
        for one in ours:
            plots = (
                ("confusion", one.confusion and draw_confusion(one.confusion)),
                ("reliability", one.reliability and draw_reliability(one.reliability)),
            )
            for kind, png in plots:
                if png:
                    place = file.with_name(f"{file.stem}-{_plain(one.model)}-{_plain(data)}-{kind}.png")
                    write_bytes(place, png)
                    written.append(place)
                    body.append(f"<h3>{html.escape(one.model)}: {kind}</h3>{picture_of(png)}")
            if one.broken:
                rows = "".join(f"<li>{html.escape(b.name)}: {html.escape(b.reason)}</li>" for b in one.broken[:100])
                body.append(f"<details><summary>{len(one.broken)} left out</summary><ul>{rows}</ul></details>")
    body.append('<p class="note">In brackets: the 95 % interval over the items, by bootstrap.</p>')
    write_text(file, page_of("Evaluation", body))
    return written


def page_of(title: str, body: Sequence[str]) -> str:
    """A whole HTML page that needs no other file."""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        + "\n".join(body)
        + "\n</html>\n"
    )


def picture_of(png: bytes) -> str:
    """A picture as part of a page."""
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _table(results: Sequence[EvaluatedModel]) -> str:
    metrics = list(dict.fromkeys(score.metric for one in results for score in one.scores))
    heads = "".join(f"<th>{html.escape(one.model)}</th>" for one in results)
    rows = []
    for metric in metrics:
        found = [next((s for s in one.scores if s.metric == metric), None) for one in results]
        cells = "".join(f"<td>{_cell(score)}</td>" for score in found)
        count = next((score.n for score in found if score is not None), 0)
        rows.append(f"<tr><td>{html.escape(metric)}</td>{cells}<td>{count}</td></tr>")
    return f"<table><tr><th></th>{heads}<th>n</th></tr>{''.join(rows)}</table>"


def _cell(score: Measurement | None) -> str:
    if score is None:
        return ""
    interval = f" ({score.low:.3f}–{score.high:.3f})" if score.low is not None and score.high is not None else ""
    return f"{score.value:.4g}{interval}"


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)[:60]


def new_figure(width: float, height: float) -> Any:
    """A figure of matplotlib, sides in inches, that is drawn without a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError('plots need matplotlib; pip install ".[train]" in its folder')
    # Its list of fonts stays in szem's folder; by default it goes to ~/.config and ~/.cache.
    os.environ.setdefault("MPLCONFIGDIR", str(user_folder().parent / "matplotlib"))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Any) -> bytes:
    """A figure as a PNG file."""
    out = BytesIO()
    figure.savefig(out, dpi=100, format="png")
    return out.getvalue()


def draw_confusion(confusion: Confusion) -> bytes:
    """A PNG: for each true class (a row) the fraction that was taken for each class (a column), with counts.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows, columns = confusion.counts.shape
    side = min(24.0, 2.5 + 0.38 * columns)
    figure = new_figure(side, min(24.0, 2.0 + 0.32 * rows))
    axes = figure.subplots()
    fractions = confusion.counts / np.maximum(confusion.counts.sum(1, keepdims=True), 1)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(columns), confusion.found, rotation=90, fontsize=8)
    axes.set_yticks(
        range(rows), [f"{n} ({c})" for n, c in zip(confusion.names, confusion.counts.sum(1), strict=True)]
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("true class (n)")
    if rows * columns <= 900:
        for row, column in zip(*np.nonzero(confusion.counts), strict=True):
            shade = "white" if fractions[row, column] > 0.5 else "black"
            count = int(confusion.counts[row, column])
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=shade)
    return png_of(figure)


def draw_reliability(reliability: Reliability) -> bytes:
    """A PNG: the fraction that is right by score, and how many there are of each score.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(5.5, 5.0)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    bins = reliability.bins()
    upper.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    upper.plot([mean for mean, _, _ in bins], [right for _, right, _ in bins], "o-", color="tab:blue")
    upper.set_ylabel("fraction right")
    upper.set_title(f"calibration error {reliability.calibration_error():.3f}", fontsize=10)
    lower.hist(reliability.scores, bins=10, range=(0, 1), color="tab:blue")
    lower.set_xlabel("score")
    lower.set_ylabel("n")
    return png_of(figure)
