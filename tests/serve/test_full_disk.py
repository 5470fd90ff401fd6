"""A full disk: operations pause, everything else goes on, the server ends in time, and nothing is lost."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from szem.media.samples import sample_path

from .test_power import PAGES, PICTURES, RULES, begin, check, prepare, serving, wait_for_output
from .test_shutdown import descendants, is_alive

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
PROGRAM = Path(__file__).with_name("full_disk.py")


def until(happens: Callable[[], bool], *, why: str) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


@pytest.mark.slow
def test_a_full_disk_pauses_operations_and_the_server_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path)
    full, log = tmp_path / "full", tmp_path / "log"
    monkeypatch.setenv("SZEM_TEST_FULL", str(full))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    rules = {"text": RULES.format(1)}
    with serving(tmp_path, program=[str(PROGRAM)], log=log) as (server, client):
        assert client.put("/v1/szem/guard/rules", json=rules).status_code == 200
        names = begin(client, tmp_path)
        wait_for_output(tmp_path, 1)
        full.touch()
        until(lambda: "an operation waits" in log.read_text(), why="no operation noticed the full disk")
        before = check(tmp_path)
        assert client.get("/healthz").status_code == 200
        answer = client.post("/v1/szem/colors", content=sample_path("cat").read_bytes())
        assert answer.status_code == 200, "what writes nothing goes on"
        states = [client.get(f"/v1/{name}").json() for name in names]
        assert not all(state.get("done") for state in states)
        assert not any("error" in state for state in states)
        kept = client.get("/v1/szem/guard/rules").json()["text"]
        refused = client.put("/v1/szem/guard/rules", json={"text": RULES.format(2)})
        assert refused.status_code == 503
        assert "the disk is full" in refused.json()["error"]["message"]
        assert client.get("/v1/szem/guard/rules").json()["text"] == kept
        below = descendants(server.pid)
        server.send_signal(signal.SIGTERM)
        server.wait(20)  # twice its deadline: a starved machine is slow to let a process die
        until(lambda: not any(is_alive(pid) for pid in below), why="a worker outlives the server")
    assert before.items() <= check(tmp_path).items()
    full.unlink()
    with serving(tmp_path, program=[str(PROGRAM)], log=log) as (_, client):
        for name in names:
            until(lambda name=name: is_done(client, name), why="an operation does not end")
        done = check(tmp_path)
    assert before.items() <= done.items()
    assert len(done) == (PICTURES + PAGES) // 2, "each file once, none missing"
    assert not list((tmp_path / "out").rglob("*.part"))


def is_done(client: httpx.Client, name: str) -> bool:
    state = client.get(f"/v1/{name}").json()
    assert "error" not in state, state
    return bool(state.get("done"))
