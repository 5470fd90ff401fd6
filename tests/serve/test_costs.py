"""What a request costs is known before its work starts; what costs much is no GET, and holds nobody else."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from szem.kernels.library import KERNELS
from szem.serve.dispatcher import Dispatcher
from szem.serve.handlers import lab_files
from szem.serve.server import serve_beside
from szem.serve.settings import ServeSettings
from tests.openapi import describe

Start = Callable[..., httpx.Client]
DOCUMENT: dict[str, Any] = describe()
MOST_ANSWER_BYTES = 5_000_000


def gets() -> Iterator[str]:
    """The path of every GET, with something in place of its parameters."""
    yield from ("/", "/docs", "/openapi.json")
    for path, methods in DOCUMENT["paths"].items():
        if "get" in methods:
            for parameter in methods["get"].get("parameters", []):
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", "cat")
            yield path


@pytest.fixture(scope="module")
def watched(run_server: Callable[..., Any]) -> Iterator[tuple[httpx.Client, list[str]]]:
    """A server, and the names of what its workers were asked."""
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("work", "explore"):
            real = getattr(Dispatcher, name)

            def noted(self: Dispatcher, function: Any, *given: Any, real: Any = real, **options: Any) -> Any:
                asked.append(function.__name__)
                return real(self, function, *given, **options)

            patch.setattr(Dispatcher, name, noted)
        with run_server(threads=1, studio=True) as server:
            yield server, asked


@pytest.mark.parametrize("path", list(gets()))
def test_a_get_asks_no_worker_and_its_answer_is_bounded(path: str, watched: tuple[httpx.Client, list[str]]) -> None:
    """A page of another origin can have a browser send a GET: it decodes nothing and runs no network; what describes
    a task opens its network once."""
    server, asked = watched
    server.get(path)
    assert set(asked) <= {"describe_task"}
    asked.clear()
    answer = server.get(path)
    assert answer.status_code in (200, 404), answer.text
    assert len(answer.content) < MOST_ANSWER_BYTES
    assert asked == []


def test_the_fixture_would_see_a_worker_that_is_asked(watched: tuple[httpx.Client, list[str]], small: bytes) -> None:
    server, asked = watched
    asked.clear()
    assert server.post("/v1/szem/colors", content=small).status_code == 200
    assert asked


@pytest.mark.parametrize("name", [name for name, recipe in KERNELS.items() if recipe.parameters])
def test_a_kernel_is_listed_with_parameters_of_any_size_up_to_a_bound(server: httpx.Client, name: str) -> None:
    recipe = KERNELS[name]
    high = [parameter.high for parameter in recipe.parameters]
    for values in (high, [value + 1 for value in high], [2**31] * len(high), [10.0**300] * len(high)):
        answer = server.get("/v1/szem/kernels", params={"name": f"{name}:{','.join(f'{v:g}' for v in values)}"})
        assert answer.status_code in ((200, 400) if values is high else (400,)), answer.text[:200]
        assert len(answer.content) < MOST_ANSWER_BYTES


def test_the_largest_stack_is_refused_before_it_is_built(server: httpx.Client) -> None:
    answer = server.post("/v1/szem/lab/stack", params={"layers": "1:1:1", "channels": 256, "side_px": 512})
    assert answer.status_code == 400
    assert "multiplications are too many to wait for" in answer.json()["error"]["message"]


def test_the_checksum_of_a_network_is_not_computed_on_the_event_loop(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 150 MB it takes a second, in which nobody else would get an answer."""
    threads: list[str] = []

    def sha256(data: bytes = b"") -> Any:
        threads.append(threading.current_thread().name)
        return hashlib.sha256(data)

    monkeypatch.setattr(lab_files, "hashlib", SimpleNamespace(sha256=sha256))
    assert start(threads=1).post("/v1/szem/lab/networks", content=b"no network").status_code == 400
    assert threads
    assert all(name.startswith("szem-work") for name in threads), threads


def test_the_port_is_announced_once_the_workers_have_answered(
    settings: ServeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []
    real = Dispatcher.wait_for_workers
    is_announced = threading.Event()

    def wait(self: Dispatcher, within_s: float) -> bool:
        states.append("announced" if is_announced.is_set() else self.health()[0])
        found = real(self, within_s)
        states.append("announced" if is_announced.is_set() else self.health()[0])
        return found

    monkeypatch.setattr(Dispatcher, "wait_for_workers", wait)
    with serve_beside(settings) as url:
        is_announced.set()
        rows = httpx.get(f"{url}/healthz", trust_env=False, timeout=60).json()["workers"]
    assert states == ["the workers are being started", ""]
    assert rows
    assert all(row["well"] and row["answeredS"] is not None for row in rows)
