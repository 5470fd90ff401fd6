"""Who may call: the Host header, the page that asks, API keys and the owner's key.

The checks come in this order, so that a stranger learns as little as possible: a wrong name or a foreign page is
refused before any key is looked at. This file does not know about limits.
"""

import hashlib
import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from szem.errors import DeniedError
from szem.serve.settings import is_loopback
from szem.serve.status import FieldsError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import Headers
    from starlette.types import Scope

    from szem.serve.settings import ServeSettings

__all__ = ["KEY_PROTOCOL", "CallerCheck", "needs_owner_key"]

KEY_PROTOCOL = "szem.key."
"""A page cannot set headers of a WebSocket: the key comes as a subprotocol, `szem.key.KEY`."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_GUARD = "/v1/szem/guard"
# A page of another origin may embed what a browser fetches without asking first; the browser says so in this header.
_OWN_SITES = frozenset({"same-origin", "none"})


def needs_owner_key(path: str) -> bool:
    """Whether a path belongs to the owner alone: the guard, and pictures of the folders that may be read.

    >>> [needs_owner_key(p) for p in ("/v1/szem/guard/rules", "/v1/szem/kernels", "/v1/images:annotate")]
    [True, False, False]
    """
    if path == _GUARD or path.startswith(_GUARD + "/"):
        return True
    return path.startswith("/v1/szem/lab/networks/") and path.endswith("/strongest")


class CallerCheck:
    """Refuses strangers.

    Args:
        settings: The operator's choices.
    """

    def __init__(self, settings: "ServeSettings") -> None:
        self.settings = settings
        self._owner = _digest(settings.key) if settings.key else None
        self._keys = tuple(_digest(key.strip()) for key in settings.api_keys)
        self._names = {name.lower() for name in settings.hostnames}
        if settings.on_loopback:
            self._names |= _LOOPBACK_NAMES | {settings.host.lower()}

    def check(self, scope: "Scope", headers: "Headers") -> str:
        """Refuse strangers; give the fingerprint of the caller's key, empty when none is needed.

        Raises:
            FieldsError: two Host headers, or none in HTTP/1.1.
            DeniedError: a name, a page or an API key that the operator has not allowed.
            MissingKeyError: the path is the owner's, and the owner's key did not come.
        """
        self._check_host(scope, headers)
        path = scope["path"]
        if not _is_checked(path):
            return ""
        if scope.get("method") == "OPTIONS":  # a browser asks first, and without keys
            return ""
        self._check_origin(scope, headers)
        given = [_digest(key) for key in _keys_given(scope, headers)]
        is_owner = self._owner is not None and _holds(given, (self._owner,)) is not None
        if needs_owner_key(path) and not is_owner:
            raise MissingKeyError(
                "this needs the key of the server's owner, and none or another one came; open the address that "
                "szem studio or szem serve prints (…/#key=…), or send the header X-Szem-Key: KEY"
            )
        if path == "/openapi.json" or path == "/healthz":
            return ""
        return self._fingerprint(given, is_owner=is_owner, how="the header x-goog-api-key or as ?key=")

    def check_keys(self, keys: "Iterable[str]", *, how: str) -> str:
        """As `check`, for a caller of whom only keys are known (gRPC).

        Args:
            keys: Those that came.
            how: In which place of a call one is to come, for the advice.
        Raises:
            DeniedError: an API key is needed, and none that is known came.
        """
        given = [_digest(key) for key in keys]
        is_owner = self._owner is not None and _holds(given, (self._owner,)) is not None
        return self._fingerprint(given, is_owner=is_owner, how=how)

    def _fingerprint(self, given: list[bytes], *, is_owner: bool, how: str) -> str:
        if not self._keys:
            return ""
        known = given[0] if is_owner else _holds(given, self._keys)
        if known is None:
            raise DeniedError(
                f"this server asks for an API key and got none that it knows; send it in {how} "
                '(Google\'s client: client_options={"api_key": …})'
            )
        return known.hex()[:16]

    def _check_host(self, scope: "Scope", headers: "Headers") -> None:
        """A page of another site may have its name point here; then the Host header gives it away."""
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and scope.get("http_version", "1.1") not in ("1.0", "0.9")):
            raise FieldsError(f"a request has one Host header, this one has {len(hosts)}; send one")
        for host in hosts:
            name = _host_name(host)
            if name not in self._names and not self._is_own_address(name, scope):
                raise DeniedError(
                    f"this server does not answer to the name {name[:80]!r}; "
                    "start it with --hostname NAME if it should"
                )

    def _is_own_address(self, name: str, scope: "Scope") -> bool:
        """Whether the Host is the very address that was connected to: no name that can be pointed elsewhere."""
        server = scope.get("server")
        if not server:
            return False
        if name == "localhost":
            return is_loopback(str(server[0]))
        try:
            return ip_address(name) == ip_address(str(server[0]))
        except ValueError:
            return False

    def _check_origin(self, scope: "Scope", headers: "Headers") -> None:
        allowed = self.settings.allow_origins
        origins = headers.getlist("origin")  # a browser sends one; each of several must be right
        if "*" in allowed or (origins and all(origin in allowed for origin in origins)):
            return
        for site in headers.getlist("sec-fetch-site"):
            if site.lower() not in _OWN_SITES:
                raise DeniedError(
                    f"a page of another origin ({site[:20]!r}) asked for this; open the address itself, "
                    "or start the server with --allow-origin ORIGIN to let its pages call"
                )
        scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
        for origin in origins:
            if origin != f"{scheme}://{headers.get('host', '')}":
                raise DeniedError(
                    f"pages of {origin[:80]!r} may not call this server; start it with --allow-origin to let them"
                )


def _is_checked(path: str) -> bool:
    """Whether a path gives more than the pages' own files."""
    return path.startswith("/v1/") or path in ("/metrics", "/openapi.json", "/healthz")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _holds(given: "Iterable[bytes]", known: "tuple[bytes, ...]") -> bytes | None:
    """The first given key that is known. Each is compared with every known one, so that time tells nothing."""
    for key in given:
        if sum([hmac.compare_digest(key, other) for other in known]):
            return key
    return None


def _keys_given(scope: "Scope", headers: "Headers") -> "Iterable[str]":
    """Every key that came with a request: headers, query, bearer token, subprotocol of a WebSocket.

    The owner's key is not taken from the query: addresses end up in histories and logs.
    """
    for name in ("x-szem-key", "x-goog-api-key"):
        if name in headers:
            yield headers[name].strip()
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        yield token.strip()
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        if offered.strip().startswith(KEY_PROTOCOL):
            yield offered.strip().removeprefix(KEY_PROTOCOL)
    query = scope.get("query_string", b"")
    if b"key=" in query and not needs_owner_key(scope["path"]):
        yield from parse_qs(query.decode("latin-1"), max_num_fields=None).get("key", [])[:4]


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets.

    >>> _host_name("[::1]:8777"), _host_name("LOCALHOST.:80")
    ('::1', 'localhost')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host
