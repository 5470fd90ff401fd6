"""Who may call, how much at once, how large and how slow a request may be. Pure ASGI, before any route sees it.

A refusal is answered at once, while the caller may still be sending; what follows is read and thrown away for a
moment, so that the caller gets to read the answer instead of a broken connection.
"""

import asyncio
import hashlib
import hmac
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers

from szem.errors import DeniedError, SzemError, TooLargeError, UnsupportedError
from szem.serve.middleware.limits import RequestGate, RequestSlot
from szem.serve.middleware.observe import trace_of
from szem.serve.status import SlowRequestError, error_to_reply
from szem.serve.workers import ARRIVED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from szem.serve.metrics import Metrics
    from szem.serve.settings import ServeSettings

__all__ = ["AuthAndLimits", "is_own_path"]

_SMALL_BODY = 64 * 1024  # for routes that take no picture
_LINGER_S = 3.0
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_own_path(path: str) -> bool:
    """Whether a path is one of szem's own, not of Google's dialect."""
    return not path.startswith("/v1/") or path.startswith("/v1/szem/")


class AuthAndLimits:
    """ASGI middleware.

    Args:
        app: What is guarded.
        settings: The operator's choices.
        metrics: Where refusals are counted.
    """

    def __init__(self, app: "ASGIApp", *, settings: "ServeSettings", metrics: "Metrics") -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.gate = RequestGate(places=settings.max_in_flight, max_bytes=settings.max_body_bytes_in_flight)
        self._keys = tuple(_digest(key.strip()) for key in settings.api_keys)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Check, then pass on with a watched `receive` and `send`."""
        if scope["type"] == "websocket":
            await self._watch(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        ARRIVED.set(time.monotonic())
        headers = Headers(scope=scope)
        started = False

        async def send_in_time(message: "Message") -> None:
            nonlocal started
            started = True
            async with asyncio.timeout(self.settings.send_timeout_s):
                await send(message)

        body = _Body(receive, scope, limit=self._body_limit(scope), timeout_s=self.settings.body_timeout_s)
        try:
            scope["state"]["caller"] = self._check_caller(scope, headers)
            _check_length(headers, body.limit)
            with self.gate.enter() if _is_work(scope) else nullcontext() as body.place:
                async with asyncio.timeout(self.settings.answer_timeout_s):
                    await self.app(scope, body.receive, send_in_time)
        except (_RefusedError, SzemError, TimeoutError) as error:
            if started:
                raise
            reason = error.reason if isinstance(error, _RefusedError) else error
            self.metrics.refused.labels(type(reason).__name__).inc()
            await self._refuse(reason, scope, body, send_in_time)

    async def _watch(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A WebSocket: strangers are refused before it opens, which they see as 403; the route does the rest."""
        try:
            self._check_caller(scope, Headers(scope=scope))
        except SzemError as error:
            self.metrics.refused.labels(type(error).__name__).inc()
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
            return
        await self.app(scope, receive, send)

    # Who --------------------------------------------------------------------------------------------------------

    def _check_caller(self, scope: "Scope", headers: Headers) -> str:
        """Refuse strangers; the fingerprint of the caller's key, empty when none is asked for."""
        self._check_host(headers)
        path = scope["path"]
        if not (path.startswith("/v1/") or path == "/metrics"):
            return ""
        if scope.get("method") == "OPTIONS":  # a browser asks first, and without keys
            return ""
        self._check_origin(scope, headers)
        if not self._keys:
            return ""
        for key in _keys_given(scope, headers):
            mark = _digest(key)
            if sum([hmac.compare_digest(mark, known) for known in self._keys]):  # a list: every key is compared
                return mark.hex()[:16]
        raise DeniedError(
            "this server asks for an API key and got none that it knows; send it in the header x-goog-api-key "
            '(Google\'s client: client_options={"api_key": …}) or as ?key='
        )

    def _check_host(self, headers: Headers) -> None:
        """A page of another site may have its name point here; then the Host header gives it away."""
        names = {name.lower() for name in self.settings.hostnames}
        if self.settings.on_loopback:
            names |= _LOOPBACK_NAMES
        elif not names:
            return
        host = headers.get("host")
        if host is not None and _host_name(host) not in names:
            raise DeniedError(
                f"this server does not answer to the name {_host_name(host)[:80]!r}; "
                "start it with --hostname NAME if it should"
            )

    def _check_origin(self, scope: "Scope", headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or "*" in self.settings.allow_origins or origin in self.settings.allow_origins:
            return
        scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
        if origin == f"{scheme}://{headers.get('host', '')}":
            return
        raise DeniedError(
            f"pages of {origin[:80]!r} may not call this server; start it with --allow-origin to let them"
        )

    # How much ---------------------------------------------------------------------------------------------------

    def _body_limit(self, scope: "Scope") -> int:
        if not _is_work(scope):
            return _SMALL_BODY
        if scope["path"] == "/v1/szem/lab/networks":
            return self.settings.max_network_bytes
        if scope["path"] == "/v1/szem/guard/films":
            return self.settings.max_film_bytes
        if is_own_path(scope["path"]):
            return self.settings.max_picture_bytes * 4 // 3 + _SMALL_BODY  # base64 and its frame
        return self.settings.max_request_bytes

    async def _refuse(self, error: Exception, scope: "Scope", body: "_Body", send: "Send") -> None:
        """Answer now; then let a caller who is still sending finish, for a moment."""
        response = error_to_reply(error, own=is_own_path(scope["path"]))
        if body.has_ended:
            await response(scope, body.receive, send)
            return
        response.headers["connection"] = "close"
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
        if Headers(scope=scope).get("expect", "").lower() != "100-continue":
            await body.drain(limit=4 * body.limit)
        await send({"type": "http.response.body", "body": b""})


class _RefusedError(Exception):
    """Carries a refusal from `receive` through the application, past its own error handlers, to the guard."""

    def __init__(self, reason: SzemError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Body:
    """A request's body: a `receive` that counts bytes and time."""

    def __init__(self, receive: "Receive", scope: "Scope", *, limit: int, timeout_s: float) -> None:
        self._receive = receive
        self._trace = trace_of(scope)
        self._timeout_s = timeout_s
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self.limit = limit
        self.place: RequestSlot | None = None
        self.has_ended = False

    async def receive(self) -> "Message":
        if self.has_ended:  # now it waits for the caller to leave: no hurry
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
            self._count(message)
        except TimeoutError as error:
            raise _RefusedError(
                SlowRequestError(
                    f"the request's body did not arrive within {self._timeout_s:g} s; send it faster or smaller"
                )
            ) from error
        except SzemError as error:
            raise _RefusedError(error) from error
        return message

    def _count(self, message: "Message") -> None:
        if message["type"] != "http.request":
            return
        size = len(message.get("body", b""))
        self._trace.bytes_in += size
        self.has_ended = not message.get("more_body", False)
        if self._trace.bytes_in > self.limit:
            raise _too_large(f"more than {self.limit:,}", self.limit)
        if self.has_ended:
            ARRIVED.set(time.monotonic())  # one who sends slowly does not come before those who are done
        if self.place is not None:
            self.place.hold(size)
            if self.has_ended:
                self.place.begin()

    async def drain(self, *, limit: int) -> None:
        """Read on and throw away, within bounds."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while limit > 0:
                    message = await self._receive()
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    limit -= len(message.get("body", b""))
        except TimeoutError:
            return


def _check_length(headers: Headers, limit: int) -> None:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedError(f"a body with content-encoding {coding[:40]!r} is not taken; send it plain")
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise _too_large(declared[:18], limit)


def _too_large(size: str, limit: int) -> TooLargeError:
    return TooLargeError(
        f"Request payload size exceeds the limit: {limit} bytes, got {size}; send fewer or smaller pictures"
    )


def _is_work(scope: "Scope") -> bool:
    """Whether a request may bring pictures: those are counted, the light ones never wait behind them."""
    if scope["method"] != "POST":
        return False
    path = scope["path"]
    return path.startswith("/v1/") and not path.endswith(":cancel")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _keys_given(scope: "Scope", headers: Headers) -> "Iterable[str]":
    """Every key that came with a request: header, query, bearer token."""
    if "x-goog-api-key" in headers:
        yield headers["x-goog-api-key"].strip()
    query = scope.get("query_string", b"")
    if b"key=" in query:
        yield from parse_qs(query.decode("latin-1"), max_num_fields=None).get("key", [])[:4]
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        yield token.strip()


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets.

    >>> _host_name("[::1]:8777"), _host_name("LOCALHOST.:80")
    ('::1', 'localhost')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host
