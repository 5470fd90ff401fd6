"""Operations over real HTTP: states, cancelling, listing; and a server that is killed in the middle."""

import base64
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, event

from szem.serve.vision import annotate
from szem.serve.vision.records import Records
from tests.serve import stalls

Start = Callable[..., httpx.Client]
COLORS = [{"type": "IMAGE_PROPERTIES"}]


def begin(
    server: httpx.Client, uris: list[str], prefix: str, *, size: int = 2, path: str = "/v1"
) -> dict[str, object]:
    body = {
        "requests": [{"image": {"source": {"imageUri": uri}}, "features": COLORS} for uri in uris],
        "outputConfig": {"gcsDestination": {"uri": prefix}, "batchSize": size},
    }
    answer = server.post(f"{path}/images:asyncBatchAnnotate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait(server: httpx.Client, name: object, *, timeout_s: float = 120.0) -> dict[str, object]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        got = server.get(f"/v1/{name}").json()
        if got.get("done"):
            return got
        time.sleep(0.05)
    raise AssertionError(f"{name} is not done: {got}")


def wait_for_a_file(folder: Path, *, more_than: int = 0) -> None:
    """Until so many answers are written."""
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*.json"))) <= more_than:
        assert time.monotonic() < deadline, "nothing more is written"
        time.sleep(0.005)


def greys(folder: Path, count: int, *, side: int = 24) -> list[str]:
    """Pictures of one grey each, n for the n-th, as URIs."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        Image.fromarray(np.full((side, side, 3), n, np.uint8)).save(folder / f"{n}.png")
    return [(folder / f"{n}.png").as_uri() for n in range(count)]


def read_back(folder: Path) -> list[float]:
    """The greys in the output files, in the order of the files' numbers."""
    found = []
    for path in folder.glob("*.json"):
        match = re.fullmatch(r"output-(\d+)-to-(\d+)\.json", path.name)
        assert match, path.name
        answers = json.loads(path.read_text())["responses"]
        assert len(answers) == int(match[2]) - int(match[1]) + 1
        reds = [
            a["imagePropertiesAnnotation"]["dominantColors"]["colors"][0]["color"].get("red", 0.0) for a in answers
        ]
        found.append((int(match[1]), reds))
    return [red for _, reds in sorted(found) for red in reds]


def test_wire_form_of_an_operation(server: httpx.Client, inbox: Path, outbox: Path) -> None:
    begun = begin(server, greys(inbox / "wire", 3), f"{outbox.as_uri()}/wire/", path="/v1/projects/p/locations/eu")
    name = str(begun["name"])
    assert re.fullmatch(r"projects/p/locations/eu/operations/[0-9a-f]{32}", name)
    metadata = begun["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["@type"] == "type.googleapis.com/google.cloud.vision.v1.OperationMetadata"
    assert metadata["state"] == "CREATED"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", metadata["createTime"])
    assert "done" not in begun
    done = wait(server, name)
    response = done["response"]
    assert isinstance(response, dict)
    assert response["@type"] == "type.googleapis.com/google.cloud.vision.v1.AsyncBatchAnnotateImagesResponse"
    assert response["outputConfig"]["batchSize"] == 2
    assert read_back(outbox / "wire") == [0.0, 1.0, 2.0]
    numbered = server.get(f"/v1/{name}", params={"$alt": "json;enum-encoding=int"}).json()
    assert numbered["metadata"]["state"] == 3
    assert server.get(f"/v1/operations/{name.rpartition('/')[2]}").status_code == 404  # not under that parent
    assert [o["name"] for o in server.get("/v1/projects/p/locations/eu/operations").json()["operations"]] == [name]
    assert server.delete(f"/v1/{name}").json() == {}
    assert server.get(f"/v1/{name}").status_code == 404
    assert server.get("/v1/projects/p/locations/eu/operations").json() == {}


def test_a_full_disk_holds_an_operation_up_and_does_not_end_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    server = start(read_folders=(tmp_path,), write_folders=(out,))
    full = threading.Event()
    full.set()
    fsync = os.fsync

    def sync(descriptor: int) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    name = begin(server, greys(tmp_path / "in", 3), f"{out.as_uri()}/")["name"]
    deadline = time.monotonic() + 120
    while caplog.text.count("an operation waits") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "done" not in server.get(f"/v1/{name}").json()
    assert list(out.iterdir()) == []
    full.clear()
    assert "response" in wait(server, name)
    assert read_back(out) == [0.0, 1.0, 2.0]


def limit_pages(connection: object, _: object) -> None:
    """As on a disk without space: SQLite says of itself that it is full."""
    connection.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined] - no fewer than there are


@pytest.mark.parametrize("exists", [True, False], ids=["a database", "no database yet"])
def test_a_full_disk_under_the_database_is_named(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, exists: bool
) -> None:
    database = tmp_path / "own" / "operations.sqlite3"
    if exists:
        Records(f"sqlite:///{database}", lease_s=2.0).close()
    event.listen(Engine, "connect", limit_pages)
    try:
        server = start(read_folders=(tmp_path,), write_folders=(tmp_path,), database=f"sqlite:///{database}")
        uris = greys(tmp_path / "in", 1) * 400  # more than what is free within the last page
        body = {
            "requests": [{"image": {"source": {"imageUri": uri}}, "features": COLORS} for uri in uris],
            "outputConfig": {"gcsDestination": {"uri": f"{tmp_path.as_uri()}/"}},
        }
        answer = server.post("/v1/images:asyncBatchAnnotate", json=body)
    finally:
        event.remove(Engine, "connect", limit_pages)
    assert answer.status_code == 503
    assert "the disk on which it lies is full" in answer.json()["error"]["message"]
    assert "Traceback" not in caplog.text
    assert "requests" not in caplog.text  # what the caller sent stays out of the log


def test_an_operation_that_waits_for_the_disk_can_be_cancelled(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    (tmp_path / "out").mkdir()
    server = start(read_folders=(tmp_path,), write_folders=(tmp_path / "out",))
    monkeypatch.setattr(os, "fsync", full)
    name = begin(server, greys(tmp_path / "in", 1), f"{(tmp_path / 'out').as_uri()}/")["name"]
    deadline = time.monotonic() + 120
    while "an operation waits" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.post(f"/v1/{name}:cancel")
    done = wait(server, name)
    assert done["error"]["code"] == 1  # type: ignore[index]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_killed_server_left_half_written_is_swept(server: httpx.Client, inbox: Path, outbox: Path) -> None:
    (outbox / "swept").mkdir()
    (outbox / "swept" / ".szem-0123456789abcdef.part").write_bytes(b"half an answer")
    done = wait(server, begin(server, greys(inbox / "swept", 1), f"{outbox.as_uri()}/swept/")["name"])
    assert "response" in done
    assert [path.name for path in (outbox / "swept").iterdir()] == ["output-1-to-1.json"]


def test_the_default_is_twenty_answers_to_a_file(server: httpx.Client, inbox: Path, outbox: Path) -> None:
    done = wait(server, begin(server, greys(inbox / "many", 23), f"{outbox.as_uri()}/many/", size=0)["name"])
    assert "response" in done
    names = sorted(path.name for path in (outbox / "many").iterdir())
    assert names == ["output-1-to-20.json", "output-21-to-23.json"]


def test_a_running_operation_can_be_cancelled(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate, "annotate_file_data", stalls.slow)
    server = start(read_folders=(tmp_path / "in",), write_folders=(tmp_path / "out",), operation_lease_s=1.0)
    name = begin(server, greys(tmp_path / "in", 200), f"{(tmp_path / 'out').as_uri()}/", size=1)["name"]
    wait_for_a_file(tmp_path / "out")
    assert server.post(f"/v1/{name}:cancel").json() == {}
    ended = wait(server, name)
    assert ended["error"] == {"code": 1, "message": "the operation was cancelled"}
    assert ended["metadata"]["state"] == "CANCELLED"  # type: ignore[index]
    written = len(list((tmp_path / "out").glob("*.json")))
    assert 0 < written < 200
    time.sleep(0.5)
    assert len(list((tmp_path / "out").glob("*.json"))) == written
    assert server.post(f"/v1/{name}:cancel").json() == {}  # again does no harm


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "filter=name%3Dx", "pageToken=zzz"])
def test_wrong_list_options_are_reported(server: httpx.Client, query: str) -> None:
    assert server.get(f"/v1/operations?{query}").status_code == 400


def test_a_parent_that_no_database_takes_is_refused(start: Start, tmp_path: Path, database_url: str) -> None:
    server = start(read_folders=(tmp_path,), write_folders=(tmp_path,), database=database_url)
    body = {
        "requests": [{"image": {"source": {"imageUri": "file:///x"}}, "features": COLORS}],
        "outputConfig": {"gcsDestination": {"uri": f"{tmp_path.as_uri()}/out/"}},
    }
    for parent in ("projects/%00", "projects/%0A", "projects/" + "p" * 300):
        for method, path in [
            ("GET", "operations"),
            ("GET", "operations/x"),
            ("DELETE", "operations/x"),
            ("POST", "images:asyncBatchAnnotate"),
        ]:
            answer = server.request(method, f"/v1/{parent}/{path}", json=body if method == "POST" else None)
            assert answer.status_code == 400, (method, path, answer.text)
    assert server.get("/v1/operations/%00").status_code == 404
    assert server.get("/v1/operations").json() == {}


def test_unknown_operations_are_not_found(server: httpx.Client) -> None:
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", ":cancel")]:
        answer = server.request(method, f"/v1/operations/none{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["status"] == "NOT_FOUND"


def test_an_operation_that_cannot_write_fails_and_says_so(start: Start, tmp_path: Path) -> None:
    server = start(read_folders=(tmp_path / "in",), write_folders=(tmp_path / "out",))
    uris = greys(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("in the way")
    done = wait(server, begin(server, uris, f"{(tmp_path / 'out').as_uri()}/file/")["name"])
    assert "cannot be written" in done["error"]["message"]  # type: ignore[index]


# Killed ------------------------------------------------------------------------------------------------------------


class Site:
    """A web site of the pictures of a folder, which takes its time: what asks for them is not done too soon."""

    def __init__(self, folder: Path) -> None:
        self.pause_s = 0.3
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(site.pause_s)
                data = (folder / Path(self.path).name).read_bytes()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                with suppress(OSError):  # killed while it was sent
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "in")
    yield made
    made.close()


@contextmanager
def process(home: Path, database: str = "") -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """`szem serve` in a process of its own."""
    command = [sys.executable, "-m", "szem", "serve", "--port", "0", "--no-studio", "--quiet", "--workers", "1"]
    command += ["--operation-lease", "1", "--database", database]
    command += ["--allow-host", "127.0.0.1:*", "--allow-private-hosts", "--allow-write", str(home / "out")]
    env = os.environ | {"SZEM_HOME": str(home / "home")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            match = re.search(r"http://\S+", line)
            assert match, line
            with httpx.Client(base_url=match[0], timeout=60, trust_env=False) as client:
                yield server, client
        finally:
            server.kill()
            server.wait(60)


@pytest.mark.slow
def test_a_server_killed_in_the_middle_goes_on_and_answers_each_picture_once(
    tmp_path: Path, database_url: str, site: Site
) -> None:
    count, out = 150, tmp_path / "out"
    uris = [f"{site.url}/{Path(uri).name}" for uri in greys(tmp_path / "in", count)]
    out.mkdir()
    name = ""
    before = 0
    for kill in range(2):
        with process(tmp_path, database_url) as (server, client):
            if kill == 0:
                name = str(begin(client, uris, f"{out.as_uri()}/", size=3)["name"])
            wait_for_a_file(out, more_than=before + 3)  # it writes, and more than when it was killed
            server.send_signal(signal.SIGKILL)
            server.wait(30)
        before = len(list(out.glob("*.json")))
        assert before < 50, "it was done before it could be killed"
    kept = {path.name: path.read_bytes() for path in out.glob("*.json")}
    site.pause_s = 0.0
    with process(tmp_path, database_url) as (_, client):
        done = wait(client, name)
    assert "response" in done
    assert read_back(out) == [float(n) for n in range(count)]
    for file, data in kept.items():  # what was whole before is the same now
        assert (out / file).read_bytes() == data


@pytest.mark.slow
def test_a_server_that_is_stopped_gives_its_operation_back(tmp_path: Path, site: Site) -> None:
    count, out = 60, tmp_path / "out"
    uris = [f"{site.url}/{Path(uri).name}" for uri in greys(tmp_path / "in", count)]
    out.mkdir()
    with process(tmp_path) as (server, client):
        name = begin(client, uris, f"{out.as_uri()}/", size=2)["name"]
        wait_for_a_file(out)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in (0, -signal.SIGTERM)
    assert len(list(out.glob("*.json"))) < 30
    site.pause_s = 0.0
    with process(tmp_path) as (_, client):
        wait(client, name)
    assert read_back(out) == [float(n) for n in range(count)]


@pytest.mark.slow
def test_an_operation_that_always_ends_the_server_is_given_up(start: Start, tmp_path: Path) -> None:
    from szem.serve.vision.records import MAX_ATTEMPTS, Records

    url = f"sqlite:///{tmp_path / 'o.sqlite3'}"
    body = {
        "requests": [{"image": {"source": {"imageUri": "file:///x"}}, "features": COLORS}],
        "outputConfig": {"gcsDestination": {"uri": "file:///y"}},
    }
    records = Records(url, lease_s=-1.0)
    record = records.add(kind="images", body=json.dumps(body), parent="", owner="")
    for attempt in range(MAX_ATTEMPTS):
        assert records.claim(f"dead-{attempt}") is not None
    records.close()
    server = start(database=url)
    done = wait(server, record.name)
    assert "given up" in done["error"]["message"]  # type: ignore[index]


def test_content_in_an_operation_is_refused_before_it_is_kept(
    server: httpx.Client, outbox: Path, small: bytes
) -> None:
    body = {
        "requests": [{"image": {"content": base64.b64encode(small).decode()}, "features": COLORS}],
        "outputConfig": {"gcsDestination": {"uri": f"{outbox.as_uri()}/c/"}},
    }
    answer = server.post("/v1/images:asyncBatchAnnotate", json=body)
    assert answer.status_code == 400
    violation = answer.json()["error"]["details"][0]["fieldViolations"][0]
    assert violation["field"] == "requests[0].image.content"
