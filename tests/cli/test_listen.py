"""`szem listen` as typed."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from szem.cli.run import run
from szem.media.sound import write_sound

from .. import sounds

pytest.importorskip("onnx")


@pytest.fixture
def loud(tmp_path: Path) -> str:
    return str(sounds.write_listener(tmp_path / "models" / "loud", sounds.waveform_graph(), ("loud", "very loud")))


@pytest.fixture
def clip(tmp_path: Path) -> str:
    parts = [sounds.quiet(2), sounds.noise(1), sounds.quiet(2)]
    (tmp_path / "in").mkdir()
    write_sound(tmp_path / "in" / "bang.wav", np.concatenate(parts))
    return str(tmp_path / "in" / "bang.wav")


def test_events_are_shown_for_people(clip: str, loud: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["listen", clip, "--model", loud, "--classes", "loud"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == clip
    assert lines[1].startswith("  00:0")
    assert lines[1].endswith("loud")
    assert len(lines) == 2


def test_json_and_csv_say_the_same(clip: str, loud: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["listen", clip, "--model", loud, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["duration_s"] == 5
    event = row["events"][0]
    assert event["start_s"] == pytest.approx(2, abs=0.35)
    assert run(["listen", clip, "--model", loud, "--csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(table[0]["start_s"]) == pytest.approx(event["start_s"], abs=1e-3)
    assert table[0]["kind"] == event["kind"]


def test_subtitles_lie_beside_the_sound_or_in_a_folder(clip: str, loud: str, tmp_path: Path) -> None:
    assert run(["listen", str(Path(clip).parent), "--model", loud, "--srt", "--vtt", "-q"]) == 0
    assert "[loud]" in Path(clip).with_suffix(".srt").read_text()
    assert Path(clip).with_suffix(".vtt").read_text().startswith("WEBVTT\n\n00:00:0")
    assert run(["listen", clip, "--model", loud, "--vtt", "--out", str(tmp_path / "out"), "-q"]) == 0
    assert (tmp_path / "out" / "bang.vtt").is_file()


def test_a_bad_file_does_not_stop_the_rest(
    clip: str, loud: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    assert run(["listen", str(tmp_path / "bad.wav"), clip, "--model", loud]) == 1
    out = capsys.readouterr()
    assert "bang.wav" in out.out
    assert "bad.wav" in out.err


def test_subtitles_that_cannot_be_written_are_reported_and_the_rest_is_done(
    clip: str, loud: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sound(Path(clip).parent / "second.wav", sounds.noise(1))
    (tmp_path / "file").write_text("not a folder")
    assert (
        run(["listen", str(Path(clip).parent), "--model", loud, "--srt", "--out", str(tmp_path / "file" / "x")]) == 1
    )
    said = capsys.readouterr()
    assert "2 of 2 could not be done" in said.err
    assert "bang.srt: cannot be written" in said.err
    assert "second.wav" in said.out  # what is heard is said all the same


def test_sounds_of_one_name_do_not_share_subtitles(
    clip: str, loud: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(clip).with_suffix(".oga")
    other.write_bytes(Path(clip).read_bytes())
    assert run(["listen", clip, str(other), "--model", loud, "--srt", "-q"]) == 1
    said = capsys.readouterr().err
    assert "bang.oga: " in said
    assert "another input" in said
    assert run(["listen", clip, str(other), "--model", loud, "--srt", "--out", str(tmp_path / "out"), "-q"]) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"bang.srt", "bang-2.srt"}


def test_subtitles_that_are_there_already_are_left_alone(
    clip: str, loud: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(clip).with_suffix(".srt").write_text("what is said in the film")
    assert run(["listen", clip, "--model", loud, "--srt"]) == 1
    assert "bang.srt is there already" in capsys.readouterr().err
    assert Path(clip).with_suffix(".srt").read_text() == "what is said in the film"


WRONG = [
    # arguments, what is said
    (["--json", "--csv"], "exclude each other"),
    (["--threshold", "-0.5"], "than or equal to 0"),
    (["--classes", "thunder"], "it knows loud, very loud"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG)
def test_wrong_options_are_refused(
    clip: str, loud: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["listen", clip, "--model", loud, *arguments]) != 0
    assert says in capsys.readouterr().err
