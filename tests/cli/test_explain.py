"""`szem explain` as typed."""

import json
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.media.samples import sample_path

Capture = pytest.CaptureFixture[str]
CAT = str(sample_path("cat"))
ONE = ["explain", CAT, "-l", "stem.conv", "--neuron", "0,59,60", "--no-time"]


def test_one_number_is_answered_first_and_without_the_table(tmp_path: Path, capsys: Capture) -> None:
    assert run([*ONE, "-o", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("stem.conv, map 0, row 59, column 60: ")
    assert any("ONNX Runtime" in line for line in lines)
    assert len(lines) < 20


def test_json_holds_the_number_too(tmp_path: Path, capsys: Capture) -> None:
    assert run([*ONE, "--json", "-o", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)["neuron"]
    assert (found["layer"], found["map"], found["row"], found["column"]) == ("stem.conv", 0, 59, 60)
    assert found["steps"][-1]["value"] == pytest.approx(found["measured"], abs=1e-3)


def test_quiet_leaves_out_the_remark(tmp_path: Path, capsys: Capture) -> None:
    for options, is_said in (([], True), (["-q"], False)):
        assert (
            run(["explain", CAT, "-l", "stem.conv", "--no-time", "-o", str(tmp_path / str(is_said)), *options]) == 0
        )
        assert ("1 layers written to" in capsys.readouterr().out) == is_said
