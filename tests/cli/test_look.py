"""`szem look` as a person and as a program use it."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from szem.cli.run import run
from szem.media.pictures import read_picture, write_picture
from szem.media.samples import read_sample, sample_path

Capture = pytest.CaptureFixture[str]
QUICK = ["--tasks", "colors,crops,sharpness"]  # no network: these tests are about the verb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in (10, 2, 1):
        write_picture(tmp_path / "in" / f"shot{index}.png", read_sample("coffee")[: 40 + index, :60])
    return tmp_path / "in"


def test_json_gives_one_object_a_line_in_the_order_people_count(folder: Path, capsys: Capture) -> None:
    assert run(["look", str(folder), "--json", *QUICK]) == 0
    reported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(one["file"]).name for one in reported] == ["shot1.png", "shot2.png", "shot10.png"]
    assert (reported[0]["width"], reported[0]["height"]) == (60, 41)
    assert set(reported[0]) == {"file", "width", "height", "colors", "crops", "sharpness"}
    assert 0 < reported[0]["colors"][0]["score"] <= 1
    assert [crop["shape"] for crop in reported[0]["crops"]] == ["1:1", "16:9", "9:16", "free"]


def test_csv_is_one_table(folder: Path, capsys: Capture) -> None:
    assert run(["look", str(folder), "--csv", *QUICK]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["task"] for row in rows} == {"colors", "crops", "sharpness"}
    assert {Path(row["file"]).name for row in rows} == {"shot1.png", "shot2.png", "shot10.png"}
    square = next(row for row in rows if row["name"] == "1:1")
    assert float(square["x1"]) - float(square["x0"]) == 41


def test_one_bad_file_does_not_stop_the_rest(corpus: ModuleType, folder: Path, capsys: Capture) -> None:
    corpus.bad_files(folder)
    assert run(["look", str(folder), "--json", *QUICK]) == 1
    out, err = capsys.readouterr()
    reported = [json.loads(line) for line in out.splitlines()]
    good = [one for one in reported if "error" not in one]
    assert len(good) == 3
    assert len(reported) > 30
    assert f"{len(reported) - 3} of {len(reported)} could not be done" in err
    assert "Traceback" not in err


def test_every_bad_file_alone_is_one_clear_line(corpus: ModuleType, tmp_path: Path, capsys: Capture) -> None:
    for path in corpus.bad_files(tmp_path):
        assert run(["look", str(path), *QUICK]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("szem: ")
        assert err.count("\n") == 1
        assert path.name in err


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_bytes_give_an_answer_or_one_line(
    corpus: ModuleType, tmp_path: Path, capsys: Capture, data: st.DataObject
) -> None:
    raw = bytearray(corpus.WHOLE[data.draw(st.sampled_from(sorted(corpus.WHOLE)))]())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=6)):
        raw[at] = value
    path = tmp_path / "damaged.jpg"
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    status = run(["look", str(path), "--json", "--tasks", "colors,sharpness"])
    out, err = capsys.readouterr()
    assert status == ("error" in json.loads(out))
    assert "Traceback" not in err


def test_annotated_pictures_are_written_and_not_looked_at_again(folder: Path, capsys: Capture) -> None:
    out = folder / "seen"
    for _ in range(2):
        assert run(["look", str(folder), "--out", str(out), "--format", ".png", *QUICK]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["shot1.png", "shot10.png", "shot2.png"]
    assert read_picture(out / "shot1.png").shape[0] > 480 * 41 // 60  # enlarged, with a card below


def test_without_a_path_bundled_pictures_are_looked_at(capsys: Capture) -> None:
    assert run(["look", "--tasks", "sharpness"]) == 0
    assert "chelsea.png  451×300" in capsys.readouterr().out


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    class Fed:
        buffer = io.BytesIO(sample_path("coins").read_bytes())

    monkeypatch.setattr(sys, "stdin", Fed())
    assert run(["look", "-", "--json", "--tasks", "colors"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "-"


def test_piped_output_is_plain(folder: Path, capsys: Capture) -> None:
    assert run(["look", str(folder / "shot1.png"), *QUICK]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "│" not in out
    lines = out.splitlines()
    assert lines[:3] == [f"{folder / 'shot1.png'}  60×41", "", "  Colours"]
    assert lines[3].startswith("    espresso  ")
    assert lines[3].split()[1] == "100%"  # rows of a section stand in columns under its title


def test_piped_output_shows_no_more_rows_than_a_terminal_and_says_so(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("szem.cli.look._MOST_ROWS", 2)
    assert run(["look", str(sample_path("coffee")), "--tasks", "colors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert re.fullmatch(r"    and \d+ more; --json and --csv print all", lines[5])


def test_names_cannot_play_with_the_terminal(corpus: ModuleType, tmp_path: Path, capsys: Capture) -> None:
    evil = tmp_path / "a\x1b[2J\nb[red].png"
    evil.write_bytes(corpus.WHOLE["photo.png"]())
    (tmp_path / "bad\x07.png").write_bytes(b"x")
    assert run(["look", str(tmp_path), "--tasks", "sharpness"]) == 1
    out, err = capsys.readouterr()
    assert "a\\x1b[2J\\x0ab[red].png" in out
    assert "bad\\x07.png" in err
    assert "\x1b[2J" not in out + err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["look", "--tasks", "smell", "x.png"], "choose labels"),
        (["look", "--json", "--csv", "x.png"], "choose one"),
        (["look", "--format", ".doc", "x.png"], r".png"),
        (["look", "gone.png", "--tasks", "colors"], "gone.png: no such file"),
        (["look", "*.nothing", "--tasks", "colors"], "nothing matches"),
        (["look", "", "--tasks", "colors"], "empty path"),
        (["look", "a\0b", "--tasks", "colors"], "no such file"),
    ],
)
def test_mistakes_are_said_in_one_line(argv: list[str], says: str, capsys: Capture) -> None:
    assert run(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("szem: ")
    assert says in err


def test_a_terminal_gets_cards(tmp_path: Path) -> None:
    """In a process of its own, on a terminal of its own."""
    pty = pytest.importorskip("pty")
    near, far = pty.openpty()
    command = [sys.executable, "-m", "szem", "look", str(sample_path("coins")), "--tasks", "colors"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "90"}
    with subprocess.Popen(command, stdout=far, stderr=far, env=environment, cwd=tmp_path) as process:
        os.close(far)
        shown = b""
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        assert process.wait(timeout=120) == 0
    os.close(near)
    text = shown.decode()
    assert "╭─" in text
    assert "██" in text
    assert "384×303" in text


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    paths = f"{sample_path('coins')} {sample_path('cat')}"
    command = f"{sys.executable} -m szem look --tasks sharpness --json {paths} | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr


def test_look_is_the_same_from_python() -> None:
    import szem

    picture = read_sample("coffee")
    seen = szem.look(picture, tasks=["crops", "sharpness"])
    assert list(seen.results) == ["crops", "sharpness"]
    assert seen.to_dict()["sharpness"]["word"] == "sharp"
    drawn = seen.draw(picture)
    assert drawn.shape[1:] == (600, 3)
    assert drawn.shape[0] > 400
    assert seen.draw(picture, legend=False).shape == picture.shape
    assert not np.shares_memory(drawn, picture)
