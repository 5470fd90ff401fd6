"""What verbs write never replaces what a person may have made: the same rule in all of them."""

from pathlib import Path

import numpy as np
import pytest

from szem.cli.run import run
from szem.media.pictures import write_picture

# What is typed after the verb's inputs, an input, and what would be written where it lies.
WRITERS = {
    "look": (["look", "-t", "colors"], "p.jpg"),
    "look as png": (["look", "-t", "colors", "--format", ".png"], "p.png"),
    "segment": (["segment", "-m", "road", "--workers", "1"], "p.jpg"),
    "segment labels": (["segment", "-m", "road", "--workers", "1", "--write", "labels"], "p.png"),
    "segment coco": (["segment", "-m", "road", "--workers", "1", "--write", "coco"], "coco.json"),
    "segment areas": (["segment", "-m", "road", "--workers", "1", "--write", "areas"], "areas.csv"),
    "filter": (["filter"], "p-outline.png"),
    "classify": (["classify", "--map"], "p-map.jpg"),
    "detect": (["detect"], "p.jpg"),
    "detect boxes": (["detect", "--write", "json"], "boxes.jsonl"),
    "explain heat": (["explain", "--heat", "--no-time"], "class-map.png"),
    "explain maps": (["explain", "-l", "stem.conv", "--no-time"], "001-stem.conv.npz"),
}


def picture(path: Path) -> Path:
    return write_picture(path, np.full((40, 60, 3), 90, np.uint8))


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_where_the_inputs_are_is_left_alone(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, target = WRITERS[name]
    source = picture(tmp_path / "p.webp")
    (tmp_path / target).write_bytes(b"mine")
    assert run([typed[0], str(source), *typed[1:], "--out", str(tmp_path)]) == 1
    assert f"{target} is there already, where the inputs are" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / target).read_bytes() == b"mine"
    assert {p.name for p in tmp_path.iterdir()} == {"p.webp", target}


@pytest.mark.parametrize("name", ["look", "segment", "detect"])
def test_an_input_is_not_replaced_by_its_own_result(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, target = WRITERS[name]
    source = picture(tmp_path / target)
    before = source.read_bytes()
    other = picture(tmp_path / "q.png")
    assert run([typed[0], str(source), str(other), *typed[1:], "--out", str(tmp_path)]) == 1
    assert "is one of the inputs" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert (tmp_path / "q.jpg").exists()  # the others go on


def test_a_file_that_was_named_may_be_replaced_unless_it_is_an_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, named = picture(tmp_path / "p.jpg"), tmp_path / "where.jpg"
    before = source.read_bytes()
    for _ in range(2):
        assert run(["caption", str(source), "--beam", "1", "--attention", str(named)]) == 0
    assert run(["caption", str(source), "--beam", "1", "--attention", str(source)]) == 1
    assert "is one of the inputs" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert named.exists()


def test_a_second_run_over_a_folder_passes_over_the_first_ones_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "p.png")
    monkeypatch.chdir(tmp_path)
    for command in (["segment", ".", "-m", "road", "--workers", "1"], ["classify", ".", "--map"], ["filter", "."]):
        for _ in range(2):
            assert run([*command, "--out", command[0]]) == 0
        assert len(list((tmp_path / command[0]).iterdir())) == 1
        for made in (tmp_path / command[0]).iterdir():
            made.unlink()


def test_an_index_does_not_replace_a_picture_it_is_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "p.png")
    before = source.read_bytes()
    assert run(["search", "a dog", str(tmp_path), "--index", str(source)]) == 1
    assert "is one of the inputs" in capsys.readouterr().err
    assert source.read_bytes() == before
