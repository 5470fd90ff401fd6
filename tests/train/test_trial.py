"""The trial before a training, early stopping, and what is left to be found of a run that was interrupted."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from szem.train.checkpoint import load_checkpoint
from szem.train.loop import train
from szem.train.recipe import override
from szem.train.release import trained_network
from szem.train.trial import try_settings

sys.path.insert(0, str(Path(__file__).parent))
from toy import ToyRecipe, ToySettings


def recipe(*changes: str) -> ToyRecipe:
    return ToyRecipe(override(ToySettings(), changes))


def test_a_trial_finds_a_better_rate_than_a_hopeless_one_and_keeps_a_good_one() -> None:
    hopeless = try_settings(recipe("loop.lr=0.0001", "dropout=0.0"))
    assert hopeless.lr == pytest.approx(0.0003)
    assert len(hopeless.losses) == 3
    assert hopeless.batch in (4, 8, 16)
    seen: list[str] = []
    try_settings(recipe(), limit_s=0.0, on_step=seen.append)  # no time: only the recipe's own settings
    assert seen == ["batch 8", "learning rate 0.01"]


class Falling(ToyRecipe):
    """Its score is best at the second time."""

    def __init__(self, *changes: str) -> None:
        super().__init__(override(ToySettings(), ["loop.scores=10", "loop.patience=3", *changes]))
        self.given = iter((0.2, 0.9, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1))

    def score(self, network: nn.Module) -> dict[str, float]:
        return {"accuracy": next(self.given)}


def test_a_training_ends_when_the_score_falls_and_gives_the_best_weights(tmp_path: Path) -> None:
    outcome = train(Falling(), tmp_path, quiet=True)
    assert outcome.is_done
    assert outcome.steps == 10  # of 20: scores after 2, 4, 6, 8, 10 steps
    assert outcome.scores == {"accuracy": 0.9}
    train(recipe(), tmp_path / "whole", stop_after=4, quiet=True)
    network = trained_network(Falling(), tmp_path).state_dict()
    best = load_checkpoint(tmp_path / "checkpoint.pt")["best_average"]
    last = load_checkpoint(tmp_path / "checkpoint.pt")["average"]
    assert all(torch.equal(network[name], value) for name, value in best.items())
    assert any(not torch.equal(network[name], value) for name, value in last.items())


def test_patience_survives_an_interruption(tmp_path: Path) -> None:
    parts = Falling()
    train(parts, tmp_path, stop_after=5, quiet=True)
    outcome = train(parts, tmp_path, resume=True, quiet=True)
    assert outcome.steps == 10
    assert outcome.scores == {"accuracy": 0.9}


def test_runs_of_before_patience_are_resumed(tmp_path: Path) -> None:
    from szem.train.checkpoint import save_checkpoint

    train(recipe(), tmp_path, stop_after=3, quiet=True)
    stored = load_checkpoint(tmp_path / "checkpoint.pt")
    del stored["settings"]["loop"]["patience"]
    for key in ("best_scores", "best_average", "stale"):
        del stored[key]
    save_checkpoint(tmp_path / "checkpoint.pt", stored)
    assert train(recipe(), tmp_path, resume=True, quiet=True).steps == 20


def test_lines_take_the_place_of_the_bar_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("szem.train.journal._FIRST_LINE_S", 0.0)
    train(recipe(), tmp_path, quiet=False)
    said = capsys.readouterr().err
    assert "step 1 of 20, loss" in said
    assert "left 0:00:" in said
