"""The beta versions of Google's API are answered as version 1: the same messages under other paths.

Pure ASGI, outside everything that looks at paths. Only the type names inside operations differ; see `version_of`.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["STABLE", "Versions", "default_parent", "version_of"]

STABLE = "v1"
_BETA = re.compile(r"/(v1p[1234]beta1)/(?!szem/)")


class Versions:
    """ASGI middleware: `/v1p3beta1/images:annotate` becomes `/v1/images:annotate`, its version kept in the scope."""

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Rename, and pass on."""
        if scope["type"] == "http" and (found := _BETA.match(scope["path"])):
            scope["path"] = f"/{STABLE}/{scope['path'][found.end() :]}"
            scope["raw_path"] = scope["path"].encode("utf-8", "surrogateescape")
            scope["state"]["version"] = found[1]
        await self.app(scope, receive, send)


def version_of(scope: "Scope") -> str:
    """The version of the API that a request asked for.

    >>> version_of({"state": {}})
    'v1'
    """
    return str(scope["state"].get("version", STABLE))


def default_parent(scope: "Scope") -> str:
    """The parent of an operation that names none: the beta clients ask only for operations that have one."""
    return "" if version_of(scope) == STABLE else "projects/-"
