"""`szem explain`: the table, the files it writes, and what it says to wrong options."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from szem.cli import main
from szem.media.pictures import read_picture
from szem.media.samples import read_sample
from szem.tasks.explain.explain import explain

File = Callable[[str], Path]


def _run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["explain", *(str(word) for word in words)])
    return int(stop.value.code or 0)


def test_the_table_is_printed_with_shared_and_unshared_parameters(
    network_file: File, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")  # a pipe has no edge: nothing is folded or cut
    assert _run("--model", network_file("residual")) == 0
    out = capsys.readouterr().out
    assert "looking at 32×32 pixels" in out
    stem = next(line for line in out.splitlines() if " stem " in line).split()
    assert stem[2:10] == ["convolution", "+", "Relu", "3×3", "1×1", "8×32×32", "224", "229k"]


@pytest.mark.parametrize("name", ["residual", "atrous", "inception", "transposed"])
def test_the_table_fits_a_screen_of_eighty_columns(
    name: str, network_file: File, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # as if on a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    assert _run("--model", network_file(name)) == 0
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert max(len(line) for line in lines) <= 80
    rows = explain(read_sample("cat"), network_file(name), timed=False).rows
    shown = [line for line in lines if re.match(r"\d+ .*×", line)]
    assert len(shown) == len(rows)
    for row, line in zip(rows, shown, strict=True):
        assert "×".join(str(side) for side in row.output_shape) in line


def test_maps_are_written_as_png_and_npz(
    network_file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _run("--model", network_file("residual"), "-l", "stem", "-l", "2", "--no-time", "--out", out) == 0
    assert {f.suffix for f in out.iterdir()} == {".png", ".npz"}
    assert len(list(out.iterdir())) == 4
    expected = explain(read_sample("cat"), network_file("residual"), layers=["stem"], timed=False).maps("stem")
    with np.load(out / "000-stem.npz") as data:
        np.testing.assert_allclose(data["maps"], expected, atol=1e-5)
    assert read_picture(out / "000-stem.png").ndim == 3
    assert "2 layers written" in capsys.readouterr().out.replace("\n", "")


def test_json_holds_the_whole_table(network_file: File, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--model", network_file("atrous"), "--json", "--no-time") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["dilation"] for row in found["layers"] if row["kind"] == "atrous"] == [[2, 2], [4, 4]]
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"])


def test_a_neuron_is_worked_out_on_the_command_line(
    network_file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--model", network_file("residual"), "-l", "a", "--neuron", "3,5,6", "--no-time", "-o", tmp_path) == 0
    out = capsys.readouterr().out
    assert "72 inputs × weights" in out
    steps = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert [s[0] for s in steps[-4:]] == ["products", "bias", "Relu", "ONNX"]
    assert float(steps[-1][-1]) == pytest.approx(float(steps[-2][-1]), abs=1e-4)


def test_what_mattered_is_written(network_file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--model", network_file("residual"), "--heat", "--no-time", "--out", tmp_path) == 0
    assert {f.name for f in tmp_path.iterdir()} == {"occlusion.png", "class-map.png"}
    assert read_picture(tmp_path / "occlusion.png").shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "nowhere"], "no layer called"),
        (["--size", "wide"], "rows and columns"),
        (["--size", "64x64"], "32×32 pixels only"),
        (["--mean", "1,2"], "one or three numbers"),
        (["--scale", "0"], "scale not 0"),
        (["--neuron", "1,2,3"], "exactly one --layer"),
    ],
)
def test_wrong_options_are_reported_in_one_line(
    words: list[str], message: str, network_file: File, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--model", network_file("residual"), "--no-time", *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("szem:")
    assert message in said


def test_a_broken_network_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 100)
    assert _run("--model", tmp_path / "bad.onnx") == 1
    assert "not an ONNX file" in capsys.readouterr().err
