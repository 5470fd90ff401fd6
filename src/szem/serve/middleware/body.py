"""A request's body as it arrives: counted, timed, and unpacked where it is gzip. Pure ASGI.

Time is granted by progress, so that a long video over a slow link arrives and a caller who stalls is cut: nothing may
be missing for longer than `stall_s`, and what has come by then must have come at `min_bytes_per_s`. The limit of the
body's size divided by that rate bounds the whole.

A compressed body is unpacked piece by piece, and its unpacked size is what counts: a few bytes that stand for many
stop at the limit, long before they are in memory.
"""

import asyncio
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from szem.errors import SzemError, TooLargeError
from szem.serve.middleware.observe import trace_of
from szem.serve.status import CodingError, FieldsError, SlowRequestError
from szem.serve.workers import ARRIVED

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from szem.serve.middleware.limits import RequestSlot

__all__ = ["BodyRefusedError", "RequestBody", "check_length"]

_LINGER_S = 3.0
_PIECE = 256 * 1024  # unpacked bytes passed on at a time
_GZIP = 16 + zlib.MAX_WBITS
_MOST_MEMBERS = 1_000  # one behind the other


class BodyRefusedError(Exception):
    """Carries a refusal from `receive` through the application, past its own error handlers, to the middleware."""

    def __init__(self, reason: SzemError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RequestBody:
    """A `receive` that counts bytes and time.

    Args:
        receive: The server's own.
        scope: Of the request; a content-encoding that is undone here is taken out of its headers.
        limit: Bytes, unpacked.
        stall_s: How long nothing may come; also granted once for the start.
        min_bytes_per_s: How fast it must come on the whole, as it is sent (packed).
        on_piece: Called with each piece of the body.
        streamed: The route writes the body to the disk as it comes; it does not count as held in memory.
    Raises:
        CodingError: a content-encoding other than gzip.
    """

    def __init__(
        self,
        receive: "Receive",
        scope: "Scope",
        *,
        limit: int,
        stall_s: float,
        min_bytes_per_s: float,
        streamed: bool = False,
        on_piece: Callable[[], None] = lambda: None,
    ) -> None:
        self._receive = receive
        self._trace = trace_of(scope)
        self._stall_s, self._min_bytes_per_s = stall_s, min_bytes_per_s
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._streamed = streamed
        self._on_piece = on_piece
        self._size = 0
        self._gunzip: _Gunzip | None = None
        self.limit = limit
        self.place: RequestSlot | None = None
        self.has_ended = False

    def unpack(self, scope: "Scope") -> None:
        """Undo the body's content-encoding from here on.

        Raises:
            CodingError: it is not gzip.
        """
        headers = Headers(scope=scope)
        coding = ",".join(headers.getlist("content-encoding")).strip().lower()
        if coding in ("", "identity"):
            return
        if coding not in ("gzip", "x-gzip"):
            raise CodingError(f"a body with content-encoding {coding[:40]!r} is not taken; send it plain or as gzip")
        self._gunzip = _Gunzip()
        # In place: the routes, and whoever logs them, look at this very scope.
        scope["headers"] = [
            (name, value) for name, value in scope["headers"] if name not in (b"content-encoding", b"content-length")
        ]

    async def receive(self) -> "Message":
        """The next piece of the body."""
        if self.has_ended:  # now it waits for the caller to leave: no hurry
            return await self._receive()
        try:
            if self._gunzip is not None and self._gunzip.has_more:
                message: Message = self._unpacked(b"", last=self._gunzip.has_all)
                await asyncio.sleep(0)  # nothing else here waits: others come between two pieces
            else:
                async with asyncio.timeout_at(self._deadline()):
                    message = await self._receive()
                if message["type"] == "http.request":
                    self._trace.bytes_in += len(message.get("body", b""))
                    self._on_piece()
                    if self._gunzip is not None:
                        message = self._unpacked(message.get("body", b""), last=not message.get("more_body", False))
            self._count(message)
        except TimeoutError as error:
            raise BodyRefusedError(
                SlowRequestError(
                    f"the request's body stalled: {self._trace.bytes_in:,} bytes came in "
                    f"{self._clock() - self._begun:.0f} s, at least {self._min_bytes_per_s / 1024:g} KiB/s are "
                    f"needed and no pause longer than {self._stall_s:g} s; send it faster or smaller"
                )
            ) from error
        except SzemError as error:
            raise BodyRefusedError(error) from error
        return message

    def _deadline(self) -> float:
        """When the next piece must be here."""
        granted_s = self._stall_s + self._trace.bytes_in / self._min_bytes_per_s
        return min(self._clock() + self._stall_s, self._begun + granted_s)

    def _unpacked(self, data: bytes, *, last: bool) -> "Message":
        assert self._gunzip is not None
        body = self._gunzip.feed(data, last=last)
        return {"type": "http.request", "body": body, "more_body": not last or self._gunzip.has_more}

    def _count(self, message: "Message") -> None:
        if message["type"] != "http.request":
            return
        size = len(message.get("body", b""))
        self._size += size
        self.has_ended = not message.get("more_body", False)
        if self._size > self.limit:
            raise _too_large(f"more than {self.limit:,}", self.limit)
        if self.has_ended:
            ARRIVED.set(time.monotonic())  # one who sends slowly does not come before those who are done
        if self.place is not None:
            self.place.hold(0 if self._streamed else size)
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


class _Gunzip:
    """Unpacks gzip, at most `_PIECE` bytes at a time; several members one after the other are one body."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._packed = b""
        self._members = 1
        self._full = False  # the last piece was cut at its size: the member may hold more without further input
        self.has_all = False  # the last packed byte has come

    @property
    def has_more(self) -> bool:
        """Whether more can be unpacked before further packed bytes come."""
        return bool(self._packed) or self._full

    def feed(self, data: bytes, *, last: bool) -> bytes:
        """The next unpacked bytes.

        Raises:
            FieldsError: not gzip, cut off, or in too many members.
        """
        self.has_all = last
        packed = self._packed + data
        try:
            if self._member.eof and packed:
                self._member = zlib.decompressobj(_GZIP)
                self._members += 1
                if self._members > _MOST_MEMBERS:  # each costs time, and may be empty
                    raise FieldsError(f"the gzip body has more than {_MOST_MEMBERS} members; pack it as one")
            out = self._member.decompress(packed, _PIECE)
        except zlib.error as error:
            raise FieldsError(
                f"the body is not gzip, as its content-encoding says ({error}); send it plain"
            ) from error
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self._full = len(out) >= _PIECE and not self._member.eof
        if last and not self.has_more and not self._member.eof:
            raise FieldsError("the gzip body breaks off before its end; send it whole")
        return out


def check_length(headers: Headers, limit: int) -> None:
    """Refuse a body that says itself that it is too large.

    Raises:
        TooLargeError: more than the limit.
    """
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise _too_large(declared[:18], limit)


def _too_large(size: str, limit: int) -> TooLargeError:
    return TooLargeError(
        f"Request payload size exceeds the limit: {limit} bytes, got {size}; send fewer or smaller pictures"
    )
