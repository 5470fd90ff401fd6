"""Without a home folder, or with one that cannot be written, every verb works that need not write there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.media.samples import sample_path

Capture = pytest.CaptureFixture[str]
CAT = str(sample_path("cat"))


@pytest.fixture(params=["no home", "home that cannot be written"])
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name in ("SZEM_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "no home":

        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)
    else:
        (tmp_path / "home").write_bytes(b"")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return str(request.param)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "words",
    [
        ["look", CAT, "-t", "colors", "--csv"],
        ["classify", CAT],
        ["detect", CAT, "--write", "none"],
        ["models", "list"],
        ["models", "show", "detect"],
        ["explain", CAT, "--no-time"],
        ["filter", CAT, "-o", "out/"],
    ],
    ids=lambda words: " ".join(words[:2]) if words[0] == "models" else words[0],
)
def test_what_need_not_be_written_works(words: list[str], capsys: Capture) -> None:
    assert run(words) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("homeless")
def test_a_search_says_that_its_index_is_not_kept(tmp_path: Path, capsys: Capture) -> None:
    shutil.copy(CAT, tmp_path / "cat.png")
    assert run(["search", "a cat", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "cat.png" in said.out
    assert said.err.startswith("1 pictures searched\nszem: the index cannot be kept: ")
    assert said.err.count("\n") == 2


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["models", "add", "m.onnx", "--task", "classify", "--labels", "m.txt"], "SZEM_HOME"),
        (["watch", "v.mp4"], "--store"),
        (["export", "run"], "--out"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else words,
)
def test_what_must_be_written_asks_for_a_folder_in_one_line(
    words: list[str], option: str, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("m.onnx", "m.txt", "v.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert run(words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "SZEM_HOME" in told
    assert option in told


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")
def test_a_user_without_an_entry_can_look(tmp_path: Path) -> None:
    """As a container's or a service's uid: no passwd entry, no HOME."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    as_nobody = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    as_nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    for words in (["classify", CAT], ["models", "list"]):
        command = [*as_nobody, sys.executable, "-m", "szem", *words]
        done = subprocess.run(command, env=bare, cwd="/", capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
