"""Links: what a user names may be one; what lies in a folder that is named is not followed, by any verb."""

import sys
from pathlib import Path

import numpy as np
import pytest

from szem.cli.run import run
from szem.media.pictures import write_picture
from szem.media.sound import write_sound
from tests.verbs import RUNS, make_inputs, words_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX links")

# A verb that takes inputs by name takes folders of them, too; these do not, or take the folder as a set of data.
_OTHERS = {"watch", "models", "data", "eval", "events", "generate", "explain"}
VERBS = sorted(words for words in RUNS if words[0] not in _OTHERS)
_opened: list[str] = []


def _note(event: str, args: tuple[object, ...]) -> None:
    if event == "open":
        _opened.append(str(args[0]))


sys.addaudithook(_note)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that nobody named."""
    home = tmp_path_factory.mktemp("outside")
    write_picture(home / "secret.png", np.zeros((8, 8, 3), np.uint8))
    write_sound(home / "secret.wav", np.zeros(8000, np.float32), rate_hz=16_000)
    (home / "secret.mp4").write_bytes(b"video")
    return home


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_no_verb_follows_a_link_that_lies_in_a_folder(
    words: tuple[str, ...],
    outside: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SZEM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inputs").mkdir()
    for file in sorted(outside.iterdir()):
        (tmp_path / "inputs" / f"link{file.suffix}").symlink_to(file)
    (tmp_path / "inputs" / "below").symlink_to(outside)
    typed = words_of(words, "x")
    typed[typed.index("--") + 1 :] = ["inputs"]
    _opened.clear()
    status = run(typed)
    said = capsys.readouterr()
    assert not [name for name in _opened if "secret" in name or "link." in name]
    assert "secret" not in said.out + said.err
    assert status == 1
    assert "a link, which is not followed in a folder" in said.err


def test_what_a_user_names_may_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_inputs("real")
    (tmp_path / "link.png").symlink_to("real.png")
    (tmp_path / "folder").symlink_to("real")
    assert run(["look", "-t", "colors", "--json", "link.png", "folder"]) == 0
