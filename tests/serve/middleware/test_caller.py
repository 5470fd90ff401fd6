"""Who may call: names, pages of other origins, keys, and what every answer says to browsers."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from starlette.datastructures import Headers

from szem.errors import DeniedError, RangeError
from szem.serve.middleware.caller import CallerCheck, needs_owner_key
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError, MissingKeyError

from ..conftest import KEY

Run = Callable[..., AbstractContextManager[httpx.Client]]


def check(
    settings: ServeSettings, *, path: str = "/v1/szem/kernels", server: str = "127.0.0.1", **headers: str
) -> str:
    """Ask the check itself: no socket is needed for an address that this machine does not have."""
    given = {"host": "localhost:8777"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "http_version": "1.1",
        "scheme": "http",
        "server": (server, 8777),
        "query_string": b"",
    }
    return CallerCheck(settings).check(scope, Headers(given))


def ask(server: httpx.Client, request: str) -> bytes:
    """Send bytes as they are; gives the beginning of the answer."""
    with socket.create_connection((server.base_url.host, server.base_url.port), timeout=60) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "a-machine.lan", ""])
def test_no_server_listens_to_other_machines_without_a_name_or_a_key(host: str) -> None:
    with pytest.raises(RangeError, match=r"--hostname NAME.*--api-key KEY"):
        ServeSettings(host=host)
    assert not ServeSettings(host=host, hostnames=("eye.lan",)).on_loopback
    assert not ServeSettings(host=host, api_keys=("a key",)).on_loopback


def test_the_owners_key_is_not_shown_with_the_settings() -> None:
    assert "hidden" not in repr(ServeSettings(key="hidden", api_keys=("hidden",)))


@pytest.mark.parametrize(
    ("bind", "server"),
    [
        ({}, "127.0.0.1"),
        ({"host": "127.0.0.2"}, "127.0.0.2"),
        ({"host": "::1"}, "::1"),
        ({"host": "0.0.0.0", "hostnames": ("eye.lan",)}, "192.168.1.5"),
        ({"host": "0.0.0.0", "api_keys": ("a key",)}, "192.168.1.5"),
        ({"host": "0.0.0.0", "api_keys": ("a key",)}, "127.0.0.1"),
    ],
)
def test_every_bind_refuses_a_name_that_somebody_pointed_at_it(bind: dict[str, object], server: str) -> None:
    settings = ServeSettings(key=KEY, **bind)  # type: ignore[arg-type]
    key = {"x_szem_key": KEY}
    for name in ("rebind.test", f"{server}.rebind.test", "localhost.rebind.test", "10.0.0.1", "x" * 500):
        with pytest.raises(DeniedError, match="does not answer to the name"):
            check(settings, server=server, host=f"{name}:8777", **key)
    own = f"[{server}]" if ":" in server else server
    check(settings, server=server, host=f"{own}:8777", **key)
    for name in settings.hostnames:
        check(settings, server=server, host=name.upper(), **key)


def test_localhost_is_no_name_of_an_outer_address() -> None:
    settings = ServeSettings(host="0.0.0.0", hostnames=("eye.lan",))
    check(settings, server="127.0.0.1", host="localhost")
    with pytest.raises(DeniedError):
        check(settings, server="192.168.1.5", host="localhost")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "something new"])
def test_a_page_of_another_origin_can_embed_nothing(server: httpx.Client, site: str) -> None:
    """`<img>`, `<video>` and `<script>` send no Origin; the browser says who asks in Sec-Fetch-Site."""
    for path in ("/v1/szem/guard", "/v1/szem/samples/cat.png", "/v1/szem/kernels", "/metrics", "/openapi.json"):
        for mode in ("no-cors", "navigate"):
            answer = server.get(path, headers={"sec-fetch-site": site, "sec-fetch-mode": mode})
            assert answer.status_code == 403, path
    for own in ("same-origin", "none"):
        assert server.get("/v1/szem/kernels", headers={"sec-fetch-site": own}).status_code == 200


def test_pages_that_the_operator_allows_may_call_from_elsewhere() -> None:
    settings = ServeSettings(allow_origins=("https://good.example",))
    check(settings, sec_fetch_site="cross-site", origin="https://good.example")
    for stranger in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        with pytest.raises(DeniedError, match="--allow-origin"):
            check(settings, sec_fetch_site="cross-site", **stranger)


def test_no_answer_may_be_embedded_or_taken_for_something_else(server: httpx.Client) -> None:
    for path, status in [
        ("/v1/szem/kernels", 200),
        ("/v1/szem/samples/cat.png", 200),
        ("/v1/szem/guard", 200),
        ("/v1/nothing", 404),
        ("/v1/szem/guard/events/none", 404),
        ("/", 200),
    ]:
        answer = server.get(path)
        assert answer.status_code == status, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    refused = server.get("/v1/szem/kernels", headers={"host": "rebind.test"})
    assert (refused.status_code, refused.headers["x-content-type-options"]) == (403, "nosniff")


def test_two_host_headers_are_a_bad_request(server: httpx.Client) -> None:
    for hosts in ("Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: rebind.test\r\n", ""):
        answer = ask(server, f"GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")
        assert b" 400 " in answer.split(b"\r\n", 1)[0], hosts


@pytest.mark.parametrize(
    ("target", "hosts", "status"),
    [
        ("http://rebind.test/healthz", ["localhost"], 403),
        ("https://rebind.test/v1/szem/guard/rules", ["localhost"], 403),
        ("http://localhost@rebind.test/healthz", ["localhost"], 403),
        ("http:///healthz", ["localhost"], 403),  # no name is not ours
        ("http://localhost/healthz", ["rebind.test"], 200),  # the target counts
        ("http://someone@LOCALHOST:80/healthz", ["localhost"], 200),
        ("http://localhost", ["localhost"], 200),
        ("http://localhost?a=1", ["localhost"], 200),
        ("http://localhost/healthz", ["localhost", "localhost"], 400),
        ("http://localhost/healthz", [], 400),
        ("http://[::1/healthz", ["localhost"], 400),
        ("localhost/healthz", ["localhost"], 400),
        ("//rebind.test/healthz", ["localhost"], 404),  # a path
    ],
)
def test_the_host_of_a_target_that_is_a_whole_url_replaces_the_header(
    server: httpx.Client, target: str, hosts: list[str], status: int
) -> None:
    """RFC 9112, 3.2.2."""
    head = "".join(f"Host: {host}\r\n" for host in hosts)
    answer = ask(server, f"GET {target} HTTP/1.1\r\n{head}X-Szem-Key: {KEY}\r\nConnection: close\r\n\r\n")
    assert f" {status} ".encode() in answer.split(b"\r\n", 1)[0]


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\n"])
def test_the_host_of_a_whole_url_is_checked_in_http_1_0(server: httpx.Client, hosts: str) -> None:
    assert b" 403 " in ask(server, f"GET http://rebind.test/healthz HTTP/1.0\r\n{hosts}\r\n").split(b"\r\n", 1)[0]


def test_a_websocket_with_a_whole_url_is_checked_by_that_url(server: httpx.Client) -> None:
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    for target, host, status in (("rebind.test", "localhost", 403), ("localhost", "rebind.test", 101)):
        head = f"GET http://{target}/v1/szem/detect/live HTTP/1.1\r\nHost: {host}\r\n"
        assert f" {status} ".encode() in ask(server, head + upgrade).split(b"\r\n", 1)[0]


def test_without_a_key_of_its_own_nobody_opens_the_guard() -> None:
    for key in ("", "None", KEY):
        with pytest.raises(MissingKeyError):
            check(ServeSettings(), path="/v1/szem/guard/rules", x_szem_key=key)


def test_recognition_stays_open_on_loopback(run_server: Run) -> None:
    with run_server() as server:
        del server.headers["x-szem-key"]
        for path in ("/v1/szem/kernels", "/v1/szem/samples", "/healthz", "/openapi.json", "/metrics"):
            assert server.get(path).status_code == 200, path
        assert server.post("/v1/images:annotate", json={"requests": [{}]}).status_code == 200


def test_pictures_of_the_operators_folders_need_the_owners_key() -> None:
    assert needs_owner_key("/v1/szem/lab/networks/x/layers/3/strongest")
    assert not needs_owner_key("/v1/szem/lab/networks")
    assert not needs_owner_key("/v1/szem/guardian")


def test_a_websocket_brings_its_key_as_a_subprotocol() -> None:
    settings = ServeSettings(host="0.0.0.0", api_keys=("an-api-key",), key=KEY)
    for key in ("an-api-key", KEY):
        check(settings, path="/v1/szem/detect/live", sec_websocket_protocol=f"szem, szem.key.{key}", host="127.0.0.1")
    with pytest.raises(DeniedError):
        check(settings, path="/v1/szem/detect/live", sec_websocket_protocol="szem", host="127.0.0.1")


def test_a_request_without_a_host_is_refused_in_http_1_1() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "http_version": "1.1", "server": ("127.0.0.1", 1)}
    with pytest.raises(FieldsError, match="one Host header"):
        CallerCheck(ServeSettings()).check(scope, Headers({}))
    CallerCheck(ServeSettings()).check(scope | {"http_version": "1.0"}, Headers({}))
