"""A path that is there is a path, whatever is in its name: in every verb, as an input and as an output."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from szem.arrays import Picture8
from szem.cli.run import run
from szem.media.pictures import write_picture
from szem.media.sound import write_sound
from szem.media.video_writer import VideoWriter

Capture = pytest.CaptureFixture[str]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid such names"),
    pytest.mark.slow,
]  # each verb with each name

STEMS = ["2026-11-30T07:48:06", "cam:1", "-dash", "a b", "100%d", "[x]", "http:", "\udcff\udcfe", "0"]


@pytest.fixture(params=STEMS, ids=ascii)
def stem(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A name without its suffix; pictures, a video and a sound of that name lie in the working folder."""
    monkeypatch.chdir(tmp_path)
    name: str = request.param
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_picture(f"{name}.png", picture)
    with VideoWriter(f"{name}.mp4", rate_hz=10) as video:
        for _ in range(3):
            video.write(picture)
    write_sound(f"{name}.wav", np.zeros(16_000, np.float32), rate_hz=16_000)
    return name


@pytest.mark.parametrize(
    ("verb", "suffix", "options"),
    [
        ("look", ".png", ["-t", "colors", "--json"]),
        ("filter", ".png", ["-o", "out/"]),
        ("detect", ".mp4", ["-o", "out/", "--json", "--write", "video,json,csv,coco"]),
        ("listen", ".wav", ["--json", "--vtt", "-o", "out/"]),
    ],
    ids=str,
)
def test_a_file_is_opened_whatever_its_name(
    stem: str, verb: str, suffix: str, options: list[str], capsys: Capture
) -> None:
    assert run([verb, *options, "--", f"{stem}{suffix}"]) == 0
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if "--json" in options:
        assert json.loads(said.out.splitlines()[0])["file"] == f"{stem}{suffix}"
    assert not list(Path().rglob("*.part"))


@pytest.mark.parametrize("stem", STEMS[:1], indirect=True)
@pytest.mark.parametrize(
    ("verb", "suffix", "options"),
    [
        ("segment", ".mp4", ["-o", "out/", "-m", "road", "--workers", "1"]),
        ("listen", ".wav", ["--csv", "--srt"]),
        ("explain", ".png", ["--no-time"]),
        ("watch", ".mp4", ["--store", "store"]),
        ("lipread", ".mp4", []),
        ("classify", ".png", ["--map", "-o", "out/"]),
        ("caption", ".png", ["--beam", "1"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_other_verbs_open_it_too(stem: str, verb: str, suffix: str, options: list[str], capsys: Capture) -> None:
    assert run([verb, *options, "--", f"{stem}{suffix}"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_the_folder_they_lie_in_is_walked(stem: str, capsys: Capture) -> None:
    assert run(["look", ".", "-t", "colors", "--json"]) == 0
    assert [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()] == [f"{stem}.png"]


def test_outputs_may_have_such_names_too(stem: str) -> None:
    source = f"{stem}.mp4"
    os.replace(source, "film.mp4")  # noqa: PTH105
    assert run(["detect", "film.mp4", "-q", f"--out={source}"]) == 0
    assert Path(source).read_bytes()[4:8] == b"ftyp"
    assert run(["detect", "-q", "--write", "csv", f"--out={stem}.csv", "--", f"{stem}.png"]) == 0
    assert Path(f"{stem}.csv").read_text(encoding="utf-8").startswith("file,frame,")


@pytest.mark.parametrize("name", ["a=b.mp4", "file:x.mp4", "store:1"])
def test_watch_keeps_events_of_and_below_such_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    video, store = ("v.mp4", name) if name.startswith("store") else (name, "events")
    with VideoWriter(video, rate_hz=10) as writer:
        for n in range(30):  # covered after a second, which is an event with a clip
            writer.write(np.full((64, 64, 3), 0, np.uint8) if n > 10 else _noise(n))
    assert run(["watch", video, "--store", store]) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert not list(Path(store).rglob("*.part"))


def _noise(seed: int) -> Picture8:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
