"""Learning rate and batch by a short trial on this machine, before a training begins.

The batch: the largest of half, once and twice the recipe's that makes as many samples a second as the quickest. The
rate: of a third, once and three times the recipe's the one after whose few steps the loss on samples of their own is
lowest; the recipe's own stays unless another is clearly better.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from szem.train.loop import autocast, choose_device
from szem.train.recipe import Loop, Recipe

__all__ = ["TrialResult", "try_settings"]

_STEPS = 10  # of each rate
_WARM = 3  # of them with a rising rate
_PROBE = 10_000_000  # number of the first sample that only measures
_CLEARLY = 0.97  # of the loss with the recipe's own rate
_AS_QUICK = 0.93  # of the samples a second of the quickest batch


@dataclass(frozen=True)
class TrialResult:
    """What was found."""

    batch: int
    lr: float
    samples_per_s: float
    losses: dict[float, float]  # rate -> loss on the samples that only measure


def try_settings(
    recipe: Recipe, *, device: str = "auto", limit_s: float = 60.0, on_step: Callable[[str], None] | None = None
) -> TrialResult:
    """Find batch and rate for a recipe; nothing is kept of what it learns here.

    Args:
        recipe: What is to be trained.
        device: As of `train`.
        limit_s: No further try begins after so many seconds.
        on_step: Called with what is being tried.
    """
    loop: Loop = recipe.settings.loop
    end = time.monotonic() + limit_s
    report = on_step or (lambda _: None)
    speeds: dict[int, float] = {}
    for batch in (loop.batch, loop.batch // 2, 2 * loop.batch):
        if batch >= 2 and (not speeds or time.monotonic() < end):
            report(f"batch {batch}")
            speeds[batch] = _speed(recipe, batch, device)
    quickest = max(speeds.values())
    chosen = max(batch for batch, speed in speeds.items() if speed >= _AS_QUICK * quickest)
    losses: dict[float, float] = {}
    for factor in (1.0, 3.0, 1 / 3):
        if not losses or time.monotonic() < end:
            rate = loop.lr * factor
            report(f"learning rate {rate:.2g}")
            losses[rate] = _loss_after(recipe, rate, chosen, device)
    finite = {rate: loss for rate, loss in losses.items() if loss == loss}
    best = min(finite, key=lambda rate: finite[rate], default=loop.lr)
    own = finite.get(loop.lr, float("inf"))
    if best != loop.lr and finite[best] > _CLEARLY * own:
        best = loop.lr
    return TrialResult(chosen, best, speeds[chosen], losses)


def _speed(recipe: Recipe, batch: int, device: str) -> float:
    """Samples a second of two steps, after one that warms up."""
    network, optimizer = _begin(recipe, recipe.settings.loop.lr, device)
    began = 0.0
    for step in range(3):
        if step == 1:
            began = time.monotonic()
        _learn(recipe, network, optimizer, list(range(step * batch, (step + 1) * batch)), device)
    return 2 * batch / max(time.monotonic() - began, 1e-6)


def _loss_after(recipe: Recipe, rate: float, batch: int, device: str) -> float:
    network, optimizer = _begin(recipe, rate, device)
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"] * min(1.0, (step + 1) / _WARM)
        _learn(recipe, network, optimizer, list(range(step * batch, (step + 1) * batch)), device)
    total = 0.0
    torch.manual_seed(0)
    with torch.no_grad():
        for part in range(2):
            samples = list(range(_PROBE + part * batch, _PROBE + (part + 1) * batch))
            total += float(_loss(recipe, network, samples, device))
    return total / 2


def _begin(recipe: Recipe, rate: float, device: str) -> tuple[Any, torch.optim.AdamW]:
    loop: Loop = recipe.settings.loop
    torch.manual_seed(loop.seed)
    network = recipe.build_network().to(choose_device(device)).train()
    groups = [{"params": list(p), "factor": factor} for factor, p in recipe.parameter_groups(network)]
    groups = [group for group in groups if group["params"]]
    return network, torch.optim.AdamW(groups, lr=rate, weight_decay=loop.weight_decay)


def _learn(recipe: Recipe, network: Any, optimizer: torch.optim.AdamW, samples: list[int], device: str) -> None:
    optimizer.zero_grad(set_to_none=True)
    _loss(recipe, network, samples, device).backward()  # type: ignore[no-untyped-call]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, recipe.settings.loop.clip_norm or float("inf"))
    optimizer.step()


def _loss(recipe: Recipe, network: Any, samples: list[int], device: str) -> torch.Tensor:
    place = torch.device(choose_device(device))
    batch = {name: value.to(place) for name, value in recipe.batch(samples, 0.0).items()}
    with autocast(recipe.settings.loop.precision, place):
        return recipe.loss(network, batch)
