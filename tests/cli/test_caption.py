"""`szem caption` and `szem search` as typed."""

import json
import shutil
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.media.pictures import read_picture
from szem.media.samples import sample_path

CAT, COFFEE, COINS = (str(sample_path(name)) for name in ("cat", "coffee", "coins"))


def test_sentences_are_shown_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["caption", CAT, COINS, "--top", "2", "--beam", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{CAT}  confidence ")
    assert lines[0].endswith("(from tags)")
    assert lines[1].startswith("  0) ")
    assert "cat" in lines[1]
    assert "(confidence " in lines[1]
    assert f"{COINS}  no caption: nothing was recognised for certain" in lines


def test_json_has_one_object_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["caption", CAT, "--json", "--start", "a dog"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["file"] == CAT
    assert row["caption"].startswith("a dog")
    assert 0 <= row["confidence"] <= 1


def test_attention_is_drawn_into_a_file_or_a_folder(tmp_path: Path) -> None:
    assert run(["caption", CAT, "--attention", str(tmp_path / "one.png")]) == 0
    assert read_picture(tmp_path / "one.png").shape[1] > 400
    assert run(["caption", CAT, COFFEE, "--attention", str(tmp_path / "many")]) == 0
    assert len(list((tmp_path / "many").glob("*-attention.jpg"))) == 2


def test_a_bad_file_does_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    assert run(["caption", str(tmp_path / "bad.jpg"), CAT]) == 1
    out = capsys.readouterr()
    assert "chelsea.png" in out.out
    assert "bad.jpg" in out.err


WRONG = [
    # arguments, what is said
    ([], "give pictures, or --alt"),
    ([CAT, "--alt", "x"], "one of the two"),
    ([CAT, "--start", "xylophonist"], "the network has no word 'xylophonist'"),
    (["--alt", "/nowhere/at/all"], "no such file or folder"),
    ([CAT, "--model", "nothing"], "no model called 'nothing'"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG)
def test_wrong_use_is_reported(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["caption", *arguments]) == 1
    assert says in capsys.readouterr().err.replace("\n", " ")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    home = tmp_path / "site"
    home.mkdir()
    shutil.copy(CAT, home / "cat.png")
    (home / "a.html").write_text('<h1>é</h1>\r\n<img src="cat.png">\r\n<img src="gone.png">\r\n', newline="")
    return home


def test_alt_texts_are_proposed_as_a_diff_and_nothing_is_written(
    site: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    before = (site / "a.html").read_bytes()
    assert run(["caption", "--alt", str(site), "--threshold", "0"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"--- a/a.html\n+++ b/a.html\n")
    assert b'\n+<img alt="' in out
    assert b"gone.png" in err
    assert b"2 pictures without an alternative text on 1 pages, 1 proposed" in err
    assert (site / "a.html").read_bytes() == before


def test_alt_texts_are_written_when_asked(site: Path) -> None:
    assert run(["caption", "--alt", str(site), "--threshold", "0", "--apply"]) == 0
    text = (site / "a.html").read_bytes().decode()
    assert text.count('<img alt="') == 1
    assert text.endswith('<img src="gone.png">\r\n')
    assert run(["caption", "--alt", str(site), "--threshold", "0", "--apply"]) == 0
    assert (site / "a.html").read_bytes().decode() == text


def test_pictures_are_found_by_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in (CAT, COFFEE):
        shutil.copy(path, folder)
    (folder / "bad.jpg").write_bytes(b"nothing")
    options = [str(folder), "--index", str(tmp_path / "x.index")]
    assert run(["search", "a cat", *options]) == 1
    out = capsys.readouterr()
    assert len(out.out.splitlines()) == 2
    assert "szem: bad.jpg: " in out.err
    assert run(["search", "a cat", *options, "--top", "1", "--json"]) == 1
    reported = json.loads(capsys.readouterr().out)
    assert (len(reported["hits"]), reported["searched"], list(reported["broken"])) == (1, 2, ["bad.jpg"])
    assert run(["search", "...", *options]) == 1
    assert "needs one word at least" in capsys.readouterr().err
    assert run(["search", "a cat", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
