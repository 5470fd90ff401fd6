"""The owner's key: made once, for its owner alone, the same at every start."""

import os
import stat
from pathlib import Path

import pytest

from szem.errors import DeniedError, RangeError
from szem.serve.keys import load_or_make_key


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "own" / "key"
    key = load_or_make_key(file)
    assert len(key) >= 32
    assert load_or_make_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert load_or_make_key(tmp_path / "another") != key


def test_a_key_that_others_could_read_is_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "key"
    file.write_text("a-key-of-my-own-making\n")
    file.chmod(0o644)
    assert load_or_make_key(file) == "a-key-of-my-own-making"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "other users could read the key" in caplog.text
    assert "of-my-own" not in caplog.text


@pytest.mark.parametrize("text", ["", "short", "two words in a row of it", "x" * 300, "kulcs-őrült-hosszú-kulcs"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(RangeError, match="16 to 256 letters") as caught:
        load_or_make_key(file)
    assert not text or text not in str(caught.value)


def test_a_link_is_not_followed_and_a_folder_is_no_key(tmp_path: Path) -> None:
    real = tmp_path / "real"
    load_or_make_key(real)
    (tmp_path / "link").symlink_to(real)
    for wrong in (tmp_path / "link", tmp_path, real / "below"):
        with pytest.raises(DeniedError, match="--key-file"):
            load_or_make_key(wrong)


def test_without_a_folder_to_write_the_key_lasts_as_long_as_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SZEM_HOME", os.fspath(tmp_path / "file" / "below"))
    key = load_or_make_key()
    assert len(key) >= 32
    assert "lasts for this start only" in caplog.text
    assert "Errno" not in caplog.text
    assert key not in caplog.text
