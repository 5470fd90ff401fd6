"""Runs on a Ray of this machine: each input once, whoever is killed, and nothing leaves the machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from szem.cli.run import run as run_verb
from tests.scale.runs import assert_each_once, failures_of, make_pictures, needs_ray, rows_of

pytestmark = [pytest.mark.slow, needs_ray]
PATIENCE_S = 120
# Says where each process of the run listens, and where it is connected to.
SOCKETS = """
import os, pathlib, subprocess, sys
from szem.scale.cluster import connected
def owned(pid):
    for link in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
        try: yield os.readlink(link)
        except OSError: pass
with connected("ray", workers=1) as ray:
    ray.get(ray.remote(lambda: 1).remote())
    from ray._common.usage.usage_lib import usage_stats_enabled
    print("usage", usage_stats_enabled())
    mine = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True).stdout.split()[2:]
    parents = dict(zip(mine[::2], mine[1::2]))
    def is_ours(pid):
        while pid in parents and pid != str(os.getpid()): pid = parents[pid]
        return pid == str(os.getpid())
    ours = {name for pid in parents if is_ours(pid) for name in owned(pid) if name.startswith("socket:")}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in ours: print("socket", kind, words[1], words[2])
"""
LOOPBACK = ("0100007F:", "0000000000000000FFFF00000100007F:", "00000000000000000000000001000000:")
NOWHERE = ("00000000:0000", "0" * 32 + ":0000")


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "szem", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.25)


def below(pid: int, name: str) -> list[int]:
    """Processes of the run whose command line holds a name."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout.splitlines()[1:]
    rows = {int(p): (int(pp), args) for p, pp, args in (line.split(None, 2) for line in lines)}

    def is_below(one: int) -> bool:
        while one in rows and one != pid:
            one = rows[one][0]
        return one == pid

    return [one for one, (_, args) in rows.items() if name in args and is_below(one)]


def test_a_run_gives_what_the_plain_verb_gives_and_a_second_start_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sink = make_pictures(tmp_path / "in", 40), tmp_path / "out"
    words = ("classify", str(folder), "--on", "ray", "-o", str(sink), "-n", "2", "--workers", "1")
    process = start(*words)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, ""), err
    assert "1 of 41 could not be done" in err
    assert_each_once(sink, folder)
    assert [Path(row["file"]).name for row in failures_of(sink)] == ["broken.jpg"]
    assert run_verb(["classify", str(folder), "-n", "2", "--json"]) == 1
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {row["file"]: row for row in rows_of(sink)}
    assert found.keys() == {row["file"] for row in plain}
    for row in plain:
        labels = found[row["file"]]["labels"]
        assert [label["name"] for label in labels] == [label["name"] for label in row["labels"]]
        assert [label["score"] for label in labels] == pytest.approx([b["score"] for b in row["labels"]], abs=1e-4)
    manifest = json.loads((sink / "manifest.json").read_text())
    assert (manifest["rows"], manifest["failures"], len(manifest["parts"])) == (40, 1, 3)
    before = {file: file.stat().st_mtime_ns for file in sink.glob("part-*")}
    assert run_verb([*words]) == 1  # without starting Ray
    assert {file: file.stat().st_mtime_ns for file in sink.glob("part-*")} == before
    assert run_verb([*words[:6], "-n", "3"]) == 1
    assert "results of another run, which differs in options" in capsys.readouterr().err


def test_a_killed_driver_and_a_killed_worker_lose_nothing(tmp_path: Path) -> None:
    folder, sink = make_pictures(tmp_path / "in", 100), tmp_path / "out"
    words = ("caption", str(folder), "--on", "ray", "-o", str(sink), "--workers", "2")
    process = start(*words)
    wait_until(lambda: any(sink.glob("part-*")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    assert len(list(sink.glob("part-*"))) < 7
    process = start(*words)
    wait_until(lambda: bool(below(process.pid, "PartWorker")), process)  # at work, not idle
    os.kill(below(process.pid, "PartWorker")[0], signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, err
    assert "done before)" in err
    assert "1 of 101 could not be done" in err
    assert_each_once(sink, folder)
    assert [Path(row["file"]).name for row in failures_of(sink)] == ["broken.jpg"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ray_listens_on_this_machine_alone_and_reports_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", SOCKETS], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "usage False"
    sockets = [line.split()[1:] for line in lines[1:]]
    assert len(sockets) > 5
    for kind, here, there in sockets:
        assert here.startswith(LOOPBACK), (kind, here)
        assert there.startswith(LOOPBACK) or there in NOWHERE, (kind, there)


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_pictures(tmp_path / "in", 2)
    for words, said in (
        (("classify", str(folder), "--on", "rya"), "--on is ray (this machine) or ray://HOST:PORT"),
        (("classify", str(folder), "--on", "ray", "--json"), "--json has no meaning with --on"),
        (("classify", str(folder), "--dry-run"), "add --on ray"),
        (("look", str(folder), "--on", "ray"), "name it with --out"),
        (("classify", str(tmp_path / "no"), "--on", "ray", "-o", str(tmp_path / "o")), "no such file or folder"),
        (("classify", str(folder), "--on", "ray", "-o", str(folder)), "is not empty and no run of szem made it"),
        (
            ("classify", str(folder), "--on", "ray", "-o", str(tmp_path / "p"), "--shards", "xls"),
            "jsonl, csv, parquet",
        ),
    ):
        assert run_verb([*words]) == 1, words
        assert said in " ".join(capsys.readouterr().err.split()), words


def test_a_dry_run_says_how_much_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_pictures(tmp_path / "in", 40)
    assert run_verb(["filter", str(folder), "--on", "ray", "-o", str(tmp_path / "out"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "41 inputs in 3 parts" in said
    assert "ms an input on one worker" in said
    assert not (tmp_path / "out").exists()
