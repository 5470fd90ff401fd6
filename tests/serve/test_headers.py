"""No page of another origin reads or embeds an answer: every route, every way to fail, made from the description."""

import base64
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest

from szem.serve.vision import annotate
from tests.openapi import describe
from tests.serve import stalls

from .conftest import KEY

pytestmark = pytest.mark.slow  # hundreds of requests

Run = Callable[..., AbstractContextManager[httpx.Client]]
SAFE = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}


def routes() -> Iterator[tuple[str, str]]:
    for path, methods in describe()["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"{[^}]*}", "1", path)


ROUTES = [
    *routes(),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/v1/nothing"),
    ("GET", "/v1/szem/detect/live"),
]


def is_safe(answer: httpx.Response) -> bool:
    return all(answer.headers.get(name) == value for name, value in SAFE.items())


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_says_that_it_may_not_be_embedded_or_guessed(
    server: httpx.Client, method: str, path: str
) -> None:
    owner = {"x-szem-key": KEY}
    assert is_safe(server.request(method, path, headers=owner))
    assert is_safe(server.request("PATCH", path, headers=owner)), "405"
    assert is_safe(server.request(method, path, content=b"x", headers=owner | {"content-encoding": "br"})), "415"
    length = ("Content-Length: 1000000000000", "Expect: 100-continue")  # refused before it is sent
    too_large = exchange(server, f"{method} {path} HTTP/1.1", "Host: localhost", f"X-Szem-Key: {KEY}", *length)
    assert too_large.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), too_large[:200]
    assert all(f"\r\n{name}: {value}\r\n".encode() in too_large for name, value in SAFE.items())


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[1].startswith("/v1/")])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "cross-origin", ""])
def test_a_page_of_another_origin_is_refused_on_every_route(
    server: httpx.Client, method: str, path: str, site: str
) -> None:
    answer = server.request(method, path, headers={"sec-fetch-site": site})
    assert answer.status_code == 403
    assert is_safe(answer)


@pytest.mark.parametrize(
    "twice", [("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"), ("Origin: {own}", "Origin: http://evil")]
)
def test_of_a_header_that_comes_twice_each_must_be_right(server: httpx.Client, twice: tuple[str, str]) -> None:
    own = f"http://{server.base_url.host}:{server.base_url.port}"
    lines = [line.format(own=own) for line in twice]
    host = f"Host: {server.base_url.host}:{server.base_url.port}"
    assert exchange(server, "GET /v1/szem/kernels HTTP/1.1", host, lines[0]).startswith(b"HTTP/1.1 200")
    for order in (lines, lines[::-1]):
        assert exchange(server, "GET /v1/szem/kernels HTTP/1.1", host, *order).startswith(b"HTTP/1.1 403")


def exchange(server: httpx.Client, *lines: str, connect: str = "close") -> bytes:
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, f"Connection: {connect}", "", ""]).encode("latin-1"))
        got = b""
        while block := connection.recv(65536):
            got += block
        return got


WEBSOCKET = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("NOT HTTP AT ALL",), 400),
        (("GET /healthz HTTP/1.1", "Host: localhost", "Host: localhost"), 400),
        (("GET /healthz HTTP/1.1",), 400),
        (("POST /v1/images:annotate HTTP/1.1", "Host: localhost", "Content-Length: -1"), 400),
        (("POST /v1/images:annotate HTTP/1.1", "Host: localhost", "Content-Length: " + "9" * 5000), 400),
        (("GET /v1/szem/kernels HTTP/1.1", "Host: evil.example"), 403),
        (("GET /v1/szem/kernels HTTP/1.1", "Host: localhost", *WEBSOCKET), 403),
        (("GET /v1/szem/detect/live HTTP/1.1", "Host: localhost", "Origin: http://evil.example", *WEBSOCKET), 403),
    ],
)
def test_what_never_reaches_a_route_is_answered_safely_too(
    server: httpx.Client, lines: tuple[str, ...], status: int
) -> None:
    got = exchange(server, *lines, connect="Upgrade" if WEBSOCKET[0] in lines else "close").lower()
    assert got.startswith(b"http/1.1 %d" % status), got[:200]
    for name, value in SAFE.items():
        assert f"\r\n{name}: {value}\r\n".encode() in got, got[:400]


def test_refusals_for_time_and_number_are_safe_too(
    run_server: Run, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotate, "annotate_file_data", stalls.hang)
    one = {"image": {"content": base64.b64encode(small).decode()}, "features": [{"type": "FACE_DETECTION"}]}
    with run_server(answer_timeout_s=1.0, header_timeout_s=0.3, max_connections=2, threads=1) as server:
        late = server.post("/v1/images:annotate", json={"requests": [one]})
        assert late.status_code == 504
        assert is_safe(late)
        address = (server.base_url.host, server.base_url.port)
        with socket.create_connection(address, timeout=60) as slow:
            slow.sendall(b"GET /healthz HT")
            got = slow.recv(4096)
            assert got.startswith(b"HTTP/1.1 408")
            assert all(f"{name}: {value}".encode() in got for name, value in SAFE.items())
        held = [socket.create_connection(address, timeout=60) for _ in range(3)]
        try:
            got = held[-1].recv(4096)
            assert got.startswith((b"HTTP/1.1 429", b"HTTP/1.1 408"))
            assert all(f"{name}: {value}".encode() in got for name, value in SAFE.items())
        finally:
            for one_held in held:
                one_held.close()
