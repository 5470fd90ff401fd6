"""A server in a process of its own: it ends in time whatever runs, and nothing of it outlives it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from szem.errors import BusyError
from szem.guard.event_record import StoredEvent
from szem.guard.event_store import EventStore
from szem.media.samples import sample_path
from szem.media.video_writer import VideoWriter
from szem.runtime import shutdown
from szem.runtime.workers.forkserver import ForkServer
from szem.serve import app, dispatcher, server
from szem.serve.vision.records import Records
from tests.serve.stalls import endless_network

pytestmark = [
    pytest.mark.slow,  # each starts a server in a process of its own
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]
PATIENCE_S = 60
KEY, PICTURES = "a-key-of-this-test", 60
END_S = 20  # twice the deadline: a starved machine is slow to let a process die
Start = Callable[..., httpx.Client]


@contextmanager
def own_server(home: Path, *words: str) -> Iterator[tuple["subprocess.Popen[str]", str, int]]:
    """`szem serve`: its process, host and port."""
    command = [sys.executable, "-m", "szem", "serve", "--port", "0", "--no-studio", "--quiet", *words]
    environment = os.environ | {"SZEM_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://([\d.]+):(\d+)", process.stdout.readline())
            assert found
            yield process, found[1], int(found[2])
        finally:
            process.kill()


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for text in (task / "children").read_text().split():
            found += [int(text), *descendants(int(text))]
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def until(happens: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def workers_of(url: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{url}/healthz", timeout=PATIENCE_S, trust_env=False)
    rows: list[dict[str, object]] = answer.json()["workers"]
    return rows


def send_quietly(url: str, content: bytes) -> None:
    try:
        httpx.post(url, content=content, timeout=PATIENCE_S, trust_env=False)
    except httpx.HTTPError:
        return  # the server ended meanwhile


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_in_time_whatever_runs(tmp_path: Path, how: signal.Signals) -> None:
    """A native call that nothing stops, a live line, half an upload, an idle connection: none of them ends by itself
    for a minute."""
    with own_server(tmp_path) as (process, host, port):
        url = f"http://{host}:{port}"
        until(lambda: len(workers_of(url)) > 0)
        sender = threading.Thread(
            target=send_quietly, args=(f"{url}/v1/szem/lab/networks", endless_network()), daemon=True
        )
        sender.start()
        until(lambda: any(row["kind"] == "sent networks" and row["busyS"] for row in workers_of(url)))
        with (
            connect(f"ws://{host}:{port}/v1/szem/detect/live", proxy=None, open_timeout=PATIENCE_S) as line,
            closing(socket.create_connection((host, port))) as half,
            closing(socket.create_connection((host, port))),
        ):
            assert "ready" in str(line.recv(timeout=PATIENCE_S))
            half.sendall(b"POST /v1/szem/colors HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
            below = descendants(process.pid)
            assert len(below) >= 3  # the forking process and its workers
            process.send_signal(how)
            process.wait(END_S)
            assert process.returncode in (0, -how, 128 + how, -signal.SIGALRM)
            until(lambda: not any(is_alive(pid) for pid in below), within_s=END_S)


def test_calls_over_grpc_do_not_hold_the_end_up(tmp_path: Path) -> None:
    """A call that never sends its message, and a connection that is only open."""
    grpc = pytest.importorskip("grpc", reason="needs the extra: pip install 'szem[grpc]'")
    pytest.importorskip("grpc_health.v1.health", reason="needs the extra: pip install 'szem[grpc]'")
    with own_server(tmp_path, "--grpc", "0") as (process, _, _):
        assert process.stdout is not None
        found = re.search(r"gRPC on ([\d.:]+)", process.stdout.readline())
        assert found
        silent = threading.Event()

        def never() -> Iterator[bytes]:
            silent.wait(PATIENCE_S)
            yield from ()

        with grpc.insecure_channel(found[1]) as channel, grpc.insecure_channel(found[1]) as idle:
            grpc.channel_ready_future(idle).result(PATIENCE_S)
            call = channel.stream_unary("/google.cloud.vision.v1.ImageAnnotator/BatchAnnotateImages").future(never())
            until(lambda: call.initial_metadata() is not None)  # the server has it
            process.send_signal(signal.SIGTERM)
            process.wait(END_S)
            assert process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM, -signal.SIGALRM)
            assert call.exception(PATIENCE_S) is not None
            silent.set()


def test_an_operation_that_runs_at_the_end_is_given_back_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    picture, url = sample_path("cat").as_uri(), f"sqlite:///{tmp_path / 'o.sqlite3'}"
    options = (
        "--workers",
        "1",
        "--allow-read",
        str(sample_path("cat").parent),
        "--allow-write",
        str(tmp_path / "out"),
    )
    one = {"image": {"source": {"imageUri": picture}}, "features": [{"type": "LABEL_DETECTION"}]}
    to = {"gcsDestination": {"uri": f"{tmp_path.as_uri()}/out/"}, "batchSize": 1}
    files: list[Path] = []

    def written() -> list[Path]:
        files[:] = sorted((tmp_path / "out").glob("*.json"))
        return files

    with own_server(tmp_path, "--database", url, *options) as (process, host, port):
        begin, body = (
            f"http://{host}:{port}/v1/images:asyncBatchAnnotate",
            {"requests": [one] * PICTURES, "outputConfig": to},
        )
        answer = httpx.post(begin, json=body, timeout=PATIENCE_S, trust_env=False)
        assert answer.status_code == 200, answer.text
        id = str(answer.json()["name"]).rpartition("/")[2]
        until(lambda: len(written()) >= 2)
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)
        until(lambda: not any(is_alive(pid) for pid in below), within_s=END_S)
    assert list((tmp_path / "out").glob(".*")) == []
    before = {path: path.read_bytes() for path in written()}
    with closing(Records(url, lease_s=60.0)) as records:
        record = records.get(id, parent="", owner="")
        assert (record.done, record.cancelled, record.error) == (False, False, None)
        assert len(before) - 1 <= record.item <= len(before) < PICTURES  # a file first, then its note
        taken = records.claim("another")  # at once: nobody waits for a lease to run out
        assert taken is not None
        assert (taken.id, taken.attempts) == (id, 1)  # the end on purpose cost no attempt
        records.release(id, "another")
    with own_server(tmp_path, "--database", url, *options):
        until(lambda: len(written()) == PICTURES)
        with closing(Records(url, lease_s=60.0)) as records:
            until(lambda: records.get(id, parent="", owner="").done)
            assert records.get(id, parent="", owner="").error is None
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_video_on_trial_and_an_answer_that_is_being_sent_end_in_time(tmp_path: Path) -> None:
    """The video would be analysed for minutes; the caller has stopped reading its clip of 64 MB."""
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    with closing(EventStore(tmp_path / "guard")) as store:
        values = {"started": 1.8e9, "ended": 1.8e9, "start_s": 0.0, "end_s": 1.0, "score": 0.9}
        event = store.add(StoredEvent(id="1" * 32, source="yard", kind="enters", channels={}, **values))
        name = store.name_media(event, ".mp4")
        with store.writing(name) as part, part.open("wb") as file:
            file.truncate(64 << 20)
        store.change(event.id, clip=name)
    with VideoWriter(tmp_path / "long.mp4", rate_hz=5) as video:
        for n in range(1500):
            video.write(np.full((64, 96, 3), n % 250, np.uint8))
    head = f"Host: localhost\r\nX-Szem-Key: {KEY}\r\n"
    options = ("--guard-store", str(tmp_path / "guard"), "--key-file", str(tmp_path / "key"))
    with own_server(tmp_path, *options) as (process, host, port):
        guard = f"http://{host}:{port}/v1/szem/guard"
        own = {"timeout": PATIENCE_S, "trust_env": False, "headers": {"x-szem-key": KEY}}
        sent = httpx.post(f"{guard}/videos", content=(tmp_path / "long.mp4").read_bytes(), **own)
        assert sent.status_code == 202, sent.text
        video_url = f"{guard}/videos/{sent.json()['id']}"
        until(lambda: httpx.get(video_url, **own).json()["state"] == "watching")
        with closing(socket.create_connection((host, port))) as slow:
            slow.sendall(f"GET /v1/szem/guard/events/{event.id}/clip HTTP/1.1\r\n{head}\r\n".encode())
            assert b" 200 " in slow.recv(100)
            assert httpx.get(video_url, **own).json()["state"] == "watching"
            below = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(END_S)
            until(lambda: not any(is_alive(pid) for pid in below), within_s=END_S)
    with own_server(tmp_path, *options) as (_, host, port):
        url = video_url.replace(guard, f"http://{host}:{port}/v1/szem/guard")
        assert httpx.get(url, **own).status_code == 404  # it was for that server's time only
        assert list(tmp_path.rglob("szem-scratch-*")) == []


def test_nothing_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    with own_server(tmp_path) as (process, host, port):
        url = f"http://{host}:{port}"
        until(lambda: len(workers_of(url)) > 0)
        threading.Thread(
            target=send_quietly, args=(f"{url}/v1/szem/lab/networks", endless_network()), daemon=True
        ).start()
        until(lambda: any(row["kind"] == "sent networks" and row["busyS"] for row in workers_of(url)))
        below = descendants(process.pid)
        process.kill()
        process.wait(PATIENCE_S)
        until(lambda: not any(is_alive(pid) for pid in below))


def test_the_steps_of_the_end_fit_into_its_deadline() -> None:
    assert server.GRACE_S + 2 * app.STOP_S + dispatcher.CLOSE_S < shutdown.ASKED_S - 0.5
    assert shutdown.ASKED_S < shutdown.FORCED_S < 10


def test_health_reports_workers_and_their_replacement(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "HEARTBEAT_S", 0.2)
    others = set(descendants(os.getpid()))  # of other servers of this process
    client = start(threads=1)

    def rows() -> list[dict[str, object]]:
        return [row for row in client.get("/healthz").json()["workers"] if row["kind"] == "pictures"]

    until(lambda: bool(rows()) and rows()[0]["answeredS"] is not None)
    assert rows()[0]["well"]
    (worker,) = [pid for pid in set(descendants(os.getpid())) - others if is_stopped(pid)]
    until(lambda: rows()[0]["starts"] == 2)  # it did not answer, and was replaced
    until(lambda: client.get("/healthz").status_code == 200)
    assert not is_alive(worker)


def is_stopped(pid: int) -> bool:
    """Stop a worker: a child of the forking process of this one."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        command = Path(f"/proc/{parent}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
    if parent == os.getpid() or b"szem.runtime.workers.forkserver" not in command:
        return False
    os.kill(pid, signal.SIGSTOP)
    return True


def test_health_is_503_where_no_worker_can_be_started(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "HEARTBEAT_S", 0.2)

    def full(self: ForkServer) -> None:
        raise BusyError("no room")

    monkeypatch.setattr(ForkServer, "fork", full)
    client = start(threads=1)
    until(lambda: client.get("/healthz").status_code == 503)
    monkeypatch.undo()
    until(lambda: client.get("/healthz").status_code == 200)
