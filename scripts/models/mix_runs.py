"""Add a part of what one training learned to the weights of another: a new run, ready to be exported.

    python -m scripts.models.mix_runs --onto runs/second --learned runs/reward --since runs/first --out runs/mixed

The result is `onto + fraction * (learned - since)`, where `learned` and `onto` began from `since`. A whole change
often goes too far (the reward makes sentences short); a part of it keeps what was good of both.

Source: G. Ilharco et al., Editing Models with Task Arithmetic, 2023, arXiv:2212.04089; with onto = since:
M. Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, 2022, arXiv:2109.01903.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from szem.errors import TrainError
from szem.train.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint

__all__ = ["main", "mix_runs", "mix_weights"]


def mix_weights(
    onto: Mapping[str, Tensor], learned: Mapping[str, Tensor], since: Mapping[str, Tensor], *, fraction: float
) -> dict[str, Tensor]:
    """`onto + fraction * (learned - since)`, weight by weight; what is no real number is taken from `onto`.

    Raises:
        TrainError: the three are not of one network.
    """
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (onto, learned, since)]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise TrainError("the three runs are not of one network; mix runs of one recipe and the same settings")
    return {
        name: value + fraction * (learned[name] - since[name]) if value.is_floating_point() else value
        for name, value in onto.items()
    }


def mix_runs(onto: Path, learned: Path, since: Path, out: Path, *, fraction: float) -> None:
    """Write a run whose averaged weights are mixed; it says of itself what `onto` does.

    Raises:
        TrainError: a run is missing, they do not fit, or `out` holds one already.
    """
    if (out / CHECKPOINT).exists():
        raise TrainError(f"{out}: holds a run already; choose another folder")
    states = [load_checkpoint(run / CHECKPOINT) for run in (onto, learned, since)]
    mixed = mix_weights(*(state["average"] for state in states), fraction=fraction)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(onto / "run.json", out / "run.json")
    save_checkpoint(out / CHECKPOINT, {"settings": states[0]["settings"], "average": mixed})


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and mix."""
    parser = argparse.ArgumentParser(description="Add a part of what one run learned to another.")
    for name, about in (
        ("onto", "the run whose weights are added to"),
        ("learned", "the run that learned something"),
        ("since", "the run both began from"),
        ("out", "folder of the new run"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=about)
    parser.add_argument("--fraction", type=float, default=0.4, help="how much of what was learned")
    given = parser.parse_args(argv)
    mix_runs(given.onto, given.learned, given.since, given.out, fraction=given.fraction)


if __name__ == "__main__":
    main()
