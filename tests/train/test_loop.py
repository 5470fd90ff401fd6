"""The loop: learns, repeats itself, goes on exactly after an interruption, stops at nonsense, keeps to its budget."""

import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from szem.errors import TrainError
from szem.train.checkpoint import load_checkpoint
from szem.train.loop import learning_rate, train
from szem.train.processes import run_processes
from szem.train.recipe import Loop, override

sys.path.insert(0, str(Path(__file__).parent))
from toy import ToyRecipe, ToySettings, work

TOY = Path(__file__).with_name("toy.py")


def recipe(*changes: str) -> ToyRecipe:
    return ToyRecipe(override(ToySettings(), changes))


def losses(run: Path) -> list[str]:
    with (run / "log.csv").open() as file:
        return [f"{row['step']} {row['loss']}" for row in csv.DictReader(file)]


def test_a_training_learns_and_reports(tmp_path: Path) -> None:
    outcome = train(recipe("loop.steps=60"), tmp_path, quiet=True)
    assert outcome.is_done
    assert outcome.steps == 60
    assert outcome.scores["accuracy"] > 0.9
    rows = [float(row.split()[1]) for row in losses(tmp_path)]
    assert sum(rows[-10:]) < 0.7 * sum(rows[:10])
    for name in ("loss", "scores"):
        assert (tmp_path / "board" / f"{name}.png").read_bytes()[1:4] == b"PNG"
    page = (tmp_path / "board" / "index.html").read_text()
    assert "accuracy" in page
    assert page.count("<img ") == 2
    assert "accuracy" in (tmp_path / "scores.csv").read_text()


def test_one_seed_gives_one_training(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(recipe(), tmp_path / name, quiet=True)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    train(recipe("loop.seed=1"), tmp_path / "c", quiet=True)
    assert losses(tmp_path / "c") != losses(tmp_path / "a")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "whole", quiet=True)
    for stop in (1, 7, 8, None):
        train(recipe(), tmp_path / "parts", resume=True, stop_after=stop, quiet=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    a, b = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    for part in ("network", "average"):
        for name, value in a[part].items():
            torch.testing.assert_close(b[part][name], value, atol=0, rtol=0)


def test_pieces_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    for pieces in (1, 4):
        train(recipe(f"loop.accumulate={pieces}", "dropout=0.0", "loop.steps=3"), tmp_path / str(pieces), quiet=True)
    whole = load_checkpoint(tmp_path / "1" / "checkpoint.pt")["network"]
    for name, value in load_checkpoint(tmp_path / "4" / "checkpoint.pt")["network"].items():
        torch.testing.assert_close(value, whole[name], atol=1e-5, rtol=1e-3)


def test_a_loss_that_is_no_number_stops_with_the_last_good_weights(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"step 6: the loss is nan .* last good weights"):
        train(recipe("poison_at=44", "loop.checkpoint_s=0.0"), tmp_path, quiet=True)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert state["step"] == 5
    assert all(torch.isfinite(value).all() for value in state["network"].values())


def test_a_run_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    train(recipe("loop.steps=1"), tmp_path, quiet=True)
    with pytest.raises(TrainError, match="holds a training already; say --resume"):
        train(recipe("loop.steps=1"), tmp_path, quiet=True)


def test_a_run_is_not_resumed_with_other_settings(tmp_path: Path) -> None:
    train(recipe("loop.steps=1"), tmp_path, quiet=True)
    with pytest.raises(TrainError, match=r"begun with other settings \(dropout\)"):
        train(recipe("loop.steps=1", "dropout=0.5"), tmp_path, resume=True, quiet=True)


def test_a_budget_ends_the_training_with_its_rate_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("szem.train.loop.time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    outcome = train(recipe("loop.steps=1000000"), tmp_path, budget_s=1.0, quiet=True)
    assert outcome.is_done
    assert 20 < outcome.steps < 100  # the clock is asked a few times a step, and goes on by a hundredth
    with (tmp_path / "log.csv").open() as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert len(rates) == outcome.steps
    assert rates[-1] < max(rates)


def test_the_rate_rises_then_falls() -> None:
    loop = Loop(steps=1, batch=1, lr=2.0, warmup=0.1)
    assert [learning_rate(loop, p) for p in (0.05, 0.1)] == pytest.approx([1.0, 2.0])
    assert learning_rate(loop, 1.0) == pytest.approx(0.0)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(TrainError, match="not a checkpoint of szem"):
        train(recipe(), tmp_path, resume=True, quiet=True)


def test_ctrl_c_saves_the_step_under_way_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ToyRecipe):
        def loss(self, network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            if len(losses(tmp_path / "parts")) == 5:
                signal.raise_signal(signal.SIGINT)
            return super().loss(network, batch)

    train(recipe(), tmp_path / "whole", quiet=True)
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(ToySettings()), tmp_path / "parts", quiet=True)
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["step"] == 6
    train(recipe(), tmp_path / "parts", resume=True, quiet=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_training_killed_at_any_moment_goes_on_exactly(tmp_path: Path) -> None:
    steps, often = "60", "loop.checkpoint_s=0.0"
    train(recipe(f"loop.steps={steps}", often), tmp_path / "whole", quiet=True)
    slowly = os.environ | {"TOY_PAUSE_S": "0.1"}  # six seconds at least: it is not done before it can be killed
    run = tmp_path / "killed"
    kills = 0
    for wait in (0.02, 0.11, 0.05):  # after the checkpoint first moves on
        process = subprocess.Popen([sys.executable, str(TOY), str(run), steps, often], env=slowly)
        before = load_checkpoint(run / "checkpoint.pt")["step"] if (run / "checkpoint.pt").exists() else 0
        while process.poll() is None and _step(run) <= before:
            time.sleep(0.005)
        time.sleep(wait)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        load_checkpoint(run / "checkpoint.pt")  # whole at any moment
    assert kills
    train(recipe(f"loop.steps={steps}", often), run, resume=True, quiet=True)
    assert losses(run) == losses(tmp_path / "whole")


def _step(run: Path) -> int:
    file = run / "checkpoint.pt"
    return int(load_checkpoint(file)["step"]) if file.exists() else 0


@pytest.mark.slow
def test_two_processes_have_losses_and_weights_of_one_and_go_on_after_a_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout, each process's own chance, is off; the second process is killed at the fourth of six steps, once."""
    changes = ["dropout=0.0", "norm=batch", "loop.steps=6", "loop.checkpoint_s=0.0"]
    monkeypatch.setenv("TOY_DIES", str(tmp_path / "died"))
    two = run_processes(work, tmp_path / "two", changes, count=2, threads=1)
    assert (tmp_path / "died").exists()
    one = train(recipe(*changes), tmp_path / "one", quiet=True)
    assert (two.steps, two.scores) == (one.steps, one.scores)
    for name in ("one", "two"):
        assert [row.split()[0] for row in losses(tmp_path / name)] == ["1", "2", "3", "4", "5", "6"]
    first, second = ([float(row.split()[1]) for row in losses(tmp_path / name)] for name in ("one", "two"))
    assert second == pytest.approx(first, rel=1e-4)
    alone, joined = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("one", "two"))
    for name, value in alone["network"].items():  # running statistics among them
        torch.testing.assert_close(joined["network"][name], value, atol=1e-5, rtol=1e-3)


def test_a_batch_that_cannot_be_parted_evenly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="a batch of 8 cannot be parted evenly among 1 processes, 3 pieces each"):
        train(recipe("loop.accumulate=3"), tmp_path, quiet=True)


@pytest.mark.slow
def test_an_error_of_one_training_in_several_processes_is_raised_once(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="a batch of 8 cannot be parted evenly among 2 processes, 8 pieces each"):
        run_processes(work, tmp_path, ["loop.accumulate=8"], count=2, threads=1)
