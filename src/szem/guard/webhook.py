"""Events posted to an address as JSON, signed where a key is given.

Headers: `idempotency-key` is the message's id, the same at every attempt; `x-szem-timestamp` is when it was sent;
`x-szem-signature` is `sha256=` and the HMAC, under the key, of the timestamp, a full stop and the body. Redirects are
not followed: an event goes where the operator said, nowhere else.
"""

import base64
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from szem.errors import RangeError, StoreError
from szem.guard.outbox import Message, RefusedError

__all__ = ["WebhookSender", "sign"]

_TRY_AGAIN = frozenset((408, 409, 425, 429))  # what a receiver says for "not now", besides 5xx


def sign(key: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a message.

    >>> sign(b"key", "0", b"{}")[:15]
    'sha256=7314351d'
    """
    return "sha256=" + hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookSender:
    """One address.

    Args:
        url: http:// or https://; a user and password in it are sent as Basic authorization.
        headers: Sent with each message, such as an authorization.
        key: Messages are signed with it; empty: they are not.
        timeout_s: For connecting and for each piece of the answer.
    Raises:
        RangeError: the address cannot be used.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, key: bytes = b"", timeout_s: float = 10.0
    ) -> None:
        self._address = urlsplit(url)
        try:
            fits = self._address.scheme in ("http", "https") and bool(self._address.hostname)
            _ = self._address.port
        except ValueError:
            fits = False
        if not fits:
            raise RangeError("a webhook's address begins with http:// or https:// and a host")
        self._headers, self._key, self._timeout_s = dict(headers or {}), key, timeout_s
        if self._address.username and "authorization" not in {name.lower() for name in self._headers}:
            pair = f"{unquote(self._address.username)}:{unquote(self._address.password or '')}"
            self._headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"

    def send(self, message: Message) -> None:
        """Post a message.

        Raises:
            RefusedError: the receiver answered with a status that another attempt will not change.
            StoreError: it answered that it cannot now.
            OSError: it did not answer.
        """
        body = message.body.encode("utf-8")
        stamp = str(int(time.time()))
        headers = {
            **self._headers,
            "content-type": "application/json; charset=utf-8",
            "user-agent": "szem",
            "idempotency-key": message.id,
            "x-szem-timestamp": stamp,
        }
        if self._key:
            headers["x-szem-signature"] = sign(self._key, stamp, body)
        connection = self._connect()
        try:
            path = self._address.path or "/"
            connection.request(
                "POST", f"{path}?{self._address.query}" if self._address.query else path, body=body, headers=headers
            )
            answer = connection.getresponse()
            answer.read(4096)
        except http.client.HTTPException as error:
            raise StoreError(f"{self._address.hostname}: no HTTP answer ({type(error).__name__})") from error
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return
        fault = f"{self._address.hostname} answered {answer.status} {answer.reason}"
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            raise StoreError(fault)
        raise RefusedError(f"{fault}; check the webhook's address and headers")

    def close(self) -> None:
        """Nothing stays open."""

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
