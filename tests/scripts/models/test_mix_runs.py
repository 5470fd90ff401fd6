"""scripts/models/mix_runs.py: a part of a change is added; runs of other networks are refused."""

from pathlib import Path

import pytest
import torch

from scripts.models.mix_runs import main, mix_weights
from szem.errors import TrainError
from szem.train.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint


def run_of(folder: Path, value: float, shape: tuple[int, ...] = (2,)) -> Path:
    state = {"w": torch.full(shape, value), "n": torch.tensor(int(value))}
    save_checkpoint(folder / CHECKPOINT, {"settings": {"a": value}, "average": state})
    (folder / "run.json").write_text(f'{{"of": {value}}}')
    return folder


def test_a_part_of_the_change_is_added(tmp_path: Path) -> None:
    onto, learned, since = (run_of(tmp_path / n, v) for n, v in (("onto", 5.0), ("learned", 3.0), ("since", 1.0)))
    out = tmp_path / "mixed"
    arguments = ["--onto", str(onto), "--learned", str(learned), "--since", str(since), "--out", str(out)]
    main([*arguments, "--fraction", "0.25"])
    mixed = load_checkpoint(out / CHECKPOINT)
    assert mixed["average"]["w"].tolist() == [5.5, 5.5]  # 5 + (3 - 1) / 4
    assert mixed["average"]["n"] == 5
    assert (out / "run.json").read_text() == '{"of": 5.0}'
    with pytest.raises(TrainError, match="holds a run already"):
        main(arguments)


def test_another_network_is_refused(tmp_path: Path) -> None:
    states = [{"w": torch.zeros(2)}, {"w": torch.zeros(3)}, {"w": torch.zeros(2)}]
    with pytest.raises(TrainError, match="not of one network"):
        mix_weights(*states, fraction=0.5)
