"""A recipe of seconds, for the tests of the loop: a line of dots is reported by a small network with dropout."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from szem.train.recipe import Batch, Loop
from szem.train.sampling import pick

if TYPE_CHECKING:
    from szem.train.loop import Outcome


@dataclass(frozen=True, kw_only=True)
class ToySettings:
    """Small and quick."""

    loop: Loop = field(
        default_factory=lambda: Loop(
            steps=20, batch=8, lr=0.01, ema=0.9, scores=2, checkpoint_s=999.0, precision="float32"
        )
    )
    data: Path = Path("none")
    poison_at: int = -1  # the sample whose loss is not a number
    dropout: float = 0.1
    norm: str = "group"  # or batch: statistics over the samples, those of other processes among them


class ToyRecipe:
    """Says whether the left or the right half is brighter."""

    def __init__(self, settings: ToySettings) -> None:
        self.settings = settings

    def build_network(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=self.settings.norm == "group"),  # a batch's mean takes a bias away
            nn.GroupNorm(2, 8) if self.settings.norm == "group" else nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(self.settings.dropout),
            nn.Flatten(),
            nn.Linear(8 * 36, 2),
        )

    def parameter_groups(self, network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
        return [(1.0, list(network.parameters()))]

    def batch(self, samples: Sequence[int], progress: float) -> Batch:
        time.sleep(float(os.environ.get("TOY_PAUSE_S", "0")))
        pictures, labels = [], []
        for number in samples:
            index, rng = pick(number, of=50, seed=self.settings.loop.seed)
            picture = rng.normal(size=(3, 6, 6))
            picture[:, :, (index % 2) * 3 : (index % 2) * 3 + 3] += 1.0 + 0.1 * progress
            if number >= 24 and os.environ.get("RANK") == "1" and (death := os.environ.get("TOY_DIES")):
                die_once(Path(death))
            if number == self.settings.poison_at:
                picture[:] = np.nan
            pictures.append(picture)
            labels.append(index % 2)
        return {"picture": torch.from_numpy(np.stack(pictures)).float(), "label": torch.tensor(labels)}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return F.cross_entropy(network(batch["picture"]), batch["label"])

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        batch = self.batch(range(10_000, 10_100), 1.0)
        return {"accuracy": float((network(batch["picture"]).argmax(1) == batch["label"]).float().mean())}


def die_once(mark: Path) -> None:
    """End this process as the system ends one that takes too much memory, the first time that it comes here."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def work(run: Path, changes: Sequence[str]) -> "Outcome":
    """What each of several processes does."""
    from szem.train.loop import train
    from szem.train.recipe import override

    return train(ToyRecipe(override(ToySettings(), changes)), run, resume=True, quiet=True)


def main() -> None:
    """`python toy.py RUN STEPS`: train, resuming whatever is there."""
    from szem.train.loop import train
    from szem.train.recipe import override

    torch.set_num_threads(1)
    settings = override(ToySettings(), [f"loop.steps={sys.argv[2]}", *sys.argv[3:]])
    train(ToyRecipe(settings), Path(sys.argv[1]), resume=True, quiet=True)


if __name__ == "__main__":
    main()
