"""Bodies as they come: gzip, in chunks, slowly, from callers that close their side, and films between the limits."""

import gzip
import json
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import httpx
import pytest

from tests.serve.conftest import KEY

Run = Callable[..., AbstractContextManager[httpx.Client]]
GZIP = {"content-encoding": "gzip", "content-type": "application/json"}
BODY = json.dumps({"requests": [{}, {}]}).encode()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(BODY),
        gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]),  # several members are one body
        gzip.compress(BODY + b" " * 3_000_000),  # longer than one piece
    ],
    ids=["one member", "two members", "several pieces"],
)
@pytest.mark.parametrize("chunk", [1 << 20, 7], ids=["at once", "in chunks"])
def test_a_gzip_body_is_unpacked(server: httpx.Client, packed: bytes, chunk: int) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(packed), chunk):
            yield packed[start : start + chunk]

    answer = server.post("/v1/images:annotate", content=pieces(), headers=GZIP)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["responses"]) == 2


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (BODY, "the body is not"),
        (gzip.compress(BODY)[:-5], "breaks off"),
        (gzip.compress(BODY) + b"rubbish", "the body is not"),
        (b"", "breaks off"),
        (gzip.compress(b"") * 20_000, "more than 1000 members"),
        (zlib.compress(BODY), "the body is not"),
    ],
    ids=["plain", "cut off", "more behind", "empty", "members without end", "zlib"],
)
def test_what_is_no_gzip_is_reported(server: httpx.Client, packed: bytes, says: str) -> None:
    answer = server.post("/v1/images:annotate", content=packed, headers=GZIP)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_a_bomb_stops_at_the_limit(run_server: Run) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    with run_server(max_request_bytes=1_000_000) as server:
        answer = server.post("/v1/images:annotate", content=bomb, headers=GZIP)
        assert answer.status_code == 400  # Google's word for it
        assert "1000000 bytes" in answer.json()["error"]["message"]
        answer = server.post("/v1/szem/classify", content=bomb * 20, headers={"content-encoding": "gzip"})
        assert answer.status_code == 413
        fine = server.post("/v1/images:annotate", content=gzip.compress(BODY), headers=GZIP)
        assert fine.status_code == 200


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 200])
def test_other_codings_are_refused_by_name(server: httpx.Client, coding: str) -> None:
    answer = server.post("/v1/images:annotate", content=b"x", headers={"content-encoding": coding})
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip"


def exchange(server: httpx.Client, sent: bytes, *, close_side: bool) -> bytes:
    """Send bytes; all that comes back until the server closes the connection."""
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall(sent)
        if close_side:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        while block := connection.recv(65536):
            got += block
        return got


def test_a_caller_that_closes_its_side_gets_its_answer(server: httpx.Client, cat: bytes) -> None:
    """As `nc -N`, and some clients of other languages, do."""
    head = f"POST /v1/szem/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(cat)}\r\n\r\n".encode()
    got = exchange(server, head + cat, close_side=True)
    assert got.startswith(b"HTTP/1.1 200")
    assert b'"labels"' in got
    twice = exchange(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2, close_side=True)
    assert twice.count(b"HTTP/1.1 200") == 2, "requests that were sent one behind the other"


def test_a_caller_that_closes_before_it_has_sent_all_is_let_go(server: httpx.Client) -> None:
    head = b"POST /v1/szem/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
    assert exchange(server, head, close_side=True) == b""


def test_a_body_in_chunks_and_one_that_waits_to_be_asked_for_are_taken(server: httpx.Client) -> None:
    head = b"POST /v1/images:annotate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:])
    assert exchange(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, close_side=False).startswith(
        b"HTTP/1.1 200"
    )
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall(head + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(BODY))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_fourth_beta_is_answered_too(server: httpx.Client) -> None:
    for beta in ("v1p1beta1", "v1p2beta1", "v1p3beta1", "v1p4beta1"):
        answer = server.post(f"/{beta}/images:annotate", content=BODY, headers={"content-type": "application/json"})
        assert answer.status_code == 200, beta
    assert server.post("/v1p5beta1/images:annotate", content=BODY).status_code in (404, 405)


def test_a_video_larger_than_all_bodies_in_memory_may_be_is_taken_or_named_too_large(run_server: Run) -> None:
    """A film goes to the disk as it comes; what is held in memory has its own, smaller limit."""
    with run_server(max_body_bytes_in_flight=1 << 20, max_video_bytes=3 << 20) as server:
        for size, status in [(2 << 20, 400), ((3 << 20) + 1, 413)]:  # 400: it came whole, and is no film
            for sent in (bytes(size), iter([bytes(1 << 19)] * (size >> 19) + [bytes(size % (1 << 19))])):
                answer = server.post("/v1/szem/guard/videos", content=sent)
                assert answer.status_code == status, answer.text
        assert str(3 << 20) in answer.json()["error"]["message"]
        large = server.post("/v1/szem/classify", content=bytes(2 << 20))
        assert large.status_code == 413, "it would never fit: to try again does not help"
        assert str(1 << 20) in large.json()["error"]["message"]


def upload(server: httpx.Client, path: str, length: int, pieces: Iterator[bytes]) -> bytes:
    """Send a body piece by piece; what comes back, once the server closes or the answer is there."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Szem-Key: {KEY}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # cut: what was said before is read
        return whole_answer(connection)


def whole_answer(connection: socket.socket) -> bytes:
    """Head and body of an answer, which may come in several packets."""
    got = b""
    while piece := connection.recv(65536):
        got += piece
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            break
    return got


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/szem/guard/videos", "/v1/szem/classify"])
def test_an_upload_over_a_slow_link_arrives_however_long_it_takes(run_server: Run, path: str) -> None:
    """Longer than a stall may be, and longer than an answer may take: it moves on."""
    with run_server(body_stall_s=3.0, body_min_bytes_per_s=1_000.0, answer_timeout_s=3.0) as server:

        def pieces() -> Iterator[bytes]:
            for _ in range(10):
                time.sleep(0.4)
                yield bytes(10_000)

        begun = time.monotonic()
        got = upload(server, path, 100_000, pieces())
        assert time.monotonic() - begun > 3.0
        assert got.startswith(b"HTTP/1.1 400"), "it came whole, and is neither a video nor a picture"
        assert b"stalled" not in got


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then"), [(50_000, 0), (1, 1)], ids=["begins fast and stops", "a byte now and then"]
)
def test_an_upload_that_stalls_is_cut(run_server: Run, first: int, then: int) -> None:
    with run_server(body_stall_s=0.6, body_min_bytes_per_s=10_000.0) as server:

        def pieces() -> Iterator[bytes]:
            yield bytes(first)
            until = time.monotonic() + 20
            while then and time.monotonic() < until:
                time.sleep(0.1)
                yield bytes(then)

        begun = time.monotonic()
        got = upload(server, "/v1/szem/guard/videos", 1_000_000, pieces())
        assert got.startswith(b"HTTP/1.1 408"), got
        assert b"stalled" in got
        assert b"KiB/s" in got
        assert time.monotonic() - begun < 20
        assert server.get("/healthz").status_code == 200


def test_a_refusal_before_the_body_is_there_leaves_the_connection_whole(server: httpx.Client) -> None:
    """The rest of the body is not taken for the head of the next request, however long it is."""
    body = bytes(300_000)
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        head = f"POST /v1/szem/detect?threshold=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        assert whole_answer(connection).startswith(b"HTTP/1.1 400")
        connection.sendall(body)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert whole_answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "path", ["/v1/szem/lab/stack?layers=x", "/v1/szem/guard/rules", "/v1/images:annotate", "/nothing"]
)
def test_a_request_refused_before_its_body_has_come_does_not_break_the_next_one(
    server: httpx.Client, path: str
) -> None:
    """On one connection: what is left of the first body is not read as a request."""
    host, port = server.base_url.host, server.base_url.port
    assert port is not None
    to = f"HTTP/1.1\r\nHost: {host}:{port}\r\n"
    head = f"POST {path} {to}Content-Type: text/x\r\nContent-Length: 300000\r\n\r\n"
    answers = b""
    with socket.create_connection((host, port), timeout=60) as line:
        line.sendall(head.encode() + b"x")
        line.settimeout(0.5)
        with suppress(TimeoutError):  # some refuse at once, others read the body first
            answers += line.recv(65_536)
        line.settimeout(60)
        with suppress(ConnectionError, TimeoutError):
            line.sendall(b"x" * 299_999 + f"GET /healthz {to}Connection: close\r\n\r\n".encode())
            while piece := line.recv(65_536):
                answers += piece
    first, *others = answers.split(b"HTTP/1.1 ")[1:]
    assert first[:1] == b"4", first[:200]
    assert all(other.startswith(b"200") for other in others), answers[:1000]
    assert others or b"connection: close" in first.lower()
