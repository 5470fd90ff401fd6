"""`szem train` on data of one's own: other names of classes, a trial whose result an interrupted run keeps."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.cli.run import run

pytest.importorskip("torch")
from szem.train.trial import TrialResult

SMALL = [
    f"--set={text}" for text in ("pretrained=false", "loop.steps=1", "loop.batch=2", "loop.scores=1", "hold_back=0")
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            picture = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def test_an_unknown_recipe_is_named_before_data_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "nothing"]) == 1
    assert "no recipe called 'nothing'; there are segment, road" in capsys.readouterr().err


@pytest.mark.slow
def test_a_trial_finds_settings_and_an_interrupted_run_keeps_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = TrialResult(batch=2, lr=0.0005, samples_per_s=3.0, losses={})
    monkeypatch.setattr("szem.train.trial.try_settings", lambda *_, **__: found)  # tests/train/test_trial.py has it
    words = [
        "train",
        "classify",
        "--data",
        str(data),
        "--out",
        str(tmp_path / "run"),
        "--classes",
        "a=x,b=x",
        *SMALL,
        "--workers=1",
    ]
    assert run([*words, "--trial"]) == 0
    said = capsys.readouterr().err
    assert "Trial: loop.lr=0.0005, loop.batch=2" in said
    assert "board/index.html" in said
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["settings"]["classes"] == ["a=x", "b=x"]
    assert about["settings"]["loop"]["batch"] == 2
    assert "loop.lr=0.0005" in about["command"]
    assert run([*words, "--trial", "--resume"]) == 0  # with the same settings: others are refused
    assert "Trial" not in capsys.readouterr().err
    assert (tmp_path / "run" / "board" / "index.html").is_file()
    # What was set when it began need not be said again; so a run goes on whose defaults have changed since.
    assert run(["train", "classify", "--data", str(data), "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == about
    assert "only 1 steps were made" in capsys.readouterr().err


def test_a_class_that_is_not_there_is_refused_with_those_that_are(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "classify", "--data", str(data), "--out", str(tmp_path / "run"), *SMALL]
    assert run([*words, "--classes", "z=x"]) == 1
    assert "no class called z; the data has a, b, c" in capsys.readouterr().err
    assert run([*words, "--classes", "z"]) == 1
    assert "takes pairs" in capsys.readouterr().err
