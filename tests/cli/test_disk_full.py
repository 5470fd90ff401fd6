"""A full disk is one line that names the file and the space; what was there stays, and nothing half-written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from szem import files
from szem.cli.run import run
from szem.media.pictures import write_picture
from szem.media.samples import sample_path
from szem.media.sound import write_sound
from szem.media.video_writer import VideoWriter

Capture = pytest.CaptureFixture[str]
SMALL = ["-m", "road", "--workers", "1"]

# What writes -> what is typed ({} is the folder), the input, the file that was there before.
WRITERS = {
    "look": (["look", "{}/p.png", "-t", "colors", "-o", "{}/out/p.jpg"], "p.jpg"),
    "filter": (["filter", "{}/p.png", "-o", "{}/out/p.png"], "p.png"),
    "classify": (["classify", "{}/p.png", "--map", "-o", "{}/out/p.png"], "p.png"),
    "detect picture": (["detect", "{}/p.png", "-o", "{}/out/p.png"], "p.png"),
    "detect video": (["detect", "{}/v.mp4", "-o", "{}/out/v.mp4"], "v.mp4"),
    "detect json": (["detect", "{}/v.mp4", "-o", "{}/out", "--write", "json"], "boxes.jsonl"),
    "detect csv": (["detect", "{}/v.mp4", "-o", "{}/out", "--write", "csv"], "boxes.csv"),
    "detect coco": (["detect", "{}/p.png", "-o", "{}/out", "--write", "coco"], "boxes.coco.json"),
    "segment": (["segment", "{}/p.png", "-o", "{}/out/p.png", *SMALL], "p.png"),
    "segment video": (["segment", "{}/v.mp4", "-o", "{}/out/v.mp4", *SMALL], "v.mp4"),
    "segment labels": (["segment", "{}/p.png", "-o", "{}/out", "--write", "labels", *SMALL], "p.png"),
    "segment coco": (["segment", "{}/p.png", "-o", "{}/out", "--write", "coco", *SMALL], "coco.json"),
    "segment areas": (["segment", "{}/p.png", "-o", "{}/out", "--write", "areas", *SMALL], "areas.csv"),
    "explain": (["explain", "{}/p.png", "-l", "stem.conv", "--no-time", "-o", "{}/out"], "001-stem.conv.npz"),
    "generate": (["generate", "a rose", "--n", "1", "-o", "{}/out/g.png"], "g.png"),
    "listen": (["listen", "{}/s.wav", "--vtt", "-o", "{}/out/s.vtt"], "s.vtt"),
    "caption": (["caption", "{}/p.png", "--beam", "1", "--attention", "{}/out/a.png"], "a.png"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in ("p.png", "pictures/p.png"):
        write_picture(tmp_path / name, picture)
    with VideoWriter(tmp_path / "v.mp4", rate_hz=10) as video:
        for _ in range(3):
            video.write(picture)
    write_sound(tmp_path / "s.wav", np.zeros(16_000, np.float32), rate_hz=16_000)
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_the_file_before_stays(name: str, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    typed, target = WRITERS[name]
    (folder / "out" / target).write_bytes(b"good")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    assert run([word.replace("{}", str(folder)) for word in typed]) == 1
    reported = " ".join(capsys.readouterr().err.split())
    assert f"out/{target}: cannot be written: the disk is full (" in reported or name == "explain"
    assert " free)" in reported
    assert "Traceback" not in reported
    assert (folder / "out" / target).read_bytes() == b"good"
    assert {path.name for path in (folder / "out").iterdir()} == {target}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
@pytest.mark.parametrize("ways", ["video", "json", "video,json,csv,coco"])
def test_a_video_that_grows_too_large_while_it_is_written(ways: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with VideoWriter(tmp_path / "v.mp4", rate_hz=10, quality=30) as video:
        for _ in range(30):
            video.write(rng.integers(0, 256, (128, 128, 3), np.uint8))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "v.mp4").write_bytes(b"good")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "from szem.cli.run import run; sys.exit(run(sys.argv[1:]))"
    )
    command = ["detect", tmp_path / "v.mp4", "-q", "--write", ways, "-o", tmp_path / "out"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "v.mp4").read_bytes() == b"good"
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.endswith(".part")]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["filter", "--kernels"],
        ["models", "list", "--json"],
        ["--help"],
        ["look", str(sample_path("coins")), "-t", "colors", "--csv"],
    ],
    ids=" ".join,
)
def test_a_full_disk_below_standard_output_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "szem", *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("szem: standard output: cannot be written: the disk is full")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("words", ["filter --kernels", "models list", "--help", "models list --json"])
def test_a_reader_that_goes_away_ends_szem_in_silence(words: str) -> None:
    command = f"{sys.executable} -m szem {words} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("words", ["filter --kernels", "look -t sharpness", "models list --json"])
def test_a_closed_standard_output_is_no_crash(words: str) -> None:
    command = f"{sys.executable} -m szem {words} >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
