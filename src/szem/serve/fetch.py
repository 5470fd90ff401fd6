"""Fetches a picture from a host that the operator has allowed, and from nowhere else.

For each hop the name is resolved once, every address is checked, and the connection goes to a checked address: an
answer that changes afterwards (DNS rebinding) changes nothing. Redirects go through the same door. Size and time are
bounded; proxies of the environment are not used.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property
from urllib.parse import urljoin

import h11

from szem.errors import DeniedError, SzemError, TooLargeError
from szem.serve.addresses import Target, check_host_allowed, is_of_a_cloud, is_public, parse_target
from szem.serve.settings import ServeSettings
from szem.serve.status import UnavailableError

__all__ = ["FetchError", "Fetcher", "Resolve", "resolve"]

_HOPS = 4
_MAX_HEAD = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Name and port -> addresses as text."""


class FetchError(UnavailableError):
    """The other server cannot be reached, or does not give a picture."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


class Fetcher:
    """Fetches over http(s) under the operator's rules.

    Args:
        settings: Allowed hosts, size and time.
        resolve: How names become addresses; the system's way by default.
    """

    def __init__(self, settings: ServeSettings, *, resolve: Resolve = resolve) -> None:
        self.settings = settings
        self._resolve = resolve

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Loading the system's certificates takes a while: only when https is fetched."""
        return ssl.create_default_context()

    async def fetch(self, url: str) -> bytes:
        """Fetch the bytes behind a URL.

        Raises:
            FieldsError: not an http(s) URL.
            DeniedError: the host is not allowed, or its address is not public.
            TooLargeError: more bytes than a picture may have.
            FetchError: no answer in time, not 200, broken off.
        """
        try:
            async with asyncio.timeout(self.settings.fetch_timeout_s):
                return await self._follow(url)
        except TimeoutError as error:
            raise FetchError(
                f"We can not access the URL currently: {url[:200]} did not answer within "
                f"{self.settings.fetch_timeout_s:g} s. Please download the content and pass it in."
            ) from error

    async def _follow(self, url: str) -> bytes:
        for _ in range(_HOPS):
            target = parse_target(url)
            check_host_allowed(target, self.settings.allow_hosts)
            answer = await self._get(target, await self._address(target))
            if isinstance(answer, bytes):
                return answer
            url = urljoin(target.url, answer.location)
        raise FetchError(f"We can not access the URL currently: more than {_HOPS - 1} redirects.")

    async def _address(self, target: Target) -> str:
        """One checked address. A single bad one among several condemns the name."""
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"We can not access the URL currently: {target.host} has no address.") from error
        if not found:
            raise FetchError(f"We can not access the URL currently: {target.host} has no address.")
        private_too = self.settings.allow_private_hosts
        if any(is_of_a_cloud(one) for one in found) or not (private_too or all(is_public(one) for one in found)):
            raise DeniedError(  # without the address: the caller need not learn what lies inside
                f"{target.host!r} is not a public address; send the picture in image.content"
            )
        return found[0]

    async def _get(self, target: Target, address: str) -> "bytes | _Redirect":
        writer = None
        try:
            reader, writer = await asyncio.open_connection(
                address,
                target.port,
                ssl=self._tls if target.scheme == "https" else None,
                server_hostname=target.host if target.scheme == "https" else None,
                limit=_MAX_HEAD,
            )
            return await _exchange(target, reader, writer, max_bytes=self.settings.max_picture_bytes)
        except SzemError:
            raise
        except (OSError, h11.RemoteProtocolError) as error:
            raise FetchError(
                f"We can not access the URL currently: {target.authority} failed ({type(error).__name__}). "
                "Please download the content and pass it in."
            ) from error
        finally:
            if writer is not None:
                writer.transport.abort()  # nothing is kept for later, and nobody is waited for


class _Redirect:
    def __init__(self, location: str) -> None:
        self.location = location


async def _exchange(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_bytes: int
) -> bytes | _Redirect:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
    request = h11.Request(
        method="GET",
        target=target.path,
        headers=[
            ("Host", target.authority),
            ("User-Agent", "szem"),
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ],
    )
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_MAX_HEAD))
        elif isinstance(event, h11.Response):
            redirect = _check_answer(event, target, max_bytes)
            if redirect is not None:
                return redirect
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > max_bytes:
                raise _too_large(target, max_bytes)
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise FetchError(f"We can not access the URL currently: {target.authority} closed the connection.")


def _check_answer(answer: h11.Response, target: Target, max_bytes: int) -> _Redirect | None:
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in answer.headers}
    if answer.status_code in _REDIRECTS:
        if "location" not in headers:
            raise FetchError(f"We can not access the URL currently: {target.authority} redirects to nowhere.")
        return _Redirect(headers["location"])
    if answer.status_code != 200:
        raise FetchError(
            f"We can not access the URL currently: {target.authority} answered {answer.status_code}. "
            "Please download the content and pass it in."
        )
    if headers.get("content-encoding", "identity") != "identity":
        raise FetchError(f"We can not access the URL currently: {target.authority} sent a compressed answer.")
    length = headers.get("content-length", "0")
    with suppress(ValueError):
        if int(length) > max_bytes:
            raise _too_large(target, max_bytes)
    return None


def _too_large(target: Target, max_bytes: int) -> TooLargeError:
    return TooLargeError(f"{target.authority} sends more than {max_bytes:,} bytes, the limit for one picture")
