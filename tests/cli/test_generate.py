"""`szem generate` as typed."""

import json
from pathlib import Path

import pytest

import szem
from szem.cli.run import run
from szem.media.pictures import read_picture
from szem.tasks.generation.answer import GenerateRequest


def test_a_grid_is_written_for_each_of_the_lectures_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", "--n", "2", "--out", str(tmp_path / "grid.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "white petals" in lines[0]
    assert "black with green" in lines[1]
    assert {p.name for p in tmp_path.iterdir()} == {"grid-1.png", "grid-2.png"}


def test_one_picture_is_generated_unless_more_are_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The same default in each of the three ways to ask."""
    assert run(["generate", "a red rose", "--out", str(tmp_path / "one.png")]) == 0
    drawn = szem.generate("a red rose")
    assert len(drawn.pictures) == GenerateRequest(text="a red rose").n == 1
    assert (read_picture(tmp_path / "one.png") == drawn.sheet(zoom=2)).all()


@pytest.mark.slow
def test_json_stages_influence_and_single_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "one.png"
    words = [
        "generate",
        "a red rose of florble",
        "--n",
        "1",
        "--seed",
        "7",
        "--out",
        str(out),
        "--json",
        "--influence",
    ]
    assert run([*words, "--stages", "--each", str(tmp_path / "each")]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["seed"], row["unknown"], row["file"]) == (7, ["florble"], str(out))
    assert [w["word"] for w in row["influence"]] == ["a", "red", "rose", "of", "florble"]
    assert read_picture(tmp_path / "each" / "1-1.png").shape == (128, 128, 3)
    assert read_picture(out).shape[1] == 2 * (256 + 6) + 6


@pytest.mark.parametrize(("words", "match"), [(["--n", "0"], "--n"), (["--seed", "-3"], "seed"), ([""], "no word")])
def test_mistakes_are_reported_without_a_traceback(
    words: list[str], match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", *words, "--out", str(tmp_path / "x.png")]) != 0
    reported = capsys.readouterr().err
    assert match in reported
    assert "Traceback" not in reported


def test_a_sentence_that_cannot_be_drawn_does_not_end_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", "zzz", "a red rose", "", "--n", "1", "--out", str(tmp_path / "multi.png")]) == 1
    said = capsys.readouterr()
    assert {p.name for p in tmp_path.iterdir()} == {"multi-2.png"}
    assert "multi-2.png: a red rose" in said.out
    assert "2 of 3 could not be done" in said.err
    assert "zzz: the model knows no word" in said.err


def test_a_picture_is_described_also_where_its_influence_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", "rose", "--n", "1", "--influence", "--out", str(tmp_path / "one.png")]) == 1
    said = capsys.readouterr()
    assert "one.png: rose" in said.out
    assert "one word alone" in said.err
