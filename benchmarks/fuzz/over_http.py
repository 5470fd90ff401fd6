"""Mutated files sent to a server on loopback: no answer may be 500 or above, and the server lives on."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.fuzz.children import Tally
from benchmarks.fuzz.seeds import Seed, mutated

__all__ = ["run_requests"]

_ROUTES = {
    "picture": ("/v1/szem/filter?kernel=blur", "/v1/szem/classify", "/v1/szem/filter?kernel=sobel-x"),
    "sound": ("/v1/szem/listen",),
    "video": ("/v1/szem/lipread",),
    "annotation": ("/v1/images:annotate", "/v1/szem/filter"),
    "onnx": ("/v1/szem/classify", "/v1/szem/listen"),
}
_CLIENTS = 4
_ALLOWED = (503, 504)  # busy, and work that was stopped at its limit: refusals, not faults


def run_requests(corpus: Sequence[Seed], count: int, *, seed: int, home: Path, limit_s: float) -> Tally:
    """Send `count` mutated files.

    Args:
        corpus: What is mutated.
        count: How many.
        seed: Of the mutations.
        home: The server's own folder.
        limit_s: Stop after so long.
    """
    tally, lock, started = Tally("requests", asked=count), threading.Lock(), time.monotonic()
    if not count or limit_s <= 10:
        return tally
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "szem", "serve", "--port", str(port)],
        env={**os.environ, "SZEM_HOME": str(home / "serve"), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        if not _is_up(url, time.monotonic() + min(60.0, limit_s)):
            tally.findings.append("the server did not start")
            return tally
        until = started + limit_s - 5
        numbers = iter(range(count))
        threads = [
            threading.Thread(target=_send, args=(url, corpus, seed, numbers, until, tally, lock))
            for _ in range(_CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if server.poll() is not None:
            tally.findings.append(f"the server ended with status {server.returncode}")
        elif not _is_up(url, time.monotonic() + 10):
            tally.findings.append("the server does not answer /healthz any more")
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            tally.findings.append("the server did not end within 15 s of SIGTERM")
            server.kill()
    tally.seconds = time.monotonic() - started
    return tally


def _send(
    url: str, corpus: Sequence[Seed], seed: int, numbers: "object", until: float, tally: Tally, lock: threading.Lock
) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        while time.monotonic() < until:
            with lock:
                number = next(numbers, None)  # type: ignore[call-overload]
            if number is None:
                return
            given = mutated(corpus, seed, number)
            routes = _ROUTES[given.kind]
            route = routes[number % len(routes)]
            try:
                status = client.post(route, content=given.data).status_code
            except httpx.HTTPError as error:
                status = 999
                reason = type(error).__name__
            else:
                reason = str(status)
            with lock:
                tally.done += 1
                tally.outcomes[reason] += 1
                if status >= 500 and status not in _ALLOWED:
                    tally.findings.append(f"seed {seed} number {number}: POST {route} ({given.kind}): {reason}")


def _is_up(url: str, until: float) -> bool:
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/healthz", timeout=5, trust_env=False).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
