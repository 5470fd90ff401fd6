"""Who may call, how much at once, how large and how slow a request may be. Pure ASGI, before any route sees it.

A refusal is answered at once, while the caller may still be sending; what follows is read and thrown away for a
moment, so that the caller gets to read the answer instead of a broken connection.
"""

import asyncio
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from szem.errors import SzemError
from szem.serve.middleware.body import BodyRefusedError, RequestBody, check_length
from szem.serve.middleware.caller import CallerCheck
from szem.serve.status import error_to_reply
from szem.serve.workers import ARRIVED

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from szem.serve.metrics import Metrics
    from szem.serve.middleware.limits import RequestGate
    from szem.serve.settings import ServeSettings

__all__ = ["AuthAndLimits", "is_own_path"]

_SMALL_BODY = 64 * 1024  # for routes that take no picture
_VIDEOS = "/v1/szem/guard/videos"


def is_own_path(path: str) -> bool:
    """Whether a path is one of szem's own, not of Google's dialect."""
    return not path.startswith("/v1/") or path.startswith("/v1/szem/")


class AuthAndLimits:
    """ASGI middleware.

    Args:
        app: What is guarded.
        settings: The operator's choices.
        metrics: Where refusals are counted.
        gate: Counts requests, those of gRPC too.
    """

    def __init__(self, app: "ASGIApp", *, settings: "ServeSettings", metrics: "Metrics", gate: "RequestGate") -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.gate = gate
        self.caller = CallerCheck(settings)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Check, then pass on with a watched `receive` and `send`."""
        if scope["type"] == "websocket":
            await self._watch(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # A worker's time limit counts from here: what a request has waited is part of it.
        ARRIVED.set(time.monotonic())
        headers = Headers(scope=scope)
        started = False

        answering: asyncio.Timeout | None = None

        def begin_anew() -> None:
            """The time for an answer is for work: how slowly a body comes or an answer leaves is judged apart."""
            if answering is not None and not answering.expired():
                answering.reschedule(asyncio.get_running_loop().time() + self.settings.answer_timeout_s)

        async def send_in_time(message: "Message") -> None:
            nonlocal started
            started = True
            async with asyncio.timeout(self.settings.send_timeout_s):
                await send(message)
            begin_anew()

        body = RequestBody(
            receive,
            scope,
            limit=self._body_limit(scope),
            stall_s=self.settings.body_stall_s,
            min_bytes_per_s=self.settings.body_min_bytes_per_s,
            streamed=scope["path"] == _VIDEOS,
            on_piece=begin_anew,
        )
        try:
            scope["state"]["caller"] = self.caller.check(scope, headers)
            check_length(headers, body.limit)
            body.unpack(scope)
            # After the checks: strangers and bodies of a wrong size take no place of those who may work.
            with self.gate.enter() if _is_work(scope) else nullcontext() as body.place:
                async with asyncio.timeout(self.settings.answer_timeout_s) as answering:
                    try:
                        await self.app(scope, body.receive, send_in_time)
                    finally:
                        answering = None
        except (BodyRefusedError, SzemError, TimeoutError) as error:
            # The status is on its way already: closing the connection is the only sign of failure left.
            if started:
                raise
            reason = error.reason if isinstance(error, BodyRefusedError) else error
            self.metrics.refused.labels(type(reason).__name__).inc()
            await self._refuse(reason, scope, body, send_in_time)

    async def _watch(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A WebSocket: strangers are refused before it opens, which they see as 403; the route does the rest."""
        try:
            self.caller.check(scope, Headers(scope=scope))
        except SzemError as error:
            self.metrics.refused.labels(type(error).__name__).inc()
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
            return
        await self.app(scope, receive, send)

    def _body_limit(self, scope: "Scope") -> int:
        """Bytes a request may bring. What is held in memory never exceeds what all requests may hold together."""
        if scope["path"] == _VIDEOS and scope["method"] == "POST":
            return self.settings.max_video_bytes
        return min(self._memory_limit(scope), self.settings.max_body_bytes_in_flight)

    def _memory_limit(self, scope: "Scope") -> int:
        if not _is_work(scope):
            return _SMALL_BODY
        if scope["path"] == "/v1/szem/lab/networks":
            return self.settings.max_network_bytes
        if is_own_path(scope["path"]):
            return self.settings.max_picture_bytes * 4 // 3 + _SMALL_BODY  # base64 and its frame
        return self.settings.max_request_bytes

    async def _refuse(self, error: Exception, scope: "Scope", body: RequestBody, send: "Send") -> None:
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


def _is_work(scope: "Scope") -> bool:
    """Whether a request may bring pictures: those are counted, the light ones never wait behind them."""
    if scope["method"] != "POST":
        return False
    path = scope["path"]
    return path.startswith("/v1/") and not path.endswith(":cancel")
