"""The studio's files, with the headers that keep a page safe and fresh.

Files carry an ETag and are asked for again each time (`no-cache`), so an upgrade shows at once and costs one
304 per file. Nothing may be loaded from anywhere else, no script may be written into a page.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os

    from starlette.responses import Response
    from starlette.types import Scope

__all__ = ["PAGE_HEADERS", "StudioFiles", "studio_folder"]

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}

# The machine's own table of types cannot be trusted: some say text/plain for .js, and browsers then refuse it.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".mp4": "video/mp4",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}


def studio_folder() -> Path:
    """Where the studio's files are installed."""
    import szem.studio

    return Path(szem.studio.__path__[0])


class StudioFiles(StaticFiles):
    """Files of one folder: only types a page needs, never Python sources."""

    async def get_response(self, path: str, scope: "Scope") -> "Response":
        """Answer with a file and the page's headers."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:  # an unreadable file is as good as none; 401 would ask for a password
            raise HTTPException(404 if error.status_code == 401 else error.status_code) from error
        response.headers.update(PAGE_HEADERS)
        response.headers["cache-control"] = "no-cache"
        return response

    def lookup_path(self, path: str) -> tuple[str, "os.stat_result | None"]:
        """Find a file; what is not a page's file is not there."""
        full, found = super().lookup_path(path)
        if found is not None and Path(full).is_file() and Path(full).suffix.lower() not in _TYPES:
            return "", None
        return full, found

    def file_response(self, full_path: "str | os.PathLike[str]", *args: "object", **kwargs: "object") -> "Response":
        """Set the content type from our own table."""
        response = super().file_response(full_path, *args, **kwargs)  # type: ignore[arg-type]
        kind = _TYPES.get(Path(full_path).suffix.lower())
        if kind is not None and response.status_code == 200:
            response.headers["content-type"] = kind
        return response
