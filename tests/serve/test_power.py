"""The server killed at random moments with operations, uploads and a rules file being written: nothing half, nothing
lost, nothing left behind once it runs again.

Every round: `szem serve` on one home, an operation of pictures and one of files' pages in flight, rules saved again
and again, a video being sent; then SIGKILL. What must hold at any moment is checked after each.
"""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGKILL, /proc")
PICTURES, PAGES = 20, 10
FILES = (PICTURES + PAGES) // 2
COLORS = [{"type": "IMAGE_PROPERTIES"}]
RULES = '[[rules]]\nname = "r"\nevents = ["enters"]\nscore = 0.{:02}\n'
PATIENCE_S = 90


@contextmanager
def serving(
    home: Path, *, program: Sequence[str] = ("-m", "szem"), log: Path | None = None
) -> Iterator[tuple["subprocess.Popen[str]", httpx.Client]]:
    """`szem serve` in a process of its own; its client is the owner's."""
    command = [sys.executable, *program, "serve", "--port", "0", "--no-studio", "--quiet", "--workers", "1"]
    command += ["--operation-lease", "0.5", "--allow-read", str(home / "in"), "--allow-write", str(home / "out")]
    command += ["--guard-store", str(home / "guard"), "--key-file", str(home / "key")]
    environment = os.environ | {
        "SZEM_HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with (
        (log or Path(os.devnull)).open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as server,
    ):
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, "the server did not start"
            headers = {"x-szem-key": (home / "key").read_text().strip()}
            with httpx.Client(base_url=found[0], timeout=60, trust_env=False, headers=headers) as client:
                yield server, client
        finally:
            server.kill()
            server.wait(60)


def prepare(home: Path) -> None:
    for name in ("in", "out/pictures", "out/pages", "tmp", "guard"):
        (home / name).mkdir(parents=True)
    for n in range(PICTURES):
        Image.fromarray(np.full((24, 24, 3), n, np.uint8)).save(home / "in" / f"{n:03}.png")
    pages = [Image.fromarray(np.full((24, 24, 3), 100 + n, np.uint8)) for n in range(PAGES)]
    pages[0].save(home / "in" / "pages.tiff", save_all=True, append_images=pages[1:])


def begin(client: httpx.Client, home: Path) -> list[str]:
    """Rules, and both kinds of operation; the operations' names."""
    assert client.put("/v1/szem/guard/rules", json={"text": RULES.format(0)}).status_code == 200
    one = [
        {"image": {"source": {"imageUri": path.as_uri()}}, "features": COLORS}
        for path in sorted((home / "in").glob("*.png"))
    ]
    to = {"gcsDestination": {"uri": f"{(home / 'out/pictures').as_uri()}/"}, "batchSize": 2}
    pictures = client.post("/v1/images:asyncBatchAnnotate", json={"requests": one, "outputConfig": to})
    source = {"gcsSource": {"uri": (home / "in/pages.tiff").as_uri()}, "mimeType": "image/tiff"}
    to = {"gcsDestination": {"uri": f"{(home / 'out/pages').as_uri()}/"}, "batchSize": 2}
    request = {"inputConfig": source, "features": COLORS, "outputConfig": to}
    pages = client.post("/v1/files:asyncBatchAnnotate", json={"requests": [request]})
    assert pictures.status_code == pages.status_code == 200, pictures.text + pages.text
    return [pictures.json()["name"], pages.json()["name"]]


def busy(client: httpx.Client, stop: threading.Event) -> list[threading.Thread]:
    """Rules saved again and again, and videos sent piece by piece."""

    def save() -> None:
        number = 0
        with suppress(httpx.HTTPError):
            while not stop.is_set():
                number = (number + 1) % 60
                client.put("/v1/szem/guard/rules", json={"text": RULES.format(number)})

    def send() -> None:
        def pieces() -> Iterator[bytes]:
            while not stop.is_set():
                yield bytes(100_000)
                time.sleep(0.05)

        with suppress(httpx.HTTPError):
            httpx.post(
                f"{client.base_url}/v1/szem/guard/videos", content=pieces(), headers=dict(client.headers), timeout=60
            )

    threads = [threading.Thread(target=work, daemon=True) for work in (save, send)]
    for thread in threads:
        thread.start()
    return threads


def check(home: Path) -> dict[str, bytes]:
    """What must hold at any moment; the output files, by name."""
    found = {}
    for path in sorted((home / "out").rglob("*.json")):
        answer = json.loads(path.read_bytes())  # whole
        assert len(answer["responses"]) == 2
        assert not any("error" in one for one in answer["responses"])
        found[str(path.relative_to(home))] = path.read_bytes()
    with closing(sqlite3.connect(next((home / "home").glob("*.sqlite3")))) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    rules = home / "guard" / "rules.toml"
    if rules.exists():
        tomllib.loads(rules.read_text())
        assert rules.stat().st_mode & 0o077 == 0
    return found


def wait_for_output(home: Path, more_than: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(list((home / "out").rglob("*.json"))) <= more_than:
        assert time.monotonic() < deadline, "no operation moves on"
        time.sleep(0.02)


@pytest.mark.slow
def test_the_server_may_be_killed_at_any_moment(tmp_path: Path, rounds: int) -> None:
    prepare(tmp_path)
    rng, names, before = random.Random(rounds), [], dict[str, bytes]()
    for _ in range(rounds):
        stop = threading.Event()
        with serving(tmp_path) as (server, client):
            if len(before) == FILES:  # all is done: once more
                for name in before:
                    (tmp_path / name).unlink()
                before = {}
            if not before:
                names = begin(client, tmp_path)
            threads = busy(client, stop)
            wait_for_output(tmp_path, len(before))
            time.sleep(rng.uniform(0.0, 0.4))
            server.send_signal(signal.SIGKILL)
            server.wait(60)
        stop.set()
        for thread in threads:
            thread.join(60)
        now = check(tmp_path)
        assert before.items() <= now.items(), "what was whole once stays as it is"
        before = now
    with serving(tmp_path) as (server, client):
        deadline = time.monotonic() + PATIENCE_S
        for name in names:
            while not (state := client.get(f"/v1/{name}").json()).get("done"):
                assert time.monotonic() < deadline, "an operation does not end"
                time.sleep(0.1)
            assert "response" in state, state
        done = check(tmp_path)
        assert before.items() <= done.items()
        read = [one for data in done.values() for one in json.loads(data)["responses"]]
        assert len(read) == PICTURES + PAGES, "each picture and page is answered exactly once"
        rules = client.get("/v1/szem/guard/rules").json()
        assert rules["saved"]
        assert rules["fault"] == ""
        left = [*(tmp_path / "out").rglob("*.part"), *(tmp_path / "guard").rglob("*.part")]
        assert not left, "what was half-written is swept"
        server.terminate()
        server.wait(30)
    assert not list((tmp_path / "tmp").iterdir()), "no video of a killed server stays"
