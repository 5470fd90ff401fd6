"""Without a home folder, or with one that cannot be written, every verb works that need not write there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from szem.cli.run import run
from szem.media.samples import sample_path
from tests.verbs import RUNS, make_inputs, words_of

Capture = pytest.CaptureFixture[str]
CAT = str(sample_path("cat"))
STEM = "2026-11-30T07:48:06"


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


# What must be written somewhere: the options that name the place.
MUST_WRITE = {("models", "add"): "SZEM_HOME", ("models", "remove"): ""}


@pytest.mark.slow
@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_every_verb_works_without_a_home_or_asks_for_a_place_in_one_line(
    words: tuple[str, ...], capsys: Capture
) -> None:
    """With names of files that are a time, too: what stands before the colon is no scheme and no drive."""
    make_inputs(STEM)
    if words[0] == "events":
        assert run(words_of(("watch",), STEM)) == 0
        capsys.readouterr()
    status, err = run(words_of(words, STEM)), capsys.readouterr().err
    assert "Traceback" not in err
    assert "Errno" not in err
    assert os.devnull not in err
    if words in MUST_WRITE:
        assert status == 1
        assert MUST_WRITE[words] in err
        assert err.count("\n") == 1
    else:
        assert status == 0 or (words[0] == "events" and "szem: " in err), err  # there was no event to show


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("words", [("events", name) for name in ("list", "show", "mark", "export")], ids=" ".join)
def test_events_advise_an_option_where_there_is_no_store(words: tuple[str, ...], capsys: Capture) -> None:
    rest = {"show": ["1"], "mark": ["--right", "1"]}.get(words[1], [])
    assert run([*words, *rest]) == 1
    err = capsys.readouterr().err
    assert "--store" in err
    assert os.devnull not in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["filter", CAT, "-o", "file/x/"], "--out"),
        (["look", CAT, "-t", "colors", "-o", "file/x/"], "--out"),
        (["detect", CAT, "-o", "file/x/"], "--out"),
        (["segment", CAT, "-m", "road", "-o", "file/x/"], "--out"),
        (["explain", CAT, "--no-time", "--layer", "head.conv", "-o", "file/x/"], "--out"),
        (["generate", "a red flower", "--n", "1", "-o", "file/x.png"], "--out"),
        (["search", "a cat", "pictures", "--index", "file/x"], "--index"),
        (["watch", "v.mp4", "--store", "file/x"], "--store"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else words,
)
def test_what_cannot_be_written_names_the_option_that_gives_another_place(
    words: list[str], option: str, capsys: Capture
) -> None:
    Path("file").touch()
    Path("pictures").mkdir()
    shutil.copy(CAT, "pictures/cat.png")
    Path("v.mp4").touch()
    assert run(words) == 1
    err = capsys.readouterr().err
    assert f"cannot be written (file is not a folder); choose another place with {option}\n" in err, err


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
    reported = capsys.readouterr().err
    assert reported.count("\n") == 1
    assert "SZEM_HOME" in reported
    assert option in reported


# What a container's or a service's user without a passwd entry can do; run as that user, in one process.
AS_NOBODY = """
import json, os, pwd, sys
from szem.cli.run import run
from szem.serve.keys import load_or_make_key
from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings
import httpx
try:
    sys.exit(pwd.getpwuid(os.getuid()).pw_name)
except KeyError:
    pass
for words in json.loads(sys.argv[1]):
    if run(words):
        sys.exit(f"failed: {words}")
with serve_beside(ServeSettings(port=0, key=load_or_make_key(), threads=1)) as url:
    with open(sys.argv[2], "rb") as picture:
        answer = httpx.post(f"{url}/v1/szem/colors", content=picture.read(), timeout=240, trust_env=False)
    print("served", answer.status_code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")
def test_a_user_without_an_entry_can_look_and_serve() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    as_nobody = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    as_nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [["classify", CAT], ["look", CAT, "-t", "colors", "--csv"], ["models", "list"]]
    command = [*as_nobody, sys.executable, "-c", AS_NOBODY, json.dumps(runs), CAT]
    done = subprocess.run(command, env=bare, cwd="/", capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("served 200\n")
    assert "Traceback" not in done.stderr
    assert "the key lasts for this start only: there is no home folder" in done.stderr
    assert "--key-file" in done.stderr
