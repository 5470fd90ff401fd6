"""`szem classify`, `szem models`, `szem eval` as typed."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from szem.cli.run import run
from szem.media.pictures import read_picture, write_picture
from szem.media.samples import sample_path


def test_names_are_shown_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", str(sample_path("coffee")), "--top", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("coffee.png")
    assert lines[1].startswith("  in one word: food 9")
    assert len(lines) == 5
    assert "%" in lines[2]


def test_json_has_one_object_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", str(sample_path("coffee")), str(sample_path("cat")), "--json", "--top", "2"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(row["labels"]) for row in rows] == [2, 2]
    assert [row["name"] for row in rows[1]["parents"]] == ["animal", "cat"]
    assert rows[0]["file"].endswith("coffee.png")


def test_csv_has_a_line_a_label(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", str(sample_path("coffee")), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["place"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])


def test_maps_are_drawn_into_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", str(sample_path("cat")), "--map", "--out", str(tmp_path / "out")]) == 0
    drawn = read_picture(tmp_path / "out" / "chelsea-map.jpg")
    assert drawn.shape == read_picture(sample_path("cat")).shape
    assert "map:" in capsys.readouterr().out


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    write_picture(tmp_path / "good.png", np.zeros((9, 9, 3), np.uint8))
    assert run(["classify", str(tmp_path), "--json"]) == 1
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert "bad.jpg" in shown.err


def test_json_and_csv_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", str(sample_path("cat")), "--json", "--csv"]) == 1
    assert "choose one" in capsys.readouterr().err


def test_models_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--json", "--task", "classify"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert "efficientnet-lite0" in [row["name"] for row in rows]
    assert run(["models", "list"]) == 0
    assert "efficientnet-lite0" in capsys.readouterr().out
    assert run(["models", "show", "efficientnet-lite0"]) == 0
    shown = capsys.readouterr().out
    assert "Apache-2.0" in shown
    assert "very likely training pictures" in shown
    assert run(["models", "show", "efficientnet-lite0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "int8"


def test_an_unknown_model_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "nonesuch"]) == 1
    assert "no model called 'nonesuch'" in capsys.readouterr().err


def test_a_model_of_ones_own_is_added_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from szem.tasks.models import default_model

    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    shipped = default_model("classify")
    labels = tmp_path / "names.txt"
    labels.write_text("\n".join(f"thing {i}" for i in range(1000)), encoding="utf-8")
    assert (
        run(["models", "add", str(shipped.file()), "--task", "classify", "--labels", str(labels), "--name", "mine"])
        == 0
    )
    assert "mine" in capsys.readouterr().out
    assert run(["classify", str(sample_path("coffee")), "--model", "mine", "--csv", "--top", "1"]) == 0
    assert "thing " in capsys.readouterr().out


def test_eval_measures_and_shows_the_card_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "espresso" / "a.png", read_picture(sample_path("coffee")))
    assert run(["eval", "efficientnet-lite0", "--data", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["metric"]: row["n"] for row in found["scores"]}.items() >= {"top-1": 1, "top-5": 1}.items()
    assert run(["eval", "efficientnet-lite0", "--data", str(tmp_path)]) == 0
    assert "top-1" in capsys.readouterr().out
