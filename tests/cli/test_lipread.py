"""`szem lipread` as it is typed: words, subtitles, JSON, the drawn film; one bad film does not stop the others."""

import json
from pathlib import Path

import numpy as np
import pytest

from szem.cli.lipread import noise_of
from szem.cli.run import run
from szem.data.spoken import read_spoken
from szem.errors import RangeError
from szem.media.video import inspect_video
from szem.media.video_writer import VideoWriter
from szem.runtime.store import DEFAULTS, shipped_folder


@pytest.fixture(scope="module", autouse=True)
def _is_shipped() -> None:
    if not (shipped_folder() / DEFAULTS["lipread"]).is_dir():
        pytest.skip("the lip reader is not shipped yet")


@pytest.mark.data
def test_a_film_is_read_with_subtitles_and_a_drawn_film(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = read_spoken(data_dir / "grid", split="val").films[0]
    srt, drawn = tmp_path / "said.srt", tmp_path / "read.mp4"
    asked = ["lipread", str(film.path), "--words", "--srt", str(srt), "--out", str(drawn)]
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
    assert run(["lipread", str(film.path), "--json", "--use", "lips", "--beam", "2"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["used"] == "lips"
    assert row["file"] == str(film.path)


def test_a_film_without_a_face_says_so_and_a_broken_one_does_not_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with VideoWriter(tmp_path / "grey.mp4", rate_hz=25) as writer:
        for _ in range(25):
            writer.write(np.full((64, 64, 3), 100, np.uint8))
    (tmp_path / "broken.mp4").write_bytes(b"nothing" * 50)
    assert run(["lipread", str(tmp_path), "--srt", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    assert "grey.mp4: no reading: no face is seen, and the film has no sound" in told.out
    assert "broken.mp4" in told.err
    assert (tmp_path / "out" / "grey.srt").read_text() == ""


@pytest.mark.data
def test_a_word_said_alone_is_told_with_its_rivals(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = str(data_dir / "grid" / read_spoken(data_dir / "grid", split="val").films[0].path)
    assert run(["lipread", film, "--single", "word", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["model"] == "lipwords"
    assert len(row["labels"]) == 5
    assert run(["lipread", film, "--single", "phrase"]) == 0
    assert "%" in capsys.readouterr().out


def test_a_word_alone_needs_a_face_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with VideoWriter(tmp_path / "grey.mp4", rate_hz=25) as writer:
        for _ in range(25):
            writer.write(np.full((64, 64, 3), 100, np.uint8))
    assert run(["lipread", str(tmp_path / "grey.mp4"), "--single", "any"]) == 0
    assert "no reading: no face is seen" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--use", "eyes"], ["--single", "poem"], ["--noise", "loud"], ["--face", "0"]])
def test_wrong_options_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
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
