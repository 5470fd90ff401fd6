"""The training loop: one for every recipe, resumable at any moment, ending within its budget.

What happens in step n depends on the settings and on n alone: samples, chance and learning rate. So a training that
was interrupted goes on exactly as if it had not been (without a budget of time; with one, speed decides how far it
gets).
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from szem.errors import TrainError
from szem.nn.shared_norm import convert_norms
from szem.train.average import WeightAverage
from szem.train.checkpoint import CHECKPOINT, has_checkpoint, load_checkpoint, save_checkpoint
from szem.train.journal import Journal
from szem.train.memory import keep_freed_memory
from szem.train.processes import (
    Processes,
    broadcast_state,
    join_processes,
    leave_processes,
    mean_everywhere,
    mean_gradients,
    same_everywhere,
)
from szem.train.recipe import Batch, Loop, Recipe, former_settings, settings_to_dict

__all__ = ["Outcome", "autocast", "check_is_new", "choose_device", "learning_rate", "train"]

_FIRST_CHECKPOINT_S = 15.0  # whoever stops early has something to resume


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    steps: int
    seconds: float  # of all its parts together
    scores: dict[str, float]  # the last ones; with patience the best ones
    is_done: bool  # False when it was stopped before its end


def learning_rate(loop: Loop, progress: float) -> float:
    """Grows evenly through the warm-up, then falls along half a cosine to nothing.

    >>> [round(learning_rate(Loop(steps=1, batch=1, lr=1.0, warmup=0.5), p), 3) for p in (0, 0.25, 0.5, 0.75, 1)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if progress < loop.warmup:
        return loop.lr * progress / loop.warmup
    return loop.lr * 0.5 * (1 + math.cos(math.pi * (progress - loop.warmup) / (1 - loop.warmup)))


def train(
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    budget_s: float | None = None,
    device: str = "auto",
    stop_after: int | None = None,
    quiet: bool = False,
) -> Outcome:
    """Train a recipe's network.

    Args:
        recipe: What to train.
        run: Folder of the run: checkpoint, logs, plot.
        resume: Go on from the run's checkpoint; without one, begin.
        budget_s: The learning rate reaches nothing after so many seconds, even if not all steps were made.
        device: auto, cpu, cuda, …
        stop_after: Stop early after so many steps in all, as if interrupted.
        quiet: No progress bar.
    Raises:
        TrainError: the run exists and `resume` was not said, the batch cannot be parted evenly, or the loss is not
            finite.
        KeyboardInterrupt: Ctrl-C; the step under way is finished and saved first.
    """
    loop: Loop = recipe.settings.loop
    who = join_processes()
    if loop.batch % (who.world * loop.accumulate):
        raise TrainError(
            f"a batch of {loop.batch} cannot be parted evenly among {who.world} processes, {loop.accumulate} pieces "
            "each; change loop.batch or loop.accumulate"
        )
    keep_freed_memory()
    place = torch.device(choose_device(device))
    state = _State(recipe, run, resume=resume, place=place, who=who)
    groups = state.optimizer.param_groups
    began = time.monotonic() - state.seconds

    def progress_at(step: int) -> float:
        by_time = (time.monotonic() - began) / budget_s if budget_s else 0.0
        # Clocks differ between processes, and a learning rate that differs would let their weights drift apart.
        return same_everywhere(min(1.0, max(step / loop.steps, by_time)), who)

    is_quiet = quiet or not who.is_first
    journal = Journal(run, steps=loop.steps, from_step=state.step, quiet=is_quiet, write=who.is_first)
    progress = progress_at(state.step)
    save_due = time.monotonic() + min(_FIRST_CHECKPOINT_S, loop.checkpoint_s)
    due = _next_score(loop, progress)
    scores: dict[str, float] = {}
    is_spent = False
    with journal, _Feed(recipe, loop, who) as feed, _delayed_interrupt() as is_interrupted:
        feed.ask(state.step, progress_at(max(state.step - 1, 0)))  # asked for one step ahead, resumed or not
        while progress < 1 and state.step != stop_after:
            batches = feed.take()
            feed.ask(state.step + 1, progress)
            # Not 0 in the first step: warming up would waste it.
            lr = learning_rate(loop, max(progress, 0.5 / loop.steps))
            for group in groups:
                group["lr"] = lr * group["factor"]
            loss = _step(recipe, state, batches, loop, place, who)
            state.step += 1
            state.seconds = time.monotonic() - began
            progress = progress_at(state.step)
            journal.step(state.step, loss=loss, lr=lr, seconds=state.seconds, progress=progress)
            if progress >= due or progress >= 1:
                due = _next_score(loop, progress)
                if who.is_first:
                    scores = recipe.score(state.averaged_network())
                    state.note_score(scores)
                    journal.scores(state.step, scores)
                is_spent = same_everywhere(float(state.is_spent), who) > 0
            if is_spent:  # no better score for so long: the best weights are the result
                progress = 1.0
            # Whoever is interrupted, all end after the same step.
            is_stopping = mean_everywhere(float(is_interrupted()), who) > 0
            is_last = progress >= 1 or state.step == stop_after or is_stopping
            if (is_last or time.monotonic() >= save_due) and who.is_first:
                state.save(is_done=progress >= 1)
                save_due = time.monotonic() + loop.checkpoint_s
            if is_stopping:
                if who.is_first:
                    journal.write_page(recipe)
                raise KeyboardInterrupt
    if who.is_first:
        journal.write_page(recipe)
    leave_processes(who)
    best = state.best_scores if loop.patience and state.best_scores else scores
    return Outcome(steps=state.step, seconds=state.seconds, scores=best, is_done=progress >= 1)


def check_is_new(run: Path) -> None:
    """Raise `TrainError` where a folder holds a training."""
    if has_checkpoint(run / CHECKPOINT):
        raise TrainError(f"{run}: holds a training already; say --resume to go on, or choose another folder")


@contextmanager
def _delayed_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C wait for the end of a step, so that what is saved is whole; the second stops at once."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield lambda: False
        return
    asked = False

    def note(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


class _State:
    """Network, optimiser and average, new or from a checkpoint."""

    def __init__(self, recipe: Recipe, run: Path, *, resume: bool, place: torch.device, who: Processes) -> None:
        loop: Loop = recipe.settings.loop
        self.path = run / CHECKPOINT
        if not resume:
            check_is_new(run)
        torch.manual_seed(loop.seed)
        self.recipe = recipe
        self.network = _placed(recipe.build_network(), place).train()
        if who.world > 1:
            convert_norms(self.network)
        broadcast_state(self.network.state_dict().values(), who)
        groups = recipe.parameter_groups(self.network)
        self.parameters = [p for _, parameters in groups for p in parameters]
        self.optimizer = torch.optim.AdamW(_decayed(groups, loop), lr=loop.lr, betas=_betas(recipe))
        self.average = WeightAverage(self.network, decay=loop.ema)
        self.step, self.seconds = 0, 0.0
        self.best_scores: dict[str, float] = {}
        self.best_average: dict[str, Tensor] = {}  # kept where the training may end early
        self.stale = 0  # scores since the best one
        if has_checkpoint(self.path):
            self._load()

    def _load(self) -> None:
        stored = load_checkpoint(self.path)
        now, then = settings_to_dict(self.recipe.settings), stored["settings"]
        former = former_settings(self.recipe.settings)  # of settings that szem did not have when the run began
        then = {**former, **then, "loop": {**former["loop"], **then["loop"]}}
        if now != then:
            changed = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
            raise TrainError(f"{self.path}: was begun with other settings ({', '.join(changed)}); use another folder")
        self.network.load_state_dict(stored["network"])
        self.optimizer.load_state_dict(stored["optimizer"])
        for name, value in stored["average"].items():
            self.average.state[name].copy_(value)
        self.step, self.seconds = stored["step"], stored["seconds"]
        self.best_scores = dict(stored.get("best_scores", {}))
        self.best_average = dict(stored.get("best_average", {}))
        self.stale = int(stored.get("stale", 0))

    def note_score(self, scores: dict[str, float]) -> None:
        """Remember the best weights so far by the first score; of equal ones the later."""
        if not scores or not self.recipe.settings.loop.patience:
            return
        main = next(iter(scores))
        if not self.best_scores or scores[main] >= self.best_scores[main]:
            self.best_scores, self.stale = dict(scores), 0
            self.best_average = {name: value.detach().clone() for name, value in self.average.state.items()}
        else:
            self.stale += 1

    @property
    def is_spent(self) -> bool:
        """Whether the score has not been reached again for as long as the settings allow."""
        patience = self.recipe.settings.loop.patience
        return patience > 0 and self.stale >= patience

    def save(self, *, is_done: bool) -> None:
        save_checkpoint(
            self.path,
            {
                "settings": settings_to_dict(self.recipe.settings),
                "network": self.network.state_dict(),
                "average": self.average.state,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "is_done": is_done,
                "best_scores": self.best_scores,
                "best_average": self.best_average,
                "stale": self.stale,
            },
        )

    def averaged_network(self) -> nn.Module:
        """A network of its own with the averaged weights, ready to be scored."""
        network = self.recipe.build_network()
        network.load_state_dict(self.average.state)
        place = next(self.network.parameters()).device
        return _placed(network, place).eval()


class _Feed(AbstractContextManager["_Feed"]):
    """Makes the next batch on a thread while the network works on this one."""

    def __init__(self, recipe: Recipe, loop: Loop, who: Processes) -> None:
        self.recipe, self.loop, self.who = recipe, loop, who
        self.pool = ThreadPoolExecutor(1)

    def ask(self, step: int, progress: float) -> None:
        self.coming = self.pool.submit(lambda: list(self._batches(step, progress)))

    def take(self) -> list[Batch]:
        return self.coming.result()

    def _batches(self, step: int, progress: float) -> Iterator[Batch]:
        first = step * self.loop.batch
        mine = list(range(first, first + self.loop.batch))[self.who.rank :: self.who.world]
        for piece in range(self.loop.accumulate):
            yield self.recipe.batch(mine[piece :: self.loop.accumulate], progress)

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)


def _step(
    recipe: Recipe, state: _State, batches: list[Batch], loop: Loop, place: torch.device, who: Processes
) -> float:
    # dropout has each step's own chance, so a resumed training draws the same
    torch.manual_seed(loop.seed * 1_000_003 + state.step * 1009 + who.rank)
    state.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        moved = {name: value.to(place, non_blocking=True) for name, value in batch.items()}
        with autocast(loop.precision, place):
            loss: Tensor = recipe.loss(state.network, moved) / len(batches)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    mean_gradients(state.parameters, who)
    total = mean_everywhere(total, who)
    norm = torch.nn.utils.clip_grad_norm_(state.parameters, loop.clip_norm or math.inf)
    if not math.isfinite(total) or not math.isfinite(float(norm)):
        raise TrainError(
            f"step {state.step + 1}: the loss is {total} and the gradient {float(norm)}, training cannot go on; "
            f"the last good weights are in {state.path}: lower loop.lr or look at the data, then --resume"
        )
    state.optimizer.step()
    state.average.follow(state.network, step=state.step)
    return total


def _placed(network: nn.Module, place: torch.device) -> nn.Module:
    network.to(place)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return, unused-ignore]


def _decayed(groups: list[tuple[float, list[nn.Parameter]]], loop: Loop) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for scales and shifts."""
    out: list[dict[str, Any]] = []
    for factor, parameters in groups:
        wide = [p for p in parameters if p.ndim > 1]
        thin = [p for p in parameters if p.ndim <= 1]
        out.append({"params": wide, "factor": factor, "weight_decay": loop.weight_decay})
        out.append({"params": thin, "factor": factor, "weight_decay": 0.0})
    return [group for group in out if group["params"]]


def _betas(recipe: Recipe) -> tuple[float, float]:
    """How long AdamW remembers; a recipe may say so by an attribute `betas`."""
    betas: tuple[float, float] = getattr(recipe, "betas", (0.9, 0.99))
    return betas


def _next_score(loop: Loop, progress: float) -> float:
    return (math.floor(progress * loop.scores + 1e-9) + 1) / loop.scores


def choose_device(name: str) -> str:
    """The device that is meant: `auto` is a GPU where there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def autocast(precision: str, place: torch.device) -> AbstractContextManager[Any]:
    """The arithmetic of a training step: `auto` is bfloat16 where the processor has it."""
    if precision == "auto":
        has_it = torch.cpu._is_avx512_bf16_supported() if place.type == "cpu" else True
        precision = "bfloat16" if has_it else "float32"
    return torch.autocast(place.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
