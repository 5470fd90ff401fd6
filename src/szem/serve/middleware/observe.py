"""The outermost layer: an id for each request, one log line, counters, and an answer even to faults nobody meant."""

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from szem.errors import DeniedError
from szem.serve.access import Access
from szem.serve.status import UnavailableError, error_to_reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from szem.serve.metrics import Metrics

__all__ = ["SAFE_HEADERS", "Observe", "Trace", "trace_of"]

_log = logging.getLogger("szem.serve")
# No page of another origin may embed an answer, and no browser may guess that it is something else than it says.
SAFE_HEADERS = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}\Z")  # an id from outside goes into logs: nothing that could forge a line


@dataclass
class Trace:
    """What is known of one request while it is answered."""

    id: str
    path: str  # as it was asked for
    started: float = field(default_factory=time.perf_counter)
    bytes_in: int = 0
    bytes_out: int = 0
    pictures: int = 0
    status: int = 0

    @classmethod
    def begin(cls, given_id: str, path: str) -> "Trace":
        """The trace of a new request, with the caller's id for it where that is one."""
        return cls(id=given_id if _ID.match(given_id) else uuid.uuid4().hex, path=path)

    def note(self, metrics: "Metrics", *, protocol: str, method: str, route: str, client: str) -> None:
        """Count the request and write its line."""
        seconds = time.perf_counter() - self.started
        metrics.requests.labels(route, method, str(self.status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        line = Access(
            id=self.id,
            protocol=protocol,
            method=method,
            path=self.path,
            route=route,
            status=self.status,
            duration_ms=round(seconds * 1000, 3),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            pictures=self.pictures,
            client=client,
        )
        _log.info("%s", line)


def trace_of(scope: "Scope") -> Trace:
    """The trace of a request."""
    found = scope["state"]["trace"]
    assert isinstance(found, Trace)
    return found


class Observe:
    """ASGI middleware."""

    def __init__(self, app: "ASGIApp", *, metrics: "Metrics") -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request and write its line."""
        if scope["type"] == "websocket":
            await self.app(scope, receive, _refusing_as_http(scope, send))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace = Trace.begin(Headers(scope=scope).get("x-request-id", ""), scope["path"])
        scope.setdefault("state", {})["trace"] = trace

        async def send_with_id(message: "Message") -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace.id
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            elif message["type"] == "http.response.body":
                trace.bytes_out += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            trace.status = trace.status or 499
        except asyncio.CancelledError:  # the server ends, and this took longer than the grace it gives
            if not trace.status:  # half an answer is left as it is: the connection breaks, and that shows
                ending = UnavailableError("the server is ending; send this again once it is back")
                await error_to_reply(ending)(scope, receive, send_with_id)
        except Exception as error:
            _log.exception("request %s failed", trace.id)
            if trace.status:  # the answer had begun: the connection must break, or half an answer would look whole
                raise
            await error_to_reply(error)(scope, receive, send_with_id)
        finally:
            self.metrics.in_flight.dec()
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            client = str((scope.get("client") or "-")[0])
            trace.note(self.metrics, protocol="http", method=method, route=_route_of(scope), client=client)


def _refusing_as_http(scope: "Scope", send: "Send") -> "Send":
    """A WebSocket that is closed before it opened is an HTTP answer, with the headers of every other."""
    opened = "websocket.http.response" not in scope.get("extensions", {})

    async def send_or_refuse(message: "Message") -> None:
        nonlocal opened
        opened = opened or message["type"] == "websocket.accept"
        if opened or message["type"] != "websocket.close":
            await send(message)
            return
        refusal = error_to_reply(
            DeniedError(message.get("reason") or "there is no WebSocket here; /docs lists what is")
        )
        for name, value in SAFE_HEADERS.items():
            refusal.headers[name] = value
        status, headers = refusal.status_code, refusal.raw_headers
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": bytes(refusal.body)})

    return send_or_refuse


_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


def _route_of(scope: "Scope") -> str:
    """The pattern that matched, so that the number of counters stays small whatever is asked for."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if isinstance(path, str):
        return path
    return "/v1/" if scope["path"].startswith("/v1/") else "/"
