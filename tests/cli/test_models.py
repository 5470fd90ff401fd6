"""`szem models remove`: models of one's own go, shipped ones stay."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.runtime.store import find_model, shipped_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model of the user's own, `road-2`."""
    monkeypatch.setenv("SZEM_HOME", str(tmp_path))
    folder = tmp_path / "models" / "road-2"
    shutil.copytree(shipped_folder() / "road", folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"name": "road-2"}))
    return folder


def test_a_model_of_ones_own_is_removed(mine: Path, capsys: Capture) -> None:
    assert find_model("road-2").folder == mine
    assert run(["models", "remove", "road-2", "--yes"]) == 0
    assert "road-2: removed" in capsys.readouterr().out
    assert list(mine.parent.iterdir()) == []
    assert run(["models", "remove", "road-2", "-y"]) == 1
    assert "no model of your own called 'road-2'; you have added none" in capsys.readouterr().err


def test_one_whose_card_is_broken_is_removed_too(mine: Path) -> None:
    (mine / "card.json").write_text("{")
    assert run(["models", "remove", "road-2", "--yes"]) == 0
    assert not mine.exists()


@pytest.mark.parametrize("name", ["detect", "no-such", ".", "..", "../models/road-2", "", "a/b", "road"])
def test_nothing_else_is_removed(name: str, mine: Path, capsys: Capture) -> None:
    assert run(["models", "remove", "--yes", "--", name]) == 1
    reported = capsys.readouterr().err
    assert ("came with szem" in reported) == (name in ("detect", "road"))
    assert "your own are: road-2" in reported or "came with szem" in reported
    assert (mine / "card.json").is_file()
    assert (shipped_folder() / "road" / "card.json").is_file()


def test_a_link_is_not_followed(mine: Path, tmp_path: Path) -> None:
    mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(tmp_path / "elsewhere")
    assert run(["models", "remove", "road-2", "--yes"]) == 1
    assert (tmp_path / "elsewhere" / "card.json").is_file()


def test_it_asks_before_it_removes(mine: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["models", "remove", "road-2"]) == 1  # nobody to ask
    assert "give --yes" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer, stays in ((False, True), (True, False)):

        def confirm(text: str, *, abort: bool, answer: bool = answer) -> None:
            assert str(mine) in text
            if abort and not answer:
                raise SystemExit(1)

        monkeypatch.setattr("typer.confirm", confirm)
        assert run(["models", "remove", "road-2"]) == int(stays)
        assert mine.exists() == stays


def test_a_card_shows_its_peers_beside_the_model_for_each_set_of_data(mine: Path, capsys: Capture) -> None:
    card = json.loads((mine / "card.json").read_text())
    score = {"split": "val", "n": 7, "command": "szem eval road-2", "metric": "mIoU"}
    own = [
        score | {"dataset": "roads", "value": 0.8, "date": "2026-11-30"},
        score | {"dataset": "fields", "value": 0.6},
    ]
    peers = [
        {"name": "the one before", "scores": [score | {"dataset": "roads", "value": 0.75}]},
        {"name": "a free one", "scores": [score | {"dataset": "fields", "value": 0.5}]},
    ]
    (mine / "card.json").write_text(json.dumps(card | {"scores": own, "peers": peers}))
    assert run(["models", "show", "road-2"]) == 0
    shown = capsys.readouterr().out
    assert "network 1: road-2\nnetwork 2: the one before\nnetwork 3: a free one\n" in shown
    assert "data A: roads, val: 7 items, 2026-11-30\ndata B: fields, val: 7 items\n" in shown
    assert shown.count("measured by: szem eval road-2\n") == 1
    assert "      A1   A2    B1   B3\nmIoU  0.8  0.75  0.6  0.5\n" in shown


def test_a_card_with_many_sets_of_data_has_a_row_for_each(mine: Path, capsys: Capture) -> None:
    card = json.loads((mine / "card.json").read_text())
    score = {"split": "val", "command": "szem eval road-2", "metric": "mIoU"}
    own = [score | {"dataset": f"town {k}", "value": k / 10, "n": 3} for k in range(1, 6)]
    own.append(score | {"dataset": "town 2", "metric": "pixels right", "value": 0.9, "n": 30, "note": "of 30"})
    (mine / "card.json").write_text(json.dumps(card | {"scores": own}))
    assert run(["models", "show", "road-2"]) == 0
    shown = capsys.readouterr().out
    assert "   mIoU  pixels right\nA  0.1\nB  0.2   0.9 (30)\nC  0.3\n" in shown
    assert "note: of 30 (pixels right)\n" in shown
