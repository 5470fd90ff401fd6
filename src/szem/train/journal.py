"""What a training reports while it runs: CSV and TensorBoard logs, a progress bar, a page with plots at the end."""

import csv
import importlib.util
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from szem.files import write_file
from szem.train.run_page import write_run_page

__all__ = ["Journal"]

_FIRST_LINE_S, _LINE_EVERY_S = 5.0, 30.0  # of lines in place of a bar
_COLUMNS = ("step", "loss", "lr", "seconds")


class Journal(AbstractContextManager["Journal"]):
    """Logs of one run: `log.csv` (a row a step) and `scores.csv`, and TensorBoard's files where it is installed.

    Args:
        run: Folder of the run.
        steps: Of the whole training, for the bar.
        from_step: Rows after it, left by a training that was interrupted, are dropped.
        quiet: No bar.
        write: False for all processes but the first.
    """

    def __init__(self, run: Path, *, steps: int, from_step: int, quiet: bool, write: bool) -> None:
        self.run, self.write, self.steps, self.smooth = run, write, steps, float("nan")
        self.log, self.score_log = run / "log.csv", run / "scores.csv"
        self.board: Any = None
        if write:
            run.mkdir(parents=True, exist_ok=True)
            _keep_rows(self.log, _COLUMNS, from_step)
            _keep_rows(self.score_log, ("step", "name", "value"), from_step)
            self.board = _open_board(run, from_step)
        console = Console(stderr=True)
        columns = (
            TextColumn("step {task.fields[step]} of {task.fields[steps]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[score]}"),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),
        )
        self.bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        # Where there is no terminal, in a log say, a line now and then takes the place of the bar.
        self.lines = None if quiet or console.is_terminal else console
        self.line_due, self.last_score = _FIRST_LINE_S, ""
        self.task = self.bar.add_task("", total=1.0, step=from_step, steps=steps, loss=0.0, score="", left="?")

    def __enter__(self) -> "Journal":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        if self.board is not None:
            self.board.close()

    def step(self, step: int, *, loss: float, lr: float, seconds: float, progress: float) -> None:
        """One update was made; `progress` 0..1 says how much of the training is over."""
        self.smooth = loss if self.smooth != self.smooth else 0.95 * self.smooth + 0.05 * loss
        left = seconds * (1 - progress) / max(progress, 1e-6)
        self.bar.update(self.task, completed=progress, step=step, loss=self.smooth, left=_clock(left))
        if self.lines is not None and seconds >= self.line_due:
            self.line_due = seconds + _LINE_EVERY_S
            score = f", {self.last_score}" if self.last_score else ""
            self.lines.print(
                f"step {step} of {self.steps}, loss {self.smooth:.4f}{score}, left {_clock(left)}", highlight=False
            )
        if self.write:
            _add_row(self.log, [step, f"{loss:.6g}", f"{lr:.6g}", f"{seconds:.2f}"])
        if self.board is not None:
            self.board.add_scalar("loss", loss, step)
            self.board.add_scalar("lr", lr, step)

    def scores(self, step: int, scores: dict[str, float]) -> None:
        """The scores were taken."""
        for name, value in scores.items():
            _add_row(self.score_log, [step, name, f"{value:.6g}"])
            if self.board is not None:
                self.board.add_scalar(name, value, step)
        if scores:
            name, value = next(iter(scores.items()))
            self.last_score = f"{name} {value:.3f}"
            self.bar.update(self.task, score=self.last_score)

    def write_page(self, recipe: Any) -> None:
        """Write the plots and the page of the run to `board/`: `index.html`, `loss.png`, and a plot a score.

        Without matplotlib the page has no plots.
        """
        if self.write:
            write_run_page(self.run, recipe, _rows(self.log), _rows(self.score_log))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _rows(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _add_row(path: Path, row: list[Any]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(row)


def _keep_rows(path: Path, header: tuple[str, ...], last_step: int) -> None:
    """Drop rows of steps that will be made again, and half a row a kill left behind."""
    whole = [row for row in _rows(path) if len(row) == len(header) and int(row[0]) <= last_step]
    with write_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(header), *whole])


def _open_board(run: Path, from_step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(run / "board", purge_step=from_step + 1)
