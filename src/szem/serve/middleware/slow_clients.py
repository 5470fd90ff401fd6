"""Connections that stall: a clock and a size for the head of each request, and a number of connections.

uvicorn waits for ever for the rest of a request's head, the parser it prefers has no limit on its size, and it drops
a caller that closes its sending side before the answer is there. It also keeps trailers without end: 60 MB of them
took 1 GB of memory. The body is watched later, by `szem.serve.middleware.auth_and_limits`.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from szem.serve.middleware.observe import SAFE_HEADERS
from szem.serve.settings import ServeSettings

__all__ = ["build_protocol"]

MAX_HEAD_BYTES = 64 * 1024


def _plain(status: str, code: str, message: str, *, extra: str = "") -> bytes:
    number = status.split(" ", 1)[0]
    body = f'{{"error":{{"code":{number},"message":"{message}","status":"{code}"}}}}'
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{extra}"
    head += "".join(f"{name}: {value}\r\n" for name, value in SAFE_HEADERS.items())
    return f"{head}connection: close\r\n\r\n{body}".encode("ascii")


_BAD = _plain("400 Bad Request", "INVALID_ARGUMENT", "this is not an HTTP request; send HTTP/1.1")
_SLOW = _plain("408 Request Timeout", "DEADLINE_EXCEEDED", "the request's headers did not arrive in time")
_LONG = _plain("431 Request Header Fields Too Large", "INVALID_ARGUMENT", "the request's headers are too long")
_FULL = _plain("429 Too Many Requests", "RESOURCE_EXHAUSTED", "too many open connections", extra="retry-after: 2\r\n")


def _split_target(url: bytes) -> tuple[bytes, bytes]:
    """The path with its query, and the host, of a request's target that is a whole URL.

    >>> _split_target(b"http://me@eye.lan:80?a=1")
    (b'/?a=1', b'eye.lan:80')
    """
    whole = urlsplit(url.decode("latin-1"))
    path = f"{whole.path or '/'}?{whole.query}" if whole.query else whole.path or "/"
    return path.encode("latin-1"), whole.netloc.rpartition("@")[2].encode("latin-1")


def build_protocol(settings: ServeSettings) -> type[asyncio.Protocol]:
    """A protocol class for `uvicorn.Config(http=…)` with the operator's limits."""
    base: Any = AutoHTTPProtocol

    class WatchedProtocol(base):  # type: ignore[misc]
        """uvicorn's protocol, watched from outside: only its two entry points are wrapped."""

        url: bytes  # uvicorn's: the target and the headers of the request that is being read
        headers: list[tuple[bytes, bytes]]
        _clock: asyncio.TimerHandle | None = None
        _head_bytes = 0
        _trailer_bytes: int | None = None  # None: in the head of a request

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                self._end(_FULL)
            else:
                self._start()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:  # or it is a WebSocket now
                self._stop()
            elif self.cycle is not None and not self.cycle.response_complete:  # a request is being answered
                self._stop()
                self._head_bytes = 0
            elif self.cycle is not None and self.cycle.more_body:  # answered before its body was here: this is it
                self._head_bytes = 0
                if self._clock is None:
                    self._start()
            else:  # a head that is not whole yet
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self._end(_LONG)
                elif self._clock is None:
                    self._start()

        def on_message_begin(self) -> None:
            self._trailer_bytes = None
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            """Trailers behind a body in chunks are dropped: uvicorn would add them, without end, to the headers."""
            if self._trailer_bytes is None:
                super().on_header(name, value)
                return
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > MAX_HEAD_BYTES:
                self._end(b"" if self.cycle is None or self.cycle.response_started else _LONG)

        def on_headers_complete(self) -> None:
            """RFC 9112, 3.2.2: where the target is a whole URL, its host counts and the Host header does not."""
            if not self.url.startswith((b"/", b"*")):
                self.url, host = _split_target(self.url)
                named = [n for n, (name, _) in enumerate(self.headers) if name == b"host"]
                if len(named) == 1:  # two, or none in HTTP/1.1, are refused later, with the reason
                    self.headers[named[0]] = (b"host", host)
                elif not named and self.parser.get_http_version() != "1.1":
                    self.headers.append((b"host", host))
            self._trailer_bytes = 0
            super().on_headers_complete()

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's signature
            """What is no HTTP is answered as everything else is."""
            self._end(_BAD)

        def eof_received(self) -> bool | None:
            """A caller that has sent all and closed its side still gets its answer; then the connection ends."""
            if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
                return super().eof_received()
            self.cycle.keep_alive = False
            return True  # the transport stays open for writing

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _start(self) -> None:
            self._clock = self.loop.call_later(settings.header_timeout_s, self._end, _SLOW)

        def _stop(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

        def _end(self, answer: bytes) -> None:
            self._stop()
            if not self.transport.is_closing():
                self.transport.write(answer)
                self.transport.close()

    return WatchedProtocol
