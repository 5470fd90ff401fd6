"""imageUri over real HTTP on loopback, which the operator has allowed for these tests."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

Start = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def site(small: bytes) -> Iterator[str]:
    """A small web site: pictures, redirects, and servers that behave badly."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path
            if path == "/small.png":
                self.give(small)
            elif path == "/once":
                self.go("/small.png")
            elif path == "/twice":
                self.go("/once")
            elif path == "/for-ever":
                self.go("/for-ever")
            elif path.startswith("/to?"):
                self.go(path[4:])
            elif path == "/nowhere":
                self.send_response(302)
                self.end_headers()
            elif path == "/large":
                self.give(b"x" * 300_000)
            elif path == "/large-unsaid":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 300_000)
            elif path == "/slow":
                self.send_response(200)
                self.end_headers()
                for _ in range(50):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
            elif path == "/half":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x")
            elif path == "/packed":
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                self.wfile.write(b"\x1f\x8b")
            elif path == "/noise":
                self.wfile.write(b"\0\1\2 this is not HTTP\r\n\r\n")
            else:
                self.send_error(404)

        def give(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def go(self, where: str) -> None:
            self.send_response(302)
            self.send_header("Location", where)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass  # a caller who hangs up is what some of these tests are about

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def fetching(site: str, run_server: Callable[..., AbstractContextManager[httpx.Client]]) -> Iterator[httpx.Client]:
    """A server that may fetch from the site, on its port only."""
    hosts = (site.removeprefix("http://"),)
    with run_server(
        allow_hosts=hosts, allow_private_hosts=True, max_picture_bytes=200_000, fetch_timeout_s=60.0
    ) as server:
        yield server


def ask(server: httpx.Client, uri: str) -> dict[str, object]:
    one = {"image": {"source": {"imageUri": uri}}, "features": [{"type": "IMAGE_PROPERTIES"}]}
    answer = server.post("/v1/images:annotate", json={"requests": [one]})
    assert answer.status_code == 200
    return answer.json()["responses"][0]


@pytest.mark.parametrize("path", ["/small.png", "/once", "/twice"])
def test_a_picture_is_fetched_redirects_and_all(start: Start, site: str, path: str) -> None:
    server = start(allow_hosts=("127.0.0.1:*",), allow_private_hosts=True)
    assert "imagePropertiesAnnotation" in ask(server, site + path)


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/missing", 14, "answered 404"),
        ("/for-ever", 14, "more than 3 redirects"),
        ("/nowhere", 14, "redirects to nowhere"),
        ("/to?file:///etc/passwd", 3, "must begin with http"),
        ("/to?http://localhost/small.png", 7, "does not fetch from 'localhost'"),
        ("/to?http://127.0.0.1:22/", 7, "does not fetch from '127.0.0.1:22'"),
        ("/to?//10.0.0.1/", 7, "does not fetch from '10.0.0.1'"),
        ("/large", 3, "more than 200,000 bytes"),
        ("/large-unsaid", 3, "more than 200,000 bytes"),
        ("/half", 14, "We can not access the URL currently"),
        ("/packed", 14, "compressed"),
        ("/noise", 14, "We can not access the URL currently"),
    ],
)
def test_what_cannot_be_fetched_is_reported_inside_the_answer(
    fetching: httpx.Client, site: str, path: str, code: int, said: str
) -> None:
    error = ask(fetching, site + path)["error"]
    assert isinstance(error, dict)
    assert error["code"] == code
    assert said in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == "requests[0].image.source.imageUri"


def test_one_who_sends_slowly_is_not_waited_for(start: Start, site: str) -> None:
    server = start(allow_hosts=("127.0.0.1:*",), allow_private_hosts=True, fetch_timeout_s=1.0)
    error = ask(server, site + "/slow")["error"]
    assert isinstance(error, dict)
    assert error["code"] == 14
    assert "did not answer within 1 s" in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == "requests[0].image.source.imageUri"


def test_nothing_is_fetched_unless_the_operator_says_so(server: httpx.Client, site: str) -> None:
    error = ask(server, site + "/small.png")["error"]
    assert isinstance(error, dict)
    assert error["code"] == 7
    assert "--allow-host" in error["message"]


def test_an_allowed_name_with_a_private_address_is_not_fetched(start: Start, site: str) -> None:
    server = start(allow_hosts=("*:*",))
    error = ask(server, site + "/small.png")["error"]
    assert isinstance(error, dict)
    assert error["code"] == 7
    assert "not a public address" in error["message"]


def test_content_comes_before_a_uri(server: httpx.Client, small: bytes) -> None:
    image = {"content": base64.b64encode(small).decode(), "source": {"imageUri": "http://127.0.0.1:1/"}}
    answer = server.post(
        "/v1/images:annotate", json={"requests": [{"image": image, "features": [{"type": "IMAGE_PROPERTIES"}]}]}
    )
    assert "imagePropertiesAnnotation" in answer.json()["responses"][0]
