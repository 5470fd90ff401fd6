"""`szem lipread` as it is typed: words, subtitles, JSON, the drawn film; one bad film does not stop the others."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from szem.cli.lipread import noise_of
from szem.cli.run import run
from szem.data.spoken import read_spoken
from szem.errors import RangeError
from szem.media.video import inspect_video
from szem.media.video_writer import VideoWriter


@pytest.mark.slow
@pytest.mark.data
def test_a_video_is_read_with_subtitles_and_a_drawn_video(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = read_spoken(data_dir / "grid", split="val").videos[0]
    srt, drawn = tmp_path / "said.srt", tmp_path / "read.mp4"
    asked = ["lipread", str(video.path), "--words", "--srt", str(srt), "--out", str(drawn)]
    assert run(asked) == 0
    out = capsys.readouterr().out
    assert "confidence" in out
    words = [line.split()[-1] for line in out.splitlines()[1:]]
    assert len(words) == 6
    blocks = srt.read_text().strip().split("\n\n")
    assert [block.splitlines()[-1] for block in blocks] == words
    made = inspect_video(drawn)
    assert made.frames == 75
    assert made.has_sound
    assert run(["lipread", str(video.path), "--json", "--use", "lips", "--beam", "2"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["used"] == "lips"
    assert row["file"] == str(video.path)


def test_a_video_without_a_face_says_so_and_a_broken_one_does_not_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grey(tmp_path / "grey.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"nothing" * 50)
    assert run(["lipread", str(tmp_path), "--srt", str(tmp_path / "out")]) == 1
    spelled = capsys.readouterr()
    assert "grey.mp4: no reading: no face is seen, and the video has no sound" in spelled.out
    assert "broken.mp4" in spelled.err
    assert (tmp_path / "out" / "grey.srt").read_text() == ""


@pytest.mark.slow
@pytest.mark.data
def test_a_word_said_alone_is_reported_with_its_rivals(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = str(data_dir / "grid" / read_spoken(data_dir / "grid", split="val").videos[0].path)
    assert run(["lipread", video, "--single", "word", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["model"] == "lipwords"
    assert len(row["labels"]) == 5
    assert run(["lipread", video, "--single", "phrase"]) == 0
    assert "%" in capsys.readouterr().out


def test_a_word_alone_needs_a_face_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_grey(tmp_path / "grey.mp4")
    assert run(["lipread", str(tmp_path / "grey.mp4"), "--single", "any"]) == 0
    assert "no reading: no face is seen" in capsys.readouterr().out


CONTRADICTIONS = [
    # options, what is said
    (["--single", "word", "--use", "sound"], "without --use sound"),
    (["--single", "any", "--srt", "a.srt", "--words"], "without --srt, --words"),
    (["--single", "any", "--out", "a.mp4"], "without --out"),
    (["--single", "any", "--noise", "0dB", "--beam", "2", "--no-check"], "without --noise, --beam, --no-check"),
    (["--single", "any", "--model", "lipread"], "without --model"),
    (["--use", "lips", "--noise", "0dB"], "does not listen"),
    (["--use", "sound", "--face", "2"], "reads none"),
    (["--srt", "a.txt"], "a file ends with .srt, .vtt, a folder with /"),
    (["--srt", "h.mp4"], "a file ends with .srt, .vtt, a folder with /"),
    (["--out", "read.avi"], ".avi is not written here"),
    (["--use", "ears"], "--use is one of lips, sound, both"),
]


@pytest.mark.parametrize(("options", "says"), CONTRADICTIONS)
def test_contradictory_options_are_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "h.mp4"):
        (tmp_path / name).write_bytes(b"nothing" * 50)
    assert run(["lipread", "a.mp4", "h.mp4", *options]) != 0
    spelled = capsys.readouterr().err
    assert spelled.count(says) == 1
    assert "a.mp4:" not in spelled
    assert (tmp_path / "h.mp4").read_bytes() == b"nothing" * 50


def test_one_file_cannot_hold_the_subtitles_of_several_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"nothing" * 50)
    assert run(["lipread", str(tmp_path), "--srt", str(tmp_path / "a.srt")]) != 0
    assert "a.srt names one file, and there are 2 inputs" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "name"), [("--srt", "a.srt"), ("--out", "a.mp4")])
def test_what_cannot_be_written_is_reported_by_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    video = write_grey(tmp_path / "grey.mp4")
    (tmp_path / "file").write_text("no folder")
    assert run(["lipread", str(video), option, str(tmp_path / "file" / name)]) == 1
    spelled = capsys.readouterr().err
    assert "cannot be written" in spelled
    assert "Errno" not in spelled


@pytest.mark.parametrize("out", ["grey.mp4", ".", "link.mp4"])
def test_a_drawn_video_never_replaces_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    video = write_grey(tmp_path / "grey.mp4")
    (tmp_path / "link.mp4").symlink_to(video)
    before = video.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run(["lipread", "grey.mp4", "--out", out]) != 0
    assert "would be replaced" in capsys.readouterr().err
    assert video.read_bytes() == before


def test_subtitles_leave_what_lies_beside_the_videos_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grey(tmp_path / "grey.mp4")
    (tmp_path / "grey.srt").write_text("by hand")
    monkeypatch.chdir(tmp_path)
    assert run(["lipread", "grey.mp4", "--srt", "."]) != 0
    assert "left alone" in capsys.readouterr().err
    assert (tmp_path / "grey.srt").read_text() == "by hand"


def test_a_video_comes_through_the_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_grey(tmp_path / "grey.mp4").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert run(["lipread", "-", "--out", str(tmp_path / "read.mp4")]) == 0
    assert "no reading: no face is seen" in capsys.readouterr().out
    assert inspect_video(tmp_path / "read.mp4").frames == 25


@pytest.mark.slow
@pytest.mark.data
def test_a_face_that_is_not_there_is_not_another(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = str(read_spoken(data_dir / "grid", split="val").videos[0].path)
    assert run(["lipread", video, "--face", "3"]) == 0
    assert "no reading: only 1 face is seen, number 3 was asked for" in capsys.readouterr().out


def write_grey(path: Path) -> Path:
    """A second of grey without sound."""
    with VideoWriter(path, rate_hz=25) as writer:
        for _ in range(25):
            writer.write(np.full((64, 64, 3), 100, np.uint8))
    return path


@pytest.mark.parametrize("options", [["--use", "eyes"], ["--single", "poem"], ["--noise", "loud"], ["--face", "0"]])
def test_wrong_options_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing" * 50)
    assert run(["lipread", str(tmp_path / "a.mp4"), *options]) != 0
    assert options[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "means"),
    [("0dB", ("white", 0.0)), ("-7.5", ("white", -7.5)), ("pink:+3 db", ("pink", 3.0)), ("", ("white", None))],
)
def test_noise_is_read_as_typed(text: str, means: tuple[str, float | None]) -> None:
    assert noise_of(text) == means


def test_noise_of_another_form_is_an_error() -> None:
    with pytest.raises(RangeError, match="level as in 0dB"):
        noise_of("very loud")
