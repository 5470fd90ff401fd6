"""Google's client as a program makes it, for the tests that ask through it."""

import io
from typing import Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import vision
from PIL import Image

__all__ = ["client_of", "tiff"]


def client_of(server: httpx.Client, version: Any = vision, **options: object) -> Any:
    """The client as a program makes it: REST, and the endpoint."""
    if "api_key" not in options:
        options.setdefault("credentials", AnonymousCredentials())  # type: ignore[no-untyped-call]
    endpoint: dict[str, object] = {"api_endpoint": str(server.base_url).rstrip("/")}
    if "api_key" in options:
        endpoint["api_key"] = options.pop("api_key")
    return version.ImageAnnotatorClient(transport="rest", client_options=endpoint, **options)


def tiff(count: int, *, fmt: str = "TIFF") -> bytes:
    """Pages of plain colours: page n is (40 n, 0, 0)."""
    frames = [Image.new("RGB", (32, 24), (40 * n, 0, 0)) for n in range(1, count + 1)]
    out = io.BytesIO()
    frames[0].save(out, fmt, save_all=True, append_images=frames[1:])
    return out.getvalue()


# Pictures ----------------------------------------------------------------------------------------------------------
