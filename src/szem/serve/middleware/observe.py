"""The outermost layer: an id for each request, one log line, counters, and an answer even to faults nobody meant."""

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from szem.errors import DeniedError
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
    pictures: int = 0
    status: int = 0


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
        given = Headers(scope=scope).get("x-request-id", "")
        trace = Trace(id=given if _ID.match(given) else uuid.uuid4().hex, path=scope["path"])
        scope.setdefault("state", {})["trace"] = trace

        async def send_with_id(message: "Message") -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace.id
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
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
            self._note(scope, trace)

    def _note(self, scope: "Scope", trace: Trace) -> None:
        seconds = time.perf_counter() - trace.started
        route = _route_of(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.requests.labels(route, method, str(trace.status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        client = scope.get("client")
        _log.info(
            "%s %s %s %d %.1f ms in=%d pictures=%d from=%s",
            trace.id,
            method,
            quote(trace.path[:200], safe="/:._-~*@"),
            trace.status,
            seconds * 1000,
            trace.bytes_in,
            trace.pictures,
            client[0] if client else "-",
        )


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
