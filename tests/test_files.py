"""The one writer: whole or not at all, whatever goes wrong, and nothing is left lying about."""

import ast
import errno
import json
import multiprocessing
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from szem.errors import FileMissingError, OverwriteError, StoreError
from szem.files import (
    ScratchFolder,
    is_disk_full,
    no_nan,
    sweep_folder,
    sweep_scratch,
    write_bytes,
    write_error,
    write_file,
    write_json,
    write_text,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"\0\1")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\0\1"
    assert names(tmp_path / "a" / "b") == {"c.bin"}


def test_nothing_stands_under_the_name_before_the_block_ends(tmp_path: Path) -> None:
    with write_file(tmp_path / "x") as part:
        part.write_bytes(b"half")
        assert not (tmp_path / "x").exists()
        assert part.parent == tmp_path  # renaming works only within a disk
    assert (tmp_path / "x").read_bytes() == b"half"


@pytest.mark.parametrize("fault", [ValueError("ours"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_fault_leaves_the_file_before(tmp_path: Path, fault: BaseException) -> None:
    def write_half() -> None:
        with write_file(tmp_path / "x") as part:
            part.write_bytes(b"half")
            raise fault

    write_text(tmp_path / "x", "good")
    with pytest.raises((type(fault), StoreError)):
        write_half()
    assert (tmp_path / "x").read_text() == "good"
    assert names(tmp_path) == {"x"}


def test_a_full_disk_is_named_with_the_file_and_the_space(tmp_path: Path) -> None:
    full = r"x\.json: cannot be written: the disk is full \(.* free\)"
    with pytest.raises(StoreError, match=full) as caught, write_file(tmp_path / "x.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert is_disk_full(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs resource limits")
def test_a_limit_of_the_system_is_reported_in_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from szem.files import write_bytes\n"
        "from szem.errors import StoreError\n"
        "try: write_bytes(sys.argv[1], bytes(5000))\n"
        "except StoreError as error: print(error)\n"
    )
    (tmp_path / "x").write_bytes(b"good")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'x'}: cannot be written (File too large); choose another place\n"
    assert names(tmp_path) == {"x"}
    assert (tmp_path / "x").read_bytes() == b"good"


def test_a_file_in_the_way_of_a_folder_is_reported(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    with pytest.raises(StoreError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "x", b"")


def test_faults_of_other_files_are_not_taken_for_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, write_file(tmp_path / "x"):
        (tmp_path / "source").read_bytes()
    assert not isinstance(caught.value, StoreError)
    with pytest.raises(FileMissingError), write_file(tmp_path / "x"):
        raise FileMissingError("source: no such file")
    with pytest.raises(BrokenPipeError), write_file(tmp_path / "x"):
        raise BrokenPipeError
    assert names(tmp_path) == set()


def test_folders_and_devices_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OverwriteError, match="a folder"):
        write_bytes(tmp_path / "folder", b"x")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OverwriteError, match="a device or pipe"):
            write_bytes(tmp_path / "pipe", b"x")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_permissions_are_kept_or_set(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    write_bytes(tmp_path / "secret", b"x", mode=0o600)
    assert mode(tmp_path / "secret") == 0o600
    (tmp_path / "page").write_text("x")
    (tmp_path / "page").chmod(0o640)
    write_bytes(tmp_path / "page", b"y")
    assert mode(tmp_path / "page") == 0o640


def test_names_with_odd_characters_are_written(tmp_path: Path) -> None:
    odd = [b"07:48.txt", b"-x", b"a b", b"\xff\xfe", "á目".encode(), b"x" * 255]
    for name in odd if sys.platform == "linux" else odd[2:3]:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        write_text(path, "there")
        assert path.read_text() == "there"


def test_text_with_an_undecodable_name_can_be_written(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"file": "a\udcff"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"file": "a\udcff"}


def test_json_never_holds_what_json_has_no_word_for(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": (1, float("-inf")), "ő": [{"c": 0.5}]}, indent=1)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")

    def refuse(word: str) -> None:
        pytest.fail(word)

    assert json.loads(text, parse_constant=refuse) == {"a": None, "b": [1, None], "ő": [{"c": 0.5}]}
    assert no_nan(("x", None, 3)) == ["x", None, 3]


def _hang(path: str, ready: Any) -> None:
    with write_file(path) as part:
        part.write_bytes(b"half")
        ready.send(part.name)
        ready.recv()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_what_a_killed_process_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.part").write_bytes(b"not szem's")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_hang, args=(str(tmp_path / "x"), there))
    child.start()
    left = here.recv()
    with write_file(tmp_path / "y") as part:
        assert sweep_folder(tmp_path) == 0  # both have a living owner
        assert names(tmp_path) == {"mine.part", left, part.name}
        child.kill()
        child.join()
        assert sweep_folder(tmp_path) == 1
        assert names(tmp_path) == {"mine.part", part.name}
    assert names(tmp_path) == {"mine.part", "y"}


def test_sweeping_no_folder_does_nothing(tmp_path: Path) -> None:
    assert sweep_folder(tmp_path / "gone") == 0


def test_an_error_says_what_the_system_said() -> None:
    reported = write_error("a.csv", PermissionError(errno.EACCES, "x"), advice="set SZEM_HOME")
    assert str(reported) == f"a.csv: cannot be written ({os.strerror(errno.EACCES)}); set SZEM_HOME"


SRC = Path(__file__).parents[1] / "src" / "szem"
# Who opens a file for writing by itself, and why.
OWN = {
    "files.py": "the writer",
    "serve/folders.py": "walks by open folders, so that no link is followed",
    "serve/keys.py": "must not replace a key that another process has made",
    "serve/routes/guard.py": "a file of one answer in a temporary folder",
    "guard/event_store.py": "the lock",
    "guard/export.py": "a member of a ZIP file in memory",
    "guard/recorder.py": "a part of the store's `write_file`",
    "guard/source_worker.py": "a part of the store's `write_file`",
    "tasks/eval_run.py": "a log that grows by lines; half a line is dropped on resuming",
    "cli/eval.py": "the classes of a network that is compared with, in a temporary folder",
    "train/journal.py": "a log that grows by lines; half a line is dropped on resuming",
    "runtime/adding.py": "a new model in a temporary folder, which is renamed whole",
    "runtime/external_data.py": "a new model in a temporary folder, which is renamed whole",
    "scale/cluster.py": "the null device, in place of standard error",
    "cli/run.py": "the null device, where standard output is closed",
    "cli/studio.py": "a page in a temporary folder",
}


def _writes(path: Path) -> list[int]:
    """Lines that write a file otherwise than through a part of `write_file`."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        named = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        is_part = any("part" in one for one in named) or "av" in named  # what av opens, `VideoWriter` names
        if name in ("write_text", "write_bytes") and of is not None and not is_part:
            lines.append(node.lineno)
        if name in ("open", "fdopen") and not is_part and any(re.fullmatch("[wax][bt+]*", mode) for mode in modes):
            lines.append(node.lineno)
    return lines


def test_files_are_written_by_the_one_writer() -> None:
    found = {path.relative_to(SRC).as_posix(): lines for path in SRC.rglob("*.py") if (lines := _writes(path))}
    assert {name: lines for name, lines in found.items() if name not in OWN} == {}
    assert set(OWN) - {"files.py"} <= set(found), "no longer needed"


def scratch_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("szem-scratch-*"))


def test_a_scratch_folder_is_this_users_and_goes_with_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ScratchFolder("test") as folder:
        assert folder.path.stat().st_mode & 0o077 == 0
        (folder.path / "a").write_text("x")
        assert sweep_scratch() == 0, "it is in use"
        assert scratch_of(tmp_path) == [folder.path]
    assert not scratch_of(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_scratch_of_a_killed_process_is_swept_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    (tmp_path / "szem-scratch-link-1").symlink_to(elsewhere, target_is_directory=True)
    code = (
        "import os, signal; from szem.files import ScratchFolder; f = ScratchFolder('video');"
        "(f.path / 'big').write_bytes(bytes(1000)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(scratch_of(tmp_path)) == 2
    assert sweep_scratch() == 1
    assert [path.name for path in scratch_of(tmp_path)] == ["szem-scratch-link-1"]
    assert (elsewhere / "kept").exists()
