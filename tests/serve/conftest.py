"""Servers on free loopback ports, in threads of this process, and pictures to send them."""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from szem.media.samples import sample_path
from szem.serve.server import address_of, bind, build_server
from szem.serve.settings import ServeSettings, is_loopback


def _stay_on_this_machine(event: str, args: tuple[object, ...]) -> None:
    """No test opens a connection to another machine: what a refusal should stop must not be tried out."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = str(args[1][0])
        assert host == "" or is_loopback(host), f"a test connects to {host}"


sys.addaudithook(_stay_on_this_machine)
KEY = "a-key-for-the-tests-of-the-server"


@contextmanager
def on_a_thread(settings: ServeSettings) -> Iterator[tuple[str, str]]:
    """Run a server for the time of the block; gives its URL, and HOST:PORT of gRPC."""
    ready = threading.Event()
    sock = bind(settings.host, settings.port)
    server = build_server(settings, on_ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        assert ready.wait(120), "the server did not start"
        yield address_of(sock), server.grpc_address
    finally:
        server.should_exit = True
        thread.join(60)
        sock.close()
        assert not thread.is_alive(), "the server did not stop"


@contextmanager
def running(settings: ServeSettings) -> Iterator[httpx.Client]:
    """As `on_a_thread`; gives a plain HTTP client for it."""
    headers = {"x-szem-key": settings.key}  # as its owner calls it
    with (
        on_a_thread(settings) as (url, _),
        httpx.Client(base_url=url, timeout=120, trust_env=False, headers=headers) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServeSettings:
    """Settings for tests: any free port, a database of its own, folders that may be read and written."""
    home = tmp_path_factory.mktemp("serve")
    (home / "in").mkdir()
    (home / "out").mkdir()
    return ServeSettings(
        port=0,
        key=KEY,
        database=f"sqlite:///{home / 'operations.sqlite3'}",
        read_folders=(home / "in",),
        write_folders=(home / "out",),
        operation_lease_s=2.0,
        guard_store=home / "guard",
    )


@pytest.fixture(scope="session")
def inbox(settings: ServeSettings) -> Path:
    """The folder that the shared server may read."""
    return settings.read_folders[0]


@pytest.fixture(scope="session")
def outbox(settings: ServeSettings) -> Path:
    """The folder that the shared server may write."""
    return settings.write_folders[0]


@pytest.fixture(scope="session")
def server(settings: ServeSettings) -> Iterator[httpx.Client]:
    """One server shared by all tests that only ask."""
    with ExitStack() as stack:
        if os.environ.get("SZEM_TEST_ON_RAY"):
            from tests.serve.ray_server import replicas_on_ray

            yield stack.enter_context(replicas_on_ray(settings.key))(**asdict(settings))
        else:
            yield stack.enter_context(running(settings))


@pytest.fixture(scope="session")
def run_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[httpx.Client]]:
    """Run a server of one's own for a block: `with run_server(max_in_flight=1) as server`."""

    def run(**choices: object) -> AbstractContextManager[httpx.Client]:
        home = tmp_path_factory.mktemp("own")
        database = f"sqlite:///{home / 'operations.sqlite3'}"
        base = ServeSettings(port=0, key=KEY, studio=False, database=database, guard_store=home / "guard")
        return running(replace(base, **choices))  # type: ignore[arg-type]

    return run


@pytest.fixture
def start(run_server: Callable[..., AbstractContextManager[httpx.Client]]) -> Iterator[Callable[..., httpx.Client]]:
    """Start a server that lives until the test ends: `start(max_in_flight=1)`."""
    with ExitStack() as stack:
        yield lambda **choices: stack.enter_context(run_server(**choices))


@pytest.fixture(scope="session")
def cat() -> bytes:
    """A photograph of a cat, as a file."""
    return sample_path("cat").read_bytes()


def encode(picture: np.ndarray, fmt: str = "PNG") -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, fmt)
    return out.getvalue()


@pytest.fixture(scope="session")
def small() -> bytes:
    """A picture of 8 × 6 pixels, as PNG."""
    return encode(np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3))
