"""The server itself: ids, keys, names, limits, slow callers, a full house, pages."""

import asyncio
import base64
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from szem.errors import DeniedError, RangeError
from szem.serve.dispatcher import Dispatcher
from szem.serve.server import address_of, bind
from szem.serve.settings import ServeSettings
from szem.serve.vision import annotate
from tests.serve import stalls

pytestmark = pytest.mark.slow  # servers of their own, started again and again

Start = Callable[..., httpx.Client]
EMPTY = {"requests": [{}]}


def raw(server: httpx.Client, *chunks: bytes, pause_s: float = 0.0, wait_s: float = 60.0) -> bytes:
    """Send bytes as they are; whatever comes back until the server closes."""
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=wait_s) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
            time.sleep(pause_s)
        got = b""
        while block := connection.recv(65536):
            got += block
        return got


def until(happens: Callable[[], bool]) -> None:
    """Wait for something that is about to happen."""
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def post_head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/images:annotate HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *more, "", ""]
    return "\r\n".join(lines).encode()


# Pages and ids -----------------------------------------------------------------------------------------------------


def test_health_says_the_version(server: httpx.Client) -> None:
    assert server.get("/healthz").json()["status"] == "ok"


def test_each_answer_has_an_id_and_each_request_one_line(
    server: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="szem.serve"):
        answer = server.post("/v1/images:annotate?key=SECRET", json=EMPTY)
        mark = answer.headers["x-request-id"]
        until(lambda: mark in caplog.text)  # the line is written once the answer is out
        server.get("/healthz")
    lines = [r.getMessage() for r in caplog.records if mark in r.getMessage()]
    assert len(lines) == 1
    assert re.search(r"POST /v1/images:annotate 200 [\d.]+ ms in=\d+ out=\d+ pictures=1 from=127\.0\.0\.1", lines[0])
    assert "SECRET" not in lines[0]


def test_an_id_from_outside_is_kept_unless_it_could_forge_a_line(server: httpx.Client) -> None:
    assert server.get("/healthz", headers={"x-request-id": "job-7/a"}).headers["x-request-id"] == "job-7/a"
    assert server.get("/healthz", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"
    assert len(server.get("/healthz", headers={"x-request-id": "x" * 500}).headers["x-request-id"]) == 32


def test_metrics_count_by_route_not_by_path(server: httpx.Client) -> None:
    server.get("/v1/operations/never-was")
    server.get("/nothing/here")
    until(lambda: "{operation}" in server.get("/metrics").text)
    text = server.get("/metrics").text
    assert 'szem_requests_total{method="GET",route="/v1/operations/{operation}",status="404"}' in text
    assert "never-was" not in text
    assert "nothing/here" not in text
    assert "process_resident_memory_bytes" in text


def test_the_studio_comes_with_headers_that_keep_it_safe(server: httpx.Client) -> None:
    page = server.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert server.get("/js/main.js").headers["content-type"].startswith("text/javascript")
    again = server.get("/", headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/__init__.py", "/../settings.py", "/js/../../app.py", "/%2e%2e/app.py", "/nope"])
def test_only_pages_are_served_as_pages(server: httpx.Client, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"


def test_samples_are_listed_and_given(server: httpx.Client) -> None:
    rows = server.get("/v1/szem/samples").json()["samples"]
    assert rows[0]["name"] == "cameraman"
    for row in rows:
        picture = server.get(row["url"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content[:4] == b"\x89PNG"
    assert server.get("/v1/szem/samples/nope.png").status_code == 404


def test_kernels_are_those_of_the_library(server: httpx.Client) -> None:
    rows = {row["name"]: row for row in server.get("/v1/szem/kernels").json()["kernels"]}
    assert rows["sobel-x"]["weights"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert rows["sobel-x"]["family"] == "sobel"
    assert rows["gaussian"]["parameters"][0]["name"] == "sigma"
    assert all(row["text"] and row["family"] for row in rows.values())


def test_a_kernel_may_be_asked_for_by_name_and_parameters(server: httpx.Client) -> None:
    [row] = server.get("/v1/szem/kernels", params={"name": "box:5"}).json()["kernels"]
    assert row["name"] == "box:5"
    assert row["weights"] == [[1 / 25] * 5] * 5
    [plain] = server.get("/v1/szem/kernels", params={"name": "identity"}).json()["kernels"]
    assert plain["weights"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    for name in ("nothing", "box:many", "box:5:5:5"):
        answer = server.get("/v1/szem/kernels", params={"name": name})
        assert answer.status_code in (400, 404), name
        assert name.partition(":")[0] in answer.json()["error"]["message"]


def test_unknown_paths_and_methods_answer_in_the_envelope(server: httpx.Client) -> None:
    assert server.get("/v1/nope").json()["error"]["status"] == "NOT_FOUND"
    wrong = server.get("/v1/images:annotate")
    assert wrong.status_code == 405
    assert wrong.json()["error"]["code"] == 405
    assert wrong.headers["allow"] == "POST"


# Who may call ------------------------------------------------------------------------------------------------------


def test_keys_are_asked_for_and_taken_three_ways(start: Start) -> None:
    server = start(api_keys=("first-key", "second-key"))
    del server.headers["x-szem-key"]
    none = server.post("/v1/images:annotate", json=EMPTY)
    assert none.status_code == 403  # 401 would make Google's client hide the answer
    assert none.json()["error"]["status"] == "PERMISSION_DENIED"
    assert "x-goog-api-key" in none.json()["error"]["message"]
    for headers, query in [
        ({"x-goog-api-key": "first-key"}, ""),
        ({"x-goog-api-key": "second-key"}, ""),
        ({"authorization": "Bearer second-key"}, ""),
        ({}, "?key=first-key"),
    ]:
        answer = server.post(f"/v1/images:annotate{query}", json=EMPTY, headers=headers)
        assert answer.status_code == 200, (headers, query)
    for wrong in ("", "first-ke", "first-keyy", "FIRST-KEY", "first-key,second-key", "\u00e9"):
        answer = server.post("/v1/images:annotate", params={"key": wrong}, json=EMPTY)
        assert answer.status_code == 403, wrong
    assert server.get("/healthz").status_code == 200
    assert server.get("/metrics").status_code == 403
    assert server.get("/v1/szem/samples").status_code == 403


def test_a_name_that_is_not_ours_is_refused(start: Start) -> None:
    """DNS rebinding: a page of evil.example whose name points to 127.0.0.1."""
    server = start(hostnames=("szem.example",))
    for host, status in [
        ("evil.example", 403),
        ("evil.example:8777", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost", 200),
        ("LOCALHOST.:99", 200),
        ("[::1]:8777", 200),
        ("szem.example", 200),
    ]:
        assert server.get("/healthz", headers={"host": host}).status_code == status, host


def test_pages_of_other_origins_may_not_call(start: Start) -> None:
    server = start(allow_origins=("https://good.example",))
    own = str(server.base_url).rstrip("/")
    for origin, status in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://good.example.evil.example", 403),
        (own, 200),
        ("https://good.example", 200),
    ]:
        answer = server.post("/v1/images:annotate", json=EMPTY, headers={"origin": origin})
        assert answer.status_code == status, origin
    good = server.post("/v1/images:annotate", json=EMPTY, headers={"origin": "https://good.example"})
    assert good.headers["access-control-allow-origin"] == "https://good.example"
    asked = server.options(
        "/v1/images:annotate",
        headers={"origin": "https://good.example", "access-control-request-method": "POST"},
    )
    assert asked.status_code == 200


# How large, how slow, how many -------------------------------------------------------------------------------------


def test_a_request_that_says_it_is_too_large_is_refused_before_it_comes(start: Start) -> None:
    server = start(max_request_bytes=100_000)
    got = raw(server, post_head(1_000_000))
    assert b"400 Bad Request" in got
    assert b"Request payload size exceeds the limit: 100000 bytes" in got


def test_a_request_that_does_not_say_so_is_refused_on_the_way(start: Start) -> None:
    server = start(max_request_bytes=100_000)

    def endless() -> Iterator[bytes]:
        for _ in range(300):
            yield b"x" * 1000

    answer = server.post("/v1/images:annotate", content=endless())
    assert answer.status_code == 400
    assert "exceeds the limit: 100000" in answer.json()["error"]["message"]


def test_own_routes_say_413(start: Start) -> None:
    server = start(max_picture_bytes=1000)
    answer = server.post("/v1/szem/classify", content=b"x" * 200_000)
    assert answer.status_code == 413


def test_a_caller_who_sends_it_all_first_still_reads_the_refusal(start: Start) -> None:
    server = start(max_request_bytes=100_000)
    for _ in range(3):
        answer = server.post("/v1/images:annotate", content=b"x" * 3_000_000)
        assert answer.status_code == 400


def test_half_a_head_is_ended(start: Start) -> None:
    server = start(header_timeout_s=0.4)
    assert b"408 Request Timeout" in raw(server, b"GET /healthz HT")
    assert b"408 Request Timeout" in raw(server)  # not a byte


def test_half_a_head_after_a_whole_request_is_ended(start: Start) -> None:
    server = start(header_timeout_s=2.0)  # the first head, too, has only so long
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while not got.endswith(b"}"):  # the whole answer
            got += connection.recv(65536)
        assert b"200 OK" in got
        connection.sendall(b"GET /heal")
        rest = b""
        while block := connection.recv(65536):
            rest += block
    assert b"408 Request Timeout" in rest


def test_a_head_that_drips_is_ended_all_the_same(start: Start) -> None:
    server = start(header_timeout_s=0.5)
    begun = time.monotonic()
    drops = [b"GET /healthz HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 30]
    try:
        got = raw(server, *drops, pause_s=0.1)
    except OSError:  # closed while it was dripping
        got = b"408"
    assert b"408" in got
    assert time.monotonic() - begun < 40  # one who is not ended would wait for a minute


def test_an_endless_head_is_refused(start: Start) -> None:
    server = start()
    try:
        got = raw(server, b"GET /healthz HTTP/1.1\r\n", *[b"X-Filler: " + b"y" * 8000 + b"\r\n"] * 60)
    except OSError:
        return  # closed on us: also an answer
    assert got[9:12] in (b"431", b"400")


def test_trailers_are_passed_over_and_endless_ones_refused(server: httpx.Client) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    fine = raw(server, head + b"X-Request-Id: from-a-trailer\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n")
    assert fine.count(b"HTTP/1.1 200") == 2
    assert b"from-a-trailer" not in fine
    head = head.replace(b"GET /healthz", b"POST /v1/szem/colors")
    try:
        got = raw(server, head, *[b"X-Filler: " + b"y" * 8000 + b"\r\n"] * 60)
    except OSError:
        return  # closed on us: also an answer
    assert got[9:12] == b"431"


@pytest.mark.slow
def test_half_a_body_is_ended(start: Start) -> None:
    server = start(body_stall_s=0.4)
    got = raw(server, post_head(1000), b'{"requests": [')
    assert b"408 Request Timeout" in got
    assert b"body stalled" in got


def test_half_sent_requests_do_not_take_the_places_of_others(start: Start) -> None:
    server = start(max_in_flight=1, body_stall_s=5.0)
    address = (server.base_url.host, server.base_url.port)
    stuck = [socket.create_connection(address) for _ in range(5)]
    try:
        for one in stuck:
            one.sendall(post_head(1000) + b"{")
        assert server.post("/v1/images:annotate", json=EMPTY).status_code == 200
    finally:
        for one in stuck:
            one.close()


def test_too_many_connections_are_sent_away(start: Start) -> None:
    server = start(max_connections=3)
    address = (server.base_url.host, server.base_url.port)
    held = [socket.create_connection(address) for _ in range(3)]
    try:
        got = raw(server)
        assert b"429 Too Many Requests" in got
        assert b"retry-after" in got
    finally:
        for one in held:
            one.close()


def test_a_full_house_answers_429_with_a_time(start: Start, monkeypatch: pytest.MonkeyPatch, small: bytes) -> None:
    begun, go = threading.Event(), threading.Event()
    real = Dispatcher.work

    async def slow(self: Dispatcher, *arguments: Any) -> Any:
        begun.set()
        await asyncio.to_thread(go.wait, 60)
        return await real(self, *arguments)

    monkeypatch.setattr(Dispatcher, "work", slow)
    server = start(max_in_flight=1)
    body = one_picture(small)
    answers: list[httpx.Response] = []
    worker = threading.Thread(target=lambda: answers.append(server.post("/v1/images:annotate", json=body)))
    worker.start()
    assert begun.wait(60)
    refused = server.post("/v1/images:annotate", json=EMPTY)
    assert refused.status_code == 429
    assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert int(refused.headers["retry-after"]) >= 1
    assert server.get("/healthz").status_code == 200  # what is light is never refused
    assert server.get("/v1/operations").status_code == 200
    go.set()
    worker.join(60)
    assert answers[0].status_code == 200
    assert server.post("/v1/images:annotate", json=EMPTY).status_code == 200


def one_picture(data: bytes) -> dict[str, Any]:
    content = base64.b64encode(data).decode()
    return {"requests": [{"image": {"content": content}, "features": [{"type": 7}]}]}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_work_that_takes_too_long_is_answered_504_and_stops(
    start: Start, monkeypatch: pytest.MonkeyPatch, small: bytes, tmp_path: Path
) -> None:
    marker = tmp_path / "pid"
    monkeypatch.setenv("SZEM_TEST_MARKER", str(marker))
    monkeypatch.setattr(annotate, "annotate_file_data", stalls.hang)
    server = start(answer_timeout_s=1.0, threads=1)
    while not marker.exists():  # a busy machine may need the second for starting alone
        answer = server.post("/v1/images:annotate", json=one_picture(small))
        assert answer.status_code == 504
        assert answer.json()["error"]["status"] == "DEADLINE_EXCEEDED"
    until(lambda: not is_alive(int(marker.read_text())))
    monkeypatch.undo()
    assert server.post("/v1/szem/colors", content=small, headers={"content-type": "image/png"}).status_code in (
        200,
        504,
    )


@pytest.mark.parametrize(
    ("job", "code", "text"),
    [
        (stalls.crash, 3, "crashed (SIGSEGV)"),
        (stalls.spin, 3, "of processor time"),
        (stalls.eat, 3, "more memory than"),
    ],
)
def test_a_worker_that_ends_is_one_failed_picture(
    start: Start, monkeypatch: pytest.MonkeyPatch, small: bytes, job: Any, code: int, text: str
) -> None:
    server = start(worker_cpu_s=0.5)
    monkeypatch.setattr(annotate, "annotate_file_data", job)
    (one,) = server.post("/v1/images:annotate", json=one_picture(small)).json()["responses"]
    assert one["error"]["code"] == code
    assert text in one["error"]["message"]
    monkeypatch.undo()
    (one,) = server.post("/v1/images:annotate", json=one_picture(small)).json()["responses"]
    assert "error" not in one  # another worker has taken its place
    assert server.get("/healthz").status_code == 200


def test_a_fault_nobody_meant_says_nothing_of_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch, small: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(annotate, "annotate_file_data", stalls.fault)
    answer = start().post("/v1/images:annotate", json=one_picture(small))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    until(lambda: answer.headers["x-request-id"] in caplog.text)
    assert "KeyError" in caplog.text  # the log has the worker's traceback


# Ports -------------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_an_error_or_another_port() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeniedError, match=f"cannot listen on 127.0.0.1:{port}.*--port"):
            bind("127.0.0.1", port)
        with bind("127.0.0.1", port, or_free=True) as other:
            assert other.getsockname()[1] not in (0, port)
            assert address_of(other).startswith("http://127.0.0.1:")


def test_a_host_that_is_none_is_reported() -> None:
    with pytest.raises(RangeError, match="not a name or address"):
        bind("no such host.invalid", 0)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"port": 70000}, "0..65535"),
        ({"max_in_flight": 0}, "at least 1"),
        ({"api_keys": (" ",)}, "must not be empty"),
    ],
)
def test_settings_are_checked(choices: dict[str, object], said: str) -> None:
    with pytest.raises(RangeError, match=said):
        ServeSettings(**choices)  # type: ignore[arg-type]
